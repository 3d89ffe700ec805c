"""Rolling results: what passed in a window that ends at a moment; made of bins by `rolling_sum`, and as points; and the minutes
that windows are rebuilt of. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway import schema
from gateway.calendar import QUARTER_S
from gateway.due import WINDOWS, Ends
from gateway.model import PERIOD_S, CountBin, Point, Series
from gateway.window import rolling_sum

ROLLING = "passages_rolling"


@dataclass(frozen=True, slots=True)
class Rolled:
    """What passed in the window that ends then."""

    series: Series
    window_s: int
    end_s: int
    ab: int
    ba: int
    covered_s: int
    rev: int


class Minutes(NamedTuple):
    """Bins of whole minutes as columns: the number of a series in `names`, its start, its numbers. `newest` is when the last
    minute of each series begins."""

    names: list[Series]
    newest: list[int]
    next_s: int | None  # when the first minute begins that is too far ahead to be among them
    series: array[int]
    starts: array[int]
    ab: array[int]
    ba: array[int]
    covered_s: array[int]
    revs: array[int]


def span_of(due: Sequence[Ends]) -> tuple[int, int]:
    """From when to when bins are needed to make these results; a quarter of an hour that reaches into the first is among them."""
    return min(ends.first_s - ends.window_s for ends in due) // QUARTER_S * QUARTER_S, max(ends.last_s for ends in due)


def made_of(due: Sequence[Ends], bins: Iterable[CountBin], known_from_s: int = 0) -> list[Rolled]:
    """The results of one series, from all its bins of `span_of` them; none of windows that begin before `known_from_s`. Where a
    quarter of an hour is left of minutes, only windows that hold all of it or nothing have a result."""
    start_s, end_s = span_of(due)
    minutes = (end_s - start_s) // PERIOD_S
    table = array("q", bytes(8 * 4 * minutes))
    quarters: set[int] = set()
    for bin_ in bins:
        last = 4 * ((bin_.start_s + bin_.period_s - start_s) // PERIOD_S - 1)
        if bin_.period_s > PERIOD_S:
            quarters.add(bin_.start_s)
        if 0 <= last < len(table):
            table[last : last + 4] = array("q", (bin_.ab, bin_.ba, bin_.covered_s, bin_.rev + 1))
    windows = sorted({ends.window_s for ends in due})
    sums = memoryview(array("q", bytes(8 * len(windows) * len(table))))
    rolling_sum(memoryview(table).cast("B").cast("q", (minutes, 4)), [window_s // PERIOD_S for window_s in windows], sums)
    found: list[Rolled] = []
    for ends in due:
        first = windows.index(ends.window_s) * len(table)
        for end_s in ends.each():
            begin_s = end_s - ends.window_s
            if begin_s >= known_from_s and not (_is_cut(begin_s, quarters) or _is_cut(end_s, quarters)):
                at = first + 4 * ((end_s - start_s) // PERIOD_S - 1)
                ab, ba, covered_s, rev = sums[at : at + 4]
                found.append(Rolled(ends.series, ends.window_s, end_s, ab, ba, covered_s, rev))
    return found


def _is_cut(moment_s: int, quarters: set[int]) -> bool:
    """Whether this moment lies within one of these quarters of an hour."""
    return bool(moment_s % QUARTER_S) and moment_s // QUARTER_S * QUARTER_S in quarters


def point_of(result: Rolled) -> Point:
    fields: dict[str, int | float | str] = {
        "count": result.ab + result.ba,
        "count_ab": result.ab,
        "count_ba": result.ba,
        "coverage": round(result.covered_s / result.window_s, 6),  # to the second in a day
        "rev": result.rev,
        "schema": schema.load()["schema"],
    }
    series = result.series
    tags = {"site": series.site, "node": series.node, "sensor": series.sensor, "window": WINDOWS[result.window_s].tag}
    return Point(ROLLING, tags, fields, result.end_s)
