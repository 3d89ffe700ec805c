# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, annotation_typing=False
"""Rolling sums over archived counts: for every row the sum of the last w rows, for several w at once.

The total of a column up to a row, less its total w rows before, is the sum over the w rows between: one subtraction a cell,
however long the window is. Totals are kept from the longest window's first row on, and rows are taken in blocks, so that
they stay in the processor's cache while all windows pass over them. Totals are modulo 2**64, which their differences do not show.

The counts are checked before the first sum is written: they are no less than 0, so no sum is greater than the greatest
count times the longest window, and only where that product leaves 64 bit every sum is looked at.
"""

from __future__ import annotations

from array import array
from operator import sub
from typing import TYPE_CHECKING

import cython

from gateway.cells import columns, table, zeros
from gateway.checked import LENGTH, SUM, integer, output

if cython.compiled or TYPE_CHECKING:
    from cython.cimports.gateway import native  # pyright: ignore[reportMissingImports]

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from gateway.cells import Cells, Column
    from gateway.checked import Integers, Table

BLOCK = 256  # cells


def rolling_sum(counts: Table, windows: Integers, out: WriteableBuffer | None = None) -> memoryview[int] | WriteableBuffer:
    """Sums over the last w rows, the row itself included, for each w in `windows`; over fewer rows at the start.

    `counts` are integers from 0 on, [rows] or [rows][series], as a buffer or as lists; `windows` are numbers of rows.
    The sums are int64, [windows][...shape of counts]. They are written to `out`, so shaped or flat, which is returned;
    without it a memoryview of that shape is (flat and empty if there are no counts: a memoryview has no empty shapes).
    OverflowError if a sum leaves 64 bit; `out` has not changed then.
    """
    column = table("counts", counts, SUM)
    spans = list(columns(windows=(windows, LENGTH))[0].cells)
    if not spans:
        raise ValueError("windows = []: expected one number of rows or more")
    full_shape = (len(spans), *column.shape)
    if out is None:
        cells = len(spans) * len(column.cells)
        sums = memoryview(native.untouched(8 * cells)).cast("q") if cython.compiled else memoryview(zeros("q", cells))
        _roll(column, spans, sums)
        return sums.cast("B").cast("q", full_shape) if len(sums) else sums
    _roll(column, spans, output(out, full_shape))
    return out


def _roll(counts: Column, spans: list[int], out: memoryview) -> None:
    if not len(counts.cells):
        return
    rows = counts.shape[0]
    width = len(counts.cells) // rows  # cells in a row
    if counts.most * min(max(spans), rows) > SUM.high:
        _check_sums(counts.cells, width, spans)
    _sum_all(counts.cells, width, [min(span, rows) for span in spans], out)


def _check_sums(cells: Cells, width: int, spans: list[int]) -> None:
    for rows in spans:
        sums = [0] * width
        for at, count in enumerate(cells):
            sums[at % width] += count - (cells[at - rows * width] if at >= rows * width else 0)
            integer(f"the sum over {rows} rows up to row {at // width}", sums[at % width], SUM)


def _sum_all(cells: Cells, width: int, spans: list[int], out: memoryview) -> None:
    lags = array("q", [span * width for span in spans])
    if cython.compiled:
        if native.overlap(native.int64s(cells), native.int64s(out), len(cells), len(out)):
            cells = memoryview(array("q", cells))
        _sum_blocks(cells, width, lags, out)
        return
    longest = max(lags)
    totals = [0] * longest
    for start in range(0, len(cells), BLOCK):
        block = cells[start : start + BLOCK]
        if len(totals) > 2 * longest:
            del totals[:-longest]
        for count in block:
            totals.append(totals[-width] + count)
        new = len(totals) - len(block)
        for n, lag in enumerate(lags):
            to, before = n * len(cells) + start, totals[new - lag : new - lag + len(block)]
            out[to : to + len(block)] = array("q", map(sub, totals[new:], before))


def _sum_blocks(cells: Cells, width: int, lags: array[int], out: memoryview) -> None:
    """Compiled only: the same in C."""
    longest, end, windows = max(lags), len(cells), len(lags)
    totals = zeros("q", 2 * longest + BLOCK)
    first, lag, sums, total = native.int64s(cells), native.int64s(lags), native.int64s(out), native.int64s(totals)
    at = longest
    for start in range(0, end, BLOCK):
        size = min(BLOCK, end - start)
        if at + size > 2 * longest + BLOCK:
            native.memmove(total, total + at - longest, 8 * longest)
            at = longest
        native.add_up(total + at, width, first + start, size)
        for n in range(windows):
            native.subtract(total + at, lag[n], size, sums + n * end + start)
        at += size
    native.fence()
