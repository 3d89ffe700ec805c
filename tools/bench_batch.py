"""Rolling sums over archived minutes, beside the packages for tables and beside what the machine's memory can move at all."""

from __future__ import annotations

from tools.bench import batch
from tools.bench.floors import lack_of_compiler
from tools.bench.goals import BATCH, Finding, Findings
from tools.bench.report import report
from tools.bench.turns import machine


def measure(rows: int, turns: int) -> Findings:
    """A finding for each goal: `rows` of each series, `turns` of each contender."""
    no_compiler = lack_of_compiler()
    if no_compiler is not None:
        return dict.fromkeys((goal.key for goal in BATCH), Finding(why=no_compiler))
    return batch.measure(rows, turns)


def run_bench(rows: int, turns: int) -> int:
    about = machine()
    return report(BATCH, measure(rows, turns), about, minutes=rows, turns=turns)
