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
    """`bytes_until_cut` counts down over programmed and erased bytes; of the byte that the cut hits, the bits in `spared` stay
    as they were, and `cut_at` then tells (call, block, offset, bytes that went through, what stood there before).
    `worn` holds (block, offset) of bytes that take neither program nor erase any longer; `broken_calls` names calls that
    fail with OSError: read, write, sync, erase."""

    def __init__(self, blocks=4, block_size=256):
        self.block_size = block_size
        self.cells = [bytearray(b"\xff" * block_size) for _ in range(blocks)]
        self.bytes_until_cut = None
        self.spared = 0x55
        self.cut_at = None
        self.worn = set()
        self.broken_calls = set()
        self.erased = [0] * blocks  # how often each block was
        self.is_synced = True
        self.programmed_twice = 0  # writes that asked to set a bit again
        self.written_ahead = 0  # writes begun before the one before was synced
        self.reads = 0

    @property
    def erases(self):
        return sum(self.erased)

    def readblocks(self, block, buffer, offset=0):
        self._may_fail("read")
        self.reads += 1
        buffer[:] = self.cells[block][offset : offset + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        self._may_fail("write")
        size = len(buffer)
        assert offset + size <= self.block_size
        self.written_ahead += not self.is_synced
        self.is_synced = False
        old = bytes(self.cells[block][offset : offset + size])
        wanted = int.from_bytes(buffer, "little")
        result = int.from_bytes(old, "little") & wanted
        self.programmed_twice += result != wanted
        self._change("write", block, offset, old, result.to_bytes(size, "little"))

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
            self.erased[argument] += 1
            self._change("erase", argument, 0, bytes(self.cells[argument]), b"\xff" * self.block_size)
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

    def _change(self, call, block, offset, old, new):
        cells = self.cells[block]
        through = self._bytes_until_the_cut(len(new))
        cells[offset : offset + through] = new[:through]
        if through < len(new):
            cells[offset + through] = old[through] & self.spared | new[through] & (self.spared ^ 0xFF)
        for worn_block, at in self.worn:
            if worn_block == block and offset <= at <= offset + through and at < offset + len(new):
                cells[at] = old[at - offset]
        if through < len(new):
            self.cut_at = (call, block, offset, through, old)
            raise PowerCut()

    def _bytes_until_the_cut(self, size):
        left = self.bytes_until_cut
        if left is None:
            return size
        if left < size:
            self.bytes_until_cut = None  # whoever comes next finds the supply back
            return left
        self.bytes_until_cut = left - size
        return size

    def _may_fail(self, call):
        if call in self.broken_calls:
            raise OSError(5)
