# A slice of flash in memory, with the one property that matters here: what is written is there afterwards.

_BLOCK = 4096
_BLOCKS = 4


class Partition:
    TYPE_DATA = 1

    def __init__(self):
        self._cells = bytearray(b"\xff" * (_BLOCK * _BLOCKS))

    @staticmethod
    def find(type=TYPE_DATA, subtype=255, label=None):
        return [Partition()]

    def readblocks(self, block_num, buf, offset=0):
        at = block_num * _BLOCK + offset
        for i in range(len(buf)):
            buf[i] = self._cells[at + i]

    def writeblocks(self, block_num, buf, offset=0):
        at = block_num * _BLOCK + offset
        for i in range(len(buf)):
            self._cells[at + i] = buf[i]

    def ioctl(self, op, arg):
        if op == 6:
            for i in range(arg * _BLOCK, (arg + 1) * _BLOCK):
                self._cells[i] = 0xFF
        return _BLOCKS if op == 4 else _BLOCK if op == 5 else 0


class NVS:
    """A key, where the beats are to be those of a node on the air."""

    _key = None

    def __init__(self, namespace):
        self._counter = bytes(4)

    def get_blob(self, key, buffer):
        value = self._counter if key == "counter" else NVS._key
        if value is None:
            raise OSError(-4354)  # ESP_ERR_NVS_NOT_FOUND
        buffer[:] = value
        return len(value)

    def set_blob(self, key, value):
        self._counter = bytes(value)

    def commit(self):
        pass
