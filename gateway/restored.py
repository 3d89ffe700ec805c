"""A state that was put back from a backup takes the place of the one that is here, as a whole.

Theory of operation
    A restore fills `restoring` in the state folder; a restore that ends early leaves the state as it was. That folder, complete and
    synced, is renamed `restored`: from then on the state is that one, whoever finishes. `finish` moves what is in it to where it
    belongs; a power cut leaves the rest for the next start. Only the owner of the folder may call it.

Steps for the store, and why in this order
    what a healing has left goes, since it would become the store; then the old log, then the old file are set aside, since a log
    must never stand beside a file that it is not of; then the new file comes. It has no log.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from gateway.rebuild import beside, sync

FILLING, FILLED = "restoring", "restored"
STORE = "store.db"
REPLACED = ".replaced"  # the store of before, kept until the next restore


def commit(folder: Path) -> None:
    """What was filled is the state from now on. OSError where the disk does not do."""
    for path in sorted((folder / FILLING).rglob("*"), reverse=True):
        sync(path)
    sync(folder / FILLING)
    (folder / FILLING).rename(folder / FILLED)
    sync(folder)


def finish(folder: Path) -> bool:
    """Whether there was anything to do. OSError where the disk does not do; then it is to be called again."""
    shutil.rmtree(folder / FILLING, ignore_errors=True)  # of a restore that ended early
    filled = folder / FILLED
    if not filled.is_dir():
        return False
    if (filled / STORE).exists():
        _make_room(folder / STORE)
    for path in sorted(filled.rglob("*")):
        place = folder / path.relative_to(filled)
        if not path.is_dir():
            path.replace(place)
        elif not place.is_dir():
            place.mkdir()
            shutil.copystat(path, place)
            _own_as(path, place)
    sync(folder)
    shutil.rmtree(filled)
    return True


def _make_room(store: Path) -> None:
    for end in (".healed", ".healing"):
        beside(store, end).unlink(missing_ok=True)
    for end in ("-wal", "-shm", ""):
        old = beside(store, end)
        if old.exists():
            old.replace(beside(beside(store, REPLACED), end))
        sync(store.parent)


def _own_as(path: Path, place: Path) -> None:
    about = path.stat()
    if (about.st_uid, about.st_gid) != (place.stat().st_uid, place.stat().st_gid):
        shutil.chown(place, about.st_uid, about.st_gid)
