"""Which MicroPython goes onto boards: named by a person, recorded by hash, kept beside its record.

    FOLDER/firmware/lock.toml             what was pinned last
    FOLDER/firmware/micropython-HASH.bin  the file itself, so that a bench needs no network and no download folder
The file comes first and the record last, each as a whole: whatever a cut leaves, the record names a file that is there.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from gateway.errors import PermissionDenied
from tools.flashing.interpreter import CHIP, FirmwareError, Interpreter, read
from tools.flashing.layout import FLASH_SIZE

LOCK = "lock.toml"


@dataclass(frozen=True)
class Pinned:
    """The record; `path` is the file that it names."""

    path: Path
    sha256: str
    size: int
    version: str
    mpy: str


def folder_of(state_dir: Path) -> Path:
    return state_dir / "firmware"


def download_page() -> str:
    """Where MicroPython's images are given out; the one address that this project names for it."""
    shipped = (resources.files("tools.flashing") / "firmware.lock.toml").read_text(encoding="utf-8")
    return tomllib.loads(shipped)["download"]


def pin(file: Path, state_dir: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC), is_dry: bool = False) -> Pinned:
    """Records the image that stands in `file`, unless `is_dry`. FirmwareError for one that is none for these boards, or that
    cannot be read; PermissionDenied or FirmwareError where it cannot be kept."""
    content = _content(file)
    image = read(content)
    folder = folder_of(state_dir)
    pinned = Pinned(folder / f"micropython-{image.sha256[:16]}.bin", image.sha256, image.size, image.version, image.mpy)
    if is_dry:
        return pinned
    record = (
        "# Written by `trottoir node firmware pin`.\n"
        f'file = "{pinned.path.name}"\nsha256 = "{image.sha256}"\nsize = {image.size}\nchip = "{CHIP}"\n'
        f'version = "{image.version}"\nmpy = "{image.mpy}"\npinned_at = "{now().isoformat(timespec="seconds")}"\n'
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(pinned.path, content)
        _replace(folder / LOCK, record.encode())
    except PermissionError as error:
        raise PermissionDenied("firmware-denied", folder=folder) from error
    except OSError as error:
        raise FirmwareError("firmware-unkept", folder=folder, found=error) from error
    return pinned


def pinned(state_dir: Path) -> tuple[Pinned, Interpreter]:
    """What was pinned, read again and compared with its hash. FirmwareError where there is none, or another one."""
    lock = folder_of(state_dir) / LOCK
    try:
        record = tomllib.loads(lock.read_text(encoding="utf-8"))
        found = Pinned(lock.parent / record["file"], record["sha256"], record["size"], record["version"], record["mpy"])
        is_plain = Path(record["file"]).name == record["file"] and isinstance(found.sha256, str)
    except FileNotFoundError as error:
        raise FirmwareError("firmware-none", page=download_page()) from error
    except PermissionError as error:
        raise PermissionDenied("firmware-denied", folder=lock.parent) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FirmwareError("firmware-lock", file=lock) from error
    if not is_plain:
        raise FirmwareError("firmware-lock", file=lock)
    content = _content(found.path)
    if hashlib.sha256(content).hexdigest() != found.sha256:
        raise FirmwareError("firmware-changed", file=found.path)
    return found, read(content)


def _content(file: Path) -> bytes:
    """At most one byte more than any image has: that says enough of a longer file."""
    try:
        with file.open("rb") as opened:
            return opened.read(FLASH_SIZE + 1)
    except OSError as error:
        raise FirmwareError("firmware-unread", file=file, found=error) from error


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
