"""A new store of the rows that are whole in a damaged one.

Theory of operation
    Pages are read one by one, so memory does not grow with the store; SQLite keeps of each row the newest revision. What is whole
    and yet not to be believed goes afterwards. What the session has to know is derived from the rows.
    Every row keeps its state, with two exceptions: what was audited is audited again, and a dead letter is sent once more.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from gateway.database import disk_error
from gateway.errors import StoreError
from gateway.model import Q_SIMULATED, Q_THINNED, SILENT, Gap, node_name, node_number
from gateway.salvage import Row, Salvage, log_pages
from gateway.store import QUARTER_S, SIMULATED
from gateway.tables import AUDITED, PAGE_B, QUEUED, SENT, SUPPRESSED, TABLES, check_of


def build(new: Path, path: Path, salvage: Salvage, now_s: int) -> tuple[dict[str, int], int]:
    """Makes `new` of what `path` and its log hold, synced: (rows by table, bins that are nobody's). StoreError where the disk does
    not do."""
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as database:
            for setting in (f"page_size = {PAGE_B}", "journal_mode = OFF", "synchronous = OFF"):  # synced as a whole, below
                database.execute(f"PRAGMA {setting}")
            database.executescript(TABLES)
            database.execute("BEGIN")
            _collect(database, (row for page in _pages(path) for row in salvage.rows(page)))
            orphans = _tidy(database)
            _derive(database, now_s, salvage.broken + orphans)
            rows = count(database)
            database.execute("COMMIT")
        sync(new)
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
    log = beside(path, "-wal")
    if log.is_file():
        yield from log_pages(log.read_bytes())


_COLLECT = {
    "bins": (14, "start, series", "period_s, ab, ba, covered_s, q, rev, revised_at, incarnation, seq, untimed, state, crc"),
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
    newest = f"SELECT node, incarnation, max(start), max(seq) FROM {bins} WHERE incarnation GROUP BY node, incarnation"
    for name, incarnation, start, seq in database.execute(newest).fetchall():
        database.execute(
            "INSERT INTO streams(node, incarnation, last_bin, adopted) VALUES(?1,?2,?3,?4) "
            "ON CONFLICT DO UPDATE SET last_bin = ?3, adopted = ?4",
            (node_number(name), incarnation, start, seq),
        )
    introduced = {node_name(node) for (node,) in database.execute("SELECT node FROM streams WHERE passport IS NOT NULL")}
    simulated = {name for (name,) in database.execute(f"SELECT DISTINCT node FROM {bins} WHERE q & {Q_SIMULATED}")}
    open_gaps: dict[int, list[Gap]] = {}
    facts = database.execute("SELECT id, measurement, tags, time, fields FROM facts ORDER BY time").fetchall()
    simulated_notes = [(SIMULATED + name, 1) for name in simulated]
    for id_, measurement, tags, time_s, fields in facts:
        about = json.loads(tags)
        if about.get("node") in simulated - introduced:  # no passport says so, and it must not leave this machine
            database.execute(f"UPDATE facts SET state = {SUPPRESSED} WHERE id = ?", (id_,))
        if measurement == "gaps" and about["reason"] == SILENT and not (told := json.loads(fields))["resolved"]:
            node = node_number(about["node"])
            gap = Gap(about["site"], node, SILENT, time_s, told["until"], told["bound"])
            open_gaps.setdefault(node, []).append(gap)
    for node, gaps in open_gaps.items():
        row = (node, json.dumps([asdict(gap) for gap in gaps]))
        database.execute("INSERT INTO silences VALUES(?,?,?)", (*row, check_of(*row)))
    # Any server may have any of it; the books of before are to be read from there.
    notes = {"adopted": 0, "damaged_rows": broken, "healed_s": now_s, "connected": 1, "contact_s": now_s}
    database.executemany("INSERT INTO meta VALUES(?,?)", [*notes.items(), *simulated_notes])


def count(database: sqlite3.Connection) -> dict[str, int]:
    return {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _TABLES}


# -- files


def beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def sync(path: Path) -> None:
    """What was written to a file, or renamed in a folder, is on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # folders cannot be synced there
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
