"""The law of rolling results: at the end each of them on the server is the sum of the minutes that the gateway has, and none is
missing.

Added up minute by minute, without the counter. Where a server has forgotten something, or refuses lines, nobody can say what it
has. Nor is it said of more than a day where the note of how far results were published is lost with the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gateway.due import WINDOWS
from gateway.model import PERIOD_S, CountBin, Series
from gateway.uplink.base import Row
from tools.simulate.case import STORE_FALLS, int_of
from tools.simulate.schedule import ALL_OFF

if TYPE_CHECKING:
    from tools.simulate.world import World

UNKNOWABLE = {"server_killed", "server_wiped", "server_restored", "server_refuses_lines"}
DAYS = {ALL_OFF, "clock_stepped", "clock_years_off"}  # may go over days, by the first of their numbers
DAY_MS = 86_400_000
Sums = tuple[int, int, int]  # ab, ba, covered seconds


def wrong_results(world: World) -> Iterator[tuple[str, dict[str, object]]]:
    """(node, what is wrong), the first of each series and window."""
    strokes = world.plan.strokes
    if any(stroke.fault in UNKNOWABLE for stroke in strokes):
        return
    spans_days = any(stroke.fault in DAYS and abs(stroke.numbers[0]) > DAY_MS for stroke in strokes)
    if spans_days and any(stroke.fault in STORE_FALLS for stroke in strokes):
        return
    there = {_place(row): row for row in world.server.table("passages_rolling")}
    minutes: dict[Series, dict[int, CountBin]] = {}
    for bin_ in world.gateway.bins():
        minutes.setdefault(bin_.series, {})[bin_.start_s] = bin_
    newest_s = world.gateway.clock() // 1000 // PERIOD_S * PERIOD_S - PERIOD_S
    for series, bins in minutes.items():
        for window_s, window in WINDOWS.items():
            for end_s, sums in _sums(bins, window_s, newest_s):
                row = there.get((series, window.tag, end_s))
                found = _found(row, window_s) if row is not None else None
                if end_s % window.every_s == 0 and (sums[2] or found) and found != sums:
                    yield series.node, {"window": window.tag, "end": end_s, "stored": found, "expected": sums}
                    break


def _place(row: Row) -> tuple[Series, str, int]:
    return Series(row.tags["site"], row.tags["node"], row.tags["sensor"]), row.tags["window"], row.time_s


def _found(row: Row, window_s: int) -> Sums:
    coverage = row.fields["coverage"]
    assert isinstance(coverage, float)
    return int_of(row, "count_ab"), int_of(row, "count_ba"), round(coverage * window_s)


def _sums(bins: dict[int, CountBin], window_s: int, newest_s: int) -> Iterator[tuple[int, Sums]]:
    ab = ba = covered_s = 0
    until_s = min(newest_s, max(bins) + window_s + PERIOD_S)  # afterwards nothing is left in it
    for end_s in range(min(bins) + PERIOD_S, until_s + 1, PERIOD_S):
        for start_s, sign in ((end_s - PERIOD_S, 1), (end_s - window_s - PERIOD_S, -1)):
            if bin_ := bins.get(start_s):
                ab, ba, covered_s = ab + sign * bin_.ab, ba + sign * bin_.ba, covered_s + sign * bin_.covered_s
        yield end_s, (ab, ba, covered_s)
