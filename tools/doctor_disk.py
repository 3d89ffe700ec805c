"""The disk under the store: room, and what is known of its wear. Cards die of being written to, most of them without a word."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from functools import partial

from gateway.config import Config
from gateway.words import Say
from tools.finding import BAD, GOOD, NOTE, Finding
from tools.machine import Machine, Wear

LITTLE_DISK_MB, NO_DISK_MB = 1000, 100
MUCH_MB_A_DAY = 10_000  # the gateway itself writes some 300 with 50 nodes
WORN_PERCENT = 90
_HOUR_S, _DAY_S = 3600, 86_400


def examine_folder(settings: Config) -> Iterator[Finding]:
    """gateway.state_dir: is it there, is it ours, has it room?"""
    folder = settings.gateway.state_dir
    about = {"folder": folder}
    try:
        folder.stat()
    except PermissionError:
        yield Finding("state folder", BAD, Say("doctor.folder-denied", about))
        return
    except OSError:
        pass  # not there yet
    if not folder.is_dir():
        above = next(parent for parent in folder.parents if parent.exists())
        if above.is_dir() and not folder.exists() and os.access(above, os.W_OK | os.X_OK):
            made = Say("doctor.fixed-folder", about)
            yield Finding("state folder", NOTE, Say("doctor.new-folder", about), partial(folder.mkdir, 0o750, parents=True), made)
        else:
            found = folder if folder.exists() else above
            yield Finding("state folder", BAD, Say("doctor.no-folder", {**about, "found": found}))
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding("state folder", BAD, Say("doctor.folder-denied", about))
        return
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    level = BAD if free_mb < NO_DISK_MB else NOTE if free_mb < LITTLE_DISK_MB else GOOD
    key = "doctor.folder" if level == GOOD else "doctor.little-disk"
    yield Finding("state folder", level, Say(key, {**about, "free_mb": free_mb}))


def examine_wear(settings: Config, machine: Machine) -> Iterator[Finding]:
    """Of the disk that the folder is on, or will be; nothing where there is no disk, or no way to know."""
    if sys.platform != "linux":
        return
    folder = settings.gateway.state_dir
    try:
        there = next(place for place in (folder, *folder.parents) if place.exists())
        worn = machine.wear(there.stat().st_dev)
    except OSError:  # said by the folder's own finding
        return
    if worn is not None:
        yield judge(worn)


def judge(worn: Wear) -> Finding:
    """What the disk tells of itself, else what it has had to bear since this machine was started."""
    about: dict[str, object] = {"disk": worn.disk, "written_mb": worn.written_mb, "hours": worn.up_s // _HOUR_S}
    if worn.used_percent is not None or worn.reserve is not None:
        used, reserve = worn.used_percent or 0, worn.reserve or 1
        level = BAD if used > 100 or reserve >= 3 else NOTE if used > WORN_PERCENT or reserve == 2 else GOOD
        told = Say("doctor.wear-unknown") if worn.used_percent is None else Say("doctor.wear-used", {"percent": min(used, 100)})
        return Finding("wear", level, Say("doctor.wear-told" if level == GOOD else "doctor.wear-worn", {**about, "used": told}))
    if worn.up_s >= _HOUR_S and worn.written_mb * _DAY_S // worn.up_s > MUCH_MB_A_DAY:
        return Finding("wear", NOTE, Say("doctor.wear-much", {**about, "a_day_mb": worn.written_mb * _DAY_S // worn.up_s}))
    if worn.kind == "SD":
        return Finding("wear", GOOD, Say("doctor.wear-card", {**about, "made": worn.made or Say("doctor.unknown")}))
    return Finding("wear", GOOD, Say("doctor.wear-disk", about))
