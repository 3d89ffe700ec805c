"""How the cost of a record grows: the slope of log cost over log size, for everything that may grow.

A round moves the watermark on and has every node add a record and read all its windows, called from Python as it is used; its cost
is told for one record, so the move of the watermark is shared among the nodes. What the calls cost themselves does not grow, and
flattens the slope. The ring was full before: in every pane of it, or where panes lie idle in every pane that a round reaches, each
node has counted. When all turns are done the windows are compared with plain counting.
"""

from __future__ import annotations

import random
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from gateway.words import Say
from tools.bench.goals import Finding, Findings, spread
from tools.bench.traces import START_S
from tools.bench.turns import alternate, exponent, median_us, rounded
from tools.core_forms import core

PANE_S = 10
EDGES = (6, 30, 90, 360, 8640)  # the windows in panes, a day the longest
CALLS = 4000  # records a turn
TURNS = 4  # since a turn is short, so many for each of the others: what else runs falls on all sizes of a turn


@dataclass(frozen=True)
class Size:
    """`late`: records are up to so many panes late; `gap`: panes from one round to the next."""

    windows: tuple[int, ...] = EDGES
    nodes: int = 1
    late: int = 1
    gap: int = 1


BASE = Size()
LATENESS = {late: replace(BASE, nodes=100, late=late) for late in (1, 8, 64, 512, 4096, 8640)}
IN_CACHE = {late: replace(size, nodes=1) for late, size in LATENESS.items()}
# What grows: its sizes. The largest is what the ring of a day, or four weeks of minutes, still holds.
SWEEPS: dict[str, dict[int, Size]] = {
    "window": {
        longest: replace(BASE, windows=tuple(max(n, longest * share // 100) for n, share in enumerate((1, 4, 15, 50, 100), 1)))
        for longest in (64, 512, 4096, 32_768, 262_144)
    },
    "nodes": {nodes: replace(BASE, nodes=nodes, windows=(1, 5, 15, 60, 1440)) for nodes in (1, 10, 100, 1000, 10_000)},
    "lateness": LATENESS,
    "gaps": {gap: replace(BASE, gap=gap) for gap in (1, 4, 16, 64, 256, 1000)},
    "windows": {
        count: replace(BASE, windows=tuple(8640 * n // count for n in range(1, count + 1))) for count in (1, 2, 5, 10, 20, 30)
    },
}


class Walk:
    """A counter of this size, full, and rounds through it."""

    def __init__(self, size: Size, make: Callable[..., Any]) -> None:
        self._size, self._chance = size, random.Random(7)  # noqa: S311  repeatable, not secret
        longest = max(size.windows)
        self._counter = make([panes * PANE_S for panes in size.windows], PANE_S, size.nodes)
        self._out = array("q", [0]) * (3 * len(size.windows))
        self._now = START_S + longest * PANE_S
        self._counter.advance(self._now)
        self._filled = [START_S + pane * PANE_S for pane in range(longest % size.gap, longest, size.gap)]
        self._added: list[tuple[int, int]] = []  # node, pane start
        for start in self._filled:
            self._fill(start)
        self._counter.corrections()

    def _fill(self, start: int) -> None:
        nodes = self._size.nodes
        ones = array("q", [1]) * nodes
        self._counter.add_many(array("q", range(nodes)), array("q", [start]) * nodes, ones, ones)

    def turn(self) -> float:
        """Seconds a record."""
        size, counter, out = self._size, self._counter, self._out
        rounds = [self._round(n) for n in range(max(1, CALLS // size.nodes))]
        begin = time.perf_counter()
        for now, records in rounds:
            counter.advance(now)
            for node, start in records:
                counter.add(node, start, 1, 1)
                counter.query_into(node, out)
        spent = time.perf_counter() - begin
        counter.corrections()
        self._added += [record for _, records in rounds for record in records]
        return spent / (len(rounds) * size.nodes)

    def is_right(self) -> bool:
        """Whether the windows of the first, a middle and the last node hold what plain counting finds in them."""
        for node in {0, self._size.nodes // 2, self._size.nodes - 1}:
            self._counter.query_into(node, self._out)
            starts = [*self._filled, *(start for added, start in self._added if added == node)]
            for n, panes in enumerate(self._size.windows):
                passed = sum(start >= self._now - panes * PANE_S for start in starts)
                if self._out[3 * n : 3 * n + 3].tolist() != [passed, passed, 0]:
                    return False
        return True

    def _round(self, n: int) -> tuple[int, list[tuple[int, int]]]:
        self._now += self._size.gap * PANE_S
        newest, chance, late = self._now // PANE_S - 1, self._chance, self._size.late
        return self._now, [(node, (newest - chance.randrange(late)) * PANE_S) for node in range(self._size.nodes)]


def slope(sizes: dict[int, Size], turns: int) -> Finding:
    """The slope of each turn; afterwards the answers are compared."""
    make = core("compiled").WindowedCounter
    walks = {str(value): Walk(size, make) for value, size in sizes.items()}
    times = alternate({value: walk.turn for value, walk in walks.items()}, TURNS * turns)
    assert all(walk.is_right() for walk in walks.values()), "the core counts as plain counting does"
    slopes = [exponent(list(sizes), costs) for costs in zip(*times.values(), strict=True)]
    return spread(slopes, us={value: median_us(times, value) for value in times})


def measure(turns: int) -> Findings:
    """An exponent for each sweep; the core must be there compiled."""
    found = {f"growth-{name}": slope(sizes, turns) for name, sizes in SWEEPS.items()}
    in_cache = slope(IN_CACHE, turns).figure
    assert in_cache is not None, "a slope was measured"
    found["growth-lateness"] = replace(found["growth-lateness"], note=Say("bench.in-cache", {"slope": rounded(in_cache)}))
    return found
