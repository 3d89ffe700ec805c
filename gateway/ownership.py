"""One process owns a state folder: the store has one writer. The operating system lets go when the process ends, however."""

from __future__ import annotations

import os
from pathlib import Path

from gateway.errors import StoreError


class Ownership:
    """Holds a lock on `path`, which is made when missing and stays. StoreError while another process holds it."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("ab")
        except OSError as error:
            raise StoreError("lock-unusable", path=path, found=error) from error
        try:
            _lock(self._file.fileno())
        except OSError as error:
            self._file.close()
            raise StoreError("store-taken", folder=path.parent) from error

    def release(self) -> None:
        self._file.close()


def is_owned(folder: Path) -> bool:
    """Whether a gateway is running in a state folder, as far as this user can tell."""
    path = folder / "lock"
    if not path.exists():
        return False
    try:
        Ownership(path).release()
    except StoreError as error:
        return error.key == "store-taken" or isinstance(error.__cause__, PermissionError)
    return False


def _lock(descriptor: int) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
