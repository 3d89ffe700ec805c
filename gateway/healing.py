"""Opens the store, whatever its file has become: where it is damaged, a new one is made of all rows that are whole.

Theory of operation
    What SQLite does not notice by itself is looked for: a log that it would pass over in silence, and then, by its own check,
    every page. A row that contradicts its check shows when it is read; the service then calls `heal`.
    The new store is a generation of its own: of what each node had delivered it knows only the bins, so its watermarks begin
    at zero and nodes send again what they hold. Bins name their newest record, so nothing counts twice.
    Every row keeps its state, with two exceptions: what was audited is audited again, and a dead letter is sent once more.

Steps, and what a power cut between them leaves
    1  rows go into store.db.healing       the old file is as it was: the next start begins here again
    2  synced, renamed to store.db.healed  the new store is complete; from here on a start only does what is left of 3 to 5
    3  store.db-wal, -shm and store.db go aside, in this order: a log must never stand beside a file that it is not of
    4  store.db.healed becomes store.db
    5  of what was set aside all but the two newest go
    Only renames: setting aside takes no room. Where there is none for the new store, what was set aside before goes first.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from gateway.database import disk_error
from gateway.errors import StoreDamaged, StoreError
from gateway.model import Q_SIMULATED, Q_THINNED, Gap, node_name, node_number
from gateway.salvage import Row, Salvage, is_log_broken, log_pages
from gateway.store import QUARTER_S, Store
from gateway.tables import AUDITED, PAGE_B, QUEUED, SENT, SUPPRESSED, TABLES, VERSION, check_of

SET_ASIDE = 2  # damaged files that are kept


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
        healed = _heal(store.path, now_s, store.close)
    except OSError as error:
        raise StoreError("store-unusable", path=store.path, found=error) from error
    store.open()
    return healed


# -- looking for damage


def _is_damaged(path: Path) -> bool:
    log = _beside(path, "-wal")
    if any(name.exists() and not name.is_file() for name in (path, log, _beside(path, "-shm"))):
        return True
    if not path.exists() or not path.stat().st_size:  # SQLite would begin a new file, and throw the log away
        return log.exists() and log.stat().st_size > 0
    if log.exists() and is_log_broken(log.read_bytes()):
        return True
    try:
        # Read only: a connection that may write tidies up when it is closed, and pages that are still of use go with it.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return not _is_whole(database)
    except UnicodeDecodeError:  # what SQLite complains about may be no text
        return True
    except sqlite3.Error as error:
        blamed = disk_error(path, error)
        if isinstance(blamed, StoreDamaged):
            return True
        raise blamed from error


def _is_whole(database: sqlite3.Connection) -> bool:
    """Whether it is a store of ours (one that was only begun has no table at all), and every page, tree, index and series is as it
    was written."""
    ((version,),) = database.execute("PRAGMA user_version").fetchall()
    if version != VERSION:
        return not version and not database.execute("SELECT 1 FROM sqlite_master").fetchall()
    if database.execute(_SHAPE).fetchall() != _shape():
        return False
    series = database.execute("SELECT id, site, node, sensor, crc FROM series").fetchall()
    return all(check_of(*names) == crc for *names, crc in series) and database.execute(
        "PRAGMA integrity_check(1)"
    ).fetchall() == [("ok",)]


_SHAPE = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"


@lru_cache(maxsize=1)
def _shape() -> list[tuple[str, ...]]:
    """What SQLite keeps of our tables' definitions: a letter changed in there is another table."""
    with closing(sqlite3.connect(":memory:")) as model:
        model.executescript(TABLES)
        return model.execute(_SHAPE).fetchall()


def _heal(path: Path, now_s: int, close: Callable[[], None] = lambda: None) -> Healed:
    salvage = Salvage()
    new = _beside(path, ".healing")
    try:
        _remove(new)
        rows, orphans = _build(new, path, salvage, now_s)
    except StoreError:
        _remove(new)
        for old in _set_aside(path):
            _remove_group(old)
        raise
    close()  # not before: see above
    new.replace(_beside(path, ".healed"))
    _sync(path.parent)
    aside = _exchange(path, now_s)
    return Healed(aside, rows, salvage.broken + orphans, salvage.pages)


# -- the new store


def _build(new: Path, path: Path, salvage: Salvage, now_s: int) -> tuple[dict[str, int], int]:
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as database:
            for setting in (f"page_size = {PAGE_B}", "journal_mode = OFF", "synchronous = OFF"):  # synced as a whole, below
                database.execute(f"PRAGMA {setting}")
            database.executescript(TABLES)
            database.execute("BEGIN")
            _collect(database, (row for page in _pages(path) for row in salvage.rows(page)))
            orphans = _tidy(database)
            _derive(database, now_s, salvage.broken + orphans)
            rows = _count(database)
            database.execute("COMMIT")
        _sync(new)
    except sqlite3.Error as error:
        raise disk_error(new, error) from error
    except OSError as error:
        raise StoreError("store-unusable", path=new, found=error) from error
    return rows, orphans


def _pages(path: Path) -> Iterator[bytes]:
    if path.is_file():
        with path.open("rb") as file:
            while page := file.read(PAGE_B):
                yield page
    log = _beside(path, "-wal")
    if log.is_file():
        yield from log_pages(log.read_bytes())


_COLLECT = {
    "bins": (13, "start, series", "period_s, ab, ba, covered_s, q, rev, revised_at, incarnation, seq, state, crc"),
    "climate": (10, "start, series", "temperature, humidity, n, q, rev, revised_at, state, crc"),
    "facts": (8, "measurement, tags, time", "fields, rev, state, crc"),
}  # table -> columns, key, all that is not the key
_STATE = {SENT: SENT, SUPPRESSED: SUPPRESSED, AUDITED: SENT}  # all others wait
_TABLES = ("series", *_COLLECT)


def _collect_into(table: str) -> str:
    columns, key, others = _COLLECT[table]
    changes = ", ".join(f"{column} = excluded.{column}" for column in others.split(", "))
    # Of two that differ only in how far they have got, the one that has got less far: sending twice changes nothing.
    newest = f"excluded.rev > {table}.rev OR (excluded.rev = {table}.rev AND excluded.state < {table}.state)"
    return f"INSERT INTO {table} VALUES({','.join('?' * columns)}) ON CONFLICT({key}) DO UPDATE SET {changes} WHERE {newest}"


_INTO = {
    **{table: _collect_into(table) for table in _COLLECT},
    "series": "INSERT INTO series VALUES(?,?,?,?,?) ON CONFLICT DO NOTHING",
    # Of a node that has introduced itself in two ways nobody knows which was the later: it is asked.
    "passports": "INSERT INTO streams(node, incarnation, passport, crc) VALUES(?,?,?,?) "
    "ON CONFLICT DO UPDATE SET passport = NULL WHERE passport != excluded.passport",
}


def _collect(database: sqlite3.Connection, rows: Iterator[Row]) -> None:
    names_of: dict[object, set[object]] = defaultdict(set)
    for row in rows:
        values = list(row.values)
        if row.table in _COLLECT:
            state = values[-2]
            values[-2] = _STATE.get(state, QUEUED) if isinstance(state, int) else QUEUED
        if row.table == "facts":
            values[0] = None  # numbered anew
        if row.table == "series":
            names_of[values[0]].add(tuple(values[1:4]))
        database.execute(_INTO[row.table], values)
    # A transaction that was never finished may have given a number to another series: then it is nobody's.
    doubtful = [(id_,) for id_, names in names_of.items() if len(names) > 1]
    database.executemany("DELETE FROM series WHERE id = ?", doubtful)


def _tidy(database: sqlite3.Connection) -> int:
    """What is whole and yet not to be believed goes; returns how many bins are nobody's."""
    # A minute that was summed up may still stand on a page that nobody uses any more.
    for table, is_quarter in (("bins", f"quarter.period_s = {QUARTER_S}"), ("climate", f"quarter.q & {Q_THINNED}")):
        database.execute(
            f"DELETE FROM {table} WHERE start % {QUARTER_S} AND EXISTS (SELECT 1 FROM {table} AS quarter WHERE {is_quarter} "
            f"AND quarter.series = {table}.series AND quarter.start = {table}.start / {QUARTER_S} * {QUARTER_S})"
        )
    nobodys = "WHERE series NOT IN (SELECT id FROM series)"
    return sum(database.execute(f"DELETE FROM {table} {nobodys}").rowcount for table in ("bins", "climate"))


def _derive(database: sqlite3.Connection, now_s: int, broken: int) -> None:
    """What the session has to know, from the rows that are there."""
    bins = "bins JOIN series ON series.id = bins.series"
    newest = f"SELECT node, incarnation, max(start) FROM {bins} WHERE incarnation GROUP BY node, incarnation"
    for name, incarnation, start in database.execute(newest).fetchall():
        database.execute(
            "INSERT INTO streams(node, incarnation, last_bin, adopted) VALUES(?1,?2,?3,?3) "
            "ON CONFLICT DO UPDATE SET last_bin = ?3, adopted = ?3",
            (node_number(name), incarnation, start),
        )
    introduced = {node_name(node) for (node,) in database.execute("SELECT node FROM streams WHERE passport IS NOT NULL")}
    simulated = {name for (name,) in database.execute(f"SELECT DISTINCT node FROM {bins} WHERE q & {Q_SIMULATED}")}
    open_gaps: dict[int, Gap] = {}
    facts = database.execute("SELECT id, measurement, tags, time, fields FROM facts ORDER BY time").fetchall()
    for id_, measurement, tags, time_s, fields in facts:
        about = json.loads(tags)
        if about.get("node") in simulated - introduced:  # no passport says so, and it must not leave this machine
            database.execute(f"UPDATE facts SET state = {SUPPRESSED} WHERE id = ?", (id_,))
        if measurement == "gaps" and (told := json.loads(fields))["bound"] < 0:
            node = node_number(about["node"])
            open_gaps[node] = Gap(about["site"], node, about["reason"], time_s, told["until"], told["bound"], told["resolved"])
    for node, gap in open_gaps.items():
        row = (node, json.dumps(asdict(gap)))
        database.execute("INSERT INTO silences VALUES(?,?,?)", (*row, check_of(*row)))
    # Any server may have any of it; the books of before are to be read from there.
    notes = {"adopted": 0, "damaged_rows": broken, "healed_s": now_s, "connected": 1, "contact_s": now_s}
    database.executemany("INSERT INTO meta VALUES(?,?)", notes.items())


def _count(database: sqlite3.Connection) -> dict[str, int]:
    return {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _TABLES}


# -- files


def _finish(path: Path, now_s: int) -> Healed | None:
    """What a power cut has left to do, of a healing that had made its new store."""
    new = _beside(path, ".healed")
    if not new.is_file():
        return None
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as database:
            ((broken,),) = database.execute("SELECT value FROM meta WHERE name = 'damaged_rows'").fetchall()
            rows = _count(database)
    except (sqlite3.Error, ValueError):  # damaged in its turn, before it was of any use: the old file has everything
        _remove(new)
        return None
    return Healed(_exchange(path, now_s), rows, broken, 0)


def _exchange(path: Path, now_s: int) -> str:
    """Steps 3 to 5; the name of the file that was set aside."""
    aside = _beside(path, f".damaged-{datetime.fromtimestamp(now_s, UTC):%Y%m%dT%H%M%SZ}")
    number = 1
    while aside.exists() or _beside(aside, "-wal").exists():
        number += 1
        aside = aside.with_name(f"{aside.name.partition('Z')[0]}Z{number:03}")
    for end in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            _beside(path, end).rename(_beside(aside, end))
    _sync(path.parent)
    _remove(_beside(aside, "-shm"))
    _beside(path, ".healed").rename(path)
    _sync(path.parent)
    for old in _set_aside(path)[:-SET_ASIDE]:
        _remove_group(old)
    return aside.name


def _set_aside(path: Path) -> list[Path]:
    """What was set aside, the oldest first, without the logs beside them."""
    found = {name.with_name(name.name.removesuffix("-wal")) for name in path.parent.glob(f"{path.name}.damaged-*")}
    return sorted(found)


def _remove_group(aside: Path) -> None:
    for end in ("", "-wal"):
        _remove(_beside(aside, end))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _sync(path: Path) -> None:
    """What was written to a file, or renamed in a folder, is on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # folders cannot be synced there
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
