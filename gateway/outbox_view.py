"""The outbox as a bystander sees it: read-only, so that it can be looked at while the gateway runs."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import StoreError


@dataclass(frozen=True, slots=True)
class Backlog:
    """`oldest_s` is the time of the oldest point that waits, None when none does."""

    points: int
    oldest_s: int | None
    dead_letters: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A line that the server refuses, since when and why."""

    at_s: int
    line: str
    reason: str


class OutboxView:
    """`folder` is [gateway] state_dir. StoreError where no gateway has run yet, or where we may not look."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "store.db"
        if not self._path.exists():
            raise StoreError("store-none", folder=folder)
        try:
            self._db = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)
        except sqlite3.Error as error:
            raise StoreError("store-unusable", path=self._path, found=error) from error

    def backlog(self) -> Backlog:
        ((points, oldest_s),) = self._read("SELECT count(*), min(time) FROM outbox WHERE state = 0")
        return Backlog(points, oldest_s, self._read("SELECT count(*) FROM dead_letters")[0][0])

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest `limit` of them, oldest first."""
        rows = self._read("SELECT at, line, reason FROM dead_letters ORDER BY id DESC LIMIT ?", limit)
        return [DeadLetter(*row) for row in reversed(rows)]

    def close(self) -> None:
        self._db.close()

    def _read(self, query: str, *values: object) -> list[tuple]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError("store-unusable", path=self._path, found=error) from error
