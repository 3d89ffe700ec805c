"""The rows of `bench batch`: rolling sums over years of minutes, beside the packages for tables and beside memory itself.

The floor moves what any such sum has to move: every count is read once, and a number is written for each window. The core
writes into memory that is there already, as the floor does; how it fares where it has to get its memory first, as the others
do, stands in a note.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable
from typing import Any

from gateway.words import Say
from tools.bench.batch_peers import PEERS, SPANS, Columns, Summer
from tools.bench.floors import floor
from tools.bench.goals import Finding, Findings, compare
from tools.bench.packages import lack
from tools.bench.turns import Times, alternate, ratio, rounded, stopwatch
from tools.core_forms import core

SERIES = 8
MOST = 40  # passages a minute
FIRST, SAMPLED = 2000, 300  # rows whose sums are compared: all of the first, and some of the rest


def street(rows: int, series: int, seed: int = 7) -> list[array[int]]:
    """Counts of so many minutes of each series."""
    chance = random.Random(seed)  # noqa: S311  repeatable, not secret
    return [array("q", [byte % MOST for byte in chance.randbytes(rows)]) for _ in range(series)]


def table_of(cells: int, shape: tuple[int, ...]) -> Any:
    """Zeros of int64 in this shape, touched."""
    return memoryview(array("q", [0]) * cells).cast("B").cast("q", shape)


class ByColumn:
    """The core, a series after the other."""

    def __init__(self, columns: Columns) -> None:
        self._sum, self._columns = core("compiled").rolling_sum, columns
        self._outs = [table_of(len(SPANS) * len(column), (len(SPANS), len(column))) for column in columns]

    def take(self) -> list[Any]:
        for column, out in zip(self._columns, self._outs, strict=True):
            self._sum(column, SPANS, out)
        return self._outs

    def sums(self, taken: list[Any], series: int, window: int) -> list[int]:
        return taken[series].tolist()[window]


class ByColumnAnew(ByColumn):
    """The same, in memory that it gets anew each time."""

    def take(self) -> list[Any]:
        return [self._sum(column, SPANS) for column in self._columns]


class Table:
    """The core, on one table of all series."""

    def __init__(self, columns: Columns) -> None:
        rows, width = len(columns[0]), len(columns)
        flat = array("q", [0]) * (rows * width)
        for n, column in enumerate(columns):
            flat[n::width] = column
        self.flat, self._sum, self._width = flat, core("compiled").rolling_sum, width
        self._counts = memoryview(flat).cast("B").cast("q", (rows, width))
        self.out = array("q", [0]) * (len(SPANS) * len(flat))

    def take(self) -> array[int]:
        self._sum(self._counts, SPANS, self.out)
        return self.out

    def sums(self, taken: array[int], series: int, window: int) -> list[int]:
        cells = len(self.flat)
        return list(taken[window * cells + series : (window + 1) * cells : self._width])


def wrong_sums(summer: Summer, columns: Columns, series: int) -> int:
    """How many of the compared sums of one series differ from plain addition."""
    taken, column, wrong = summer.take(), columns[series], 0
    rows = len(column)
    chosen = {*range(min(FIRST, rows)), *random.Random(rows).choices(range(rows), k=SAMPLED)}  # noqa: S311
    for window, span in enumerate(SPANS):
        sums = summer.sums(taken, series, window)
        wrong += sum(sums[row] != sum(column[max(0, row + 1 - span) : row + 1]) for row in chosen)
    return wrong


def measure(rows: int, turns: int) -> Findings:
    """`rows` of each series. The core and the floors must be there compiled."""
    columns = street(rows - rows % 2, SERIES)
    ours, table = ByColumn(columns), Table(columns)
    for each in (ours, table):
        assert not wrong_sums(each, columns, SERIES - 1), "the core's sums are right"
    cells = sum(map(len, columns))
    work = {"ours": _a_row(ours, cells), "table": _a_row(table, cells), "anew": _a_row(ByColumnAnew(columns), cells)}
    work |= {"bandwidth": _moves(columns, cells), "table-bandwidth": _moves([table.flat], cells)}
    found: Findings = {}
    for name, (make, packages, share) in PEERS.items():
        some = columns[: max(1, SERIES // share)]
        missing = lack(packages)
        if missing is None:
            peer = make(some)
            wrong = wrong_sums(peer, some, len(some) - 1)
            missing = Say("bench.wrong", {"wrong": wrong, "checked": len(SPANS) * FIRST}) if wrong else None
            work[name] = _a_row(peer, sum(map(len, some)))
        if missing is not None:
            work.pop(name, None)
            found[f"batch {name}"] = Finding(why=missing)
    return found | _findings(alternate(work, turns))


def _findings(times: Times) -> Findings:
    found = {
        "batch bandwidth": compare(times, "ours", "bandwidth"),
        "batch-table bandwidth": compare(times, "table", "table-bandwidth"),
    }
    for name in set(PEERS) & set(times):
        said = {"anew": rounded(ratio(times, name, "anew")), "floor": rounded(ratio(times, name, "bandwidth"))}
        found[f"batch {name}"] = compare(times, name, "ours", Say("bench.batch-limits", said))
    return found


def _a_row(summer: Summer, cells: int) -> Callable[[], float]:
    return lambda: stopwatch(summer.take) / cells


def _moves(sources: Columns, cells: int) -> Callable[[], float]:
    """Seconds a row of moving alone."""
    outs = [table_of(len(SPANS) * len(source), (len(SPANS), len(source))) for source in sources]

    def move() -> None:
        for source, out in zip(sources, outs, strict=True):
            floor().spread(source, out)

    move()
    assert all(out[len(SPANS) - 1, len(source) - 1] == source[-1] for source, out in zip(sources, outs, strict=True))
    return lambda: stopwatch(move) / cells
