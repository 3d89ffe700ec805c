"""At which ports boards are: by their USB identity, under a name that stays the same when cables are moved about."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from serial.tools import list_ports

from tools.usb_boards import BOARDS, UsbBoard

BY_PATH = Path("/dev/serial/by-path")
_WINDOWS = re.compile(r"(?:\\\\[.?]\\)?(COM\d+):?", re.IGNORECASE)


class UsbPort(Protocol):
    """As pyserial tells of a port; texts in it are in the system's language, and nothing is read from them."""

    device: str
    vid: int | None
    pid: int | None
    serial_number: str | None


@dataclass(frozen=True)
class Found:
    """A port with something on it that may be a board. `path` stays with the socket that it is plugged into, where the system
    has such a name."""

    path: str
    device: str
    bridge: str


def look(by_path: Path = BY_PATH) -> list[Found]:
    """All that are plugged in now, in the order of their paths."""
    return chosen(list_ports.comports(), _links(by_path))


def chosen(ports: Iterable[UsbPort], links: Mapping[str, str]) -> list[Found]:
    """Those of a kind that boards have. `links`: device -> stable path. Pure."""
    known: dict[tuple[int | None, int | None], UsbBoard] = {(board.vid, board.pid): board for board in BOARDS}
    found = [
        Found(links.get(port.device, port.device), port.device, known[port.vid, port.pid].name)
        for port in ports
        if (port.vid, port.pid) in known
    ]
    return sorted(found, key=lambda port: _natural(port.path))


def named(port: str) -> str:
    r"""A port as a person names it -> as the system does: `com3:` and `\\.\COM3` are COM3. Pure."""
    windows = _WINDOWS.fullmatch(port.strip())
    return windows[1].upper() if windows else port


def _natural(path: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", path)]


def _links(by_path: Path) -> dict[str, str]:
    if os.name != "posix" or not by_path.is_dir():
        return {}
    links: dict[str, str] = {}
    for link in sorted(by_path.iterdir(), reverse=True):  # of two names for one port the first in order
        links[str(link.resolve())] = str(link)
    return links
