"""NOR flash in memory, quick: programming clears bits, an erase sets a sector, the supply may fail at any byte of either."""

from __future__ import annotations

from random import Random

SYNC, BLOCKS, BLOCK_SIZE, ERASE = 3, 4, 5, 6


class PowerCut(Exception):
    """The supply fails at this very byte."""


class Flash:
    """A MicroPython block device with offsets. `bytes_until_cut` counts down over programmed and erased bytes."""

    def __init__(self, sectors: int, sector_size: int) -> None:
        self.sector_size = sector_size
        self.cells = [bytearray(b"\xff" * sector_size) for _ in range(sectors)]
        self.bytes_until_cut: int | None = None

    def readblocks(self, sector: int, buffer: bytearray, offset: int = 0) -> None:
        buffer[:] = self.cells[sector][offset : offset + len(buffer)]

    def writeblocks(self, sector: int, data: bytes, offset: int = 0) -> None:
        size = self._until_cut(len(data))
        cells = self.cells[sector]
        old = int.from_bytes(cells[offset : offset + size], "big")
        cells[offset : offset + size] = (old & int.from_bytes(data[:size], "big")).to_bytes(size, "big")
        if size < len(data):
            cells[offset + size] &= data[size] | 0x55  # half of its bits
            raise PowerCut

    def ioctl(self, command: int, argument: int) -> int:
        if command == BLOCKS:
            return len(self.cells)
        if command == BLOCK_SIZE:
            return self.sector_size
        if command == ERASE:
            size = self._until_cut(self.sector_size)
            self.cells[argument][:size] = b"\xff" * size
            if size < self.sector_size:
                self.cells[argument][size] |= 0x55
                raise PowerCut
        return 0

    def _until_cut(self, size: int) -> int:
        if self.bytes_until_cut is None:
            return size
        if self.bytes_until_cut >= size:
            self.bytes_until_cut -= size
            return size
        size, self.bytes_until_cut = self.bytes_until_cut, None  # whoever comes next finds the supply back
        return size

    # -- faults at rest

    def flip(self, rng: Random) -> None:
        """One bit, anywhere."""
        self.cells[rng.randrange(len(self.cells))][rng.randrange(self.sector_size)] ^= 1 << rng.randrange(8)

    def wipe(self) -> None:
        for cells in self.cells:
            cells[:] = b"\xff" * self.sector_size

    def copy(self) -> Flash:
        other = Flash(len(self.cells), self.sector_size)
        other.cells = [bytearray(cells) for cells in self.cells]
        return other
