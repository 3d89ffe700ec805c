# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, annotation_typing=False
"""Records by the million: what `Panes` does with one, in loops over columns whose numbers are already checked."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

import cython

from gateway.cells import total
from gateway.checked import COUNT
from gateway.panes import Panes, Ring, check

if cython.compiled or TYPE_CHECKING:
    from cython.cimports.gateway import native  # pyright: ignore[reportMissingImports]

if TYPE_CHECKING:
    from gateway.cells import Column


class Batch(NamedTuple):
    """What became of the records of a batch."""

    accepted: int  # how many entered, the late ones included
    late: int  # how many of these entered closed panes
    too_late: array[int]  # indices of those older than the ring
    future: array[int]  # indices of those beyond the open pane


def set_all(panes: Panes, series: Column, pane_starts: Column, ab: Column, ba: Column, covered_s: Column) -> Batch:
    records, starts = len(pane_starts.cells), _start(pane_starts.cells)
    _check_grid(panes, records, starts)
    indices, new_ab, new_ba, covered = _start(series.cells), _start(ab.cells), _start(ba.cells), _start(covered_s.cells)
    if (ab.most | ba.most) >> 16 and not panes.ring.is_wide:
        panes.ring.widen_cells()  # before the first change: there may be no memory
    if panes.ring.is_wide:
        return _set_all(panes, records, indices, starts, new_ab, new_ba, covered)
    return _set_narrow(panes, records, indices, starts, new_ab, new_ba, covered)


def _start(cells: Any) -> Any:
    """Where the cells begin: compiled, their address."""
    return native.int64s(cells) if cython.compiled else cells


def _check_grid(panes: Panes, records: int, starts: Any) -> None:
    if cython.compiled and native.all_exact(starts, records, panes.inverse, panes.shift, panes.last):
        return
    for n in range(records):
        panes.pane_at("pane_starts", starts[n])


def _set_all(panes: Panes, records: int, series: Any, starts: Any, ab: Any, ba: Any, covered: Any) -> Batch:
    late = rejected = 0
    for n in range(records):
        age = panes.ring.open - _pane(panes, starts[n])
        if age < 0 or age >= panes.ring.rows:
            rejected += 1
        else:
            panes.put(_index(panes, series, n), age, ab[n], ba[n], covered[n], False)
            late += age > 0
    return _batch(panes, records, starts, late, rejected)


def _batch(panes: Panes, records: int, times: Any, late: int, rejected: int) -> Batch:
    """Names the rejected ones. It is done behind the loop, since making what is Python's may call what moves the cells."""
    too_late, future = array("q"), array("q")
    for n in range(records if rejected else 0):
        age = panes.ring.open - panes.pane(times[n])
        if age < 0:
            future.append(n)
        elif age >= panes.ring.rows:
            too_late.append(n)
    return Batch(records - rejected, late, too_late, future)


def _set_narrow(panes: Panes, records: int, series: Any, starts: Any, ab: Any, ba: Any, covered: Any) -> Batch:
    """`_set_all` where no number has upper bits, so that a cell is one number: all that `Panes.put` does, in one place, since
    a call from room to room costs as much as all the rest."""
    ring, bands, changes, open_pane, width = panes.ring, panes.bands, panes.changes, panes.ring.open, panes.ring.width
    cells, used, sums, of_age, first, last = ring.cells, ring.used, bands.sums, bands.of_age, changes.first, changes.last
    late = rejected = 0
    for n in range(records):
        if cython.compiled and not n & 15:
            _fetch(panes, min(n + 48, records), min(n + 64, records), series, starts)
        i, age = series[n], open_pane - _pane(panes, starts[n])
        if cython.compiled and (i < 0 or i >= width):
            _index(panes, series, n)  # which raises; called for each record it would cost as much as all the rest
        if age < 0 or age >= ring.rows:
            rejected += 1
            continue
        late += age > 0
        row = _row(ring, age)
        at, new = 5 * (row * width + i), ab[n] | ba[n] << 16 | covered[n] << 32
        old = native.swap(cells + at, new) if cython.compiled else _swap(cells, at, new)
        used[row] = 1
        if new == old or age == 0:
            continue
        if age <= bands.longest:
            to = 3 * (of_age[age] * bands.width + i)
            sums[to] += (new & 0xFFFF) - (old & 0xFFFF)
            sums[to + 1] += (new >> 16 & 0xFFFF) - (old >> 16 & 0xFFFF)
            sums[to + 2] += (new >> 32) - (old >> 32)
        if last[i] < 0:
            changes.series.append(i)
        pane = open_pane - age
        first[i] = pane if pane < first[i] else first[i]
        last[i] = pane if pane > last[i] else last[i]
    return _batch(panes, records, starts, late, rejected)


def _index(panes: Panes, series: Any, n: int) -> int:
    """What the column said when it was checked. Compiled it is the caller's own memory, which somebody else may write to."""
    i = series[n]
    if cython.compiled and (i < 0 or i >= panes.ring.width):
        raise IndexError(f"series[{n}] = {i}: it was another number a moment ago")
    return i


def _swap(cells: bytearray, at: int, new: int) -> int:
    """Writes a cell; what it was."""
    old = int.from_bytes(cells[at : at + 5], "little")
    cells[at : at + 5] = new.to_bytes(5, "little")
    return old


def _fetch(panes: Panes, start: int, stop: int, series: Any, starts: Any) -> None:
    """Compiled only: asks for the cells that come soon, so that they are on their way from memory all at once."""
    for n in range(start, stop):
        row = _row(panes.ring, panes.ring.open - _pane(panes, starts[n]))
        native.prefetch(panes.ring.cells + 5 * (row * panes.ring.width + series[n]))


def _pane(panes: Panes, start: int) -> int:
    """`Panes.pane_at` for what is known to begin a pane."""
    return native.exact_quotient(start, panes.inverse, panes.shift) if cython.compiled else start // panes.pane_s


def _row(ring: Ring, age: int) -> int:
    """`Ring.row`."""
    row = ring.open_row - age
    return row if row >= 0 else row + ring.rows


def add_all(panes: Panes, series: Column, event_times: Column, ab: Column, ba: Column) -> Batch:
    records, indices, times = len(event_times.cells), _start(series.cells), _start(event_times.cells)
    more_ab, more_ba = _start(ab.cells), _start(ba.cells)
    if (0xFFFF | panes.ring.most) + max(total(ab.cells), total(ba.cells)) > COUNT.high:
        _check_sums(panes, records, indices, times, more_ab, more_ba)
    return _add_all(panes, records, indices, times, more_ab, more_ba)


def _check_sums(panes: Panes, records: int, series: Any, times: Any, ab: Any, ba: Any) -> None:
    """OverflowError if the records together bring a pane beyond what it may hold."""
    sums: dict[tuple[int, int], tuple[int, int]] = {}
    for n in range(records):
        age = panes.ring.open - panes.pane(times[n])
        if 0 <= age < panes.ring.rows:
            old_ab, old_ba, _ = panes.ring.read(series[n], age)
            so_far = sums.get((series[n], age)) or (old_ab, old_ba)
            sums[series[n], age] = check(so_far[0] + ab[n], so_far[1] + ba[n])


def _add_all(panes: Panes, records: int, series: Any, times: Any, ab: Any, ba: Any) -> Batch:
    late = rejected = 0
    for n in range(records):
        age = panes.ring.open - panes.pane(times[n])
        if age < 0 or age >= panes.ring.rows:
            rejected += 1
            continue
        try:
            panes.put(_index(panes, series, n), age, ab[n], ba[n], 0, True)
        except MemoryError:  # for a pane whose count has outgrown its cell
            _take_back(panes, n, series, times, ab, ba)
            raise
        late += age > 0
    return _batch(panes, records, times, late, rejected)


def _take_back(panes: Panes, records: int, series: Any, times: Any, ab: Any, ba: Any) -> None:
    """So many records have been added and are no more."""
    for n in range(records):
        age = panes.ring.open - panes.pane(times[n])
        if 0 <= age < panes.ring.rows:
            panes.put(_index(panes, series, n), age, -ab[n], -ba[n], 0, True)
