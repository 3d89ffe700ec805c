# The board's flash slice over a file, with the one property that matters: programming only clears bits, an erase sets a
# whole block. What this cannot show: wear, weak bits, what a supply that fails slowly does.

import os

_BLOCK = 4096
_ERASED = b"\xff" * 64  # at a time: the heap is the node's


class Partition:
    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, path):
        self._file = open(path, "r+b")
        self._blocks = self._file.seek(0, 2) // _BLOCK
        self.erases = 0

    @staticmethod
    def find(type=TYPE_APP, subtype=255, label=None):
        path = os.getenv("STREET_FLASH")
        return [Partition(path)] if path and label == "streetlog" else []

    def readblocks(self, block_num, buf, offset=0):
        self._file.seek(block_num * _BLOCK + offset)
        self._file.readinto(buf)

    def writeblocks(self, block_num, buf, offset=0):
        at = block_num * _BLOCK + offset
        self._file.seek(at)
        old = self._file.read(len(buf))
        self._file.seek(at)
        self._file.write(bytes([a & b for a, b in zip(old, buf)]))
        self._file.flush()

    def ioctl(self, op, arg):
        if op == 4:
            return self._blocks
        if op == 5:
            return _BLOCK
        if op == 6:
            self._file.seek(arg * _BLOCK)
            for _ in range(_BLOCK // len(_ERASED)):
                self._file.write(_ERASED)
            self.erases += 1
        self._file.flush()
        return 0


class NVS:
    """A name space of NVS in a file, where STREET_NVS names one: each line is a key and the hex digits of its value. What is set
    is written at `commit`, as a whole; without a file nothing is ever found."""

    def __init__(self, namespace):
        self._path = os.getenv("STREET_NVS")
        self._values = {}
        if self._path:
            try:
                with open(self._path) as file:
                    self._values = dict([line.split() for line in file])
            except OSError:  # nothing was stored yet
                pass

    def get_blob(self, key, buffer):
        if key not in self._values:
            raise OSError(-4354)  # ESP_ERR_NVS_NOT_FOUND
        value = bytes.fromhex(self._values[key])
        if len(value) > len(buffer):
            raise OSError(-4364)  # ESP_ERR_NVS_INVALID_LENGTH
        buffer[: len(value)] = value
        return len(value)

    def set_blob(self, key, value):
        self._values[key] = "".join(["%02x" % byte for byte in value])

    def commit(self):
        if not self._path:
            raise OSError(5)
        with open(self._path + ".new", "w") as file:
            for key, digits in self._values.items():
                file.write("%s %s\n" % (key, digits))
        os.rename(self._path + ".new", self._path)
