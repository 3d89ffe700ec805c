"""What a node of a kit has on its flash: the files, by path, and the file system that holds them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from littlefs import LittleFS

from tools.flashing.interpreter import MPY_MAJOR, FirmwareError
from tools.flashing.layout import BLOCK_SIZE, FILES
from tools.slots_image import SLOTS_FILE, firmware_version, flash_files

MANIFEST = "manifest"
FIRST_SLOT = "a"
_DISK_VERSION = 0x00020000  # what every MicroPython reads; newer ones would read 2.1 as well


@dataclass(frozen=True)
class NodeImage:
    """`files` as tools/slots_image makes them for a new node; `slot` is the one that they stand in."""

    kit: str
    version: str
    files: dict[str, bytes]

    @cached_property
    def sha256(self) -> str:
        """Of the manifest: tells one firmware from another."""
        return hashlib.sha256(self.files[f"{FIRST_SLOT}/{MANIFEST}"]).hexdigest()

    @cached_property
    def file_system(self) -> bytes:
        """The whole partition, as a board would have formatted and filled it."""
        return pack(self.files)

    def in_slot(self, slot: str) -> dict[str, bytes]:
        """The files that belong to a node which starts from `slot`, without what says so: that is the node's own affair."""
        start = f"{FIRST_SLOT}/"
        return {
            f"{slot}/{path.removeprefix(start)}" if path.startswith(start) else path: content
            for path, content in self.files.items()
            if path != SLOTS_FILE
        }


def build(kit: str) -> NodeImage:
    """FirmwareError where the compiler here makes bytecode that MicroPython 1.19 and later do not load."""
    files = flash_files(kit)
    for path, content in files.items():
        if path.endswith(".mpy") and content[:2] != bytes((ord("M"), MPY_MAJOR)):
            raise FirmwareError("firmware-mpy", found=content[1], expected=MPY_MAJOR)
    return NodeImage(kit, firmware_version(), files)


def pack(files: dict[str, bytes]) -> bytes:
    """A LittleFS of the size of its partition. OSError where they do not fit."""
    made = LittleFS(
        block_size=BLOCK_SIZE, block_count=FILES.size // BLOCK_SIZE, prog_size=32, read_size=32, lookahead_size=32, cache_size=128,
        disk_version=_DISK_VERSION,
    )  # fmt: skip
    for path, content in files.items():
        folder = path.rpartition("/")[0]
        if folder:
            made.makedirs(folder, exist_ok=True)
        with made.open(path, "wb") as file:
            file.write(content)
    return bytes(made.context.buffer)
