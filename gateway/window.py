# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, annotation_typing=False
"""Rolling-window counter: how many passed in the last minute, hour or day, for all series at once, exactly.

Time is cut into *panes* of `pane_s` seconds. The pane that holds the watermark is *open*, all before it are *closed*.
A pane's *age* is how many panes it lies behind the open one: 0 is the open pane, a window of k panes is ages 1 to k.

The state is flat integer arrays, in which a *row* holds the cells of all series.

* The ring, one row a pane: pane p lies in row p % rows. It spans age 0 to the longest window + allowed lateness, so its
  size never depends on traffic. What is older than the ring is TOO_LATE, what lies beyond the open pane is FUTURE.
* The bands, one row a window, shortest first. The windows' edges cut the ages into disjoint bands: band b is the sum of
  the panes aged edges[b] + 1 to edges[b + 1], with edges = [0, panes of the shortest window, ..., of the longest].

A write, however late, touches one cell and the one band that its pane's age lies in. A query adds bands up, for each
window is the next shorter one plus one band. When the watermark moves on, the panes that cross an edge move to the next
band. `used` tells which rows hold anything, so that hours of silence are skipped and not walked through.

A cell is five bytes: two of ab, two of ba, one of covered_s. What does not fit (a pane of more than 65,535 passages or
of more than 255 s) has its upper part in `high`, a ring of its own that is made when it is first needed.

A late change of pane p alters the windows that end 1 to k panes after its start, as far as these ends have closed.
So the first and the last changed pane of a series are enough to name the corrections of all its windows.

Nothing here reads a clock, and every argument is checked before the first change. A pane holds at most COUNT.high
(unsigned 32 bit), and no memory holds a window of so many panes that its sum would leave 64 bit.

This source runs as it stands and compiled by Cython, with the same answers. window.pxd names the C types; where the two
differ, the line asks cython.compiled, and native.pxd has the step in C.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import cython

from gateway.cells import columns, total
from gateway.checked import COUNT, LENGTH, TIME, Bounds, integer, output
from gateway.rolling import rolling_sum

if cython.compiled or TYPE_CHECKING:
    from cython.cimports.gateway import native  # pyright: ignore[reportMissingImports]

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from gateway.checked import Integers

__all__ = ["ACCEPTED", "COMPILED", "FUTURE", "LATE", "TOO_LATE", "Batch", "WindowedCounter", "rolling_sum"]

COMPILED = bool(cython.compiled)

ACCEPTED, LATE, TOO_LATE, FUTURE = 0, 1, 2, 3
INSIDE, OUTSIDE = (ACCEPTED, LATE), (TOO_LATE, FUTURE)  # compiled, these are at hand; names of the module have to be looked up

COUNT_HIGH, TIME_HIGH = COUNT.high, TIME.high
LOW_COUNT, LOW_COVERED = 65536, 256  # what the cells of the ring hold is less than these; the rest lies in `high`


class Batch(NamedTuple):
    """What became of the records of a batch."""

    accepted: int  # how many entered, the late ones included
    late: int  # how many of these entered closed panes
    too_late: array[int]  # indices of those older than the ring
    future: array[int]  # indices of those beyond the open pane


class WindowedCounter:
    """Counts ab, ba and covered seconds of each series, 0 to `series` - 1, over rolling windows.

    Times are integer UTC seconds; `pane_s` divides every window and `lateness_s`; windows keep the order given.
    What is no integer raises TypeError, too large a number OverflowError, a series that does not exist IndexError,
    any other bad value ValueError. Then nothing has changed.
    """

    def __init__(
        self, windows_s: Iterable[int] = (60, 300, 900, 3600, 86400), pane_s: SupportsIndex = 60,
        series: SupportsIndex = 100, lateness_s: SupportsIndex = 0,
    ) -> None:  # fmt: skip
        self._pane_s = integer("pane_s", pane_s, Bounds(1, COUNT_HIGH))
        self._windows_s = [integer("windows_s", window, LENGTH) for window in windows_s]
        if not self._windows_s or len(set(self._windows_s)) < len(self._windows_s):
            raise ValueError(f"windows_s = {self._windows_s}: expected one window or more, each once")
        edges = [0, *sorted(self._panes("windows_s", window) for window in self._windows_s)]
        rows = 1 + max(edges) + self._panes("lateness_s", integer("lateness_s", lateness_s, TIME))
        capacity = integer("series", series, TIME)

        self._windows = len(self._windows_s)
        self._by_length = array("q", sorted(range(self._windows), key=self._windows_s.__getitem__))
        self._edges, self._lengths_s = array("q", edges), array("q", self._windows_s)
        self._used = bytearray(rows)  # 1 where a row of the ring may hold more than zeros
        self._counts, self._covered, self._high = array("H"), array("B"), array("I")
        self._count_sums, self._covered_sums = array("q"), array("q")
        self._first, self._last = array("q"), array("q")  # closed panes changed since draining; first is -1 if none
        self._changed: list[int] = []  # the series that have such
        self._rows, self._series, self._capacity = rows, 0, 0
        self._is_wide = self._pane_s >= LOW_COVERED  # whether `high` is in use
        self._open, self._open_row = -1, 0  # before the first advance every pane lies beyond the open one
        self._cover_bounds = Bounds(0, self._pane_s, ValueError, ValueError)
        self._make_room(capacity)
        self.grow(capacity)

    @property
    def series(self) -> int:
        """How many series there are."""
        return self._series

    def grow(self, n: SupportsIndex) -> None:
        """Adds `n` series at the end, all zero. Room is doubled, so that growing one by one stays cheap."""
        series = self._series + integer("n", n, TIME)
        if series > self._capacity:
            self._make_room(max(series, 2 * self._capacity))
        self._series = series
        self._indices = Bounds(0, series - 1, IndexError, IndexError)

    def _make_room(self, capacity: int) -> None:
        """Widens every row to `capacity` cells. All memory is there before the first of it is put in place."""
        rows, windows, old = self._rows, self._windows, self._capacity
        counts = _widened("H", self._counts, rows, 2 * old, 2 * capacity)
        covered = _widened("B", self._covered, rows, old, capacity)
        high = _widened("I", self._high, rows, 3 * old, 3 * capacity) if self._is_wide else array("I")
        count_sums = _widened("q", self._count_sums, windows, 2 * old, 2 * capacity)
        covered_sums = _widened("q", self._covered_sums, windows, old, capacity)
        first, last = array("q", [-1]) * capacity, array("q", [-1]) * capacity
        first[:old], last[:old] = array("q", self._first), array("q", self._last)
        self._counts, self._covered, self._high = counts, covered, high
        self._count_sums, self._covered_sums, self._first, self._last = count_sums, covered_sums, first, last
        self._no_counts, self._no_cover = _zeros("H", 2 * capacity), _zeros("B", capacity)
        self._capacity = capacity

    def _make_high(self) -> None:
        self._high = _zeros("I", 3 * self._rows * self._capacity)
        self._is_wide = True

    # --- the watermark

    def advance(self, now: SupportsIndex) -> None:
        """Moves the watermark to `now`, which closes every pane before the one it lies in. Earlier: no change."""
        pane = _number("now", now, TIME_HIGH, TIME) // self._pane_s
        if pane > self._open:
            self._advance(pane)

    def _advance(self, pane: int) -> None:
        if pane - self._open >= self._rows:
            self._count_sums, self._covered_sums = _zeros("q", len(self._count_sums)), _zeros("q", len(self._covered_sums))
            self._clear(0, self._rows)
        else:
            for band in range(self._windows + 1):
                self._cross(band, pane)
            self._clear(self._open + 1, pane + 1)
        self._open, self._open_row = pane, pane % self._rows

    def _cross(self, band: int, pane: int) -> None:
        """Moves what crosses the edge before `band` once `pane` is open from the shorter band to this one."""
        stop = min(pane - self._edges[band], self._open + 1)  # what lies beyond the open pane is empty
        at = self._next_used(max(self._open - self._edges[band], 0), stop)
        while at < stop:
            self._move_row(at % self._rows, band)
            at = self._next_used(at + 1, stop)

    def _move_row(self, row: int, band: int) -> None:
        """Takes a row out of the band before `band` and into `band`, where there are such; uncompiled, only what it holds."""
        series, cell = self._series, row * self._capacity
        if cython.compiled:
            for n in range(2 * series):
                self._move_count(band, n, self._counts[2 * cell + n])
            for n in range(series):
                self._move_cover(band, n, self._covered[cell + n])
        else:
            counts, covered = self._counts[2 * cell : 2 * (cell + series)], self._covered[cell : cell + series]
            for n in compress(range(2 * series), counts):
                self._move_count(band, n, counts[n])
            for n in compress(range(series), covered):
                self._move_cover(band, n, covered[n])
        if self._is_wide:
            for n in range(series):
                self._move_count(band, 2 * n, LOW_COUNT * self._high[3 * (cell + n)])
                self._move_count(band, 2 * n + 1, LOW_COUNT * self._high[3 * (cell + n) + 1])
                self._move_cover(band, n, LOW_COVERED * self._high[3 * (cell + n) + 2])

    def _move_count(self, band: int, n: int, count: int) -> None:
        if band > 0:
            self._count_sums[2 * (band - 1) * self._capacity + n] -= count
        if band < self._windows:
            self._count_sums[2 * band * self._capacity + n] += count

    def _move_cover(self, band: int, n: int, seconds: int) -> None:
        if band > 0:
            self._covered_sums[(band - 1) * self._capacity + n] -= seconds
        if band < self._windows:
            self._covered_sums[band * self._capacity + n] += seconds

    def _clear(self, start: int, stop: int) -> None:
        """Empties the rows of the panes from `start` to before `stop`, at most a ring of them."""
        width, at = self._capacity, self._next_used(start, stop)
        while at < stop:
            row = at % self._rows
            self._counts[2 * row * width : 2 * (row + 1) * width] = self._no_counts
            self._covered[row * width : (row + 1) * width] = self._no_cover
            if self._is_wide:
                for n in range(3 * row * width, 3 * (row + 1) * width):
                    self._high[n] = 0
            self._used[row] = 0
            at = self._next_used(at + 1, stop)

    def _next_used(self, pane: int, stop: int) -> int:
        """The first pane from `pane` on whose row may hold something, or `stop`. The ring's end lies somewhere within."""
        while pane < stop:
            row = pane % self._rows
            span = min(stop - pane, self._rows - row)
            found = _first_one(self._used, row, span)
            if found < span:
                return pane + found
            pane += span
        return stop

    # --- records in

    def add(self, i: SupportsIndex, event_time: SupportsIndex, ab: SupportsIndex, ba: SupportsIndex) -> int:
        """Adds passages to the pane that holds `event_time`; its coverage stays. Returns the code."""
        return self._add(
            self._index(i), _number("event_time", event_time, TIME_HIGH, TIME),
            _number("ab", ab, COUNT_HIGH, COUNT), _number("ba", ba, COUNT_HIGH, COUNT),
        )  # fmt: skip

    def set(
        self, i: SupportsIndex, pane_start: SupportsIndex, ab: SupportsIndex, ba: SupportsIndex, covered_s: SupportsIndex
    ) -> int:
        """Makes the pane that begins at `pane_start` hold these numbers; again changes nothing. Returns the code."""
        index = self._index(i)
        pane = self._panes("pane_start", _number("pane_start", pane_start, TIME_HIGH, TIME))
        new_ab, new_ba = _number("ab", ab, COUNT_HIGH, COUNT), _number("ba", ba, COUNT_HIGH, COUNT)
        return self._set(index, pane, new_ab, new_ba, _number("covered_s", covered_s, self._pane_s, self._cover_bounds))

    def add_many(self, series: Integers, event_times: Integers, ab: Integers, ba: Integers) -> Batch:
        """`add` for columns of one length: one-dimensional integer buffers or sequences. One bad value: none enters."""
        indices, times, more_ab, more_ba = columns(
            series=(series, self._indices), event_times=(event_times, TIME), ab=(ab, COUNT), ba=(ba, COUNT)
        )
        return self._add_all(indices, times, more_ab, more_ba)

    def set_many(
        self, series: Integers, pane_starts: Integers, ab: Integers, ba: Integers, covered_s: Integers
    ) -> Batch:
        """`set` for columns, as in `add_many`. Where a pane comes twice, its last value wins."""
        indices, starts, new_ab, new_ba, covered = columns(
            series=(series, self._indices), pane_starts=(pane_starts, TIME), ab=(ab, COUNT), ba=(ba, COUNT),
            covered_s=(covered_s, self._cover_bounds),
        )  # fmt: skip
        return self._set_all(indices, starts, new_ab, new_ba, covered)

    def _add(self, i: int, time: int, ab: int, ba: int) -> int:
        age = self._open - self._pane(time)
        if age < 0 or age >= self._rows:
            return OUTSIDE[age < 0]
        cell = self._cell(i, age)
        ab, ba = self._ab(cell) + ab, self._ba(cell) + ba
        if ab > COUNT_HIGH or ba > COUNT_HIGH:
            _check_pane(ab, ba)
        self._put(i, age, ab, ba, self._cover_of(cell))
        return INSIDE[age > 0]

    def _set(self, i: int, pane: int, ab: int, ba: int, covered_s: int) -> int:
        age = self._open - pane
        if age < 0 or age >= self._rows:
            return OUTSIDE[age < 0]
        self._put(i, age, ab, ba, covered_s)
        return INSIDE[age > 0]

    def _add_all(self, indices: list[int], times: list[int], ab: list[int], ba: list[int]) -> Batch:
        if self._is_wide or LOW_COUNT + max(total(ab), total(ba)) > COUNT_HIGH:
            self._check_sums(indices, times, ab, ba)
        accepted = late = 0
        too_late, future = array("q"), array("q")
        for n in range(len(times)):
            age = self._open - self._pane(times[n])
            if age < 0:
                future.append(n)
            elif age >= self._rows:
                too_late.append(n)
            else:
                cell = self._cell(indices[n], age)
                self._put(indices[n], age, self._ab(cell) + ab[n], self._ba(cell) + ba[n], self._cover_of(cell))
                accepted += 1
                late += age > 0
        return Batch(accepted, late, too_late, future)

    def _check_sums(self, indices: list[int], times: list[int], ab: list[int], ba: list[int]) -> None:
        """OverflowError if the records together bring a pane beyond what it may hold."""
        sums: dict[tuple[int, int], tuple[int, int]] = {}
        for n in range(len(times)):
            age = self._open - self._pane(times[n])
            if 0 <= age < self._rows:
                cell = self._cell(indices[n], age)
                old_ab, old_ba = sums.get((indices[n], age)) or (self._ab(cell), self._ba(cell))
                sums[indices[n], age] = _check_pane(old_ab + ab[n], old_ba + ba[n])

    def _set_all(
        self, indices: list[int], starts: list[int], ab: list[int], ba: list[int], covered: list[int]
    ) -> Batch:
        for n in range(len(starts)):
            if self._pane(starts[n]) * self._pane_s != starts[n]:
                self._panes("pane_starts", starts[n])
        accepted = late = 0
        too_late, future = array("q"), array("q")
        for n in range(len(starts)):
            age = self._open - self._pane(starts[n])
            if age < 0:
                future.append(n)
            elif age >= self._rows:
                too_late.append(n)
            else:
                self._put(indices[n], age, ab[n], ba[n], covered[n])
                accepted += 1
                late += age > 0
        return Batch(accepted, late, too_late, future)

    def _put(self, i: int, age: int, ab: int, ba: int, covered_s: int) -> int:
        """Writes a pane of the ring. A closed one changes its band too, and is noted for the corrections."""
        cell = self._cell(i, age)
        more_ab, more_ba = ab - self._ab(cell), ba - self._ba(cell)
        more_covered = covered_s - self._cover_of(cell)
        if not (more_ab or more_ba or more_covered):
            return 0
        if not self._is_wide and (ab >= LOW_COUNT or ba >= LOW_COUNT):
            self._make_high()
        if age > 0:  # the open pane is in no window yet: it enters the first band when it closes
            self._correct(i, age, more_ab, more_ba, more_covered)
        self._counts[2 * cell], self._counts[2 * cell + 1] = ab & (LOW_COUNT - 1), ba & (LOW_COUNT - 1)
        self._covered[cell] = covered_s & (LOW_COVERED - 1)
        if self._is_wide:
            high = 3 * cell
            self._high[high], self._high[high + 1] = ab // LOW_COUNT, ba // LOW_COUNT
            self._high[high + 2] = covered_s // LOW_COVERED
        self._used[self._row(age)] = 1
        return 0

    def _correct(self, i: int, age: int, more_ab: int, more_ba: int, more_covered: int) -> int:
        band = 0
        while band < self._windows and self._edges[band + 1] < age:
            band += 1
        if band < self._windows:  # else it is older than every window, and kept for late changes only
            total = band * self._capacity + i
            self._count_sums[2 * total] += more_ab
            self._count_sums[2 * total + 1] += more_ba
            self._covered_sums[total] += more_covered
        pane = self._open - age
        if self._first[i] < 0:
            self._changed.append(i)
            self._first[i] = self._last[i] = pane
        elif pane < self._first[i]:
            self._first[i] = pane
        elif pane > self._last[i]:
            self._last[i] = pane
        return 0

    # --- counts out

    def query(self, i: SupportsIndex) -> dict[int, tuple[int, int, float]]:
        """{window_s: (ab, ba, coverage)} over the closed panes; coverage is the share of the window, 0 to 1."""
        sums = _zeros("q", 3 * self._windows)
        self.query_into(i, sums)
        return {w: (sums[3 * n], sums[3 * n + 1], sums[3 * n + 2] / w) for n, w in enumerate(self._windows_s)}

    def open(self, i: SupportsIndex) -> tuple[int, int, int]:
        """(ab, ba, covered_s) of the open pane, which is in no window yet."""
        cell = self._cell(self._index(i), 0)
        return self._ab(cell), self._ba(cell), self._cover_of(cell)

    def query_into(self, i: SupportsIndex, out: WriteableBuffer) -> None:
        """Writes ab, ba, covered_s of every window to `out`: int64, [windows][3] or flat."""
        index = self._index(i)
        if not (cython.compiled and self._write_buffer(index, out)):
            self._write_windows(index, _start(output(out, (self._windows, 3))), 0)

    def query_all(self, out: WriteableBuffer) -> None:
        """Writes ab, ba, covered_s of every series and window to `out`: int64, [series][windows][3] or flat."""
        if self._series:
            self._write_all(output(out, (self._series, self._windows, 3)))
        else:
            output(out, (0, self._windows, 3))

    def _write_all(self, flat: memoryview) -> None:
        start = _start(flat)
        for i in range(self._series):
            self._write_windows(i, start, i * 3 * self._windows)

    def _write_windows(self, i: int, out: Any, at: int) -> None:
        ab = ba = covered_s = 0
        for band in range(self._windows):
            total, to = band * self._capacity + i, at + 3 * self._by_length[band]
            ab += self._count_sums[2 * total]
            ba += self._count_sums[2 * total + 1]
            covered_s += self._covered_sums[total]
            out[to], out[to + 1], out[to + 2] = ab, ba, covered_s

    def _write_buffer(self, i: int, out: WriteableBuffer) -> bool:
        """Compiled only: writes the windows if `out` is a plain int64 buffer, without the cost of a memoryview."""
        buffer = cython.declare(native.Py_buffer)
        cells = native.int64_cells(out, cython.address(buffer), self._windows, 3)
        if not cells:
            return False  # the long way finds out what is wrong with it
        self._write_windows(i, cells, 0)
        native.PyBuffer_Release(cython.address(buffer))
        return True

    def corrections(self) -> list[tuple[int, int, int, int]]:
        """Drains [(i, window_s, first_end, last_end), ...]: the window ends already closed that differ from before.

        Ends are UTC seconds on the grid, both included, up to the newest boundary. There is at most one entry a series
        and window: the hull of all changes since the last call, wider than need be only where changes cancel out.
        """
        newest, entries = self._open * self._pane_s, []
        for i in self._changed:
            first_end, last_start = (self._first[i] + 1) * self._pane_s, self._last[i] * self._pane_s
            self._first[i] = -1
            for n in range(self._windows):
                last_end = last_start + self._lengths_s[n]
                entries.append((i, self._windows_s[n], first_end, last_end if last_end < newest else newest))
        self._changed = []
        return entries

    # --- cells and arguments

    def _row(self, age: int) -> int:
        row = self._open_row - age
        return row if row >= 0 else row + self._rows

    def _cell(self, i: int, age: int) -> int:
        return self._row(age) * self._capacity + i

    def _ab(self, cell: int) -> int:
        return self._counts[2 * cell] + (LOW_COUNT * self._high[3 * cell] if self._is_wide else 0)

    def _ba(self, cell: int) -> int:
        return self._counts[2 * cell + 1] + (LOW_COUNT * self._high[3 * cell + 1] if self._is_wide else 0)

    def _cover_of(self, cell: int) -> int:
        return self._covered[cell] + (LOW_COVERED * self._high[3 * cell + 2] if self._is_wide else 0)

    def _pane(self, time: int) -> int:
        return native.quotient(time, self._pane_s) if cython.compiled else time // self._pane_s

    def _index(self, i: SupportsIndex) -> int:
        return _number("i", i, self._series - 1, self._indices)

    def _panes(self, name: str, seconds: int) -> int:
        pane = self._pane(seconds)
        if pane * self._pane_s != seconds:
            raise ValueError(f"{name} = {seconds}: expected a multiple of pane_s = {self._pane_s}")
        return pane


def _number(name: str, value: SupportsIndex, high: int, bounds: Bounds) -> int:
    """The argument as a plain int, which most are already; `bounds`, that end at `high`, judge the others."""
    if type(value) is int:
        number = native.number(value) if cython.compiled else value
        if 0 <= number <= high:
            return number
    return integer(name, value, bounds)


def _check_pane(ab: int, ba: int) -> tuple[int, int]:
    return integer("ab of the pane", ab, COUNT), integer("ba of the pane", ba, COUNT)


def _first_one(flags: bytearray, start: int, span: int) -> int:
    """How far behind `start` the first 1 lies; `span` if there is none before."""
    if cython.compiled:
        return native.first_one(flags, start, span)
    found = flags.find(1, start, start + span)
    return span if found < 0 else found - start


def _start(flat: Any) -> Any:
    """Where the cells begin: compiled, a pointer."""
    return cython.address(flat[0]) if cython.compiled else flat


def _zeros(typecode: str, n: int) -> array[int]:
    return array(typecode, [0]) * n


def _widened(typecode: str, cells: array[int], rows: int, old: int, new: int) -> array[int]:
    """The same rows, each `new` cells wide instead of `old`."""
    wide = _zeros(typecode, rows * new)
    view = memoryview(wide)
    for row in range(rows if old else 0):
        view[row * new : row * new + old] = cells[row * old : (row + 1) * old]
    return wide
