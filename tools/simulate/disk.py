"""The gateway's disk: what it does to statements of SQL, and what becomes of the store's files.

That the store is one SQLite file called `store.db`, with what SQLite puts beside it, is known here alone.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import streetwire
from gateway import adoption
from gateway.model import Q_SIMULATED, Accept, BootState, Passport
from gateway.store import Store

SQL_MUTATIONS: list[tuple[str, str]] = []  # filled by mutants: what a statement says, what it is made to say


class Disk:
    """Fails as it is told to, and counts in `faults` how often it did."""

    def __init__(self, faults: Counter[str]) -> None:
        self.is_full = False
        self.fails_to_commit = False
        self._faults = faults
        self._is_left_alone = False

    def check(self, sql: str) -> None:
        """Before a statement. sqlite3.OperationalError where the disk does not take it."""
        if self._is_left_alone or not (self.is_full or self.fails_to_commit):
            return
        word = sql.split(None, 1)[0].upper()
        if self.is_full and word in ("INSERT", "UPDATE", "DELETE", "REPLACE"):
            self._faults["disk_was_full"] += 1
            raise sqlite3.OperationalError("database or disk is full")
        if self.fails_to_commit and word == "COMMIT":
            self._faults["disk_did_not_sync"] += 1
            raise sqlite3.OperationalError("disk I/O error")

    @contextmanager
    def left_alone(self) -> Iterator[None]:
        """While the simulator looks."""
        self._is_left_alone = True
        try:
            yield
        finally:
            self._is_left_alone = False


@contextmanager
def watched_sql(before: Callable[[str], None]) -> Iterator[None]:
    """Connections that are opened while the block runs ask `before` before every statement, as long as they live."""

    def changed(sql: str) -> str:
        before(sql)
        for old, new in SQL_MUTATIONS:
            sql = sql.replace(old, new)
        return sql

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            return super().execute(changed(sql), *values)

        def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
            return super().executemany(changed(sql), *values)

    real = sqlite3.connect
    with patch.object(sqlite3, "connect", lambda *args, **more: real(*args, **more, factory=Connection)):
        yield


class StoreFiles:
    """The store's files in a folder; only to be changed while the gateway is down. `generation` rises when a file is lost or
    replaced; once one `is_damaged`, whoever heals it may know less than before, whenever it does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.generation = 0
        self.is_damaged = False

    def lose(self) -> None:
        for path in self._folder.glob("store.db*"):
            path.unlink()
        self.generation += 1

    def copy(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self._folder.glob("store.db*")}

    def restore(self, files: dict[str, bytes]) -> None:
        self.lose()
        for name, content in files.items():
            (self._folder / name).write_bytes(content)

    def corrupt(self, rng: Random, places: int) -> None:
        path = self._folder / "store.db"
        content = bytearray(path.read_bytes()) if path.exists() else bytearray()
        for _ in range(places if content else 0):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content)
        self.is_damaged = True

    def hold(self, node: int, incarnation: int, record: streetwire.Record, site: str, at_s: int) -> None:
        """Before the first start: the gateway has heard of this node for long, and this is the newest record it has accepted."""
        self._folder.mkdir(parents=True, exist_ok=True)
        store = Store(self._folder / "store.db")
        passport = Passport(node, incarnation, "0.1.0", "pavement-radar", "simulated", "radar", "sht4x")
        totals = {"live_ab": record.total_ab, "live_ba": record.total_ba}
        state = BootState(node, incarnation, record.boot, total_ab=record.total_ab, total_ba=record.total_ba, **totals)
        accept = Accept(node, incarnation, record, site, record.bin_start, "radar", "sht4x", Q_SIMULATED, at_s * 1000)
        store.commit([passport, state, accept], at_s)
        store.note(adoption.ADOPTED, 1)  # a store at work
        store.close()
