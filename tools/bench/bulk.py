"""The rows of batches: a million records of a hundred nodes and of ten thousand, late and re-sent ones among them; a backfill onto
what is held; and what draining the corrections costs beside the batch that caused them.

Each contender's answers are compared with brute force on the very records that are timed, before they are.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.words import Say
from tools.bench.bulk_peers import PEERS, Answers, BruteForce, Core, Taker
from tools.bench.floors import floor
from tools.bench.goals import Finding, Findings, compare
from tools.bench.packages import lack
from tools.bench.traces import CITY_PANE_S, DAY_S, LIVE_PANE_S, START_S, WINDOWS_S, Bulk, backfill, bulk, each_node
from tools.bench.turns import Times, alternate, quiet, stopwatch
from tools.core_forms import core

NODES, CITY_NODES = 100, 10_000
BACKFILL = 1000  # records


@dataclass(frozen=True)
class Load:
    """What is told before and what is timed: the same batch onto nothing, or each time another one onto what is held."""

    workload: str
    nodes: int
    pane_s: int
    batches: list[Bulk]
    held: Bulk | None = None

    def truth(self) -> Answers:
        """What the first batch leaves."""
        return Contender(self, BruteForce).first_answers()


class Contender:
    """On its way through the batches."""

    def __init__(self, load: Load, make: Callable[[int, int], Taker]) -> None:
        self._load, self._next = load, 0
        self._taker = make(load.nodes, load.pane_s)
        if load.held is not None:
            self._taker.bring(load.held)
            self._taker.take()
            self._taker.hold()

    def first_answers(self) -> Answers:
        self._taker.bring(self._load.batches[0])
        return self._taker.answers(self._taker.take())

    def turn(self) -> float:
        """Seconds a batch, the answers included."""
        self._next += 1
        self._taker.bring(self._load.batches[self._next % len(self._load.batches)])
        return stopwatch(self._taker.take)


def compete(load: Load) -> tuple[dict[str, Contender], Findings]:
    """Who answers rightly, the core among them; and what has to be said of the others."""
    truth, found = load.truth(), {}
    right = {"ours": Contender(load, Core)}
    assert right["ours"].first_answers() == truth, "the core answers as brute force does"
    for name, (make, packages) in PEERS.items():
        missing = lack(packages)
        if missing is None:
            right[name] = Contender(load, make)
            wrong = sum(a != b for a, b in zip(right[name].first_answers(), truth, strict=True))
            missing = Say("bench.wrong", {"wrong": wrong, "checked": len(truth)}) if wrong else None
        if missing is not None:
            right.pop(name, None)
            found[f"{load.workload} {name}"] = Finding(why=missing)
    return right, found


def race(load: Load, turns: int, floors: Mapping[str, Callable[[], float]]) -> Findings:
    """How many times as long as the core each peer takes, and the core as long as a floor."""
    right, found = compete(load)
    times = alternate({**floors, **{name: each.turn for name, each in right.items()}}, turns)
    for name in times:
        if name in floors:
            found[f"{load.workload} {name}"] = compare(times, "ours", name)
        elif name != "ours":
            found[f"{load.workload} {name}"] = compare(times, name, "ours")
    return found


def add_floor(batch: Bulk) -> Callable[[], float]:
    """One addition a record, into the cell that belongs to it: seconds for the batch."""
    width = batch.nodes
    starts = zip(batch.node, batch.pane_start, strict=True)
    slots = array("q", [(start - START_S) // batch.pane_s * width + node for node, start in starts])
    cells = array("H", [0]) * (DAY_S // batch.pane_s * width)
    floor().add_numbers(slots, batch.ab, cells)
    assert sum(cells) == sum(batch.ab), "it has added every number"
    return lambda: stopwatch(lambda: floor().add_numbers(slots, batch.ab, cells))


def draining(day: Bulk, batches: list[Bulk], is_onto_held: bool, turns: int) -> Finding:
    """Reading the corrections of a batch beside taking it, each time another batch."""
    times: Times = {"drain": [], "batch": []}
    for turn in range(turns):
        counter = core("compiled").WindowedCounter(WINDOWS_S, day.pane_s, day.nodes)
        counter.advance(day.now)
        if is_onto_held:
            counter.set_many(*day.columns)
            counter.corrections()
        batch = batches[turn % len(batches)]
        with quiet():
            times["batch"].append(stopwatch(lambda: counter.set_many(*batch.columns)))  # noqa: B023  called at once
            times["drain"].append(stopwatch(counter.corrections))
    return compare(times, "drain", "batch")


def measure(records: int, turns: int) -> Findings:
    """`records` a batch. The core must be there compiled."""
    day = bulk(records, NODES, LIVE_PANE_S)
    late = [backfill(BACKFILL, day, seed) for seed in range(turns + 1)]
    minutes = [each_node(day, seed) for seed in range(turns)]
    found = race(Load("bulk", NODES, LIVE_PANE_S, [day]), turns, {"floor": add_floor(day)})
    found |= race(Load("backfill", NODES, LIVE_PANE_S, late, held=day), turns, {})
    found["drain-bulk batch"] = draining(day, [day], False, turns)
    found["drain-backfill batch"] = draining(day, late, True, turns)
    found["drain-minute batch"] = draining(day, minutes, True, turns)
    city = bulk(records, CITY_NODES, CITY_PANE_S)
    return found | race(Load("city", CITY_NODES, CITY_PANE_S, [city]), turns, {})
