"""Closing the books: what people did, what nodes counted, what the server holds, per node, minute and direction."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import schema
from gateway.model import node_name
from gateway.rolled import ROLLING
from gateway.store import QUEUED
from gateway.words import Say
from tools.street import judging, rolling_books
from tools.street.judging import Tally, Verdict
from tools.street.rolling_books import Compared

if TYPE_CHECKING:
    from gateway.uplink.base import Row
    from tools.street.server import Server
    from tools.street.world import Post

Bins = Counter[tuple[str, int, str]]  # (node, start of the minute, direction) -> people

FLAGGED_SHARE = 0.01
_BIN = "start, series, period_s, ab, ba, covered_s, q, rev, revised_at, incarnation, seq"
_CLIMATE = "start, series, temperature, humidity, n, q, rev, revised_at"
DAY_S = 86_400
HOUR_MS = 3_600_000
WAYS = ("ab", "ba")
SUMS = ("truth", "counted", "stored")
GAPS_AND_LOSSES_S = 2 * DAY_S


@dataclass(frozen=True)
class Held:
    """What the server holds: how many points in all, people by minute, people it has flagged as missing, and whether rolling
    results agree with the minutes."""

    points: int
    stored: Bins
    flagged: int
    rolling: Compared


def is_settled(state: Path, posts: list[Post], end_s: int) -> bool:
    """Every record up to the end of the street is accepted, and nothing from before it waits to be sent."""
    with _open(state) as db:
        watermarks: dict[int, int] = dict(db.execute("SELECT node, max(watermark) FROM streams GROUP BY node"))
        waiting = db.execute("SELECT count(*) FROM outbox WHERE state = ? AND time < ?", (QUEUED, end_s)).fetchone()[0]
    for post in posts:
        newest = max((seq for _, seq in post.link.witness.records), default=0)
        ends = [r.bin_start + 60 for r in post.link.witness.records.values() if r.bin_start]
        if watermarks.get(post.identity.node, -1) < newest or max(ends, default=0) < end_s:
            return False
    return waiting == 0


def close(posts: list[Post], state: Path, server: Server, start_ms: int, duration_ms: int) -> dict[str, object]:
    """Compares them. `ok` is the verdict, `complaints` say why it is not, `closed` leaves the sensors' errors out; `run` is the
    run's fingerprint. `error` and `error_floor` are those of pavements; `kinds` has every kind's."""
    with _open(state) as db:
        expected = _expected(posts, db)
        dead_letters = db.execute("SELECT count(*) FROM dead_letters").fetchone()[0]
        fingerprint = _fingerprint(db)
    held = _on_server(server, start_ms // 1000 - 3600, (start_ms + duration_ms) // 1000 + GAPS_AND_LOSSES_S)
    tallies = [_tally(post, held.stored, duration_ms) for post in posts]
    truth, counted, stored = (sum((getattr(tally, name) for tally in tallies), Counter[str]()) for name in SUMS)
    # What only the live totals know was counted too, though no record holds it.
    missing = (expected - held.stored).total() + counted.total() - expected.total()
    lost, duplicated = max(0, missing - held.flagged), (held.stored - expected).total()
    complaints = _complaints(lost, duplicated, held.flagged, truth.total(), held.rolling)
    is_closed = not complaints
    verdicts = judging.verdicts(tallies)
    complaints += [_too_far_off(verdict) for verdict in (*verdicts, *judging.alone(tallies)) if not verdict.is_good]
    kinds = {verdict.kind: verdict.told() for verdict in verdicts}
    return {
        **{name: judging.by_direction(total) for name, total in zip(SUMS, (truth, counted, stored), strict=True)},
        "by_sensor": judging.by_sensor(tallies),
        "lost": lost,
        "duplicated": duplicated,
        "flagged": held.flagged,
        "points": held.points,
        "rolling": held.rolling.right,
        "dead_letters": dead_letters,
        **kinds["pavement"],
        "kinds": {verdict.kind: {"sensors": verdict.sensors, **kinds[verdict.kind]} for verdict in verdicts},
        "run": fingerprint,
        "closed": is_closed,
        "ok": not complaints,
        "complaints": complaints,
    }


def _tally(post: Post, stored: Bins, duration_ms: int) -> Tally:
    """What the node counted is as the witness at its port heard it: records, or live totals where they know of more."""
    witness = post.link.witness
    name = node_name(post.identity.node)
    counted = {way: max(pair) for way, *pair in zip(WAYS, witness.counted(), witness.live, strict=True)}
    of_node = {way: sum(n for (node, _, direction), n in stored.items() if (node, direction) == (name, way)) for way in WAYS}
    truth = Counter(crossing.direction for crossing in post.crossings)
    hours = (duration_ms - post.from_ms) / HOUR_MS
    return Tally(post.kit.sensor, post.kit.kind, hours, truth, Counter(counted), Counter(of_node))


def _expected(posts: list[Post], db: sqlite3.Connection) -> Bins:
    """What the server must hold: every record the witnesses heard, in the minute that it names or was placed in."""
    placed: dict[tuple[int, int, int], int] = {
        (node, incarnation, seq): start
        for node, incarnation, seq, start in db.execute("SELECT node, incarnation, seq, bin_start FROM received WHERE seq > 0")
    }
    expected: Bins = Counter()
    for post in posts:
        number = post.identity.node
        for (incarnation, seq), record in post.link.witness.records.items():
            start: int = placed.get((number, incarnation, seq), 0) or record.bin_start
            expected[node_name(number), start, "ab"] += record.d_ab
            expected[node_name(number), start, "ba"] += record.d_ba
    return expected


def _on_server(server: Server, from_s: int, to_s: int) -> Held:
    reader = server.reader()
    days = [(day_s, min(day_s + DAY_S, to_s)) for day_s in range(from_s, to_s, DAY_S)]  # what an answer may hold has an end
    rows = {name: [row for day in days for row in reader.read(name, *day)] for name in schema.measurements()}
    reader.close()
    stored: Bins = Counter()
    for row in rows["passages"]:
        stored[row.tags["node"], row.time_s, "ab"] += _number(row, "count_ab")
        stored[row.tags["node"], row.time_s, "ba"] += _number(row, "count_ba")
    flagged = sum(_number(row, "bound") for row in rows["losses"])
    open_gaps = [row for row in rows["gaps"] if not _number(row, "resolved")]
    flagged += sum(max(0, _number(row, "bound")) for row in open_gaps)
    return Held(sum(map(len, rows.values())), stored, flagged, rolling_books.compare(rows["passages"], rows[ROLLING]))


def _number(row: Row, name: str) -> int:
    return int(str(row.fields[name]))


def _complaints(lost: int, duplicated: int, flagged: int, people: int, rolling: Compared) -> list[Say]:
    complaints = []
    if lost:
        complaints.append(Say("demo.complaint-lost", {"people": lost}))
    if duplicated:
        complaints.append(Say("demo.complaint-twice", {"people": duplicated}))
    if flagged > FLAGGED_SHARE * people:
        complaints.append(Say("demo.complaint-flagged", {"people": flagged, "of": people}))
    for fault in ("missing", "wrong", "surplus"):
        if results := getattr(rolling, fault):
            complaints.append(Say(f"demo.complaint-rolling-{fault}", {"results": results}))
    return complaints


def _too_far_off(verdict: Verdict) -> Say:
    off = {"error": verdict.error * 100, "floor": verdict.floor * 100}
    return Say("demo.complaint-error", {"kind": Say(f"demo.kind-{verdict.kind}"), **off})


def _fingerprint(db: sqlite3.Connection) -> str:
    """Of every record with the millisecond of its arrival, and every bin with its revisions: the same run, the same word. How far
    a bin has got is left out: an audit asks the server in real time."""
    digest = hashlib.sha256()
    for columns in ("* FROM received", f"{_BIN} FROM bins", f"{_CLIMATE} FROM climate"):
        for row in db.execute(f"SELECT {columns}"):
            digest.update(repr(row).encode())
    return digest.hexdigest()[:16]


def _open(state: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{state / 'store.db'}?mode=ro", uri=True)
