"""Integers and buffers as the counter takes and gives them, checked before anything is done with them.

What is no integer raises TypeError, what lies outside its bounds the bounds' own error; every message names the value
and what was expected. numpy's integers and arrays pass by the protocols, without numpy being imported.
"""

from __future__ import annotations

import math
import operator
import sys
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    Integers = ReadableBuffer | Sequence[int]
    Table = ReadableBuffer | Sequence[int] | Sequence[Sequence[int]]


class Bounds(NamedTuple):
    """The integers that an argument may be, and what to raise for others."""

    low: int
    high: int
    too_low: type[Exception] = ValueError
    too_high: type[Exception] = OverflowError


COUNT = Bounds(0, 2**32 - 1)
TIME = Bounds(0, 2**62 - 1)  # the end of any window of any time lies within 64 bit
LENGTH = Bounds(1, 2**62 - 1)
SUM = Bounds(0, 2**63 - 1)


def integer(name: str, value: SupportsIndex, bounds: Bounds) -> int:
    """The value as a plain int, if it is an integer (numpy's too, but no bool) within the bounds."""
    if type(value) is not int:
        try:
            value = operator.index(None if isinstance(value, bool) else value)  # pyright: ignore[reportArgumentType]
        except TypeError:
            raise TypeError(f"{name} = {value!r}: expected an integer") from None
    if value < bounds.low:
        raise bounds.too_low(f"{name} = {_shown(value)}: expected {bounds.low} or more")
    if value > bounds.high:
        expected = f"{bounds.high} or less" if bounds.high >= bounds.low else "nothing, since there is none"
        raise bounds.too_high(f"{name} = {_shown(value)}: expected {expected}")
    return value


def _shown(value: int) -> str:
    return str(value) if value.bit_length() <= 128 else f"an integer of {value.bit_length()} bits"


def quotient(name: str, seconds: int, pane_s: int) -> int:
    """How many panes these seconds are, if they are a multiple."""
    panes, rest = divmod(seconds, pane_s)
    if rest:
        raise ValueError(f"{name} = {seconds}: expected a multiple of pane_s = {pane_s}")
    return panes


def int64_in_a_row(values: Table) -> tuple[memoryview, tuple[int, ...]] | None:
    """The cells, flat, and the shape of a buffer that holds native int64 without gaps and is not empty; else None."""
    try:
        view = memoryview(values)  # pyright: ignore[reportArgumentType]
    except TypeError:
        return None
    is_plain = view.format.removeprefix("@") in {"q", "l"} and view.itemsize == 8 and view.c_contiguous and view.ndim
    return (view.cast("B").cast("q"), view.shape or ()) if is_plain and view.nbytes else None


def table(name: str, values: Table, bounds: Bounds) -> tuple[list[int], tuple[int, ...]]:
    """The integers, flat, and the shape of a buffer (any strides), or of a sequence of integers or of rows."""
    if isinstance(values, Sequence) and not isinstance(values, (str, bytes, bytearray, memoryview, array)):
        items: Sequence[Any] = values
        if items and hasattr(items[0], "__len__"):
            rows = [table(f"{name}[{n}]", row, bounds) for n, row in enumerate(items)]
            shapes = {shape for _, shape in rows}
            if len(shapes) > 1:
                raise ValueError(f"{name} has rows of the shapes {sorted(shapes)}: expected one shape")
            return [cell for cells, _ in rows for cell in cells], (len(rows), *shapes.pop())
        cells = [v if type(v) is int else integer(f"{name}[{n}]", v, bounds) for n, v in enumerate(items)]
        shape: tuple[int, ...] = (len(cells),)  # what was read: reading an item may change how many there are
    else:
        view = _view(name, values)
        typecode, shape = _typecode(view), tuple(view.shape or ())
        if not typecode or not shape:
            raise TypeError(f"{name} has format {view.format!r}, shape {shape}: expected native integers in a row")
        buffer: array[int] = array(typecode)
        buffer.frombytes(view.tobytes())
        cells = buffer.tolist()
    for extreme in (min, max) if cells else ():  # where the least and the greatest are within bounds, all are
        value = extreme(cells)
        integer(f"{name}[{cells.index(value)}]", value, bounds)
    return cells, shape


NATIVE = "@=" + ("<" if sys.byteorder == "little" else ">")  # the prefixes of this machine's own order of bytes
_SIGNED = {array(typecode).itemsize: typecode for typecode in "bhilq"}


def _typecode(view: memoryview) -> str:
    """The array type that holds such cells; empty if there is none. The size is the view's: ctypes names eight bytes `<l`."""
    letter = view.format.lstrip(NATIVE) if len(view.format) <= 2 else ""
    if letter not in set("bBhHiIlLqQ") or view.itemsize not in _SIGNED:
        return ""
    return _SIGNED[view.itemsize] if letter.islower() else _SIGNED[view.itemsize].upper()


def output(out: WriteableBuffer, shape: tuple[int, ...]) -> memoryview:
    """`out` as a flat int64 view, if it is writable, contiguous int64 of exactly this shape, or flat and as long."""
    view, cells = _view("out", out), math.prod(shape)
    if view.readonly or view.itemsize != 8 or view.format.removeprefix("@") not in {"q", "l"}:
        raise TypeError(f"out has format {view.format!r}, readonly {view.readonly}: expected writable int64")
    if view.shape not in {shape, (cells,)} or not view.c_contiguous:
        raise ValueError(f"out has shape {view.shape}, strides {view.strides}: expected {shape} or {cells} in a row")
    return view.cast("B").cast("q") if cells else view


def _view(name: str, buffer: ReadableBuffer) -> memoryview:
    try:
        return memoryview(buffer)
    except TypeError:
        raise TypeError(f"{name} = {buffer!r}: expected a buffer of integers") from None
