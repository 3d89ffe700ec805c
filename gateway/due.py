"""Which rolling results wait to be published: ends of windows, by series and window. Pure.

Theory of operation
    Of the ends of a window only those on its own grid are published (`WINDOWS`), so a minute that comes late changes at most 129
    results. What is due is kept as ranges of ends that are merged where they touch: however many minutes change, each end is sent
    once, and a long outage is one range. Whoever takes some gives them back or says that they are there; until then they count as
    due. A series of which something did not arrive comes after all others.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from gateway.model import Series

MAX_RANGES = 16  # of one series and window; beyond that the two that lie closest become one
DAY_S = 86_400


class Window(NamedTuple):
    """A rolling window as it is published: the value of the tag, and how often."""

    tag: str
    every_s: int


WINDOWS = {60: Window("1m", 60), 300: Window("5m", 60), 900: Window("15m", 60), 3600: Window("1h", 300), 86_400: Window("24h", 900)}


@dataclass(frozen=True, slots=True)
class Ends:
    """Ends of one window of a series that are due, the first and the last included."""

    series: Series
    window_s: int
    first_s: int
    last_s: int

    def __len__(self) -> int:
        return (self.last_s - self.first_s) // WINDOWS[self.window_s].every_s + 1

    def each(self) -> Iterator[int]:
        return iter(range(self.first_s, self.last_s + 1, WINDOWS[self.window_s].every_s))

    def after(self, moment_s: int) -> Ends | None:
        """Those that are later than that; None where none is."""
        every_s = WINDOWS[self.window_s].every_s
        first_s = max(self.first_s, moment_s // every_s * every_s + every_s)
        return replace(self, first_s=first_s) if first_s <= self.last_s else None


class Due:
    """Ends that are `add`ed are due until they were taken and are `done`."""

    def __init__(self) -> None:
        self._ranges: dict[tuple[Series, int], list[tuple[int, int]]] = {}
        self._taken: list[Ends] = []
        self._turns: dict[Series, int] = {}  # of those of which something did not arrive: the lowest comes first
        self._turn = 0

    def add(self, series: Series, window_s: int, first_s: int, last_s: int) -> None:
        """All ends of the window's grid from `first_s` to `last_s`."""
        every_s = WINDOWS[window_s].every_s
        new = (-(-first_s // every_s) * every_s, last_s // every_s * every_s)
        if new[0] > new[1]:
            return
        merged: list[tuple[int, int]] = []
        for span in sorted([*self._ranges.get((series, window_s), []), new]):
            if merged and span[0] - merged[-1][1] <= every_s:
                merged[-1] = (merged[-1][0], max(merged[-1][1], span[1]))
            else:
                merged.append(span)
        if len(merged) > MAX_RANGES:
            at = min(range(1, len(merged)), key=lambda n: merged[n][0] - merged[n - 1][1])
            merged[at - 1 : at + 1] = [(merged[at - 1][0], merged[at][1])]
        self._ranges[series, window_s] = merged

    def take_at(self, end_s: int, limit: int, known: Container[Series]) -> list[Ends]:
        """Those that are due at this end, which is the newest, of series that are known, at most `limit`."""
        found: list[Ends] = []
        for (series, window_s), ranges in self._ranges.items():
            if ranges[-1][1] == end_s and len(found) < limit and series in known:
                found.append(Ends(series, window_s, end_s, end_s))
        return self._take(found)

    @property
    def series(self) -> set[Series]:
        """Those of which something is due and not taken."""
        return {series for series, _ in self._ranges}

    def take_oldest(self, limit: int, but: Container[Series] = ()) -> list[Ends]:
        """Of the series whose turn it is, else that has waited for longest, what is due within a day, at most `limit` ends; of
        those in `but`, nothing."""
        if not self._ranges:
            self._turns.clear()
        waiting = [
            (self._turns.get(series, 0), ranges[0][0], series) for (series, _), ranges in self._ranges.items() if series not in but
        ]
        if not waiting or limit < 1:
            return []
        _, oldest_s, series = min(waiting, key=lambda found: found[:2])
        found: list[Ends] = []
        for window_s, window in WINDOWS.items():
            for first_s, range_end_s in self._ranges.get((series, window_s), []):
                room = limit - sum(map(len, found))
                last_s = min(range_end_s, oldest_s + DAY_S, first_s + (room - 1) * window.every_s)
                if first_s <= last_s:
                    found.append(Ends(series, window_s, first_s, last_s // window.every_s * window.every_s))
        return self._take(found)

    def _take(self, found: list[Ends]) -> list[Ends]:
        for ends in found:
            key, every_s = (ends.series, ends.window_s), WINDOWS[ends.window_s].every_s
            parts = [
                part for first_s, last_s in self._ranges[key]
                for part in ((first_s, min(last_s, ends.first_s - every_s)), (max(first_s, ends.last_s + every_s), last_s))
                if part[0] <= part[1]
            ]  # fmt: skip
            if parts:
                self._ranges[key] = parts
            else:
                del self._ranges[key]
        self._taken += found
        return found

    def done(self, given_back: Iterable[tuple[Series, int, int]] = ()) -> None:
        """What was taken is there, but for these: (series, window, end)."""
        self._taken.clear()
        self._turn += 1
        for series, window_s, end_s in given_back:
            self.add(series, window_s, end_s, end_s)
            self._turns[series] = self._turn

    def give_back(self) -> None:
        """Nothing of what was taken is there."""
        taken, self._taken = self._taken, []
        self._turn += 1
        for ends in taken:
            self.add(ends.series, ends.window_s, ends.first_s, ends.last_s)
            self._turns[ends.series] = self._turn

    def oldest_s(self) -> int | None:
        """The oldest end that is due, None where none is."""
        waiting = [ranges[0][0] for ranges in self._ranges.values()]
        return min([*waiting, *(ends.first_s for ends in self._taken)], default=None)
