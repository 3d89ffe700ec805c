"""The store's tables, and the check that each of its rows carries.

Theory of operation
    `bins` and `climate` hold what is published, minute by minute; `facts` everything else that is. `state` says how far a row
    has got: what waits is found by a partial index, so an outbox of its own is not needed. A row's `crc` is over everything
    in it but its state; SQLite notices a damaged page, but not a bit in a number.
    Tables are strict, so that SQLite's own check finds rows that stand in a table of others.
    `series` is there twice, since without it no bin is anybody's: `series_again` holds all of it on a page of its own.
    `streams`, `boots` and `silences` are what the session knows; the `crc` of a stream is of its passport, its
    `mark` of its numbers. `received` is filled
    only by choice.
"""

from __future__ import annotations

import struct
from binascii import crc32

QUEUED, SENT, DEAD, SUPPRESSED, AUDITED = range(5)
IS_FLAG = "measurement IN ('losses', 'gaps')"
IS_SALVAGED = "q & 2"  # NODE_RESET: it holds what live totals told of a boot that ended, or the first record of the next
VERSION = 3
PAGE_B = 4096  # of every store: a file whose head is gone is still read page by page

# Of the numbers of a stream: a watermark that is too high would make a node forget.
MARK_OF_STREAM = "node + 3 * incarnation + 1000003 * watermark + 17 * last_bin + 65537 * last_boot + 19 * adopted"
_REMARK = f"UPDATE streams SET mark = {MARK_OF_STREAM} WHERE node = NEW.node AND incarnation = NEW.incarnation;"

TABLES = f"""
BEGIN;
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS streams(
    node INTEGER, incarnation INTEGER, watermark INTEGER NOT NULL DEFAULT 0, last_bin INTEGER NOT NULL DEFAULT 0,
    last_boot INTEGER NOT NULL DEFAULT -1, passport TEXT, adopted INTEGER NOT NULL DEFAULT 0,
    crc INTEGER NOT NULL DEFAULT 0, mark INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(node, incarnation)) WITHOUT ROWID, STRICT;
CREATE TRIGGER IF NOT EXISTS stream_begun AFTER INSERT ON streams BEGIN {_REMARK} END;
CREATE TRIGGER IF NOT EXISTS stream_moved AFTER UPDATE OF watermark, last_bin, last_boot, adopted ON streams BEGIN {_REMARK} END;
CREATE TABLE IF NOT EXISTS boots(
    node INTEGER, incarnation INTEGER, boot INTEGER, state TEXT NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY(node, incarnation, boot)) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS silences(node INTEGER PRIMARY KEY, gap TEXT NOT NULL, crc INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS series(
    id INTEGER PRIMARY KEY, site TEXT NOT NULL, node TEXT NOT NULL, sensor TEXT NOT NULL, crc INTEGER NOT NULL,
    UNIQUE(site, node, sensor)) STRICT;
CREATE INDEX IF NOT EXISTS series_again ON series(site, node, sensor, crc);
CREATE TABLE IF NOT EXISTS bins(
    start INTEGER, series INTEGER, period_s INTEGER NOT NULL, ab INTEGER NOT NULL, ba INTEGER NOT NULL,
    covered_s INTEGER NOT NULL, q INTEGER NOT NULL, rev INTEGER NOT NULL, revised_at INTEGER NOT NULL,
    incarnation INTEGER NOT NULL, seq INTEGER NOT NULL, untimed INTEGER NOT NULL, state INTEGER NOT NULL,
    crc INTEGER NOT NULL, PRIMARY KEY(start, series)) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS climate(
    start INTEGER, series INTEGER, temperature INTEGER NOT NULL, humidity INTEGER NOT NULL,
    n INTEGER NOT NULL, q INTEGER NOT NULL, rev INTEGER NOT NULL, revised_at INTEGER NOT NULL,
    state INTEGER NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY(start, series)) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS facts(
    id INTEGER PRIMARY KEY, measurement TEXT NOT NULL, tags TEXT NOT NULL, time INTEGER NOT NULL, fields TEXT NOT NULL,
    rev INTEGER NOT NULL, state INTEGER NOT NULL, crc INTEGER NOT NULL, UNIQUE(measurement, time, tags)) STRICT;
CREATE INDEX IF NOT EXISTS bins_waiting ON bins(start, series) WHERE state = {QUEUED};
CREATE INDEX IF NOT EXISTS bins_salvaged ON bins(start, series) WHERE state = {QUEUED} AND {IS_SALVAGED};
CREATE INDEX IF NOT EXISTS bins_untimed ON bins(series, incarnation, untimed) WHERE untimed > 0;
CREATE INDEX IF NOT EXISTS climate_waiting ON climate(start, series) WHERE state = {QUEUED};
CREATE INDEX IF NOT EXISTS facts_waiting ON facts(time, id) WHERE state = {QUEUED};
CREATE INDEX IF NOT EXISTS flags_waiting ON facts(time, id) WHERE state = {QUEUED} AND {IS_FLAG};
CREATE TABLE IF NOT EXISTS dead_letters(
    id INTEGER PRIMARY KEY, measurement TEXT NOT NULL, ref INTEGER NOT NULL, time INTEGER NOT NULL, line TEXT NOT NULL,
    reason TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS received(
    id INTEGER PRIMARY KEY, committed_s INTEGER NOT NULL, node INTEGER NOT NULL, incarnation INTEGER NOT NULL,
    seq INTEGER NOT NULL, site TEXT NOT NULL, bin_start INTEGER NOT NULL, count_sensor TEXT NOT NULL,
    climate_sensor TEXT NOT NULL, q INTEGER NOT NULL, received_ms INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE VIEW IF NOT EXISTS outbox AS
    SELECT 'passages' AS measurement, series AS ref, start AS time, rev, state FROM bins
    UNION ALL SELECT 'climate', series, start, rev, state FROM climate
    UNION ALL SELECT measurement, id, time, rev, state FROM facts;
PRAGMA user_version = {VERSION};
COMMIT;
"""


def check_of(*values: object) -> int:
    """The check of a row: CRC-32 over its values in their order; -1, which is no row's, where one is no integer and no text."""
    numbers = [value if isinstance(value, int) else crc32(value.encode()) if isinstance(value, str) else None for value in values]
    return -1 if None in numbers else crc32(struct.pack(f"<{len(numbers)}q", *numbers))
