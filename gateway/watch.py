"""Keeps what the store tells to those who look on, and reads it anew only when something was written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from gateway import findings, results
from gateway.config import Config
from gateway.errors import StoreError
from gateway.model import Series
from gateway.reading import Reader
from gateway.shown import Counted
from gateway.view import Books, Now, View, assemble, day_start

LOOK_BACK_S = 7 * 86_400  # for the newest minute of a node that was not heard since
RECENT_S = 3600


class Watch:
    """Made and used where reading a disk may take its time, never in the gateway's loop. StoreError as the reader's.

    `read` before each `view`: who asks the gateway before the store is read sees a minute there that the gateway had not closed.
    """

    def __init__(self, config: Config, version: str) -> None:
        self._config = config
        self._version = version
        self._folder: Path = config.gateway.state_dir
        self.reader = Reader(self._folder / "store.db")
        self._newest: dict[Series, Counted] = {}
        self._books: Books | None = None
        self._looked_s = 0
        self._read_as_of = (-1, -1)  # version of the store, minute

    def read(self, now_s: int) -> bool:
        """False where nothing had to be read anew: then what the gateway has told of `now_s` is as new as the books."""
        as_of = (self.reader.version(), now_s // 60)
        if self._books is not None and as_of == self._read_as_of:
            return False
        self._books = self._read(now_s)
        self._read_as_of = as_of
        return True

    def view(self, now: Now) -> View:
        """What the gateway tells now, beside the books that were read."""
        assert self._books is not None, "read() comes first"
        return assemble(self._config, self._version, now, self._books)

    def _read(self, now_s: int) -> Books:
        midnight_s = day_start(now_s, self._config.gateway.timezone)
        # Far back once; then everything that may have come since the last look, late records of today included.
        from_s = min(midnight_s, self._looked_s - RECENT_S) if self._looked_s else now_s - LOOK_BACK_S
        self._newest |= self.reader.newest(from_s)
        self._looked_s = now_s
        return Books(
            today=self.reader.since(midnight_s),
            newest=dict(self._newest),
            climate=self.reader.climate(now_s - RECENT_S),
            outbox=self.reader.outbox(),
            disk_free_mb=self._disk_free_mb(),
            tests=self._found(results.TESTS),
            aims=self._found(results.AIMS),
        )

    def _found(self, kind: str) -> dict[str, dict[str, Any]]:
        told = {node: findings.newest(self._folder, node, kind) for node in self._config.nodes}
        return {node: found for node, found in told.items() if found is not None}

    def _disk_free_mb(self) -> int:
        try:
            return shutil.disk_usage(self._folder).free // 1_000_000
        except OSError as error:
            raise StoreError("store-unusable", path=self._folder, found=error) from error

    def close(self) -> None:
        self.reader.close()
