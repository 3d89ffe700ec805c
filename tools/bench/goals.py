"""What `bench core` and `bench batch` are held against: a row for each goal, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.words import Say
from tools.bench.turns import Times, median_us, ratio, rounded


@dataclass(frozen=True)
class Goal:
    """`least` or `most` is the bound of the figure. A figure is a ratio of times in one run, unless it says otherwise."""

    workload: str  # the message bench.work-...
    against: str = ""  # a contender's name, or what stands in bench.against-...
    least: float | None = None
    most: float | None = None

    @property
    def key(self) -> str:
        return f"{self.workload} {self.against}".strip()

    def is_met(self, figure: float) -> bool:
        return (self.least is None or figure >= self.least) and (self.most is None or figure <= self.most)


CORE = (
    Goal("live", "deque", least=4),
    Goal("live", "river", least=60),
    Goal("live", "sqlite", least=60),
    Goal("live", "polars", least=1000),
    Goal("live", "pandas", least=1000),
    Goal("call-add", "empty", most=2),
    Goal("call-query-into", "empty", most=3),
    Goal("pure-p99-us", most=20),
    Goal("pure", "deque", most=4),
    Goal("bulk", "pandas", least=10),
    Goal("bulk", "polars", least=15),
    Goal("bulk", "floor", most=2.5),
    Goal("city", "pandas", least=3),
    Goal("city", "polars", least=3),
    Goal("backfill", "pandas", least=100),
    Goal("backfill", "polars", least=100),
    Goal("growth-window", most=0.05),
    Goal("growth-nodes", most=0.05),
    Goal("growth-lateness", most=0.05),
    Goal("growth-gaps", most=0.1),
    Goal("growth-windows", most=0.7),
    Goal("memory-60-b", most=7500),
    Goal("memory-10-b", most=45_000),
    Goal("drain-bulk", "batch", most=0.5),
    Goal("drain-backfill", "batch", most=0.5),
    Goal("drain-minute", "batch", most=0.5),
)
BATCH = (
    Goal("batch", "pandas", least=40),
    Goal("batch", "polars", least=40),
    Goal("batch", "groupby", least=300),
    Goal("batch", "bandwidth", most=1.5),
    Goal("batch-table", "bandwidth", most=1.5),
)


@dataclass(frozen=True)
class Finding:
    """A figure, or why there is none; with a note where more has to be said."""

    figure: float | None = None
    why: Say | None = None
    note: Say | None = None
    us: dict[str, float] | None = None  # what a ratio is made of: the medians of both, a unit of work


Findings = dict[str, Finding]


def compare(times: Times, slower: str, faster: str, note: Say | None = None) -> Finding:
    """How many times as long the slower takes."""
    return Finding(ratio(times, slower, faster), note=note, us={name: median_us(times, name) for name in (slower, faster)})


def rows(goals: tuple[Goal, ...], found: Findings) -> list[dict[str, Any]]:
    """A row for each goal, in their order; `met` is None where nothing was measured."""
    result = []
    for goal in goals:
        finding = found[goal.key]
        figure = finding.figure
        result.append(
            {
                "goal": goal.key,
                "least": goal.least,
                "most": goal.most,
                "figure": None if figure is None else rounded(figure),
                "met": None if figure is None else goal.is_met(figure),
                "why": finding.why,
                "note": finding.note,
                "us": finding.us,
            }
        )
    return result
