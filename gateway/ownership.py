"""One process owns a state folder: the store has one writer. The operating system lets go when the process ends, however.

And one user does, whoever writes there.
"""

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


def hand_over(path: Path) -> None:
    """What a command that runs as root has made in a folder belongs to whom the folder belongs to, as what the gateway makes there
    does: under systemd the gateway is a user of its own, and may not remove or trust what is root's."""
    if os.name == "posix" and os.geteuid() == 0:
        above = path.parent.stat()
        os.chown(path, above.st_uid, above.st_gid, follow_symlinks=False)


def _lock(descriptor: int) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
