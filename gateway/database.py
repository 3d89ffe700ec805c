"""One SQLite file: opened as a disk that may lose power needs it, read, and written in transactions. Knows no row's meaning."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.errors import StoreDamaged, StoreError
from gateway.tables import TABLES, VERSION, check_of

_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")  # the last: a table or column that should be there is not


class Database:
    """StoreError where the disk does not do, StoreDamaged where the file is not, or no longer, what was written to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            if self._db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                self._db.executescript(TABLES)
        except sqlite3.Error as error:
            raise disk_error(path, error) from error

    def close(self) -> None:
        self._db.close()

    def read(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """All rows of a query that changes nothing."""
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise disk_error(self.path, error) from error

    def whole(self, row: Sequence[Any]) -> Sequence[Any]:
        """The row, if its last value is the check of all others; else StoreDamaged."""
        if check_of(*row[:-1]) != row[-1]:
            raise StoreDamaged("store-broken", path=self.path, found=f"row {tuple(row[:2])}")
        return row

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; the connection, to change rows with."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._rolled_back()
            if isinstance(error, sqlite3.Error):
                raise disk_error(self.path, error) from error
            raise

    def change(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """The statement once for each row of values. Within a transaction."""
        self._db.executemany(statement, rows)

    def _rolled_back(self) -> None:
        """What was remembered of the transaction is not true."""

    def noted(self, name: str) -> int:
        """The number that was noted under this name, 0 if none was."""
        rows = self.read("SELECT value FROM meta WHERE name = ?", (name,))
        return rows[0][0] if rows else 0

    def note(self, name: str, value: int) -> None:
        with self.transaction():
            self.put_note(name, value)

    def put_note(self, name: str, value: int) -> None:
        """Within a transaction."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES(?,?)", (name, value))


def disk_error(path: Path, error: sqlite3.Error) -> StoreError:
    """What SQLite says, as an error that says what to do."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL") or "full" in str(error):
        return StoreError("store-full", path=path)
    if name.startswith(_DAMAGE):
        return StoreDamaged("store-broken", path=path, found=error)
    return StoreError("store-unusable", path=path, found=error)
