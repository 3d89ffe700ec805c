# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, annotation_typing=False
"""The panes themselves, in a ring, and what follows from each: the sums of the bands, the changes to be told.

Pane p lies in row p % rows, and in that row is a cell for every series. The *open* pane is the one in which the watermark
lies; a pane's *age* is how many panes it lies behind that one. As many ages are held as there are rows, the open pane, those of
the longest window and those of the allowed lateness, so the size of the ring does not depend on traffic. What is older is
TOO_LATE, what lies beyond the open pane is FUTURE.

A cell is five bytes, one number: the lower 16 bits of ab, above them those of ba, above them the lower 8 of the covered
seconds. What does not fit (a pane of more than 65,535 passages or of more than 255 s) has its upper 16, 16 and 24 bits, in the
same order, in `high`, which is made when it is first needed.

`used` tells which rows may hold anything, so that hours of silence are skipped and not walked through.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import reduce
from itertools import compress
from operator import or_
from struct import Struct
from typing import TYPE_CHECKING, Any

import cython

from gateway.bands import Bands
from gateway.cells import widened, zeros
from gateway.changes import Changes
from gateway.checked import COUNT, TIME, integer, quotient

if cython.compiled or TYPE_CHECKING:
    from cython.cimports.gateway import native  # pyright: ignore[reportMissingImports]

ACCEPTED, LATE, TOO_LATE, FUTURE = 0, 1, 2, 3
INSIDE, OUTSIDE = (ACCEPTED, LATE), (TOO_LATE, FUTURE)  # compiled, these are at hand; names of the module have to be looked up

COUNT_HIGH = COUNT.high  # of what a pane may hold
CELL = Struct("<HHB")


class Ring:
    """ab, ba and covered seconds by series and age. What it is given is valid: its callers see to that."""

    def __init__(self, rows: int, is_wide: bool) -> None:
        self.rows, self.width = rows, 0  # cells in a row
        self.open, self.open_row = -1, 0
        self.is_wide = is_wide  # whether there are upper bits
        self.most = 0  # where there are: no count that was ever written is greater
        self._used = bytearray(rows)
        self.used = native.uchars(self._used) if cython.compiled else self._used
        self._cells, self._high = bytearray(), array("Q")

    def make_room(self, width: int) -> None:
        """Widens every row to `width` cells. All memory is there before the first of it is put in place."""
        cells = widened(self._cells, self.rows, 5 * self.width, 5 * width)
        high = widened(self._high, self.rows, self.width, width) if self.is_wide else self._high
        self._use(cells, high)
        self.width = width

    def widen_cells(self) -> None:
        """Makes room for the upper bits."""
        self._use(self._cells, zeros("Q", self.rows * self.width))
        self.is_wide = True

    def _use(self, cells: bytearray, high: array[int]) -> None:
        self._cells, self._high = cells, high
        self.cells: Any = native.uchars(cells) if cython.compiled else cells  # compiled, where they begin
        self.high = native.uint64s(high) if cython.compiled else high

    def row(self, age: int) -> int:
        row = self.open_row - age
        return row if row >= 0 else row + self.rows

    def read(self, i: int, age: int) -> tuple[int, int, int]:
        """ab, ba, covered_s."""
        cell = self.row(age) * self.width + i
        if cython.compiled:
            low = native.load(self.cells + 5 * cell)
            ab, ba, covered_s = low & 0xFFFF, low >> 16 & 0xFFFF, low >> 32
        else:
            ab, ba, covered_s = CELL.unpack_from(self.cells, 5 * cell)
        if self.is_wide:
            high = self.high[cell]
            ab, ba, covered_s = ab | (high & 0xFFFF) << 16, ba | (high >> 16 & 0xFFFF) << 16, covered_s | high >> 32 << 8
        return ab, ba, covered_s

    def write(self, i: int, age: int, ab: int, ba: int, covered_s: int) -> None:
        """Counts of more than 16 bits need `widen_cells` before."""
        row = self.row(age)
        cell = row * self.width + i
        if cython.compiled:
            native.store(self.cells + 5 * cell, ab & 0xFFFF | (ba & 0xFFFF) << 16 | (covered_s & 0xFF) << 32)
        else:
            CELL.pack_into(self.cells, 5 * cell, ab & 0xFFFF, ba & 0xFFFF, covered_s & 0xFF)
        if self.is_wide:
            self.most |= ab | ba
            self.high[cell] = ab >> 16 | ba >> 16 << 16 | covered_s >> 8 << 32
        self.used[row] = 1

    def held(self, age: int) -> Iterable[tuple[int, tuple[int, int, int]]]:
        """(i, (ab, ba, covered_s)) of the cells that hold something; uncompiled, this passes over the others quickly."""
        if self.is_wide:
            return [(i, self.read(i, age)) for i in range(self.width)]
        start = 5 * self.row(age) * self.width
        row = self._cells[start : start + 5 * self.width]
        bits = reduce(or_, [int.from_bytes(row[n::5], "little") for n in range(5)])  # a byte a cell, its five one upon the other
        return compress(enumerate(CELL.iter_unpack(row)), bits.to_bytes(self.width, "little"))

    def advance(self, pane: int) -> None:
        """Makes `pane` the open one; panes that become too old give their rows to empty ones."""
        stop = pane + 1
        at = self.next_used(max(self.open + 1, stop - self.rows), stop)
        while at < stop:
            self._empty(at % self.rows)
            at = self.next_used(at + 1, stop)
        self.open, self.open_row = pane, pane % self.rows

    def _empty(self, row: int) -> None:
        start, stop = row * self.width, (row + 1) * self.width
        if cython.compiled:
            native.memset(self.cells + 5 * start, 0, 5 * self.width)
        else:
            self.cells[5 * start : 5 * stop] = bytes(5 * self.width)
        if self.is_wide:
            self._high[start:stop] = zeros("Q", self.width)
        self.used[row] = 0

    def next_used(self, pane: int, stop: int) -> int:
        """The first pane from `pane` on whose row may hold something, or `stop`; they are at most as many as there are rows."""
        while pane < stop:
            row = pane % self.rows
            span = min(stop - pane, self.rows - row)  # up to the end of the ring
            found = native.first_one(self.used, row, span) if cython.compiled else self._used.find(1, row, row + span) - row
            if 0 <= found < span:
                return pane + found
            pane += span
        return stop


class Panes:
    """Ring, bands and changes in step. `windows` and `lateness` are numbers of panes, `width` of series."""

    def __init__(self, pane_s: int, windows: list[int], lateness: int, width: int) -> None:
        self.pane_s = pane_s
        self.shift = (pane_s & -pane_s).bit_length() - 1  # these three are for `native.exact_quotient`
        self.inverse, self.last = pow(pane_s >> self.shift, -1, 2**64), TIME.high // pane_s
        self.ring = Ring(1 + max(windows) + lateness, pane_s > 0xFF)
        self.bands = Bands(windows)
        self.changes = Changes()
        self.make_room(width)

    def make_room(self, width: int) -> None:
        """Makes room for `width` series. Where memory does not suffice, none has more than those before it."""
        self.changes.make_room(width)
        self.bands.make_room(width)
        self.ring.make_room(width)

    def pane(self, time: int) -> int:
        """The pane that holds this second."""
        return native.quotient(time, self.pane_s) if cython.compiled else time // self.pane_s

    def pane_at(self, name: str, start: int) -> int:
        """The pane that begins at this second; ValueError if none does."""
        if cython.compiled:
            pane = native.exact_quotient(start, self.inverse, self.shift)
            if 0 <= pane <= self.last:
                return pane
        return quotient(name, start, self.pane_s)

    def add(self, i: int, pane: int, ab: int, ba: int) -> int:
        """Returns the code."""
        age = self.ring.open - pane
        if age < 0 or age >= self.ring.rows:
            return OUTSIDE[age < 0]
        self.put(i, age, ab, ba, 0, True)
        return INSIDE[age > 0]

    def set(self, i: int, pane: int, ab: int, ba: int, covered_s: int) -> int:
        """Returns the code."""
        age = self.ring.open - pane
        if age < 0 or age >= self.ring.rows:
            return OUTSIDE[age < 0]
        self.put(i, age, ab, ba, covered_s, False)
        return INSIDE[age > 0]

    def put(self, i: int, age: int, ab: int, ba: int, covered_s: int, on_top: bool) -> int:
        """Writes a pane of the ring, or adds to it. A closed one changes its band too, and is noted for the corrections."""
        old_ab, old_ba, old_covered_s = self.ring.read(i, age)
        if on_top:
            ab, ba, covered_s = old_ab + ab, old_ba + ba, old_covered_s + covered_s
            if ab > COUNT_HIGH or ba > COUNT_HIGH:
                check(ab, ba)
        if ab == old_ab and ba == old_ba and covered_s == old_covered_s:
            return 0
        if (ab | ba) >> 16 and not self.ring.is_wide:
            self.ring.widen_cells()
        self.ring.write(i, age, ab, ba, covered_s)
        if age > 0:
            self.bands.change(i, age, ab - old_ab, ba - old_ba, covered_s - old_covered_s)
            self.changes.note(i, self.ring.open - age)
        return 0

    def advance(self, pane: int) -> None:
        """Makes `pane` the open one, unless a later one is open already."""
        ring = self.ring
        if pane <= ring.open:
            return
        if pane - ring.open >= ring.rows:
            self.bands.clear()
        else:
            for band in range(self.bands.windows + 1):
                edge = self.bands.edges[band]
                self._cross(band, max(ring.open - edge, 0), min(pane - edge, ring.open + 1))
        ring.advance(pane)

    def _cross(self, band: int, start: int, stop: int) -> None:
        """The panes from `start` to before `stop` cross the edge before `band`."""
        at = self.ring.next_used(start, stop)
        while at < stop:
            self._move(band, self.ring.open - at)
            at = self.ring.next_used(at + 1, stop)

    def _move(self, band: int, age: int) -> None:
        """One pane of every series crosses the edge before `band`."""
        if cython.compiled:
            for i in range(self.ring.width):
                ab, ba, covered_s = self.ring.read(i, age)
                self.bands.move(band, i, ab, ba, covered_s)
        else:
            self.bands.move_all(band, self.ring.held(age))


def check(ab: int, ba: int) -> tuple[int, int]:
    """OverflowError if a pane may not hold so much."""
    return integer("ab of the pane", ab, COUNT), integer("ba of the pane", ba, COUNT)
