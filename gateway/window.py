# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=True, annotation_typing=False
"""Rolling-window counter: how many passed in the last minute, hour or day, for all series at once, exactly.

Time is cut into *panes* of `pane_s` seconds. The pane that holds the watermark is *open*, all before it are *closed*. A
window is its number of closed panes up to the newest boundary. This room is the counter as its users see it; behind it are

* `checked` and `cells`: every argument is checked before the first change;
* `panes`: the panes in a ring, as many as the longest window and the allowed lateness span, whatever the traffic, and what
  a record does to them; `batches` does it for many;
* `bands`: sums over panes of neighbouring ages, so that neither a record nor a query ever walks through a window;
* `changes`: which ends of windows late records have changed.

Nothing here reads a clock. A pane holds at most COUNT.high (unsigned 32 bit), and no memory holds a window of so many panes
that its sum would leave 64 bit.

All of it runs as it stands and compiled by Cython, with the same answers. The .pxd beside a source names its C types; where
the two differ, the line asks cython.compiled, and native.pxd has the step in C.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, SupportsIndex

import cython

from gateway.batches import Batch, add_all, set_all
from gateway.cells import columns, zeros
from gateway.checked import COUNT, LENGTH, TIME, Bounds, integer, output, quotient
from gateway.panes import ACCEPTED, FUTURE, LATE, TOO_LATE, Panes
from gateway.rolling import rolling_sum

if cython.compiled or TYPE_CHECKING:
    from cython.cimports.gateway import native  # pyright: ignore[reportMissingImports]

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from gateway.checked import Integers

__all__ = ["ACCEPTED", "COMPILED", "FUTURE", "LATE", "TOO_LATE", "Batch", "WindowedCounter", "rolling_sum"]

COMPILED = bool(cython.compiled)

COUNT_HIGH, TIME_HIGH = COUNT.high, TIME.high
MOST_WINDOWS = 65_535  # the bands' numbers have 16 bits


class WindowedCounter:
    """Counts ab, ba and covered seconds of each series, 0 to `series` - 1, over rolling windows.

    Times are integer UTC seconds; `pane_s` divides every window and `lateness_s`; windows keep the order given.
    What is no integer raises TypeError, too large a number OverflowError, a series that does not exist IndexError,
    any other bad value ValueError. Then nothing has changed.

    It belongs to one thread at a time, and so do the columns while it reads them.
    """

    def __init__(
        self, windows_s: Iterable[int] = (60, 300, 900, 3600, 86400), pane_s: SupportsIndex = 60,
        series: SupportsIndex = 100, lateness_s: SupportsIndex = 0,
    ) -> None:  # fmt: skip
        self._pane_s = integer("pane_s", pane_s, Bounds(1, COUNT_HIGH))
        self._windows_s = [integer("windows_s", window, LENGTH) for window in windows_s]
        if not self._windows_s or len(set(self._windows_s)) < len(self._windows_s):
            raise ValueError(f"windows_s = {self._windows_s}: expected one window or more, each once")
        if len(self._windows_s) > MOST_WINDOWS:
            raise ValueError(f"windows_s has {len(self._windows_s)} windows: expected {MOST_WINDOWS} or less")
        windows = [quotient("windows_s", window, self._pane_s) for window in self._windows_s]
        lateness = quotient("lateness_s", integer("lateness_s", lateness_s, TIME), self._pane_s)
        self._series = self._capacity = 0
        capacity = integer("series", series, TIME)
        self._cover_bounds = Bounds(0, self._pane_s, ValueError, ValueError)
        self._panes = Panes(self._pane_s, windows, lateness, capacity)
        self._bands = self._panes.bands
        self._capacity = capacity  # only now that there is memory for them
        self.grow(capacity)

    @property
    def series(self) -> int:
        """How many series there are."""
        return self._series

    def grow(self, n: SupportsIndex) -> None:
        """Adds `n` series at the end, all zero. Room is doubled, so that growing one by one stays cheap."""
        series = self._series + integer("n", n, TIME)
        if series > self._capacity:
            capacity = max(series, 2 * self._capacity)
            self._panes.make_room(capacity)
            self._capacity = capacity
        self._series = series
        self._indices = Bounds(0, series - 1, IndexError, IndexError)

    def advance(self, now: SupportsIndex) -> None:
        """Moves the watermark to `now`, which closes every pane before the one it lies in. Earlier: no change."""
        self._panes.advance(self._panes.pane(_number("now", now, TIME_HIGH, TIME)))

    # --- records in

    def add(self, i: SupportsIndex, event_time: SupportsIndex, ab: SupportsIndex, ba: SupportsIndex) -> int:
        """Adds passages to the pane that holds `event_time`; its coverage stays. Returns the code."""
        index, pane = self._index(i), self._panes.pane(_number("event_time", event_time, TIME_HIGH, TIME))
        return self._panes.add(index, pane, _number("ab", ab, COUNT_HIGH, COUNT), _number("ba", ba, COUNT_HIGH, COUNT))

    def set(
        self, i: SupportsIndex, pane_start: SupportsIndex, ab: SupportsIndex, ba: SupportsIndex, covered_s: SupportsIndex
    ) -> int:
        """Makes the pane that begins at `pane_start` hold these numbers; again changes nothing. Returns the code."""
        index = self._index(i)
        pane = self._panes.pane_at("pane_start", _number("pane_start", pane_start, TIME_HIGH, TIME))
        new_ab, new_ba = _number("ab", ab, COUNT_HIGH, COUNT), _number("ba", ba, COUNT_HIGH, COUNT)
        return self._panes.set(index, pane, new_ab, new_ba, _number("covered_s", covered_s, self._pane_s, self._cover_bounds))

    def add_many(self, series: Integers, event_times: Integers, ab: Integers, ba: Integers) -> Batch:
        """`add` for columns of one length: one-dimensional integer buffers or sequences. One bad value: none enters."""
        return add_all(
            self._panes,
            *columns(series=(series, self._indices), event_times=(event_times, TIME), ab=(ab, COUNT), ba=(ba, COUNT)),
        )

    def set_many(self, series: Integers, pane_starts: Integers, ab: Integers, ba: Integers, covered_s: Integers) -> Batch:
        """`set` for columns, as in `add_many`. Where a pane comes twice, its last value wins."""
        return set_all(
            self._panes,
            *columns(
                series=(series, self._indices), pane_starts=(pane_starts, TIME), ab=(ab, COUNT), ba=(ba, COUNT),
                covered_s=(covered_s, self._cover_bounds),
            ),
        )  # fmt: skip

    # --- counts out

    def query(self, i: SupportsIndex) -> dict[int, tuple[int, int, float]]:
        """{window_s: (ab, ba, coverage)} over the closed panes; coverage is the share of the window, 0 to 1."""
        sums = zeros("q", 3 * len(self._windows_s))
        self.query_into(i, sums)
        return {w: (sums[3 * n], sums[3 * n + 1], sums[3 * n + 2] / w) for n, w in enumerate(self._windows_s)}

    def open(self, i: SupportsIndex) -> tuple[int, int, int]:
        """(ab, ba, covered_s) of the open pane, which is in no window yet."""
        return self._panes.ring.read(self._index(i), 0)

    def query_into(self, i: SupportsIndex, out: WriteableBuffer) -> None:
        """Writes ab, ba, covered_s of every window to `out`: int64, [windows][3] or flat."""
        index = self._index(i)
        if not (cython.compiled and self._write_buffer(index, out)):
            flat = output(out, (self._bands.windows, 3))
            self._bands.write(index, native.int64s(flat) if cython.compiled else flat, 0)

    def query_all(self, out: WriteableBuffer) -> None:
        """Writes ab, ba, covered_s of every series and window to `out`: int64, [series][windows][3] or flat."""
        series = self._series  # looking at `out` may call what adds to them
        flat = output(out, (series, self._bands.windows, 3))
        for i in range(series):
            self._bands.write(i, native.int64s(flat) if cython.compiled else flat, i * 3 * self._bands.windows)

    def _write_buffer(self, i: int, out: WriteableBuffer) -> bool:
        """Compiled only: writes the windows if `out` is a plain int64 buffer, without the cost of a memoryview."""
        buffer = cython.declare(native.Py_buffer)
        cells = native.int64_cells(out, cython.address(buffer), self._bands.windows, 3)
        if not cells:
            return False  # the long way finds out what is wrong with it
        self._bands.write(i, cells, 0)
        native.PyBuffer_Release(cython.address(buffer))
        return True

    def corrections(self) -> list[tuple[int, int, int, int]]:
        """Drains [(i, window_s, first_end, last_end), ...]: the window ends already closed that differ from before.

        Ends are UTC seconds on the grid, both included, up to the newest boundary. There is at most one entry a series
        and window: the hull of all changes since the last call, wider than need be only where changes cancel out.
        """
        return self._panes.changes.drain(self._panes.ring.open, self._pane_s, self._windows_s)

    def __reduce__(self) -> str:
        raise TypeError("a WindowedCounter is neither copied nor pickled: make another one and set its panes from the store")

    def _index(self, i: SupportsIndex) -> int:
        return _number("i", i, self._series - 1, self._indices)


def _number(name: str, value: SupportsIndex, high: int, bounds: Bounds) -> int:
    """The argument as a plain int, which most are already; `bounds`, that end at `high`, judge the others."""
    if type(value) is int:
        number = native.number(value) if cython.compiled else value
        if 0 <= number <= high:
            return number
    return integer(name, value, bounds)
