# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, annotation_typing=False
"""Rolling sums over archived counts: for every row the sum of the last w rows, for several w at once.

The cells of a row are summed side by side. Each window keeps the running total of every column, adds the row that comes
and takes off the row that leaves, so a cell costs one addition and one subtraction however long the window is. Rows are
taken in blocks that stay in the processor's cache while all windows pass over them.

The counts are checked before the first sum is written: they are no less than 0, so no sum is greater than the greatest
count times the longest window, and only where that product leaves 64 bit every sum is looked at.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import cython

from gateway.cells import columns, extremes, table
from gateway.checked import LENGTH, SUM, integer, output

if cython.compiled or TYPE_CHECKING:
    from cython.cimports.gateway import native  # pyright: ignore[reportMissingImports]

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from gateway.cells import Cells
    from gateway.checked import Integers, Table

BLOCK = 4096  # cells


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
    if not len(spans):
        raise ValueError("windows = []: expected one number of rows or more")
    full_shape = (len(spans), *shape)
    if out is None:
        sums = memoryview(bytearray(8 * len(spans) * len(cells)))
        _roll(cells, shape, spans, sums.cast("q"))
        return sums.cast("q", full_shape) if len(cells) else sums.cast("q")
    _roll(cells, shape, spans, output(out, full_shape))
    return out


def _roll(cells: Cells, shape: tuple[int, ...], spans: Cells, out: memoryview) -> None:
    if not len(cells):
        return
    width = len(cells) // shape[0]  # cells in a row
    longest = min(max(spans), shape[0])
    if extremes(cells)[1] * longest > SUM.high:
        _check_sums(cells, width, spans)
    if cython.compiled and native.overlap(cells, out):
        cells = array("q", cells)
    _sum_all(cells, width, spans, array("q", [0]) * (len(spans) * width), out)


def _check_sums(cells: Cells, width: int, spans: Cells) -> None:
    for rows in spans:
        sums = [0] * width
        for at, count in enumerate(cells):
            sums[at % width] += count - (cells[at - rows * width] if at >= rows * width else 0)
            integer(f"the sum over {rows} rows up to row {at // width}", sums[at % width], SUM)


def _sum_all(cells: Cells, width: int, spans: Cells, totals: Any, out: Any) -> None:
    rows = len(cells) // width
    block = max(1, BLOCK // width)
    for start in range(0, rows, block):
        stop = min(start + block, rows)
        for n in range(len(spans)):
            if width == 1:
                totals[n] = _sum_column(cells, spans[n], start, stop, totals[n], out, n * rows)
            else:
                _sum_rows(cells, width, spans[n], start, stop, totals, n * width, out, n * rows * width)
    if cython.compiled:
        native.fence()


def _sum_column(cells: Cells, span: int, start: int, stop: int, total: int, out: Any, to: int) -> int:
    """One window over the rows from `start` to before `stop` of one column; its total at their end."""
    full = min(max(start, span), stop)  # the first row that another one leaves for
    for row in range(start, full):
        total += cells[row]
        _store(out, to + row, total)
    for row in range(full, stop):
        total += cells[row] - cells[row - span]
        _store(out, to + row, total)
    return total


def _sum_rows(
    cells: Cells, width: int, span: int, start: int, stop: int, totals: Any, first: int, out: Any, to: int
) -> None:
    """One window over these rows of `width` columns, whose totals stand in `totals` from `first` on."""
    for row in range(start, stop):
        at, left = row * width, (row - span) * width
        for n in range(width):
            total = totals[first + n] + cells[at + n]
            if left >= 0:
                total -= cells[left + n]
            totals[first + n] = total
            _store(out, to + at + n, total)


def _store(out: Any, at: int, total: int) -> None:
    if cython.compiled:
        native.stream(cython.address(out[at]), total)
    else:
        out[at] = total
