"""A damaged SQLite file -> every row of ours in it that is whole. Pure: pages come in as bytes, rows go out one by one.

Theory of operation
    A b-tree page says by itself where its rows are, whatever became of the tree around it. So every page of the file and every
    frame of its write-ahead log is read alone, in any order, and each cell that has the shape of a row of ours is believed
    only if its check says so. A row may so turn up more than once, in several revisions: who collects them keeps the highest.
    What is no row of ours, or no row any more, is passed over; a cell that has the shape and fails its check is counted.

Format (SQLite's file format)
    page    type (1), free block (2), cells (2), content (2), fragments (1), [right child (4)], cells x offset (2)
    cell    table leaf: payload size, row id, record; index leaf: payload size, record; index interior: child (4), then as leaf.
            A table WITHOUT ROWID is an index, and so its interior pages hold rows as well.
    record  header size, a type for each column, values; all sizes and types are varints
    log     header (32): magic, version, page size, number, salts (8), checksum (8); frames: header (24) and page;
            frame header: page number (4), pages of the file after a commit or 0 (4), salts (8), checksum so far (8)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from gateway.tables import PAGE_B, check_of

_LEAF_TABLE, _LEAF_INDEX, _INTERIOR_INDEX = 0x0D, 0x0A, 0x02
_CELLS_AT = {_LEAF_TABLE: 8, _LEAF_INDEX: 8, _INTERIOR_INDEX: 12}
_INTEGER_B = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # bytes of an integer by its type
_CONSTANT = {0: None, 8: 0, 9: 1}
_TEXT = 13
_LOG_HEADER_B, _FRAME_HEADER_B = 32, 24
_FRAME_B = _FRAME_HEADER_B + PAGE_B
_OLDER = 1 << 20  # a log is begun anew with the next salt

Value = int | str | None


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is whole: `table` is `bins`, `climate`, `facts`, `series` or `passports`, `values` all its columns. A passport is
    (node, incarnation, text, crc)."""

    table: str
    values: tuple[Value, ...]


class Salvage:
    """Feed it pages; `broken` counts cells with the shape of a row that failed their check, `pages` those that were read."""

    def __init__(self) -> None:
        self.pages = 0
        self.broken = 0

    def rows(self, page: bytes) -> Iterator[Row]:
        """The rows of one page; nothing of a page that is none of a b-tree."""
        self.pages += 1
        first = _CELLS_AT.get(page[0]) if len(page) == PAGE_B else None
        if first is None:
            return
        cells = min(int.from_bytes(page[3:5], "big"), (PAGE_B - first) // 2)
        for at in struct.unpack_from(f">{cells}H", page, first):
            try:
                row = self._row(page, at)
            except (IndexError, ValueError):  # it points out of the page, or into the middle of something
                continue
            if row is not None:
                yield row

    def _row(self, page: bytes, at: int) -> Row | None:
        row_id = None
        if page[0] == _INTERIOR_INDEX:
            at += 4
        size, at = _varint(page, at)
        if page[0] == _LEAF_TABLE:
            row_id, at = _varint(page, at)
        if at + size > PAGE_B:
            return None
        shape, values = _record(page, at)
        table = _SHAPES.get((shape, page[0] == _LEAF_TABLE))
        if table is None:
            return None
        row = _of(table, values, row_id)
        if row is None:
            self.broken += 1
        return row


_SHAPES = {  # types of the columns, and whether the row has an id of its own -> whose row it is
    ("iiiiiiiiiiiiii", False): "bins",
    ("iiiiiiiiii", False): "climate",
    ("nttitiii", True): "facts",
    ("nttti", True): "series",
    ("tttii", False): "series again",
    ("iiiiitiii", False): "passports",
}


def _of(table: str, values: list[Value], row_id: int | None) -> Row | None:
    """The row, if its check holds."""
    crc = values[-1]
    if table in ("bins", "climate"):
        return Row(table, tuple(values)) if check_of(*values[:-2]) == crc else None
    if table == "facts":
        return Row(table, (row_id, *values[1:])) if check_of(*values[1:6]) == crc else None
    if table == "passports":
        key, crc = (values[0], values[1], values[5]), values[7]
        return Row(table, (*key, crc)) if check_of(*key) == crc else None
    names, (crc, id_) = (values[1:4], (crc, row_id)) if table == "series" else (values[:3], values[3:])
    return Row("series", (id_, *names, crc)) if check_of(id_, *names) == crc else None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for _ in range(8):
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at
    raise ValueError("longer than any size or id of ours")


def _record(data: bytes, at: int) -> tuple[str, list[Value]]:
    """Its shape, a letter for each column (i, t, or n for nothing), and its values. ValueError for a type that no row of ours has,
    IndexError where it does not end on this page."""
    header_b, types_at = _varint(data, at)
    at += header_b
    shape, columns = _layout(data[types_at:at])
    values: list[Value] = []
    for letter, constant, size in columns:
        part = data[at : at + size]
        if letter == "t":
            values.append(part.decode())
        else:
            values.append(int.from_bytes(part, "big", signed=True) if size else constant)
        at += size
    if at > len(data):
        raise IndexError(at)
    return shape, values


@lru_cache(4096)
def _layout(types: bytes) -> tuple[str, list[tuple[str, int | None, int]]]:
    """Of a record: its shape, and of each column letter, constant and bytes."""
    columns: list[tuple[str, int | None, int]] = []
    at = 0
    while at < len(types):
        kind, at = _varint(types, at)
        if kind in _CONSTANT:
            columns.append(("n" if kind == 0 else "i", _CONSTANT[kind], 0))
        elif kind in _INTEGER_B:
            columns.append(("i", None, _INTEGER_B[kind]))
        elif kind >= _TEXT and kind % 2:
            columns.append(("t", None, (kind - _TEXT) // 2))
        else:
            raise ValueError(f"type {kind}")
    return "".join(letter for letter, _, _ in columns), columns


# -- the write-ahead log


def log_pages(log: bytes) -> Iterator[bytes]:
    """The pages of all frames, whether they were committed or not, and of whatever time."""
    for at in range(_LOG_HEADER_B + _FRAME_HEADER_B, len(log) - PAGE_B + 1, _FRAME_B):
        yield log[at : at + PAGE_B]


def is_log_broken(log: bytes) -> bool:
    """Whether SQLite would pass over something that was committed: it ends a log at the first frame that does not fit the
    checksum so far, as a power cut leaves it, and says nothing about what stands behind."""
    if len(log) < _LOG_HEADER_B + _FRAME_B:
        return False
    magic, _, _, _, salts, *sums = struct.unpack(">IIII8sII", log[:_LOG_HEADER_B])
    order = ">" if magic & 1 else "<"
    if magic | 1 != 0x377F0683 or _sums(order, log[:24], (0, 0)) != tuple(sums):
        return True
    so_far, salt = (sums[0], sums[1]), int.from_bytes(salts[:4], "big")
    is_cut = False
    for at in range(_LOG_HEADER_B, len(log) - _FRAME_B + 1, _FRAME_B):
        commit, other_salts, *told = struct.unpack(">I8sII", log[at + 4 : at + _FRAME_HEADER_B])
        if not is_cut:
            so_far = _sums(order, log[at + _FRAME_HEADER_B : at + _FRAME_B], _sums(order, log[at : at + 8], so_far))
            is_cut = other_salts != salts or so_far != tuple(told)
        is_older = 0 < (salt - int.from_bytes(other_salts[:4], "big")) % (1 << 32) < _OLDER
        if is_cut and commit and not is_older:
            return True
    return False


def _sums(order: str, data: bytes, so_far: tuple[int, int]) -> tuple[int, int]:
    first, second = so_far
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
