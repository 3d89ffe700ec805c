"""Opens the store, whatever its file has become: where it is damaged, a new one is made of all rows that are whole.

Theory of operation
    What SQLite does not notice by itself is looked for: a log that it would pass over in silence, and then, by its own check,
    every page. A row that contradicts its check shows when it is read; the service then calls `heal`.
    The new store is a generation of its own: of what each node had delivered it knows only the bins, so its watermarks begin
    at zero and nodes send again what they hold. Bins name their newest record, so nothing counts twice.

Steps, and what a power cut between them leaves
    1  rows go into store.db.healing       the old file is as it was: the next start begins here again
    2  synced, renamed to store.db.healed  the new store is complete; from here on a start only does what is left of 3 to 5
    3  store.db-wal, -shm and store.db go aside, in this order: a log must never stand beside a file that it is not of
    4  store.db.healed becomes store.db
    5  of what was set aside all but the two newest go
    Only renames: setting aside takes no room. Where there is none for the new store, what was set aside before goes first.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from gateway.database import Failure, disk_error
from gateway.errors import StoreDamaged, StoreError
from gateway.rebuild import beside, build, count, sync
from gateway.salvage import Salvage, is_log_broken
from gateway.store import Store
from gateway.tables import PAGE_B, TABLES, VERSION, check_of

SET_ASIDE = 2  # damaged files that are kept
CHECKED_PAGES = 4_000  # 16 MB


@dataclass(frozen=True, slots=True)
class Healed:
    """What was found: `rows` that are whole, by table; `broken` cells that had the shape of a row and failed its check, and bins
    of a series that is gone (a row may be among them more than once, or be whole elsewhere); `pages` that were read."""

    aside: str
    rows: dict[str, int]
    broken: int
    pages: int


def open_store(path: Path, keeps_received: bool, now_s: int) -> tuple[Store, Healed | None]:
    """The store, and what was healed. StoreError where the disk does not do."""
    try:
        healed = _finish(path, now_s)
        if healed is None and _is_damaged(path):
            healed = _heal(path, now_s)
    except OSError as error:
        raise StoreError("store-unusable", path=path, found=error) from error
    return Store(path, keeps_received), healed


def heal(store: Store, now_s: int) -> Healed:
    """The same for a store in which damage was met: closed, made anew, open again. StoreError where the disk does not do; then
    it is to be called again."""
    try:
        healed = _finish(store.path, now_s) or _heal(store.path, now_s, store.close)
    except OSError as error:
        raise StoreError("store-unusable", path=store.path, found=error) from error
    store.open()
    return healed


# -- looking for damage


def _is_damaged(path: Path) -> bool:
    log = beside(path, "-wal")
    if any(name.exists() and not name.is_file() for name in (path, log, beside(path, "-shm"))):
        return True
    file_b, log_b = (name.stat().st_size if name.exists() else 0 for name in (path, log))
    if file_b < PAGE_B:  # SQLite would begin a new file, and throw the log away
        return file_b > 0 or log_b > 0
    if log.exists() and is_log_broken(log.read_bytes()):
        return True
    try:
        # Read only: a connection that may write tidies up when it is closed, and pages that are still of use go with it.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return not _is_whole(database)
    except Failure as error:
        blamed = disk_error(path, error)
        if isinstance(blamed, StoreDamaged):
            return True
        raise blamed from error


def _is_whole(database: sqlite3.Connection) -> bool:
    """Whether it is a store of ours (one that was only begun has no table at all), and every page, tree, index and series is as it
    was written. The pages of a large one are not all read at a start: an audit comes by every row."""
    ((version,),) = database.execute("PRAGMA user_version").fetchall()
    if version != VERSION:
        return not version and not database.execute("SELECT 1 FROM sqlite_master").fetchall()
    if database.execute(_SHAPE).fetchall() != _shape():
        return False
    series = database.execute("SELECT id, site, node, sensor, crc FROM series").fetchall()
    if any(check_of(*names) != crc for *names, crc in series):
        return False
    ((pages,),) = database.execute("PRAGMA page_count").fetchall()
    return pages > CHECKED_PAGES or database.execute("PRAGMA integrity_check(1)").fetchall() == [("ok",)]


_SHAPE = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"


@lru_cache(maxsize=1)
def _shape() -> list[tuple[str, ...]]:
    """What SQLite keeps of our tables' definitions: a letter changed in there is another table."""
    with closing(sqlite3.connect(":memory:")) as model:
        model.executescript(TABLES)
        return model.execute(_SHAPE).fetchall()


def _heal(path: Path, now_s: int, close: Callable[[], None] = lambda: None) -> Healed:
    salvage = Salvage()
    new = beside(path, ".healing")
    try:
        _remove(new)
        rows, orphans = build(new, path, salvage, now_s)
    except StoreError:
        _remove(new)
        for old in _set_aside(path):
            _remove_group(old)
        raise
    close()  # not before: see above
    new.replace(beside(path, ".healed"))
    sync(path.parent)
    aside = _exchange(path, now_s)
    return Healed(aside, rows, salvage.broken + orphans, salvage.pages)


# -- files


def _finish(path: Path, now_s: int) -> Healed | None:
    """What a power cut has left to do, of a healing that had made its new store."""
    new = beside(path, ".healed")
    if not new.is_file():
        return None
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as database:
            ((broken,),) = database.execute("SELECT value FROM meta WHERE name = 'damaged_rows'").fetchall()
            rows = count(database)
    except (*Failure, ValueError):  # damaged in its turn, before it was of any use: the old file has everything
        _remove(new)
        return None
    return Healed(_exchange(path, now_s), rows, broken, 0)


def _exchange(path: Path, now_s: int) -> str:
    """Steps 3 to 5; the name of the file that was set aside."""
    aside = beside(path, f".damaged-{datetime.fromtimestamp(now_s, UTC):%Y%m%dT%H%M%SZ}")
    number = 1
    while aside.exists() or beside(aside, "-wal").exists():
        number += 1
        aside = aside.with_name(f"{aside.name.partition('Z')[0]}Z{number:03}")
    for end in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            beside(path, end).rename(beside(aside, end))
    sync(path.parent)
    _remove(beside(aside, "-shm"))
    beside(path, ".healed").rename(path)
    sync(path.parent)
    for old in _set_aside(path)[:-SET_ASIDE]:
        _remove_group(old)
    return aside.name


def _set_aside(path: Path) -> list[Path]:
    """What was set aside, the oldest first, without the logs beside them."""
    found = {name.with_name(name.name.removesuffix("-wal")) for name in path.parent.glob(f"{path.name}.damaged-*")}
    return sorted(found)


def _remove_group(aside: Path) -> None:
    for end in ("", "-wal"):
        _remove(beside(aside, end))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
