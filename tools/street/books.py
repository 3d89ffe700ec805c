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
from tools.street import rolling_books
from tools.street.rolling_books import Compared

if TYPE_CHECKING:
    from gateway.uplink.base import Row
    from tools.street.server import Server
    from tools.street.walkers import Crossing
    from tools.street.world import Post

Bins = Counter[tuple[str, int, str]]  # (node, start of the minute, direction) -> people

# People per hour and node up to which a raw total may be off by so much: the floor that every detector must reach.
FLOORS = ((100, 0.16), (300, 0.15), (600, 0.20), (1200, 0.28))
FLAGGED_SHARE = 0.01
_BIN = "start, series, period_s, ab, ba, covered_s, q, rev, revised_at, incarnation, seq"
_CLIMATE = "start, series, temperature, humidity, n, q, rev, revised_at"
DAY_S = 86_400
GAPS_AND_LOSSES_S = 2 * DAY_S


@dataclass(frozen=True)
class Held:
    """What the server holds: how many points in all, people by minute, people it has flagged as missing, and whether rolling
    results agree with the minutes."""

    points: int
    stored: Bins
    flagged: int
    rolling: Compared


def floor_for(people_per_hour: float) -> float:
    """The greatest share by which a raw total may differ from the truth at this density; infinite where none is promised."""
    return next((floor for limit, floor in FLOORS if people_per_hour <= limit), float("inf"))


def is_settled(state: Path, posts: list[Post], end_s: int) -> bool:
    """Every record up to the end of the street is accepted, and nothing from before it waits to be sent."""
    with _open(state) as db:
        watermarks: dict[int, int] = dict(db.execute("SELECT node, max(watermark) FROM streams GROUP BY node"))
        waiting = db.execute("SELECT count(*) FROM outbox WHERE state = ? AND time < ?", (QUEUED, end_s)).fetchone()[0]
    for post in posts:
        newest = max((seq for _, seq in post.cable.witness.records), default=0)
        ends = [r.bin_start + 60 for r in post.cable.witness.records.values() if r.bin_start]
        if watermarks.get(post.node.identity.node, -1) < newest or max(ends, default=0) < end_s:
            return False
    return waiting == 0


def close(
    posts: list[Post], crossings: list[Crossing], state: Path, server: Server, start_ms: int, duration_ms: int
) -> dict[str, object]:
    """Compares them. `ok` is the verdict, `complaints` say why it is not, `closed` leaves the sensor's error out; `run` is the
    run's fingerprint."""
    truth = Counter(crossing.direction for crossing in crossings)
    with _open(state) as db:
        expected = _expected(posts, db)
        dead_letters = db.execute("SELECT count(*) FROM dead_letters").fetchone()[0]
        fingerprint = _fingerprint(db)
    counted = _counted(posts)
    held = _on_server(server, start_ms // 1000 - 3600, (start_ms + duration_ms) // 1000 + GAPS_AND_LOSSES_S)
    stored, flagged = held.stored, held.flagged
    # What only the live totals know was counted too, though no record holds it.
    missing = (expected - stored).total() + sum(counted.values()) - expected.total()
    lost, duplicated = max(0, missing - flagged), (stored - expected).total()
    people = truth.total()
    error = (sum(counted.values()) - people) / people if people else 0.0
    floor = floor_for(people / (duration_ms / 3_600_000) / len(posts))
    complaints = _complaints(lost, duplicated, flagged, people, held.rolling)
    is_closed = not complaints
    if abs(error) > floor:
        complaints.append(Say("demo.complaint-error", {"error": error * 100, "floor": floor * 100}))
    return {
        "truth": {"ab": truth["ab"], "ba": truth["ba"]},
        "counted": counted,
        "stored": {key: sum(n for (_, _, direction), n in stored.items() if direction == key) for key in ("ab", "ba")},
        "lost": lost,
        "duplicated": duplicated,
        "flagged": flagged,
        "points": held.points,
        "rolling": held.rolling.right,
        "dead_letters": dead_letters,
        "error": round(error, 4),
        "error_floor": floor,
        "run": fingerprint,
        "closed": is_closed,
        "ok": not complaints,
        "complaints": complaints,
    }


def _counted(posts: list[Post]) -> dict[str, int]:
    """What the nodes counted, by the witnesses at their ports: records, or live totals where they know of more."""
    counted = {"ab": 0, "ba": 0}
    for post in posts:
        witness = post.cable.witness
        for direction, in_records, in_live in zip(counted, witness.counted(), witness.live, strict=True):
            counted[direction] += max(in_records, in_live)
    return counted


def _expected(posts: list[Post], db: sqlite3.Connection) -> Bins:
    """What the server must hold: every record the witnesses heard, in the minute that it names or was placed in."""
    placed: dict[tuple[int, int, int], int] = {
        (node, incarnation, seq): start
        for node, incarnation, seq, start in db.execute("SELECT node, incarnation, seq, bin_start FROM received WHERE seq > 0")
    }
    expected: Bins = Counter()
    for post in posts:
        number = post.node.identity.node
        for (incarnation, seq), record in post.cable.witness.records.items():
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
