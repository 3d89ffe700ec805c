# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, annotation_typing=False
"""Columns and tables of integers for the counter's loops, checked: compiled, as int64 in a row; as it stands, as lists.

Compiled, a buffer that holds int64 in a row already is looked through and taken as it is; all else takes the way through
Python's integers.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import cython

from gateway import checked
from gateway.checked import Bounds, integer

if TYPE_CHECKING:
    from gateway.checked import Integers, Table

    Cells = Any  # list[int], or a buffer of int64 that can be indexed like one


def columns(**named: tuple[Integers, Bounds]) -> list[Cells]:
    """The cells of each argument, if all are one-dimensional and of one length."""
    tables = [table(name, values, bounds) for name, (values, bounds) in named.items()]
    shapes = [shape for _, shape in tables]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1:
        raise ValueError(f"{', '.join(named)} have the shapes {shapes}: expected one dimension, the same length")
    return [cells for cells, _ in tables]


def table(name: str, values: Table, bounds: Bounds) -> tuple[Cells, tuple[int, ...]]:
    """The integers, flat, and their shape, as in `checked.table`."""
    if not cython.compiled:
        return checked.table(name, values, bounds)
    found = checked.int64_in_a_row(values)
    if found is None:
        numbers, shape = checked.table(name, values, bounds)
        return array("q", numbers), shape
    cells, shape = found
    for extreme in extremes(cells):
        if not bounds.low <= extreme <= bounds.high and len(cells):
            integer(f"{name}[{cells.tolist().index(extreme)}]", extreme, bounds)
    return cells, shape


def extremes(cells: Cells) -> tuple[int, int]:
    """The least and the greatest; of nothing 0 and 0."""
    if not cython.compiled:
        return (min(cells), max(cells)) if cells else (0, 0)
    if len(cells) == 0:
        return 0, 0
    least = greatest = cells[0]
    for n in range(1, len(cells)):
        cell = cells[n]
        least = cell if cell < least else least
        greatest = cell if cell > greatest else greatest
    return least, greatest


def total(cells: Cells) -> int:
    """The sum, which must fit in 64 bit."""
    if not cython.compiled:
        return sum(cells)
    added = 0
    for n in range(len(cells)):
        added += cells[n]
    return added
