"""What `bench core` and `bench batch` are held against: a row for each goal, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from gateway.words import Say
from tools.bench.turns import Times, median_us, quartiles, ratios, rounded


@dataclass(frozen=True)
class Goal:
    """`least` or `most` is the bound of the figure; where there is neither, it is told and not judged."""

    workload: str  # the message bench.work-...
    against: str = ""  # a contender's name, or what stands in bench.against-...
    least: float | None = None
    most: float | None = None
    unit: str = "ratio"  # of times in one run; or "us", "B", "exponent"

    @property
    def key(self) -> str:
        return f"{self.workload} {self.against}".strip()

    def is_met(self, figure: float | None) -> bool | None:
        """None where nothing was measured or nothing is asked."""
        if figure is None or (self.least is None and self.most is None):
            return None
        return (self.least is None or figure >= self.least) and (self.most is None or figure <= self.most)


CORE = (
    Goal("live", "deque", least=4),
    Goal("live", "river", least=60),
    Goal("live", "sqlite", least=60),
    Goal("live", "polars", least=1000),
    Goal("live", "pandas", least=1000),
    Goal("call-add", "empty", most=2),
    Goal("call-query-into", "empty", most=3),
    Goal("pure-p99-us", most=20, unit="us"),
    Goal("pure", "deque", most=4),
    Goal("bulk", "pandas", least=10),
    Goal("bulk", "polars", least=15),
    Goal("bulk", "numpy"),
    Goal("bulk", "floor", most=2.5),
    Goal("city", "pandas", least=3),
    Goal("city", "polars", least=3),
    Goal("city", "numpy"),
    Goal("backfill", "pandas", least=100),
    Goal("backfill", "polars", least=100),
    Goal("backfill", "numpy"),
    Goal("growth-window", most=0.05, unit="exponent"),
    Goal("growth-nodes", most=0.05, unit="exponent"),
    Goal("growth-lateness", most=0.05, unit="exponent"),
    Goal("growth-gaps", most=0.1, unit="exponent"),
    Goal("growth-windows", most=0.7, unit="exponent"),
    Goal("memory-60-b", most=7500, unit="B"),
    Goal("memory-10-b", most=45_000, unit="B"),
    Goal("drain-bulk", "batch", most=0.5),
    Goal("drain-backfill", "batch", most=0.5),
    Goal("drain-minute", "batch", most=0.5),
)
BATCH = (
    Goal("batch", "pandas", least=40),
    Goal("batch", "polars", least=40),
    Goal("batch", "groupby", least=300),
    Goal("batch", "numpy"),
    Goal("batch", "bandwidth", most=1.5),
    Goal("batch-table", "bandwidth", most=1.5),
)


@dataclass(frozen=True)
class Finding:
    """A figure, and between which two half of the turns lie; or why there is none; with a note where more has to be said."""

    figure: float | None = None
    quartiles: tuple[float, float] | None = None
    why: Say | None = None
    note: Say | None = None
    us: dict[str, float] | None = None  # what a ratio is made of: the medians of both, a unit of work


Findings = dict[str, Finding]


def compare(times: Times, slower: str, faster: str, note: Say | None = None) -> Finding:
    """How many times as long the slower takes."""
    return spread(ratios(times, slower, faster), note, {name: median_us(times, name) for name in (slower, faster)})


def spread(values: Sequence[float], note: Say | None = None, us: dict[str, float] | None = None) -> Finding:
    """Of the figures of the turns."""
    return Finding(median(values), quartiles(values), note=note, us=us)


def rows(goals: tuple[Goal, ...], found: Findings) -> list[dict[str, Any]]:
    """A row for each goal, in their order."""
    result = []
    for goal in goals:
        finding = found[goal.key]
        half = finding.quartiles
        figure = None if finding.figure is None else rounded(finding.figure)  # what is shown is what is judged
        result.append(
            {
                "goal": goal.key,
                "least": goal.least,
                "most": goal.most,
                "unit": goal.unit,
                "figure": figure,
                "quartiles": None if half is None else [rounded(value) for value in half],
                "met": goal.is_met(figure),
                "why": finding.why,
                "note": finding.note,
                "us": finding.us,
            }
        )
    return result
