"""A board's 4 MB of flash in a file, as the mock of the bootloader writes it and as whoever starts the board reads it."""

from __future__ import annotations

import hashlib
import mmap
import struct
import zlib
from pathlib import Path

from esp32_mock_bootloader.server import FlashImage

from tools.flashing.interpreter import FirmwareError, read
from tools.flashing.layout import APP_AT, BOOTLOADER_AT, FILES, FLASH_SIZE, TABLE_AT, TABLE_SIZE, unpack_table


def make(path: Path, content: dict[int, bytes] | None = None) -> None:
    """An erased flash with this at these places, unless there is one already."""
    if path.exists():
        return
    flash = bytearray(b"\xff" * FLASH_SIZE)
    for at, data in (content or {}).items():
        flash[at : at + len(data)] = data
    path.write_bytes(flash)


class FlashFile(FlashImage):
    """What the mock calls its flash, over the file: a block is on it before it is acknowledged. A region is erased before it is
    written, as the stub does it."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), FLASH_SIZE)
        self._at = 0
        self._left = 0
        self._inflate = zlib.decompressobj()

    def begin_defl(self, payload: bytes) -> None:
        size, _, _, self._at = struct.unpack_from("<IIII", payload)
        self._begin(size)
        self._inflate = zlib.decompressobj()

    def write_defl_block(self, payload: bytes) -> None:
        self._write(self._inflate.decompress(payload[16:]))

    def end_defl(self) -> None:
        self._left = 0

    def begin_plain(self, payload: bytes) -> None:
        size, _, _, self._at = struct.unpack_from("<IIII", payload)
        self._begin(size)

    def write_plain_block(self, payload: bytes) -> None:
        self._write(payload[16:])

    def erase_all(self) -> None:
        self.erase_region(0, FLASH_SIZE)

    def erase_region(self, offset: int, size: int) -> None:
        size = min(size, FLASH_SIZE - offset)
        self._map[offset : offset + size] = b"\xff" * size

    def read(self, offset: int, length: int) -> bytes:
        return self._map[offset : offset + length]

    def md5_stub_response(self, payload: bytes, *, stub: bool = False) -> bytes:
        at, size = struct.unpack_from("<II", payload)
        digest = hashlib.md5(self.read(at, size), usedforsecurity=False).digest()
        answer = (digest if stub else digest.hex().encode()) + bytes(2)
        return slip(struct.pack("<BBHI", 1, 0x13, len(answer), 0) + answer)

    def _begin(self, size: int) -> None:
        self._left = size
        self.erase_region(self._at, -(-size // 4096) * 4096)

    def _write(self, data: bytes) -> None:
        data = data[: self._left]  # the last block is filled up
        self._map[self._at : self._at + len(data)] = data
        self._at += len(data)
        self._left -= len(data)


def slip(data: bytes) -> bytes:
    """A frame of the bootloader's protocol."""
    return b"\xc0" + data.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


def starts(path: Path) -> bool:
    """Whether a bootloader would start what stands there: its own image, a table with an app and files, an app that is whole."""
    flash = path.read_bytes()
    try:
        read(flash[BOOTLOADER_AT:APP_AT] + flash[APP_AT : FILES.offset])
        names = {part.name: part.offset for part in unpack_table(flash[TABLE_AT : TABLE_AT + TABLE_SIZE])}
    except (FirmwareError, ValueError):
        return False
    return names.get("vfs") == FILES.offset
