# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, annotation_typing=False
"""What late records have changed, until somebody asks: the first and the last changed pane of every series.

A change of the closed pane p alters the windows of k panes that end 1 to k panes after its start, as far as these ends have
closed. So two panes a series are enough to name the corrections of all its windows, however many records came late.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import cython

if cython.compiled or TYPE_CHECKING:
    from cython.cimports.gateway import native  # pyright: ignore[reportMissingImports]

NEVER = 2**63 - 1  # as a first pane: none has changed


class Changes:
    """Closed panes that were changed since the last draining."""

    def __init__(self) -> None:
        self.series: list[int] = []  # those that have such panes
        self._first, self._last = array("q"), array("q")

    def make_room(self, width: int) -> None:
        """Makes room for `width` series."""
        more = width - len(self._first)
        first, last = self._first + array("q", [NEVER]) * more, self._last + array("q", [-1]) * more
        self._first, self._last = first, last
        self.first = native.int64s(first) if cython.compiled else first
        self.last = native.int64s(last) if cython.compiled else last

    def note(self, i: int, pane: int) -> int:
        if self.last[i] < 0:
            self.series.append(i)
        self.first[i] = pane if pane < self.first[i] else self.first[i]
        self.last[i] = pane if pane > self.last[i] else self.last[i]
        return 0

    def drain(self, open_pane: int, pane_s: int, windows_s: list[int]) -> list[tuple[int, int, int, int]]:
        """[(i, window_s, first_end, last_end), ...] and forgets them."""
        newest_s = open_pane * pane_s  # compiled, names with a unit are C's integers, the others Python's and made once
        newest: int = newest_s
        entries: list[tuple[int, int, int, int]] = []
        for index in self.series:
            i = index
            first_end, last_start_s = (self.first[i] + 1) * pane_s, self.last[i] * pane_s
            self.first[i], self.last[i] = NEVER, -1
            for window in windows_s:
                length_s = window
                last_end_s = last_start_s + length_s
                entries.append((index, window, first_end, last_end_s if last_end_s < newest_s else newest))
        self.series = []
        return entries
