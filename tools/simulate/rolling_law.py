"""The law of rolling results: at the end each of them on the server is the sum of the minutes that the gateway has, with the
revisions of these minutes; none is missing, and none is there of a window that holds nothing or that ends off its grid.

Added up minute by minute, without the counter. A result that the server has refused may be missing or be as it was before, and
so may those that it does not keep any more. Where it has forgotten something, nobody can say what it has. Where a store is lost
it is not said of more than a day, since the note of how far results were published is lost as well; nor of results that are made
of minutes which only the server still knows; nor where the server refuses
lines: a minute that it refused is lost with the store, and its results are not.
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

UNKNOWABLE = {"server_killed", "server_wiped", "server_restored"}
REFUSES = {"server_refuses_lines", "server_keeps_days"}
DAYS = {ALL_OFF, "clock_stepped", "clock_years_off"}  # may go over days, by the first of their numbers
DAY_MS = 86_400_000
Place = tuple[Series, int, int]  # series, window, end
Sums = tuple[int, int, int, int]  # ab, ba, covered seconds, revisions
Numbers = tuple[int, int, int, int, int]  # both together, and these

_WINDOW_OF = {window.tag: window_s for window_s, window in WINDOWS.items()}


def wrong_results(world: World) -> Iterator[tuple[str, dict[str, object]]]:
    """(node, what is wrong), the first of each series and window."""
    strokes = world.plan.strokes
    if any(stroke.fault in UNKNOWABLE for stroke in strokes):
        return
    spans_days = any(stroke.fault in DAYS and abs(stroke.numbers[0]) > DAY_MS for stroke in strokes)
    is_refused = any(stroke.fault in REFUSES for stroke in strokes)
    has_fallen = any(stroke.fault in STORE_FALLS for stroke in strokes)
    if (spans_days or is_refused) and has_fallen:
        return
    newest_s = world.gateway.clock() // 1000 // PERIOD_S * PERIOD_S - PERIOD_S
    there = {_place(row): _found(row) for row in world.server.table("passages_rolling") if row.time_s <= newest_s}
    expected = dict(_expected(world.gateway.bins(), newest_s))
    pardoned = {_place(row) for row in world.server.refusals("passages_rolling")}
    said: set[tuple[Series, int]] = set()
    for place in sorted({*there, *expected} - pardoned, key=lambda place: place[2]):
        found, sums = there.get(place), expected.get(place)
        series, window_s, end_s = place
        is_judged = not has_fallen if sums is None else found is not None or end_s >= world.server.oldest_s()
        if found != sums and is_judged and place[:2] not in said:
            said.add(place[:2])
            yield series.node, {"window": WINDOWS[window_s].tag, "end": end_s, "stored": found, "expected": sums}


def _place(row: Row) -> Place:
    return Series(row.tags["site"], row.tags["node"], row.tags["sensor"]), _WINDOW_OF[row.tags["window"]], row.time_s


def _found(row: Row) -> Numbers:
    coverage = row.fields["coverage"]
    assert isinstance(coverage, float)
    covered_s = round(coverage * _WINDOW_OF[row.tags["window"]])
    return int_of(row, "count"), int_of(row, "count_ab"), int_of(row, "count_ba"), covered_s, int_of(row, "rev")


def _expected(bins: list[CountBin], newest_s: int) -> Iterator[tuple[Place, Numbers]]:
    minutes: dict[Series, dict[int, CountBin]] = {}
    for bin_ in bins:
        minutes.setdefault(bin_.series, {})[bin_.start_s] = bin_
    for series, mine in minutes.items():
        for window_s, window in WINDOWS.items():
            for end_s, sums in _sums(mine, window_s, newest_s):
                people = sums[0] + sums[1]
                if end_s % window.every_s == 0 and (people or sums[2]):
                    yield (series, window_s, end_s), (people, *sums)


def _sums(bins: dict[int, CountBin], window_s: int, newest_s: int) -> Iterator[tuple[int, Sums]]:
    ab = ba = covered_s = rev = 0
    until_s = min(newest_s, max(bins) + window_s + PERIOD_S)  # afterwards nothing is left in it
    for end_s in range(min(bins) + PERIOD_S, until_s + 1, PERIOD_S):
        for start_s, sign in ((end_s - PERIOD_S, 1), (end_s - window_s - PERIOD_S, -1)):
            if bin_ := bins.get(start_s):
                ab, ba, covered_s = ab + sign * bin_.ab, ba + sign * bin_.ba, covered_s + sign * bin_.covered_s
                rev += sign * (bin_.rev + 1)
        yield end_s, (ab, ba, covered_s, rev)
