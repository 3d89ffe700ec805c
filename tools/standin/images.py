"""An image with the shape of MicroPython's for the ESP32: headers, tables, hashes as they must be; the code itself is noise.

No genuine one can be had here. What it runs on a board nobody can tell by it; how it is read, split, written and compared is
the same. `python -m tools.standin.images FILE [BYTES]` writes one.
"""

import hashlib
import random
import struct
import sys
from pathlib import Path

from tools.flashing.layout import APP, BLOCK_SIZE, Partition, pack_table

BANNER = b"MicroPython v1.24.1 on 2024-11-29; Generic ESP32 module with ESP32"


def esp_image(segment: bytes, chip_id=0, magic=0xE9) -> bytes:
    """One segment with its header, checksum and digest, as esptool makes them."""
    segment = segment.ljust(-(-len(segment) // 4) * 4, b"\0")
    head = struct.pack("<BBBBIBBBBHBHHIB", magic, 1, 2, 0x20, 0x40080000, 0, 0, 0, 0, chip_id, 0, 0, 0, 0, 1)
    body = head + struct.pack("<II", 0x3F400020, len(segment)) + segment
    checksum = 0xEF
    for byte in segment:
        checksum ^= byte
    body += bytes(15 - len(body) % 16) + bytes((checksum,))
    return body + hashlib.sha256(body).digest()


def app(size=60_000, banner=BANNER, seed=1, chip_id=0, description_magic=0xABCD5432) -> bytes:
    """`size` bytes of noise that a compressor makes little of, as of code, behind what an app says of itself."""
    name = struct.pack(
        "<IIII32s32s16s16s32s32s", description_magic, 0, 0, 0, b"v1.24.1", b"micropython", b"", b"", b"v5.2.2", bytes(32)
    )
    noise = random.Random(seed).randbytes(size * 2 // 3) + bytes(size // 3)
    return esp_image(name + banner + b"\0" + noise, chip_id)


def interpreter(size=60_000, app_image=None, bootloader=None, table=None, **about) -> bytes:
    """The whole file, for BOOTLOADER_AT."""
    theirs = (Partition("nvs", 1, 2, 0x9000, 0x6000), Partition("factory", 0, 0, APP.offset, APP.size))
    first = esp_image(random.Random(2).randbytes(12_000) + bytes(8_000)) if bootloader is None else bootloader
    middle = pack_table(theirs) if table is None else table
    last = app(size, **about) if app_image is None else app_image
    return first.ljust(0x7000, b"\xff") + middle.ljust(2 * BLOCK_SIZE * 4, b"\xff") + last


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(interpreter(int(sys.argv[2]) if len(sys.argv) > 2 else 60_000))
