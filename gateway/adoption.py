"""What a server already has becomes ours: for a store that is new, or older than what it once published.

Theory of operation
    A new store is a new generation. It knows nothing of what an earlier one has published, and nodes send it again what they
    still hold. A bin names its newest record, on the server too, and holds every record of its time up to that one; so a bin
    that was read back and a record that comes again are told apart, and nothing counts twice.
    Of one bin, two generations may know different parts. Who knows the newer record of the same log knows more, and is right,
    unless that record is all it knows: then it comes on top. Else the greater value is kept, so that no bin ever shrinks.
    A row that is not made as ours are is nobody's: it is left alone, and an audit names it.
    Each stream is told up to which record another store kept its books: what was missing before that one has been said by that
    store, since flags go out before the bins that prove them. Not said is which minutes it had acknowledged and not sent yet: they
    are missing between those that it had (`Rows.missing_minutes`), and flagged when the node has delivered again all that it holds.
    What is told of losses is added where both stores have told of the same hour; so that is done once, with the end.
    A store that is older than what it published (a copy was put back) finds on the server a status of this gateway that it
    never wrote.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from gateway import schema
from gateway.model import PERIOD_S, Q_PARTIAL, Q_SIMULATED, Q_UNCALIBRATED, ClimateBin, CountBin, Gap, Loss, Series, node_number
from gateway.outbox import UNROLLED
from gateway.pipeline import RING_S
from gateway.proofs import unheard
from gateway.store import QUARTER_S, SIMULATED, UNSENT, Store
from gateway.tables import AUDITED, QUEUED
from gateway.uplink.base import Row

ADOPTED = "adopted"  # note: 0 not yet, 1 done
ADOPTING = "adopting"  # note: 1 from the beginning to the end, in one and the same store
TOLD = "told_s"  # note: time of the newest status of the gateway
FACTS = ("losses", "gaps", "ledger")
_MADE_WHEN_SENT = Q_PARTIAL | Q_UNCALIBRATED
_MOST = 2**31  # of what is counted: no node can have told more, and the windows hold twice as much
_NOT_READ_BACK = {"coverage", "temperature_c", "humidity_pct", "schema", "period_s", "incarnation", "seq"}  # or not by all


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
        database.execute("UPDATE streams SET adopted = max(adopted, watermark)")


def begin(store: Store) -> None:
    """Then rows are taken, then it is to be finished."""
    store.note(ADOPTING, 1)


def take(store: Store, measurement: str, rows: Iterable[Row], names: set[str], now_s: int) -> int:
    """Rows of one measurement as read back, of nodes with these names; how many were new or better than ours."""
    with store.transaction():
        mine = [row for row in rows if row.tags.get("node") in names and _is_made_as_ours(measurement, row)]
        if measurement == "passages":
            return sum(_take_bin(store, row, now_s) for row in mine)
        if measurement == "climate":
            return sum(_take_climate(store, row) for row in mine)
        return sum(_take_fact(store, measurement, row) for row in mine)


def finish(store: Store, losses: Iterable[Row], names: set[str], now_s: int) -> bool | None:
    """Streams begin where the adopted bins end, and losses are what both have told. Live totals of before prove nothing any more.
    Whether there are bins or streams, of which the session has to hear; None where it has to begin again: the store is a new one,
    and may lack what was taken."""
    with store.transaction() as database:
        if not store.noted(ADOPTING):
            return None
        for row in losses:
            if row.tags.get("node") in names and _is_made_as_ours("losses", row):
                _take_loss(store, row)
        newest = database.execute(
            "SELECT node, incarnation, max(seq), max(start * (start <= ?)) FROM bins JOIN series ON id = series "
            "WHERE incarnation > 0 GROUP BY node, incarnation",
            (now_s,),
        ).fetchall()
        for name, incarnation, seq, start in newest:
            database.execute(
                "INSERT INTO streams(node, incarnation, adopted, last_bin) VALUES(?1,?2,?3,?4) ON CONFLICT DO UPDATE SET "
                "adopted = max(adopted, ?3), last_bin = max(last_bin, ?4)",
                (node_number(name), incarnation, seq, start),
            )
        streams = store.streams()
        for stream in streams:
            for state in stream.boots.values():
                store.keep_boot(unheard(state))
        _carry_on_silences(store, now_s)
        for name in {name for name, *_ in newest}:
            if store.missing_minutes(name):
                store.put_note(UNSENT + name, 1)
        has_bins = bool(store.read("SELECT 1 FROM bins LIMIT 1"))
        if has_bins:  # nobody knows which results of these were published
            ((oldest_s,),) = store.read("SELECT min(start) FROM bins")
            store.lower_rolled(max(oldest_s, now_s - RING_S))
            store.put_note(UNROLLED, 1)
        store.put_note(ADOPTED, 1)
        store.put_note(ADOPTING, 0)
    return has_bins or bool(streams)


def _carry_on_silences(store: Store, now_s: int) -> None:
    # A gap that another store has opened ends with the node's next record, or has ended with one that is there already.
    for tags, start_s, text in store.read("SELECT tags, time, fields FROM facts WHERE measurement = 'gaps' ORDER BY time"):
        about, told = json.loads(tags), json.loads(text)
        if told["bound"] >= 0 or told["resolved"]:
            continue
        ((later_s,),) = store.read(
            "SELECT min(start) FROM bins JOIN series ON id = series WHERE node = ? AND start >= ?", (about["node"], start_s)
        )
        gap = Gap(about["site"], node_number(about["node"]), about["reason"], start_s, told["until"], -1)
        store.keep_silence(gap if later_s is None else replace(gap, until_s=later_s, bound=0, resolved_s=now_s))


def _is_made_as_ours(measurement: str, row: Row) -> bool:
    table = schema.measurements()[measurement]
    numbers = _numbers(row)
    needed = {name for name, field in table["fields"].items() if field["type"] == "int" and not field.get("optional")}
    if set(row.tags) != set(table["tags"]) or not all(row.tags.values()) or not needed - _NOT_READ_BACK <= set(numbers):
        return False
    if not all(-1 <= number < 2**62 for number in numbers.values()):
        return False
    if measurement == "passages":
        period_s = numbers.get("period_s", PERIOD_S)
        is_bin = period_s in (PERIOD_S, QUARTER_S) and row.time_s % period_s == 0
        counted = [numbers.get(name, 0) for name in ("count_ab", "count_ba", "rev", "seq", "untimed")]
        is_counted = 0 <= min(counted) <= max(counted) <= _MOST and 0 <= numbers.get("incarnation", 0) < 2**32
        return is_bin and is_counted and 0 <= _measured(row, "coverage") <= 1
    if measurement == "climate":
        is_measured = abs(_measured(row, "temperature_c")) < 1000 and 0 <= _measured(row, "humidity_pct") <= 100
        return is_measured and 0 < numbers["n"] <= _MOST
    return True


def _measured(row: Row, name: str) -> float:
    # Not a number where there is none, which no comparison likes.
    value = row.fields.get(name)
    return float(value) if isinstance(value, (int, float)) else float("nan")


def _take_bin(store: Store, row: Row, now_s: int) -> bool:
    theirs = _bin_of(row)
    if theirs.q & Q_SIMULATED:
        store.put_note(SIMULATED + theirs.series.node, 1)
    if theirs.period_s == QUARTER_S:
        _put_into_quarter(store, theirs, now_s)
    else:
        _take_out_of_quarter(store, theirs, now_s)
    ours = store.count_bin(theirs.series, theirs.start_s)
    if ours is None:
        store.put_bin(theirs, AUDITED)
        return True
    is_same_log = ours.incarnation == theirs.incarnation
    if is_same_log and ours.seq <= theirs.seq and ours.ab <= theirs.ab and ours.ba <= theirs.ba:
        store.put_bin(theirs, AUDITED)
        return _values(ours) != _values(theirs)
    if is_same_log and ours.seq > theirs.seq and not ours.rev:  # one record, which theirs does not hold
        ab, ba, covered_s = ours.ab + theirs.ab, ours.ba + theirs.ba, min(ours.period_s, ours.covered_s + theirs.covered_s)
    else:
        ab, ba, covered_s = max(ours.ab, theirs.ab), max(ours.ba, theirs.ba), max(ours.covered_s, theirs.covered_s)
    seq = max(ours.seq, theirs.seq) if is_same_log else ours.seq
    untimed = max(ours.untimed, theirs.untimed) if is_same_log else ours.untimed
    q, rev = ours.q | theirs.q, max(ours.rev, theirs.rev) + 1
    grown = replace(ours, ab=ab, ba=ba, covered_s=covered_s, q=q, rev=rev, revised_at=now_s, seq=seq, untimed=untimed)
    store.put_bin(grown, QUEUED)
    return True


def _put_into_quarter(store: Store, quarter: CountBin, now_s: int) -> None:
    """Minutes of a quarter of an hour that were counted before it could be read: what it holds goes, what is newer comes on top."""
    held = quarter
    for minute in store.count_bins_of(quarter.series, quarter.start_s, quarter.start_s + QUARTER_S):
        if minute.period_s == QUARTER_S:
            continue
        store.drop_bin(minute)
        if _has_newer(quarter, minute):
            continue
        if minute.rev:  # of several records, and it may hold some of them
            most = minute.ab + minute.ba
            store.keep_loss(Loss(quarter.series.site, node_number(quarter.series.node), "given_up", minute.start_s, -1, most))
            continue
        covered_s = min(QUARTER_S, held.covered_s + minute.covered_s)
        held = replace(
            held, ab=held.ab + minute.ab, ba=held.ba + minute.ba, covered_s=covered_s, q=held.q | minute.q,
            incarnation=minute.incarnation, seq=minute.seq, untimed=max(held.untimed, minute.untimed),
        )  # fmt: skip
    if held != quarter:
        store.put_bin(replace(held, rev=quarter.rev + 1, revised_at=now_s), QUEUED)


def _take_out_of_quarter(store: Store, minute: CountBin, now_s: int) -> None:
    """A minute that the server has, of a quarter that waits: another copy of this store has sent it before."""
    quarter = store.count_bin(minute.series, minute.start_s // QUARTER_S * QUARTER_S)
    if quarter is None or quarter.period_s != QUARTER_S or quarter.start_s == minute.start_s or not _has_newer(quarter, minute):
        return
    if store.count_bin(minute.series, minute.start_s) is None:  # else it was taken out before
        ab, ba, covered_s = quarter.ab - minute.ab, quarter.ba - minute.ba, quarter.covered_s - minute.covered_s
        rest = replace(quarter, ab=max(0, ab), ba=max(0, ba), covered_s=max(0, covered_s), rev=quarter.rev + 1, revised_at=now_s)
        store.put_bin(rest, QUEUED)


def _has_newer(bin_: CountBin, other: CountBin) -> bool:
    """Whether it names a record of the same log that is no older than all in the other."""
    return bin_.incarnation == other.incarnation and bin_.seq >= other.seq


def _bin_of(row: Row) -> CountBin:
    value = _numbers(row)
    period_s = value.get("period_s", PERIOD_S)
    return CountBin(
        Series(row.tags["site"], row.tags["node"], row.tags["sensor"]), row.time_s, value["count_ab"], value["count_ba"],
        round(_measured(row, "coverage") * period_s), value["q"] & ~_MADE_WHEN_SENT, value["rev"], value["revised_at"],
        value.get("incarnation", 0), value.get("seq", 0), period_s, value.get("untimed", 0),
    )  # fmt: skip


def _values(bin_: CountBin) -> tuple[int, ...]:
    return bin_.ab, bin_.ba, bin_.covered_s, bin_.rev


def _take_climate(store: Store, row: Row) -> bool:
    series = Series(row.tags["site"], row.tags["node"], row.tags["sensor"])
    ours, value = store.climate_bin(series, row.time_s), _numbers(row)
    n = value["n"]
    if ours is not None and ours.n >= n:
        return False
    # The sums that the published means were made of.
    temperature, humidity = round(_measured(row, "temperature_c") * 100 * n), round(_measured(row, "humidity_pct") * 2 * n)
    theirs = ClimateBin(series, row.time_s, temperature, humidity, n, value["q"], value["rev"], value["revised_at"])
    store.put_climate(theirs, AUDITED)
    return True


def _take_fact(store: Store, measurement: str, row: Row) -> bool:
    ours, theirs = store.fact(measurement, row.tags, row.time_s), _numbers(row)
    if ours is not None and _age(ours) >= _age(theirs):
        return False
    store.keep_fact(measurement, row.tags, row.time_s, theirs, AUDITED)
    return True


def _take_loss(store: Store, row: Row) -> None:
    key = ("losses", row.tags, row.time_s)
    ours, theirs = store.fact(*key), _numbers(row)
    if ours is None or not store.is_waiting(*key):  # what was sent is in theirs
        _take_fact(store, "losses", row)
    elif (ours["people"], ours["bound"]) != (theirs["people"], theirs["bound"]):
        people = -1 if min(ours["people"], theirs["people"]) < 0 else ours["people"] + theirs["people"]
        rev = max(ours["rev"], theirs["rev"]) + 1
        store.keep_fact(*key, {"people": people, "bound": ours["bound"] + theirs["bound"], "rev": rev})


def _age(fields: dict[str, Any]) -> tuple[int, ...]:
    # What only rises: of a gap its end, of all others the revision.
    return fields.get("rev", 0), fields.get("resolved", 0), fields.get("until", 0)


def _numbers(row: Row) -> dict[str, Any]:
    # Whole numbers come back as floats from some servers.
    return {name: int(value) for name, value in row.fields.items() if isinstance(value, (int, float)) and float(value).is_integer()}
