"""The rows of draining: what reading the corrections of a batch costs beside taking it, each time another batch.

What the core names is compared with brute force before the clock starts.
"""

from __future__ import annotations

from typing import Any

from tools.bench.goals import Finding, compare
from tools.bench.traces import WINDOWS_S, Bulk
from tools.bench.turns import Times, quiet, stopwatch
from tools.core_forms import core

Correction = tuple[int, int, int, int]  # node, window, first and last end of a changed result


def draining(day: Bulk, batches: list[Bulk], held: Bulk | None, turns: int) -> Finding:
    """Reading the corrections of a batch, onto what is held, beside taking it."""
    first = _counter(day, held)
    first.set_many(*batches[0].columns)
    assert sorted(first.corrections()) == hulls(batches[0], held), "the core names what has changed"
    times: Times = {"drain": [], "batch": []}
    for turn in range(turns):
        counter, batch = _counter(day, held), batches[turn % len(batches)]
        with quiet():
            times["batch"].append(stopwatch(lambda: counter.set_many(*batch.columns)))  # noqa: B023  called at once
            times["drain"].append(stopwatch(counter.corrections))
    return compare(times, "drain", "batch")


def _counter(day: Bulk, held: Bulk | None) -> Any:
    counter = core("compiled").WindowedCounter(WINDOWS_S, day.pane_s, day.nodes)
    counter.advance(day.now)
    if held is not None:
        counter.set_many(*held.columns)
        counter.corrections()
    return counter


def hulls(batch: Bulk, held: Bulk | None) -> list[Correction]:
    """Of each node and window: from the end after the first pane that changed, to the last end whose window holds the last one."""
    before, after = _panes(held), _panes(batch)
    changed = sorted(place for place, counts in after.items() if counts != before.get(place, (0, 0, 0)))
    first, last = dict(reversed(changed)), dict(changed)
    return [
        (node, window_s, pane + batch.pane_s, min(last[node] + window_s, batch.now))
        for node, pane in sorted(first.items())
        for window_s in WINDOWS_S
    ]


def _panes(batch: Bulk | None) -> dict[tuple[int, int], tuple[int, ...]]:
    """The last counts of each node and pane."""
    if batch is None:
        return {}
    places = zip(batch.node, batch.pane_start, strict=True)
    return dict(zip(places, zip(*batch.columns[2:], strict=True), strict=True))
