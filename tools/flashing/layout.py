"""Where what is in a node's flash: 4 MB of an ESP32, and the partition table that says so to its bootloader. Pure.

NVS holds a node's key and how far its counter has come, `streetlog` its records: neither is ever written by a computer.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

BOOTLOADER_AT = 0x1000
TABLE_AT = 0x8000
APP_AT = 0x10000
FLASH_SIZE = 0x400000
BLOCK_SIZE = 4096
TABLE_SIZE = 0xC00

_ROW = struct.Struct("<2sBBII16sI")
_ROW_MAGIC = b"\xaa\x50"
_MD5_MAGIC = b"\xeb\xeb" + b"\xff" * 14


@dataclass(frozen=True)
class Partition:
    """A row of the table; `kind` 0 is an app, 1 data; `size` is in bytes."""

    name: str
    kind: int
    subtype: int
    offset: int
    size: int

    @property
    def end(self) -> int:
        return self.offset + self.size


NVS = Partition("nvs", 1, 0x02, 0x9000, 0x6000)
PHY = Partition("phy_init", 1, 0x01, 0xF000, 0x1000)
APP = Partition("factory", 0, 0x00, APP_AT, 0x1F0000)
FILES = Partition("vfs", 1, 0x81, 0x200000, 0x160000)
LOG = Partition("streetlog", 1, 0x40, 0x360000, 0xA0000)
PARTITIONS = (NVS, PHY, APP, FILES, LOG)


def pack_table(partitions: tuple[Partition, ...] = PARTITIONS) -> bytes:
    """The table as it is written to TABLE_AT: rows, their MD5, and nothing behind."""
    rows = b"".join(
        _ROW.pack(_ROW_MAGIC, part.kind, part.subtype, part.offset, part.size, part.name.encode(), 0) for part in partitions
    )
    return (rows + _MD5_MAGIC + hashlib.md5(rows, usedforsecurity=False).digest()).ljust(TABLE_SIZE, b"\xff")


def unpack_table(table: bytes) -> tuple[Partition, ...]:
    """Its rows. ValueError for anything that a bootloader would not take."""
    found: list[Partition] = []
    for at in range(0, min(len(table), TABLE_SIZE) - _ROW.size + 1, _ROW.size):
        row = table[at : at + _ROW.size]
        if row[:16] == _MD5_MAGIC:
            if hashlib.md5(table[:at], usedforsecurity=False).digest() != row[16:]:
                raise ValueError("another MD5 than that of its rows")
            break
        if row == b"\xff" * _ROW.size:
            break
        magic, kind, subtype, offset, size, name, _ = _ROW.unpack(row)
        if magic != _ROW_MAGIC:
            raise ValueError(f"a row that begins with {magic.hex()}")
        found.append(Partition(name.rstrip(b"\0").decode("ascii", "replace"), kind, subtype, offset, size))
    if not found:
        raise ValueError("no rows")
    return tuple(found)
