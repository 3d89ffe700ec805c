"""Many schedules, over as many processes as there are processors: the result depends on the seeds alone."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from tools.simulate import faults, mutants, schedule, shrink, world
from tools.simulate.gateway import quiet_gateways
from tools.simulate.law import Violation
from tools.simulate.schedule import Plan
from tools.simulate.world import Outcome

CHUNK = 10
MOST_TRACES = 3
YEAR_MS = 365.25 * 86_400_000


@dataclass(frozen=True)
class Trace:
    """A failing schedule, as short as it could be made."""

    seed: int
    plan: Plan
    violations: list[Violation]


@dataclass
class Result:
    """Of all schedules together."""

    schedules: int = 0
    violations: int = 0
    failed_seeds: list[int] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    node_ms: int = 0
    cuts: int = 0
    flagged: int = 0
    ceiling: int = 0
    traces: list[Trace] = field(default_factory=list)

    @property
    def node_years(self) -> float:
        return round(self.node_ms / YEAR_MS, 3)

    def add(self, outcome: Outcome) -> None:
        self.schedules += 1
        self.violations += len(outcome.violations)
        if outcome.violations:
            self.failed_seeds.append(outcome.seed)
        self.faults += outcome.faults
        self.node_ms += outcome.node_ms
        self.cuts += outcome.cuts
        self.flagged += outcome.flagged
        self.ceiling += outcome.ceiling


def simulate(
    schedules: int, seed: int, mutant: str | None = None, workers: int | None = None, done: Callable[[int], None] = lambda _: None
) -> Result:
    """Schedules with the seeds from `seed` on. With a mutant it ends with the first schedule that catches it. `done` is told
    how many there are."""
    result = Result()
    count = workers or min(os.cpu_count() or 1, -(-schedules // CHUNK))
    with ProcessPoolExecutor(count, initializer=_begin, initargs=(mutant,)) as pool:
        for outcome in _outcomes(pool, schedules, seed, count):
            result.add(outcome)
            done(result.schedules)
            if mutant and outcome.violations:
                break
        pool.shutdown(cancel_futures=True)
    if result.failed_seeds:
        with ProcessPoolExecutor(1, initializer=_begin, initargs=(mutant,)) as pool:
            result.traces = list(pool.map(_trace, result.failed_seeds[:MOST_TRACES]))
    return result


def _outcomes(pool: ProcessPoolExecutor, schedules: int, seed: int, workers: int) -> Iterator[Outcome]:
    # A few chunks ahead, so that an early end does not wait for all.
    chunks = [range(first, min(first + CHUNK, seed + schedules)) for first in range(seed, seed + schedules, CHUNK)]
    ahead = 2 * workers
    futures = [pool.submit(_run_chunk, chunk) for chunk in chunks[:ahead]]
    for k in range(len(chunks)):
        yield from futures[k].result()
        if k + ahead < len(chunks):
            futures.append(pool.submit(_run_chunk, chunks[k + ahead]))


# -- in a worker process

_worker = ExitStack()


def _begin(mutant: str | None) -> None:
    warnings.simplefilter("ignore", RuntimeWarning)  # what was killed is never awaited
    _worker.enter_context(quiet_gateways())
    if mutant:
        _worker.enter_context(mutants.applied(mutant))


def run_seed(seed: int) -> Outcome:
    return world.run(schedule.draw(seed, faults.drawn()))


def _run_chunk(seeds: range) -> list[Outcome]:
    return [run_seed(seed) for seed in seeds]


def _trace(seed: int) -> Trace:
    plan = shrink.shrink(schedule.draw(seed, faults.drawn()))
    return Trace(seed, plan, world.run(plan).violations)
