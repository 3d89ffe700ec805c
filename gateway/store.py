"""The single SQLite writer: streams, received records, bins, outbox, gaps, losses, dead letters.

Theory of operation
    Everything that one batch of payloads brings is one transaction (WAL, synchronous=FULL): the record's identity, its bin,
    the reference in the outbox, the watermark. Only after the commit is anything acknowledged. A record that is in `received`
    already changes nothing, whatever the session believed.
    The outbox holds references, one per series and time; a bin that grows while its reference waits is sent once, with the
    value it has then. `rev` rises with every change, and a reference counts as sent only for the revision that was sent.

Rules of this file
    One thread at a time; the caller hands all work to one worker. Times come in as arguments. Errors of the disk leave as
    StoreError, after a rollback.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gateway import schema
from gateway.errors import StoreError
from gateway.model import (
    PERIOD_S,
    Q_CLIMATE_IMPLAUSIBLE,
    Accept,
    BootState,
    ClimateBin,
    CountBin,
    Effect,
    Gap,
    Loss,
    OutboxRef,
    Passport,
    Series,
    Status,
    Stream,
    node_name,
)
from streetwire import NO_HUMIDITY, NO_TEMPERATURE

QUEUED, SENT, DEAD, SUPPRESSED = range(4)
KEEP_S = 40 * 86_400  # what was sent longer ago is forgotten

_TABLES = """
CREATE TABLE IF NOT EXISTS streams(
    node INTEGER, incarnation INTEGER, watermark INTEGER NOT NULL DEFAULT 0, last_bin INTEGER NOT NULL DEFAULT 0,
    last_boot INTEGER NOT NULL DEFAULT -1, passport TEXT, PRIMARY KEY(node, incarnation)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS boots(
    node INTEGER, incarnation INTEGER, boot INTEGER, state TEXT NOT NULL,
    PRIMARY KEY(node, incarnation, boot)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS received(
    node INTEGER, incarnation INTEGER, seq INTEGER, site TEXT NOT NULL, bin_start INTEGER NOT NULL,
    received_ms INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY(node, incarnation, seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS received_by_bin ON received(bin_start);
CREATE TABLE IF NOT EXISTS bins(
    site TEXT, node TEXT, sensor TEXT, start INTEGER, ab INTEGER NOT NULL, ba INTEGER NOT NULL,
    covered_s INTEGER NOT NULL, q INTEGER NOT NULL, rev INTEGER NOT NULL, revised_at INTEGER NOT NULL,
    PRIMARY KEY(start, site, node, sensor)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS climate(
    site TEXT, node TEXT, sensor TEXT, start INTEGER, temperature INTEGER NOT NULL, humidity INTEGER NOT NULL,
    n INTEGER NOT NULL, q INTEGER NOT NULL, rev INTEGER NOT NULL, revised_at INTEGER NOT NULL,
    PRIMARY KEY(start, site, node, sensor)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts(
    measurement TEXT, tags TEXT, time INTEGER, fields TEXT NOT NULL, rev INTEGER NOT NULL,
    PRIMARY KEY(measurement, tags, time)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS silences(node INTEGER PRIMARY KEY, gap TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS outbox(
    id INTEGER PRIMARY KEY, measurement TEXT NOT NULL, tags TEXT NOT NULL, time INTEGER NOT NULL, rev INTEGER NOT NULL,
    state INTEGER NOT NULL, UNIQUE(measurement, tags, time));
CREATE INDEX IF NOT EXISTS outbox_waiting ON outbox(time, id) WHERE state = 0;
CREATE TABLE IF NOT EXISTS dead_letters(
    id INTEGER PRIMARY KEY, line TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL);
PRAGMA user_version = 1;
"""


class Store:
    """`path` is the database file; its folder must exist and be ours. Raises StoreError where the disk does not do."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_TABLES)
        except sqlite3.Error as error:
            raise _disk_error(path, error) from error

    def close(self) -> None:
        self._db.close()

    # -- receiving

    def commit(self, effects: Iterable[Effect], now_s: int) -> list[CountBin]:
        """One transaction for all of them. Returns the count bins that changed, as they are now."""
        changed: dict[tuple[Series, int], CountBin] = {}
        with self._transaction():
            for effect in effects:
                if isinstance(effect, Accept):
                    for grown in self._accept(effect, now_s):
                        changed[grown.series, grown.start_s] = grown
                elif isinstance(effect, Passport):
                    self._keep_passport(effect)
                elif isinstance(effect, BootState):
                    self._keep_boot(effect)
                elif isinstance(effect, Gap):
                    self._keep_gap(effect)
                elif isinstance(effect, Loss):
                    self._keep_loss(effect)
                elif isinstance(effect, Status):
                    tags = {"site": effect.site, "node": node_name(effect.node)}
                    self._keep_fact("node_status", tags, effect.at_s, effect.fields)
        return list(changed.values())

    def add_gateway_status(self, gateway: str, now_s: int, fields: dict[str, int | float | str]) -> None:
        with self._transaction():
            self._keep_fact("gateway_status", {"gateway": gateway}, now_s, fields)

    def _accept(self, effect: Accept, now_s: int) -> list[CountBin]:
        record = effect.record
        known = self._db.execute(
            "INSERT INTO received VALUES(?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            (effect.node, effect.incarnation, record.seq, effect.site, effect.bin_start, effect.received_ms, record.pack()),
        )
        if not known.rowcount:
            return []
        self._db.execute(
            "INSERT INTO streams(node, incarnation, watermark, last_bin, last_boot) VALUES(?1,?2,?3,?4,?5) "
            "ON CONFLICT DO UPDATE SET watermark = max(watermark, ?3), last_bin = max(last_bin, ?4), last_boot = ?5",
            (effect.node, effect.incarnation, record.seq, effect.bin_start, record.boot),
        )
        name = node_name(effect.node)
        is_measured = record.temperature_centi != NO_TEMPERATURE and record.humidity_half != NO_HUMIDITY
        if record.n_climate and is_measured and effect.climate_sensor:
            self._grow_climate(effect, name, now_s)
        if not effect.count_sensor:
            return []
        key = (effect.site, name, effect.count_sensor, effect.bin_start)
        count_q = effect.q & ~Q_CLIMATE_IMPLAUSIBLE
        self._db.execute(
            "INSERT INTO bins VALUES(?1,?2,?3,?4,?5,?6,?7,?8,0,?9) ON CONFLICT DO UPDATE SET ab = ab + ?5, ba = ba + ?6, "
            "covered_s = min(?10, covered_s + ?7), q = q | ?8, rev = rev + 1, revised_at = ?9",
            (*key, record.d_ab, record.d_ba, record.covered_s, count_q, now_s, PERIOD_S),
        )
        grown = self.count_bin(Series(*key[:3]), effect.bin_start)
        assert grown is not None  # it was written a line above
        self._queue("passages", _series_tags(grown.series), effect.bin_start, grown.rev)
        return [grown]

    def _grow_climate(self, effect: Accept, name: str, now_s: int) -> None:
        record = effect.record
        key = (effect.site, name, effect.climate_sensor, effect.bin_start)
        n = record.n_climate
        self._db.execute(
            "INSERT INTO climate VALUES(?1,?2,?3,?4,?5,?6,?7,?8,0,?9) ON CONFLICT DO UPDATE SET "
            "temperature = temperature + ?5, humidity = humidity + ?6, n = n + ?7, q = q | ?8, rev = rev + 1, revised_at = ?9",
            (*key, record.temperature_centi * n, record.humidity_half * n, n, effect.q, now_s),
        )
        rev = self._db.execute("SELECT rev FROM climate WHERE site=? AND node=? AND sensor=? AND start=?", key).fetchone()[0]
        self._queue("climate", _series_tags(Series(*key[:3])), effect.bin_start, rev)

    def _keep_passport(self, passport: Passport) -> None:
        self._db.execute(
            "INSERT INTO streams(node, incarnation, passport) VALUES(?1,?2,?3) ON CONFLICT DO UPDATE SET passport = ?3",
            (passport.node, passport.incarnation, json.dumps(asdict(passport))),
        )

    def _keep_boot(self, boot: BootState) -> None:
        key = (boot.node, boot.incarnation, boot.boot)
        self._db.execute("INSERT OR REPLACE INTO boots VALUES(?,?,?,?)", (*key, json.dumps(asdict(boot))))
        self._db.execute(
            "DELETE FROM boots WHERE node=?1 AND incarnation=?2 AND boot NOT IN "
            "(SELECT boot FROM boots WHERE node=?1 AND incarnation=?2 ORDER BY (boot - ?3 + 98304) % 65536 DESC LIMIT 8)",
            key,
        )

    def _keep_gap(self, gap: Gap) -> None:
        tags = {"site": gap.site, "node": node_name(gap.node), "reason": gap.reason}
        fields = {"until": gap.until_s, "bound": gap.bound, "resolved": gap.resolved_s}
        self._keep_fact("gaps", tags, gap.start_s, fields)
        if gap.bound < 0:  # still open
            self._db.execute("INSERT OR REPLACE INTO silences VALUES(?,?)", (gap.node, json.dumps(asdict(gap))))
        else:
            self._db.execute("DELETE FROM silences WHERE node = ?", (gap.node,))

    def _keep_loss(self, loss: Loss) -> None:
        hour = loss.at_s // 3600 * 3600
        tags = {"site": loss.site, "node": node_name(loss.node), "reason": loss.reason}
        known = self._fact("losses", tags, hour)
        people, bound, rev = (known["people"], known["bound"], known["rev"] + 1) if known else (0, 0, 0)
        fields = {"people": people + loss.people, "bound": bound + loss.bound, "rev": rev}
        self._keep_fact("losses", tags, hour, fields)

    def _keep_fact(self, measurement: str, tags: dict[str, str], time_s: int, fields: dict[str, Any]) -> None:
        key = json.dumps(schema.tags_of(measurement, tags))
        self._db.execute(
            "INSERT INTO facts VALUES(?1,?2,?3,?4,0) ON CONFLICT DO UPDATE SET fields = ?4, rev = rev + 1",
            (measurement, key, time_s, json.dumps(fields)),
        )
        where = "measurement=? AND tags=? AND time=?"
        rev = self._db.execute(f"SELECT rev FROM facts WHERE {where}", (measurement, key, time_s)).fetchone()[0]  # noqa: S608
        self._queue(measurement, tags, time_s, rev)

    def _fact(self, measurement: str, tags: dict[str, str], time_s: int) -> dict[str, Any] | None:
        rows = self._read(
            "SELECT fields FROM facts WHERE measurement=? AND tags=? AND time=?",
            (measurement, json.dumps(schema.tags_of(measurement, tags)), time_s),
        )
        return json.loads(rows[0][0]) if rows else None

    def _queue(self, measurement: str, tags: dict[str, str], time_s: int, rev: int) -> None:
        key = json.dumps(schema.tags_of(measurement, tags))
        self._db.execute(
            "INSERT INTO outbox(measurement, tags, time, rev, state) VALUES(?1,?2,?3,?4,0) "
            "ON CONFLICT DO UPDATE SET rev = ?4, state = 0",
            (measurement, key, time_s, rev),
        )

    # -- sending

    def waiting(self, limit: int) -> list[OutboxRef]:
        """The oldest references that wait to be sent, at most `limit`."""
        rows = self._read(
            "SELECT id, measurement, tags, time, rev FROM outbox WHERE state = 0 ORDER BY time, id LIMIT ?", (limit,)
        )
        return [OutboxRef(id_, what, json.loads(tags), time_s, rev) for id_, what, tags, time_s, rev in rows]

    def settle(self, refs: Sequence[OutboxRef], state: int) -> None:
        """These revisions reached `state`; what has grown meanwhile goes on waiting."""
        with self._transaction():
            self._db.executemany(
                "UPDATE outbox SET state = ? WHERE id = ? AND rev = ?", [(state, ref.id, ref.rev) for ref in refs]
            )

    def bury(self, ref: OutboxRef, line: str, reason: str, now_s: int) -> None:
        """The server refuses this line for what it says: kept aside, with the reason."""
        with self._transaction():
            values = (line, reason[:500], now_s)
            self._db.execute("INSERT INTO dead_letters(line, reason, at) VALUES(?,?,?)", values)
            self._db.execute("UPDATE outbox SET state = ? WHERE id = ? AND rev = ?", (DEAD, ref.id, ref.rev))

    def outbox_state(self) -> tuple[int, int, int]:
        """(points waiting, time of the oldest or 0, dead letters)."""
        ((points, oldest),) = self._read("SELECT count(*), coalesce(min(time), 0) FROM outbox WHERE state = 0")
        return points, oldest, self._read("SELECT count(*) FROM dead_letters")[0][0]

    # -- reading

    def count_bin(self, series: Series, start_s: int) -> CountBin | None:
        rows = self._read(
            "SELECT ab, ba, covered_s, q, rev, revised_at FROM bins WHERE start=? AND site=? AND node=? AND sensor=?",
            (start_s, series.site, series.node, series.sensor),
        )
        return CountBin(series, start_s, *rows[0]) if rows else None

    def climate_bin(self, series: Series, start_s: int) -> ClimateBin | None:
        rows = self._read(
            "SELECT temperature, humidity, n, q, rev, revised_at FROM climate WHERE start=? AND site=? AND node=? AND sensor=?",
            (start_s, series.site, series.node, series.sensor),
        )
        return ClimateBin(series, start_s, *rows[0]) if rows else None

    def facts(self, ref: OutboxRef) -> dict[str, Any] | None:
        return self._fact(ref.measurement, ref.tags, ref.time_s)

    def count_bins_since(self, start_s: int) -> list[CountBin]:
        """All count bins that begin at or after `start_s`, oldest first."""
        rows = self._read(
            "SELECT site, node, sensor, start, ab, ba, covered_s, q, rev, revised_at FROM bins WHERE start >= ? ORDER BY start",
            (start_s,),
        )
        return [CountBin(Series(site, node, sensor), *rest) for site, node, sensor, *rest in rows]

    def streams(self) -> list[Stream]:
        """What the session knew at the last commit."""
        streams = {}
        for node, incarnation, watermark, last_bin, last_boot, passport in self._read("SELECT * FROM streams"):
            known = Passport(**json.loads(passport)) if passport else None
            streams[node, incarnation] = Stream(node, incarnation, watermark, last_bin, last_boot, known)
        for node, incarnation, boot, state in self._read("SELECT * FROM boots"):
            if (node, incarnation) in streams:
                streams[node, incarnation].boots[boot] = BootState(**json.loads(state))
        return list(streams.values())

    def silences(self) -> list[Gap]:
        return [Gap(**json.loads(gap)) for (gap,) in self._read("SELECT gap FROM silences")]

    def simulated_nodes(self) -> set[str]:
        """Names of nodes that are not boards: nothing of theirs may leave this machine."""
        return {node_name(s.node) for s in self.streams() if s.passport is not None and s.passport.is_simulated}

    def dead_letters(self) -> list[tuple[str, str]]:
        """(line, reason), oldest first."""
        return self._read("SELECT line, reason FROM dead_letters ORDER BY id")

    # -- housekeeping

    def forget(self, now_s: int) -> None:
        """Drops what was settled more than KEEP_S ago. What still waits is never dropped here."""
        before = now_s - KEEP_S
        with self._transaction():
            self._db.execute("DELETE FROM outbox WHERE state != 0 AND time < ?", (before,))
            for table in ("bins", "climate"):
                measurement = "passages" if table == "bins" else table
                self._db.execute(
                    f"DELETE FROM {table} WHERE start < ?1 AND NOT EXISTS "  # noqa: S608
                    "(SELECT 1 FROM outbox WHERE state = 0 AND time = start AND measurement = ?2)",
                    (before, measurement),
                )
            self._db.execute(
                "DELETE FROM facts WHERE time < ? AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.state = 0 AND "
                "o.measurement = facts.measurement AND o.tags = facts.tags AND o.time = facts.time)",
                (before,),
            )
            self._db.execute("DELETE FROM received WHERE bin_start < ?", (before,))

    # -- the file

    def _read(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise _disk_error(self._path, error) from error

    @contextmanager
    def _transaction(self):
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise _disk_error(self._path, error) from error
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


def _series_tags(series: Series) -> dict[str, str]:
    return {"site": series.site, "node": series.node, "sensor": series.sensor}


def _disk_error(path: Path, error: sqlite3.Error) -> StoreError:
    if "full" in str(error):
        return StoreError("store-full", path=path)
    return StoreError("store-unusable", path=path, found=error)


