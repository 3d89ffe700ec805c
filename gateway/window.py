"""Rolling-window counter: how many passed in the last minute, hour or day, for all series at once, exactly.

Time is cut into *panes* of `pane_s` seconds. The pane that holds the watermark is *open*, all before it are *closed*.
A pane's *age* is how many panes it lies behind the open one: 0 is the open pane, a window of k panes is ages 1 to k.

The state is two flat integer arrays, whose rows hold three numbers for every series: ab, ba, covered_s.

* `ring`, one row a pane: pane p lies in row p % rows. It spans age 0 to the longest window + allowed lateness, so its
  size never depends on traffic. What is older than the ring is TOO_LATE, what lies beyond the open pane is FUTURE.
* `bands`, one row a window, shortest first. The windows' edges cut the ages into disjoint bands: band b is the sum of
  the panes aged edges[b] + 1 to edges[b + 1], with edges = [0, panes of the shortest window, ..., of the longest].

A write, however late, touches one cell and the one band that its pane's age lies in. A query adds bands up, for each
window is the next shorter one plus one band. When the watermark enters the next pane, one pane crosses each edge and
moves to the next band (empty rows are skipped); a jump longer than the ring just clears it.

A late change of pane p alters the windows that end 1 to k panes after its start, as far as these ends have closed.
So the first and the last changed pane of a series are enough to name the corrections of all its windows.

Nothing here reads a clock, and every argument is checked before the first change. A pane holds at most COUNT.high
(unsigned 32 bit), and no memory holds a window of so many panes that its sum would leave 64 bit.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, final

from gateway.checked import COUNT, LENGTH, SUM, TIME, Bounds, columns, integer, output, table

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from gateway.checked import Integers, Table

COMPILED = False  # True in the compiled build of this same source

ACCEPTED, LATE, TOO_LATE, FUTURE = 0, 1, 2, 3


class Batch(NamedTuple):
    """What became of the records of a batch."""

    accepted: int  # how many entered, the late ones included
    late: int  # how many of these entered closed panes
    too_late: array[int]  # indices of those older than the ring
    future: array[int]  # indices of those beyond the open pane


@final
class WindowedCounter:
    """Counts ab, ba and covered seconds of each series, 0 to `series` - 1, over rolling windows.

    Times are integer UTC seconds; `pane_s` divides every window and `lateness_s`; windows keep the order given.
    What is no integer raises TypeError, too large a number OverflowError, a series that does not exist IndexError,
    any other bad value ValueError. Then nothing has changed.
    """

    def __init__(
        self, windows_s: Iterable[int] = (60, 300, 900, 3600, 86400), pane_s: int = 60, series: int = 100,
        lateness_s: int = 0,
    ) -> None:  # fmt: skip
        self._pane_s = integer("pane_s", pane_s, Bounds(1, COUNT.high))
        self._covered = Bounds(0, self._pane_s, ValueError, ValueError)
        self._windows_s = [integer("windows_s", window, LENGTH) for window in windows_s]
        if not self._windows_s or len(set(self._windows_s)) < len(self._windows_s):
            raise ValueError(f"windows_s = {self._windows_s}: expected one window or more, each once")
        self._by_length = sorted(range(len(self._windows_s)), key=self._windows_s.__getitem__)
        self._edges = [0, *sorted(self._panes("windows_s", window) for window in self._windows_s)]
        self._rows = 1 + self._edges[-1] + self._panes("lateness_s", integer("lateness_s", lateness_s, TIME))

        self._series = self._capacity = integer("series", series, TIME)
        self._ring = _zeros("I", self._rows * 3 * self._capacity)
        self._bands = _zeros("q", len(self._windows_s) * 3 * self._capacity)
        self._used = bytearray(self._rows)  # 1 where a row of the ring may hold more than zeros
        self._open = -1  # number of the open pane; before the first advance every pane lies beyond it
        self._changed: dict[int, tuple[int, int]] = {}  # series -> first and last closed pane changed since draining

    @property
    def series(self) -> int:
        """How many series there are."""
        return self._series

    def grow(self, n: int) -> None:
        """Adds `n` series at the end, all zero. Room is doubled, so that growing one by one stays cheap."""
        series = self._series + integer("n", n, TIME)
        if series > self._capacity:
            capacity = max(series, 2 * self._capacity)
            ring = _widened(self._ring, self._rows, 3 * self._capacity, 3 * capacity)
            bands = _widened(self._bands, len(self._windows_s), 3 * self._capacity, 3 * capacity)
            self._ring, self._bands, self._capacity = ring, bands, capacity
        self._series = series

    # --- the watermark

    def advance(self, now: int) -> None:
        """Moves the watermark to `now`, which closes every pane before the one it lies in. Earlier: no change."""
        pane = integer("now", now, TIME) // self._pane_s
        if pane - self._open >= self._rows:
            for row in range(self._rows):
                self._clear_row(row)
            self._bands = _zeros("q", len(self._bands))
            self._open = pane
        while self._open < pane:
            self._close_pane()

    def _close_pane(self) -> None:
        """Opens the next pane: at every edge one pane changes its band, and the oldest row becomes the open one."""
        for band, age in enumerate(self._edges):
            row = (self._open - age) % self._rows
            if self._used[row]:
                if band > 0:
                    self._add_row(row, band - 1, -1)
                if band < len(self._windows_s):
                    self._add_row(row, band, +1)
        self._open += 1
        self._clear_row(self._open % self._rows)

    def _add_row(self, row: int, band: int, sign: int) -> None:
        ring, bands = self._ring, self._bands
        cell, total = 3 * row * self._capacity, 3 * band * self._capacity
        for n in range(3 * self._series):
            bands[total + n] += sign * ring[cell + n]

    def _clear_row(self, row: int) -> None:
        if self._used[row]:
            width = 3 * self._capacity
            self._ring[row * width : (row + 1) * width] = _zeros("I", width)
            self._used[row] = 0

    # --- records in

    def add(self, i: int, event_time: int, ab: int, ba: int) -> int:
        """Adds passages to the pane that holds `event_time`; its coverage stays. Returns the code."""
        i = integer("i", i, self._indices())
        pane = integer("event_time", event_time, TIME) // self._pane_s
        ab, ba = integer("ab", ab, COUNT), integer("ba", ba, COUNT)
        code = self._code(pane)
        if code in (ACCEPTED, LATE):
            self._put(i, pane, _sum_of_pane(self._values(i, pane), ab, ba))
        return code

    def set(self, i: int, pane_start: int, ab: int, ba: int, covered_s: int) -> int:
        """Makes the pane that begins at `pane_start` hold these numbers; again changes nothing. Returns the code."""
        i = integer("i", i, self._indices())
        pane = self._panes("pane_start", integer("pane_start", pane_start, TIME))
        values = integer("ab", ab, COUNT), integer("ba", ba, COUNT), integer("covered_s", covered_s, self._covered)
        code = self._code(pane)
        if code in (ACCEPTED, LATE):
            self._put(i, pane, values)
        return code

    def add_many(self, series: Integers, event_times: Integers, ab: Integers, ba: Integers) -> Batch:
        """`add` for columns of one length: one-dimensional integer buffers or sequences. One bad value: none enters."""
        indices, times, more_ab, more_ba = columns(
            series=(series, self._indices()), event_times=(event_times, TIME), ab=(ab, COUNT), ba=(ba, COUNT)
        )
        panes = [time // self._pane_s for time in times]
        values = [(0, 0, 0)] * len(panes)  # what each record brings its pane to; all are checked before any is written
        sums: dict[tuple[int, int], tuple[int, int, int]] = {}
        for n, pane in enumerate(panes):
            if self._code(pane) in (ACCEPTED, LATE):
                key = (indices[n], pane)
                values[n] = sums[key] = _sum_of_pane(sums.get(key) or self._values(*key), more_ab[n], more_ba[n])
        return self._put_many(indices, panes, values)

    def set_many(
        self, series: Integers, pane_starts: Integers, ab: Integers, ba: Integers, covered_s: Integers
    ) -> Batch:
        """`set` for columns, as in `add_many`. Where a pane comes twice, its last value wins."""
        indices, starts, new_ab, new_ba, covered = columns(
            series=(series, self._indices()), pane_starts=(pane_starts, TIME), ab=(ab, COUNT), ba=(ba, COUNT),
            covered_s=(covered_s, self._covered),
        )  # fmt: skip
        panes = [self._panes("pane_starts", start) for start in starts]
        return self._put_many(indices, panes, list(zip(new_ab, new_ba, covered, strict=True)))

    def _put_many(self, indices: list[int], panes: list[int], values: list[tuple[int, int, int]]) -> Batch:
        accepted = late = 0
        too_late, future = array("q"), array("q")
        for n, pane in enumerate(panes):
            code = self._code(pane)
            if code == TOO_LATE:
                too_late.append(n)
            elif code == FUTURE:
                future.append(n)
            else:
                accepted += 1
                late += code == LATE
                self._put(indices[n], pane, values[n])
        return Batch(accepted, late, too_late, future)

    def _put(self, i: int, pane: int, values: tuple[int, int, int]) -> None:
        """Writes a pane of the ring. A closed one changes its band too, and is noted for the corrections."""
        if values == self._values(i, pane):
            return
        cell, age, windows = self._cell(i, pane), self._open - pane, len(self._windows_s)
        band = 0
        while band < windows and self._edges[band + 1] < age:
            band += 1
        if age > 0:  # the open pane is in no window yet: it enters the first band when it closes
            first, last = self._changed.get(i, (pane, pane))
            self._changed[i] = min(first, pane), max(last, pane)
            if band < windows:  # else it is older than every window, and kept for late changes only
                total = 3 * (band * self._capacity + i)
                for n in range(3):
                    self._bands[total + n] += values[n] - self._ring[cell + n]
        self._ring[cell], self._ring[cell + 1], self._ring[cell + 2] = values
        self._used[pane % self._rows] = 1

    def _code(self, pane: int) -> int:
        age = self._open - pane
        if age < 0:
            return FUTURE
        if age == 0:
            return ACCEPTED
        return LATE if age < self._rows else TOO_LATE

    def _cell(self, i: int, pane: int) -> int:
        return 3 * (pane % self._rows * self._capacity + i)

    def _values(self, i: int, pane: int) -> tuple[int, int, int]:
        cell = self._cell(i, pane)
        return self._ring[cell], self._ring[cell + 1], self._ring[cell + 2]

    # --- counts out

    def query(self, i: int) -> dict[int, tuple[int, int, float]]:
        """{window_s: (ab, ba, coverage)} over the closed panes; coverage is the share of the window, 0 to 1."""
        sums = _zeros("q", 3 * len(self._windows_s))
        self.query_into(i, sums)
        return {w: (sums[3 * n], sums[3 * n + 1], sums[3 * n + 2] / w) for n, w in enumerate(self._windows_s)}

    def open(self, i: int) -> tuple[int, int, int]:
        """(ab, ba, covered_s) of the open pane, which is in no window yet."""
        return self._values(integer("i", i, self._indices()), self._open)

    def query_into(self, i: int, out: WriteableBuffer) -> None:
        """Writes ab, ba, covered_s of every window to `out`: int64, [windows][3] or flat."""
        i = integer("i", i, self._indices())
        self._write_windows(i, output(out, (len(self._windows_s), 3)), 0)

    def query_all(self, out: WriteableBuffer) -> None:
        """Writes ab, ba, covered_s of every series and window to `out`: int64, [series][windows][3] or flat."""
        flat = output(out, (self._series, len(self._windows_s), 3))
        for i in range(self._series):
            self._write_windows(i, flat, i * 3 * len(self._windows_s))

    def _write_windows(self, i: int, flat: memoryview, start: int) -> None:
        ab = ba = covered_s = 0
        for band, window in enumerate(self._by_length):
            total, at = 3 * (band * self._capacity + i), start + 3 * window
            flat[at] = ab = ab + self._bands[total]
            flat[at + 1] = ba = ba + self._bands[total + 1]
            flat[at + 2] = covered_s = covered_s + self._bands[total + 2]

    def corrections(self) -> list[tuple[int, int, int, int]]:
        """Drains [(i, window_s, first_end, last_end), ...]: the window ends already closed that differ from before.

        Ends are UTC seconds on the grid, both included, up to the newest boundary. There is at most one entry a series
        and window: the hull of all changes since the last call, wider than need be only where changes cancel out.
        """
        changed, self._changed = self._changed, {}
        newest, entries = self._open * self._pane_s, []
        for i, (first, last) in changed.items():
            first_end, last_start = (first + 1) * self._pane_s, last * self._pane_s
            for window in self._windows_s:
                last_end = last_start + window
                entries.append((i, window, first_end, last_end if last_end < newest else newest))
        return entries

    def _indices(self) -> Bounds:
        return Bounds(0, self._series - 1, IndexError, IndexError)

    def _panes(self, name: str, seconds: int) -> int:
        if seconds % self._pane_s:
            raise ValueError(f"{name} = {seconds}: expected a multiple of pane_s = {self._pane_s}")
        return seconds // self._pane_s


def rolling_sum(
    counts: Table, windows: Integers, out: WriteableBuffer | None = None
) -> memoryview[int] | WriteableBuffer:
    """Sums over the last w rows, the row itself included, for each w in `windows`; over fewer rows at the start.

    `counts` are integers from 0 on, [rows] or [rows][series], as a buffer or as lists; `windows` are numbers of rows.
    The sums are int64, [windows][...shape of counts]. They are written to `out`, so shaped or flat, which is returned;
    without it a memoryview of that shape is (flat and empty if there are no counts: a memoryview has no empty shapes).
    OverflowError if a sum leaves 64 bit; `out` has not changed then.
    """
    cells, shape = table("counts", counts, SUM)
    [spans] = columns(windows=(windows, LENGTH))
    if not spans:
        raise ValueError("windows = []: expected one number of rows or more")
    flat = None if out is None else output(out, (len(spans), *shape))

    width = len(cells) // max(shape[0], 1)  # cells in a row
    sums = _zeros("q", len(spans) * len(cells))
    for n, rows in enumerate(spans):
        start = n * len(cells)
        for at, count in enumerate(cells):
            total = sums[start + at - width] if at >= width else 0
            if at >= rows * width:
                total -= cells[at - rows * width]
            sums[start + at] = integer(f"the sum over {rows} rows up to row {at // width}", total + count, SUM)
    if out is None or flat is None:
        return memoryview(sums).cast("B").cast("q", (len(spans), *shape)) if cells else memoryview(sums)
    for at, total in enumerate(sums):
        flat[at] = total
    return out


def _sum_of_pane(values: tuple[int, int, int], ab: int, ba: int) -> tuple[int, int, int]:
    all_ab = integer("ab of the pane", values[0] + ab, COUNT)
    return all_ab, integer("ba of the pane", values[1] + ba, COUNT), values[2]


def _zeros(typecode: str, n: int) -> array[int]:
    return array(typecode, [0]) * n


def _widened(cells: array[int], rows: int, old: int, new: int) -> array[int]:
    """The same rows, each `new` cells wide instead of `old`."""
    wide = _zeros(cells.typecode, rows * new)
    for row in range(rows):
        wide[row * new : row * new + old] = cells[row * old : (row + 1) * old]
    return wide
