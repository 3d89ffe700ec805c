"""One SQLite file: opened as a disk that may lose power needs it, read, and written in transactions. Knows no row's meaning."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.errors import StoreDamaged, StoreError
from gateway.tables import PAGE_B, TABLES, VERSION, check_of

_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")  # the last: a table or column that should be there is not

PORTION = 5000  # rows
Failure = (sqlite3.Error, UnicodeDecodeError)  # the latter where SQLite's complaint quotes bytes that are no text


class Database:
    """StoreError where the disk does not do, StoreDamaged where the file is not, or no longer, what was written to it; then
    `is_damaged` stays true until it is opened again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_damaged = False
        self.open()

    def open(self) -> None:
        """Also after `close`, when another file stands at the path."""
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        except Failure as error:
            raise self._blame(error) from error
        try:
            self._set_up()
        except Failure as error:
            self.close()
            raise self._blame(error) from error
        except StoreError:
            self.close()
            raise
        self.is_damaged = False

    def _set_up(self) -> None:
        self._db.execute(f"PRAGMA page_size = {PAGE_B}")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA temp_store = MEMORY")  # an audit sorts a day at a time, which would be most of what is written
        self._have_tables()

    def _have_tables(self) -> None:
        ((version,),) = self.read("PRAGMA user_version")
        if version == VERSION:
            return
        if version or self.read("SELECT 1 FROM sqlite_master"):
            raise self.broken(f"tables of version {version}")
        self._db.executescript(TABLES)

    def _blame(self, error: sqlite3.Error | UnicodeDecodeError) -> StoreError:
        blamed = disk_error(self.path, error)
        self.is_damaged = self.is_damaged or isinstance(blamed, StoreDamaged)
        return blamed

    def close(self) -> None:
        self._db.close()

    def read(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """All rows of a query that changes nothing."""
        try:
            return self._db.execute(query, values).fetchall()
        except Failure as error:
            raise self._blame(error) from error

    def read_in_portions(self, query: str, values: Sequence[object] = ()) -> Iterator[list[Any]]:
        """The same, a few thousand rows at a time."""
        try:
            cursor = self._db.execute(query, values)
            while rows := cursor.fetchmany(PORTION):
                yield rows
        except Failure as error:
            raise self._blame(error) from error

    def whole(self, row: Sequence[Any]) -> Sequence[Any]:
        """The row, if its last value is the check of all others; else StoreDamaged."""
        if check_of(*row[:-1]) != row[-1]:
            raise self.broken(f"row {tuple(row[:2])}")
        return row

    def broken(self, found: object) -> StoreDamaged:
        """What to raise where the file does not say what was written to it."""
        self.is_damaged = True
        return StoreDamaged("store-broken", path=self.path, found=found)

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
            if isinstance(error, Failure):
                raise self._blame(error) from error
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


def disk_error(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> StoreError:
    """What SQLite says, as an error that says what to do."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL") or "full" in str(error):
        return StoreError("store-full", path=path)
    if name.startswith(_DAMAGE) or "utf-8" in str(error).lower():  # a text that is none: Python's own complaint, without a name
        return StoreDamaged("store-broken", path=path, found=error)
    return StoreError("store-unusable", path=path, found=error)
