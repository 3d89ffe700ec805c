# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, annotation_typing=False
"""The bands: sums over panes of neighbouring ages, always up to date, so that no window is ever walked through.

The windows' edges cut the ages of the closed panes into disjoint bands, the youngest first: band b is the sum of the panes
aged edges[b] + 1 to edges[b + 1], with edges = [0, panes of the shortest window, ..., of the longest]. A change, however
late, touches the one band that its pane's age lies in. A window is the next shorter one plus one band. When the watermark
moves on, the panes that cross an edge move to the next band; the open pane is in none yet, and what has become older than
the longest window in none any more.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import cython

from gateway.cells import widened, zeros

if cython.compiled or TYPE_CHECKING:
    from cython.cimports.gateway import native  # pyright: ignore[reportMissingImports]


class Bands:
    """Sums of ab, ba and covered seconds by band and series. `windows` are numbers of panes, in the order of the answers."""

    def __init__(self, windows: list[int]) -> None:
        self.windows, self.longest, self.width = len(windows), max(windows), 0
        self._sums, self._edges = array("q"), array("q", [0, *sorted(windows)])
        self._order = array("q", sorted(range(self.windows), key=windows.__getitem__))
        self._of_age = array("H", [0])
        for band, (edge, next_edge) in enumerate(pairwise(self._edges)):
            self._of_age.extend(array("H", [band]) * (next_edge - edge))
        self.edges = native.int64s(self._edges) if cython.compiled else self._edges
        self.of_age = native.ushorts(self._of_age) if cython.compiled else self._of_age
        self.order = native.int64s(self._order) if cython.compiled else self._order

    def make_room(self, width: int) -> None:
        """Makes room for `width` series."""
        self._use(widened(self._sums, self.windows, 3 * self.width, 3 * width))
        self.width = width

    def clear(self) -> None:
        self._use(zeros("q", len(self._sums)))

    def _use(self, sums: array[int]) -> None:
        self._sums = sums
        self.sums = native.int64s(sums) if cython.compiled else sums

    def change(self, i: int, age: int, more_ab: int, more_ba: int, more_covered_s: int) -> None:
        """The pane of this age, which is not the open one, holds so much more."""
        if age <= self.longest:
            at = 3 * (self.of_age[age] * self.width + i)
            self.sums[at] += more_ab
            self.sums[at + 1] += more_ba
            self.sums[at + 2] += more_covered_s

    def move(self, band: int, i: int, ab: int, ba: int, covered_s: int) -> None:
        """A pane that holds so much crosses the edge before `band`: one band gives it up, the next one gets it."""
        at, sums = 3 * (band * self.width + i), self.sums
        if band < self.windows:
            sums[at] += ab
            sums[at + 1] += ba
            sums[at + 2] += covered_s
        if band > 0:
            at -= 3 * self.width
            sums[at] -= ab
            sums[at + 1] -= ba
            sums[at + 2] -= covered_s

    def move_all(self, band: int, cells: Iterable[tuple[int, tuple[int, int, int]]]) -> None:
        """`move` for every (i, (ab, ba, covered_s)); uncompiled, a call for each would cost more than what it does."""
        start, before, sums = 3 * band * self.width, 3 * self.width, self.sums
        for i, cell in cells:
            for at, number in enumerate(cell, start + 3 * i):
                if number and band < self.windows:
                    sums[at] += number
                if number and band > 0:
                    sums[at - before] -= number

    def write(self, i: int, out: Any, at: int) -> None:
        """Writes ab, ba and covered seconds of each window to `out` from `at` on."""
        ab = ba = covered_s = 0
        for band in range(self.windows):
            here, to = 3 * (band * self.width + i), at + 3 * self.order[band]
            ab += self.sums[here]
            ba += self.sums[here + 1]
            covered_s += self.sums[here + 2]
            out[to], out[to + 1], out[to + 2] = ab, ba, covered_s
