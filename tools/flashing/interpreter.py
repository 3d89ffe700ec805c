"""MicroPython's image for the ESP32, as its download page gives it: one file for BOOTLOADER_AT. Pure.

Theory of operation
    In the file follow each other: the bootloader, padding, MicroPython's own partition table, padding, the app. Written in one
    piece the padding would run over NVS, and with it over the node's key and its counter, which must never go back. So it is
    split: the bootloader and the app are written where they belong, and our table takes the place of the file's.
    An app ends with the SHA-256 of itself, which the bootloader compares at every start: an app that runs and ends with the
    right one is the right one.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass

from gateway.errors import TrottoirError
from tools.flashing.layout import APP, APP_AT, BOOTLOADER_AT, FLASH_SIZE, TABLE_AT, TABLE_SIZE, unpack_table

MAGIC = 0xE9
CHIP_ID = 0  # of the ESP32; later chips have others
CHIP = "esp32"
MPY_MAJOR = 6
DIGEST_SIZE = 32
_HEAD = struct.Struct("<BBBBIBBBBHBHHIB")
_SEGMENT = struct.Struct("<II")
_APP_DESCRIPTION = struct.Struct("<IIII32s32s16s16s32s32s")
_APP_MAGIC = 0xABCD5432
_DESCRIPTION_AT = _HEAD.size + _SEGMENT.size
_BANNER = re.compile(rb"MicroPython v(\d+\.\d+(?:\.\d+)?(?:-preview)?)[-.\w]* on 20\d\d-\d\d-\d\d")
_MOST_SEGMENTS = 16
# From which MicroPython on which form of bytecode; its documentation, "MicroPython .mpy files".
_MPY_SINCE = (((1, 23), "6.3"), ((1, 22), "6.2"), ((1, 20), "6.1"), ((1, 19), "6"))


class FirmwareError(TrottoirError):
    """A file that is no image for these boards."""

    exit_code = 3


@dataclass(frozen=True)
class Interpreter:
    """`version` is MicroPython's, `mpy` the form of bytecode that it loads. `bootloader` belongs to BOOTLOADER_AT, `app` to
    APP_AT."""

    sha256: str
    size: int
    version: str
    mpy: str
    bootloader: bytes
    app: bytes

    @property
    def app_digest(self) -> bytes:
        """What the app ends with."""
        return self.app[-DIGEST_SIZE:]


def read(content: bytes) -> Interpreter:
    """A file's content, looked through. FirmwareError with one line for what is no MicroPython for the ESP32."""
    if len(content) < APP_AT - BOOTLOADER_AT + _DESCRIPTION_AT + _APP_DESCRIPTION.size:
        raise FirmwareError("firmware-short", found=len(content))
    if len(content) > FLASH_SIZE - BOOTLOADER_AT:
        raise FirmwareError("firmware-long", found=len(content), most=FLASH_SIZE - BOOTLOADER_AT)
    table_at, app_at = TABLE_AT - BOOTLOADER_AT, APP_AT - BOOTLOADER_AT
    _check_chip(content[: _HEAD.size])
    try:
        unpack_table(content[table_at : table_at + TABLE_SIZE])
    except ValueError as error:
        raise FirmwareError("firmware-no-table", found=error) from error
    _check_chip(content[app_at:])
    app = _cut_to_digest(content[app_at:])
    if len(app) > APP.size:
        raise FirmwareError("firmware-app-large", found=len(app), most=APP.size)
    version = _version(app)
    return Interpreter(
        hashlib.sha256(content).hexdigest(), len(content), version, mpy_of(version), content[:table_at].rstrip(b"\xff"), app
    )


def mpy_of(version: str) -> str:
    """The form of bytecode of a MicroPython. FirmwareError for one older than 1.19."""
    parts = version.split("-")[0].split(".")
    number = (int(parts[0]), int(parts[1]))
    for since, mpy in _MPY_SINCE:
        if number >= since:
            return mpy
    raise FirmwareError("firmware-old", found=version)


def _check_chip(image: bytes) -> None:
    head = _HEAD.unpack_from(image)
    if head[0] != MAGIC:
        raise FirmwareError("firmware-magic", found=f"{head[0]:02x}")
    if head[9] != CHIP_ID:
        raise FirmwareError("firmware-chip", found=head[9], expected=CHIP_ID)


def _cut_to_digest(image: bytes) -> bytes:
    """The app without what stands behind it; its own digest is its end."""
    head = _HEAD.unpack_from(image)
    at = _HEAD.size
    if not 0 < head[1] <= _MOST_SEGMENTS or not head[14]:
        raise FirmwareError("firmware-no-digest")
    for _ in range(head[1]):
        if at + _SEGMENT.size > len(image):
            raise FirmwareError("firmware-cut")
        at += _SEGMENT.size + _SEGMENT.unpack_from(image, at)[1]
    at = (at + 16) // 16 * 16  # a checksum is the last of a row of sixteen
    if at + DIGEST_SIZE > len(image):
        raise FirmwareError("firmware-cut")
    if hashlib.sha256(image[:at]).digest() != image[at : at + DIGEST_SIZE]:
        raise FirmwareError("firmware-damaged")
    return image[: at + DIGEST_SIZE]


def _version(app: bytes) -> str:
    description = _APP_DESCRIPTION.unpack_from(app, _DESCRIPTION_AT)
    banner = _BANNER.search(app)
    if description[0] != _APP_MAGIC or banner is None:
        raise FirmwareError("firmware-other")
    return banner[1].decode()
