"""The rows of batches: a million records of a hundred nodes and of ten thousand, late and re-sent ones among them; a backfill onto
what is held.

Each contender's answers are compared with brute force twice: those of the first batch, before the clock starts, and those of the
last one, when all batches that were timed have gone into both.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.words import Say
from tools.bench.bulk_peers import PEERS, Answers, BruteForce, Core, Taker
from tools.bench.drain import draining
from tools.bench.floors import floor
from tools.bench.goals import Finding, Findings, compare
from tools.bench.packages import lack
from tools.bench.traces import CITY_PANE_S, DAY_S, LIVE_PANE_S, START_S, Bulk, backfill, bulk, each_node
from tools.bench.turns import alternate, stopwatch

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

    def batch(self, turn: int) -> Bulk:
        return self.batches[turn % len(self.batches)]

    def truth(self, turns: int = 0) -> Answers:
        """What the first batch leaves, and so many after it."""
        brute = BruteForce(self.nodes, self.pane_s)
        for batch in ([] if self.held is None else [self.held]) + [self.batch(turn) for turn in range(turns + 1)]:
            brute.bring(batch)
        return brute.take()


class Contender:
    """On its way through the batches."""

    def __init__(self, load: Load, make: Callable[[int, int], Taker]) -> None:
        self._load, self._next = load, 0
        self._taker = make(load.nodes, load.pane_s)
        if load.held is not None:
            self._take(load.held)

    def first_answers(self) -> Answers:
        self.turn()
        return self.answers()

    def turn(self) -> float:
        """Seconds for the next batch, the answers included."""
        batch = self._load.batch(self._next)
        self._next += 1
        return self._take(batch)

    def answers(self) -> Answers:
        """After the last batch."""
        return self._taker.answers(self._taken)

    def _take(self, batch: Bulk) -> float:
        self._taken = None  # so that nobody has two answers to keep
        self._taker.bring(batch)

        def take() -> None:
            self._taken = self._taker.take()

        seconds = stopwatch(take)
        if self._load.held is not None:
            self._taker.hold()
        return seconds


def compete(load: Load) -> tuple[dict[str, Contender], Findings]:
    """Who answers rightly, the core among them; and what has to be said of the others."""
    truth, found = load.truth(), {}
    right = {"ours": Contender(load, Core)}
    assert right["ours"].first_answers() == truth, "the core answers as brute force does"
    for name, (make, packages) in PEERS.items():
        missing = lack(packages)
        if missing is None:
            right[name] = Contender(load, make)
            missing = wrong(right[name].first_answers(), truth)
        if missing is not None:
            right.pop(name, None)
            found[f"{load.workload} {name}"] = Finding(why=missing)
    return right, found


def wrong(answers: Answers, truth: Answers) -> Say | None:
    """What to say of answers that differ."""
    differ = sum(a != b for a, b in zip(answers, truth, strict=True))
    return Say("bench.wrong", {"wrong": differ, "checked": len(truth)}) if differ else None


def race(load: Load, turns: int, floors: Mapping[str, Callable[[], float]]) -> Findings:
    """How many times as long as the core each peer takes, and the core as long as a floor."""
    right, found = compete(load)
    times = alternate({**floors, **{name: each.turn for name, each in right.items()}}, turns)
    truth = load.truth(turns)
    assert right["ours"].answers() == truth, "the core answers as brute force does, after all batches"
    for name in times:
        why = wrong(right[name].answers(), truth) if name in right else None
        if why is not None:
            found[f"{load.workload} {name}"] = Finding(why=why)
        elif name in floors:
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


def measure(records: int, turns: int) -> Findings:
    """`records` a batch. The core must be there compiled."""
    day = bulk(records, NODES, LIVE_PANE_S)
    late = [backfill(BACKFILL, day, seed) for seed in range(turns + 1)]
    minutes = [each_node(day, seed) for seed in range(turns)]
    found = race(Load("bulk", NODES, LIVE_PANE_S, [day]), turns, {"floor": add_floor(day)})
    found |= race(Load("backfill", NODES, LIVE_PANE_S, late, held=day), turns, {})
    found["drain-bulk batch"] = draining(day, [day], None, turns)
    found["drain-backfill batch"] = draining(day, late, day, turns)
    found["drain-minute batch"] = draining(day, minutes, day, turns)
    city = bulk(records, CITY_NODES, CITY_PANE_S)
    return found | race(Load("city", CITY_NODES, CITY_PANE_S, [city]), turns, {})
