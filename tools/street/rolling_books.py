"""Closing the books of rolling results: each of them on the server is the sum of the minutes on the server, and none is missing.

Added up minute by minute, without the counter. A result behind the newest minute of its series may be there already, since a node
that is silent has some too; where it is, it has to be right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from gateway.due import WINDOWS
from gateway.model import PERIOD_S, Series
from gateway.uplink.base import Row


class Sums(NamedTuple):
    """Of a minute, or of all minutes in a window: people per direction, seconds counted, and revisions (`rev` of a result)."""

    ab: int
    ba: int
    covered_s: int
    revisions: int


@dataclass(slots=True)
class Compared:
    """How many results agree with their minutes, and how many are at fault."""

    right: int = 0
    wrong: int = 0
    missing: int = 0
    surplus: int = 0  # that no minute asks for


Place = tuple[Series, int, int]  # series, length of the window in seconds, its end


def compare(minutes: Iterable[Row], results: Iterable[Row]) -> Compared:
    """`minutes` are all points of `passages`, each of one period, `results` all of `passages_rolling`."""
    lengths = {window.tag: window_s for window_s, window in WINDOWS.items()}
    there = {(_series(row), lengths[row.tags["window"]], row.time_s): row for row in results}
    found = Compared()
    for place, sums, is_due in _expected(minutes):
        row = there.pop(place, None)
        if row is None:
            found.missing += is_due
        elif _sums(row, place[1]) == (*sums, sums.ab + sums.ba):
            found.right += 1
        else:
            found.wrong += 1
    found.surplus = len(there)
    return found


def _expected(minutes: Iterable[Row]) -> Iterator[tuple[Place, Sums, bool]]:
    """Every result that holds something, and whether it has to be there."""
    by_series: dict[Series, dict[int, Sums]] = {}
    for row in minutes:
        ab, ba, covered_s, rev, _ = _sums(row, PERIOD_S)
        by_series.setdefault(_series(row), {})[row.time_s] = Sums(ab, ba, covered_s, rev + 1)
    for series, bins in by_series.items():
        newest_s = max(bins) + PERIOD_S
        for window_s, window in WINDOWS.items():
            for end_s, sums in _rolled(bins, window_s):
                if end_s % window.every_s == 0 and (sums.covered_s or sums.ab + sums.ba):
                    yield (series, window_s, end_s), sums, end_s <= newest_s


def _rolled(bins: dict[int, Sums], window_s: int) -> Iterator[tuple[int, Sums]]:
    total = nothing = Sums(0, 0, 0, 0)
    for end_s in range(min(bins) + PERIOD_S, max(bins) + PERIOD_S + window_s, PERIOD_S):
        comes, goes = bins.get(end_s - PERIOD_S, nothing), bins.get(end_s - PERIOD_S - window_s, nothing)
        total = Sums(*(had + more - less for had, more, less in zip(total, comes, goes, strict=True)))
        yield end_s, total


def _series(row: Row) -> Series:
    return Series(row.tags["site"], row.tags["node"], row.tags["sensor"])


def _sums(row: Row, length_s: int) -> tuple[int, int, int, int, int]:
    """Both directions, seconds counted, `rev`, and both together."""
    ab, ba, rev, both = (int(str(row.fields[name])) for name in ("count_ab", "count_ba", "rev", "count"))
    return ab, ba, round(float(str(row.fields["coverage"])) * length_s), rev, both
