"""What Linux tells of the machine under /proc, /sys, /etc and /lib: who has a port open, which boards are plugged in, what a disk
has borne. `root` is where these folders are, so that a tree of one's own can stand for a machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SECTOR_B = 512  # of /proc/diskstats, whatever the disk's own are
_RULES = (
    "etc/udev/rules.d",
    "run/udev/rules.d",
    "usr/lib/udev/rules.d",
    "lib/udev/rules.d",
)  # the first that has a name hides the rest


@dataclass(frozen=True)
class Holder:
    """A process that has a port open."""

    pid: int
    name: str


@dataclass(frozen=True)
class Wear:
    """`used_percent` and `reserve` (1 normal, 2 most of it used, 3 nearly all) where the disk tells them, else None; `kind` is
    `SD`, `MMC` or empty."""

    disk: str
    kind: str
    made: str
    used_percent: int | None
    reserve: int | None
    written_mb: int
    up_s: int


class Machine:
    """Whatever cannot be read is as if it were not there."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def holders(self, device: str) -> tuple[list[Holder], bool]:
        """Who has it open, by number; and whether every process could be asked."""
        found: list[Holder] = []
        is_whole = True
        for process in self._processes():
            try:
                links = list((process / "fd").iterdir())
            except PermissionError:
                is_whole = False
                continue
            except OSError:  # it has ended
                continue
            if any(_target(link) == device for link in links):
                found.append(Holder(int(process.name), self._text(process / "comm") or "?"))
        return found, is_whole

    def runs(self, name: str) -> bool:
        """A process of that name, as the kernel cuts it off."""
        return any(self._text(process / "comm") == name[:15] for process in self._processes())

    def usb_ids(self) -> set[tuple[int, int]]:
        """Of everything that is plugged in."""
        folder = self.root / "sys/bus/usb/devices"
        ids = [(self._hex(path / "idVendor"), self._hex(path / "idProduct")) for path in _entries(folder)]
        return {(vid, pid) for vid, pid in ids if vid is not None and pid is not None}

    def udev_rules(self) -> dict[str, str]:
        """Name -> text of every file of rules that counts; one that is masked counts as empty."""
        found: dict[str, str] = {}
        for folder in _RULES:
            for path in _entries(self.root / folder):
                if path.suffix == ".rules" and path.name not in found:
                    found[path.name] = "" if os.path.realpath(path) == os.devnull else self._text(path)
        return found

    def wear(self, device: int) -> Wear | None:
        """Of the disk behind a file's `st_dev`; None where there is none, as in memory."""
        number = f"{os.major(device)}:{os.minor(device)}"
        row = next((row for row in self._disks() if row[:2] == number.split(":")), None)
        if row is None:
            return None
        disk = self._disk_of(row[2])
        written = next((int(row[9]) for row in self._disks() if row[2] == disk), int(row[9]))
        card = self.root / "sys/block" / disk / "device"
        lives = [int(word, 16) for word in self._text(card / "life_time").split() if _is_hex(word)]
        reserve = self._hex(card / "pre_eol_info")
        uptime = self._text(self.root / "proc/uptime").split()
        return Wear(
            disk,
            self._text(card / "type"),
            self._text(card / "date"),
            max(lives) * 10 if any(lives) else None,  # tenths, rounded up; 0 is untold
            reserve or None,
            written * _SECTOR_B // 1_000_000,
            int(float(uptime[0])) if uptime else 0,
        )

    def _disk_of(self, name: str) -> str:
        """`mmcblk0` of `mmcblk0p2`."""
        return next((path.name for path in _entries(self.root / "sys/block") if (path / name).exists()), name)

    def _disks(self) -> Iterator[list[str]]:
        rows = [line.split() for line in self._text(self.root / "proc/diskstats").splitlines()]
        return (row for row in rows if len(row) > 9 and row[9].isdecimal())

    def _processes(self) -> Iterator[Path]:
        return (path for path in _entries(self.root / "proc") if path.name.isdecimal())

    def _hex(self, path: Path) -> int | None:
        text = self._text(path)
        return int(text, 16) if _is_hex(text) else None

    def _text(self, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed meanwhile
        return ""


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _is_hex(text: str) -> bool:
    try:
        return 0 <= int(text, 16) < 1 << 32
    except ValueError:
        return False
