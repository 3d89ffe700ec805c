# NOR flash in memory, as a MicroPython block device with offsets, and the faults that real ones have.
#
# Programming only clears bits, an erase sets a whole block, and a power cut may come between any two bytes of either.
# What this cannot show: weak bits that change with time, and what a supply that fails slowly does.

SYNC = 3
BLOCKS = 4
BLOCK_SIZE = 5
ERASE = 6


class PowerCut(Exception):
    """The supply fails at this very byte."""


class RamFlash:
    """`bytes_until_cut` counts down over programmed and erased bytes; `worn` holds (block, offset) of bytes that no longer
    take a program; `broken_calls` names calls that fail with OSError: read, write, sync, erase."""

    def __init__(self, blocks=4, block_size=256):
        self.block_size = block_size
        self.cells = [bytearray(b"\xff" * block_size) for _ in range(blocks)]
        self.bytes_until_cut = None
        self.worn = set()
        self.broken_calls = set()
        self.erases = 0
        self.is_synced = True
        self.programmed_twice = 0  # bytes that were asked to set a bit again
        self.written_ahead = 0  # writes begun before the one before was synced
        self.reads = 0

    def readblocks(self, block, buffer, offset=0):
        self._may_fail("read")
        self.reads += 1
        buffer[:] = self.cells[block][offset : offset + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        self._may_fail("write")
        cells = self.cells[block]
        assert offset + len(buffer) <= self.block_size
        self.written_ahead += not self.is_synced
        self.is_synced = False
        for i in range(len(buffer)):
            if self._is_cut():
                cells[offset + i] &= buffer[i] | 0x55  # half of its bits
                raise PowerCut()
            if cells[offset + i] & buffer[i] != buffer[i]:
                self.programmed_twice += 1
            if (block, offset + i) not in self.worn:
                cells[offset + i] &= buffer[i]

    def ioctl(self, command, argument):
        if command == SYNC:
            self._may_fail("sync")
            self.is_synced = True
        elif command == BLOCKS:
            return len(self.cells)
        elif command == BLOCK_SIZE:
            return self.block_size
        elif command == ERASE:
            self._may_fail("erase")
            self.erases += 1
            for i in range(self.block_size):
                if self._is_cut():
                    self.cells[argument][i] |= 0x55
                    raise PowerCut()
                self.cells[argument][i] = 0xFF
        return 0

    def flip(self, block, offset, bit):
        self.cells[block][offset] ^= 1 << bit

    def wipe(self):
        for cells in self.cells:
            cells[:] = b"\xff" * self.block_size

    def content(self):
        return [bytes(cells) for cells in self.cells]

    def restore(self, content):
        for i, old in enumerate(content):
            self.cells[i][:] = old

    def _is_cut(self):
        if self.bytes_until_cut is None:
            return False
        self.bytes_until_cut -= 1
        if self.bytes_until_cut >= 0:
            return False
        self.bytes_until_cut = None  # whoever comes next finds the supply back
        return True

    def _may_fail(self, call):
        if call in self.broken_calls:
            raise OSError(5)
