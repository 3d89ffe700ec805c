# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, annotation_typing=False
"""Columns and tables of integers for the counter's loops, checked: compiled, as int64 in a row; as it stands, as lists.

Compiled, a buffer that holds int64 in a row already is looked through and taken as it is; all else takes the way through
Python's integers.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

import cython

from gateway import checked
from gateway.checked import Bounds, integer

if cython.compiled or TYPE_CHECKING:
    from cython.cimports.gateway import native  # pyright: ignore[reportMissingImports]

if TYPE_CHECKING:
    from gateway.checked import Integers, Table

    Cells = Any  # list[int], or a memoryview of int64 in a row


class Column(NamedTuple):
    """Integers that have been checked."""

    cells: Cells
    shape: tuple[int, ...]
    most: int  # no cell is greater; half of it is, unless all are 0


def columns(**named: tuple[Integers, Bounds]) -> list[Column]:
    """The cells of each argument, if all are one-dimensional and of one length."""
    found = [table(name, values, bounds) for name, (values, bounds) in named.items()]
    shapes = [column.shape for column in found]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1:
        raise ValueError(f"{', '.join(named)} have the shapes {shapes}: expected one dimension, the same length")
    return found


def table(name: str, values: Table, bounds: Bounds) -> Column:
    """The integers, flat, and their shape, as in `checked.table`."""
    found = checked.int64_in_a_row(values) if cython.compiled and not bounds.low else None
    if found is None:
        numbers, shape = checked.table(name, values, bounds)
        cells = memoryview(array("q", numbers)) if cython.compiled else numbers
        return Column(cells, shape, max(numbers, default=0))
    cells, shape = found
    most = _most(cells, bounds.high)
    if most < 0:
        for at, cell in enumerate(cells):
            integer(f"{name}[{at}]", cell, bounds)
        raise ValueError(f"{name} had other numbers a moment ago: nobody may write to it meanwhile")
    return Column(cells, shape, most)


def _most(cells: Cells, high: int) -> int:
    """Compiled only: `Column.most`, or -1 if a cell is below 0 or above `high`."""
    return native.most(native.int64s(cells), len(cells), high)


def total(cells: Cells) -> int:
    """The sum, which must fit in 64 bit."""
    return native.total(native.int64s(cells), len(cells)) if cython.compiled else sum(cells)


# --- cells of the counter's own


def zeros(typecode: str, n: int) -> array[int]:
    return array(typecode, bytes(array(typecode).itemsize)) * n


def widened(cells: Any, rows: int, old: int, new: int) -> Any:
    """The same rows, each `new` cells wide instead of `old`; `cells` are an array or bytes, and so is the answer."""
    wide: Any = bytearray(rows * new) if isinstance(cells, bytearray) else zeros(cells.typecode, rows * new)
    for row in range(rows if old else 0):
        wide[row * new : row * new + old] = cells[row * old : (row + 1) * old]
    return wide
