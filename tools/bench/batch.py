"""The rows of `bench batch`: rolling sums over years of minutes, beside the packages for tables and beside memory itself.

The floor moves what any such sum has to move: every count is read once, and a number is written for each window. The core
writes into memory that is there already, as the floor and numpy do; how it fares where it has to get its memory first, as the
others do, stands in a note. The sums of every contender are compared with plain addition before the clock starts, and again those
of its last turn.
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


class Contender:
    """Turns of a summer; the sums of its last turn are compared too."""

    def __init__(self, summer: Summer, columns: Columns, turns: int) -> None:
        self._summer, self._columns, self._left = summer, columns, turns
        self._cells = sum(map(len, columns))
        taken = summer.take()
        self.wrong = wrong_sums(summer, taken, columns)
        _wipe(taken)  # some write to the same memory each time: what is compared later is of the turns

    def turn(self) -> float:
        """Seconds a row. What was taken is given back when the clock has stopped."""
        taken: list[Any] = []
        seconds = stopwatch(lambda: taken.append(self._summer.take()))
        self._left -= 1
        if not self._left:
            self.wrong = wrong_sums(self._summer, taken[0], self._columns)
        return seconds / self._cells


def wrong_sums(summer: Summer, taken: Any, columns: Columns) -> Say | None:
    """What to say of sums that differ from plain addition."""
    wrong = checked = 0
    for series, column in enumerate(columns):
        rows = compared_rows(len(column))
        for window, span in enumerate(SPANS):
            sums = summer.sums(taken, series, window)
            wrong += sum(sums[row] != sum(column[max(0, row + 1 - span) : row + 1]) for row in rows)
            checked += len(rows)
    return Say("bench.wrong", {"wrong": wrong, "checked": checked}) if wrong else None


def _wipe(taken: Any) -> None:
    """Zeros in those of the results that are memory."""
    for each in taken if isinstance(taken, list) else [taken]:
        try:
            view = memoryview(each)
        except TypeError:
            continue
        if not view.readonly:
            view.cast("B")[:] = bytes(view.nbytes)


def compared_rows(rows: int) -> set[int]:
    return {*range(min(FIRST, rows)), *random.Random(rows).choices(range(rows), k=SAMPLED)}  # noqa: S311


def measure(rows: int, turns: int) -> Findings:
    """`rows` of each series. The core and the floors must be there compiled."""
    columns = street(rows - rows % 2, SERIES)
    cells, table = sum(map(len, columns)), Table(columns)
    own: dict[str, Summer] = {"ours": ByColumn(columns), "table": table, "anew": ByColumnAnew(columns)}
    contenders = {name: Contender(summer, columns, turns) for name, summer in own.items()}
    found: Findings = {}
    for name, (make, packages, share) in PEERS.items():
        some = columns[: max(1, SERIES // share)]
        why = lack(packages, "batch")
        if why is None:
            contenders[name] = Contender(make(some), some, turns)
        else:
            found[f"batch {name}"] = Finding(why=why)
    floors = {"bandwidth": _moves(columns, cells), "table-bandwidth": _moves([table.flat], cells)}
    right = {name: each.turn for name, each in contenders.items() if each.wrong is None}
    times = alternate({**floors, **right}, turns)
    assert not any(contenders[name].wrong for name in own), "the core's sums are right"
    wrong = {name: each.wrong for name, each in contenders.items() if each.wrong is not None}
    found |= {f"batch {name}": Finding(why=why) for name, why in wrong.items()}
    return found | _findings({name: each for name, each in times.items() if name not in wrong})


def _findings(times: Times) -> Findings:
    found = {
        "batch bandwidth": compare(times, "ours", "bandwidth"),
        "batch-table bandwidth": compare(times, "table", "table-bandwidth"),
    }
    for name in ("pandas", "polars", "groupby"):
        if name in times:
            said = {"anew": rounded(ratio(times, name, "anew")), "floor": rounded(ratio(times, name, "bandwidth"))}
            found[f"batch {name}"] = compare(times, name, "ours", Say("bench.batch-limits", said))
    if "numpy" in times and "numpy-anew" in times:
        both = {"anew": rounded(ratio(times, "numpy-anew", "anew"))}
        found["batch numpy"] = compare(times, "numpy", "ours", Say("bench.batch-numpy", both))
    return found


def _moves(sources: Columns, cells: int) -> Callable[[], float]:
    """Seconds a row of moving alone."""
    outs = [table_of(len(SPANS) * len(source), (len(SPANS), len(source))) for source in sources]

    def move() -> None:
        for source, out in zip(sources, outs, strict=True):
            floor().spread(source, out)

    move()
    assert all(out[len(SPANS) - 1, len(source) - 1] == source[-1] for source, out in zip(sources, outs, strict=True))
    return lambda: stopwatch(move) / cells
