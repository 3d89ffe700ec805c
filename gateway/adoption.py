"""What a server already has becomes ours: for a store that is new, or older than what it once published.

Theory of operation
    A new store is a new generation. It knows nothing of what an earlier one has published, and nodes send it again what they
    still hold. A bin names its newest record, on the server too, and holds every record of its time up to that one; so a bin
    that was read back and a record that comes again are told apart, and nothing counts twice.
    Of one bin, two generations may know different parts. Who knows the newer record of the same log knows more, and is right;
    of two logs the greater value is kept, so that no bin ever shrinks.
    Each stream is told up to when another store kept its books: what is missing of that time has been said by that one.
    A store that is older than what it published (a copy was put back) finds on the server a status of this gateway that it
    never wrote.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.model import PERIOD_S, Q_PARTIAL, Q_UNCALIBRATED, ClimateBin, CountBin, Series
from gateway.proofs import unheard
from gateway.store import Store
from gateway.tables import AUDITED, QUEUED
from gateway.uplink.base import Row

ADOPTED = "adopted"  # note: 0 not yet, 1 done
TOLD = "told_s"  # note: time of the newest status of the gateway
FACTS = ("losses", "gaps", "ledger")
_MADE_WHEN_SENT = Q_PARTIAL | Q_UNCALIBRATED


def is_due(store: Store) -> bool:
    return not store.noted(ADOPTED)


def is_older(store: Store, gateway: str, statuses: Iterable[Row]) -> bool:
    """Whether one of these `gateway_status` rows was written by this gateway after all that the store knows of."""
    told_s = store.noted(TOLD)
    return any(row.tags.get("gateway") == gateway and row.time_s > told_s for row in statuses)


def begin_generation(store: Store) -> None:
    """What follows is read back first, and nodes are asked for all that they still hold."""
    with store.transaction() as database:
        store.put_note(ADOPTED, 0)
        database.execute("UPDATE streams SET adopted = last_bin")


def take(store: Store, measurement: str, rows: Iterable[Row], names: set[str], now_s: int) -> int:
    """Rows of one measurement as read back, of nodes with these names; how many were new or better than ours."""
    with store.transaction():
        mine = [row for row in rows if row.tags.get("node") in names]
        if measurement == "passages":
            return sum(_take_bin(store, row, now_s) for row in mine)
        if measurement == "climate":
            return sum(_take_climate(store, row) for row in mine)
        return sum(_take_fact(store, measurement, row) for row in mine)


def finish(store: Store) -> None:
    """Streams begin where the adopted bins end; live totals of before prove nothing any more."""
    with store.transaction() as database:
        newest = database.execute(
            "SELECT node, incarnation, max(start) FROM bins JOIN series ON id = series WHERE incarnation > 0 "
            "GROUP BY node, incarnation"
        ).fetchall()
        for name, incarnation, start in newest:
            database.execute(
                "INSERT INTO streams(node, incarnation, last_bin, adopted) VALUES(?1,?2,?3,?3) ON CONFLICT DO UPDATE SET "
                "last_bin = max(last_bin, ?3), adopted = max(adopted, ?3)",
                (int(name.removeprefix("tr-"), 16), incarnation, start),
            )
        for stream in store.streams():
            for state in stream.boots.values():
                store.keep_boot(unheard(state))
        store.put_note(ADOPTED, 1)


def _take_bin(store: Store, row: Row, now_s: int) -> bool:
    value = _numbers(row)
    series = Series(row.tags["site"], row.tags["node"], row.tags["sensor"])
    period_s = value.get("period_s", PERIOD_S)
    theirs = CountBin(
        series, row.time_s, value["count_ab"], value["count_ba"], _whole(row, "coverage", period_s),
        value["q"] & ~_MADE_WHEN_SENT, value["rev"], value["revised_at"], value.get("incarnation", 0), value.get("seq", 0),
        period_s,
    )  # fmt: skip
    ours = store.count_bin(series, row.time_s)
    if ours is None:
        store.put_bin(theirs, AUDITED)
        return True
    if ours.incarnation == theirs.incarnation and ours.seq <= theirs.seq:
        store.put_bin(theirs, AUDITED)
        return _values(ours) != _values(theirs)
    merged = CountBin(
        series, row.time_s, max(ours.ab, theirs.ab), max(ours.ba, theirs.ba), max(ours.covered_s, theirs.covered_s),
        ours.q | theirs.q, max(ours.rev, theirs.rev) + 1, now_s, ours.incarnation, ours.seq, ours.period_s,
    )  # fmt: skip
    store.put_bin(merged, QUEUED)
    return True


def _values(bin_: CountBin) -> tuple[int, ...]:
    return bin_.ab, bin_.ba, bin_.covered_s, bin_.rev


def _take_climate(store: Store, row: Row) -> bool:
    series = Series(row.tags["site"], row.tags["node"], row.tags["sensor"])
    if store.climate_bin(series, row.time_s) is not None:
        return False
    value = _numbers(row)
    n = value["n"]
    temperature, humidity = _whole(row, "temperature_c", 100 * n), _whole(row, "humidity_pct", 2 * n)
    theirs = ClimateBin(series, row.time_s, temperature, humidity, n, value["q"], value["rev"], value["revised_at"])
    store.put_climate(theirs, AUDITED)
    return True


def _whole(row: Row, name: str, scale: int) -> int:
    # The sum that a published mean was made of.
    return round(float(str(row.fields[name])) * scale)


def _take_fact(store: Store, measurement: str, row: Row) -> bool:
    if store.fact(measurement, row.tags, row.time_s) is not None:
        return False
    store.keep_fact(measurement, row.tags, row.time_s, _numbers(row), AUDITED)
    return True


def _numbers(row: Row) -> dict[str, Any]:
    # Whole numbers come back as floats from some servers.
    return {name: int(value) for name, value in row.fields.items() if isinstance(value, (int, float)) and float(value).is_integer()}

