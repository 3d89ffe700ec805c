"""The counting core beside what one would take instead, in one run: live, in bulk, as it grows, in memory.

Answers are compared with brute force before anything is timed, turns alternate, and what counts are ratios. The rooms are in
`tools/bench`: the goals, the traces, the contenders, and how it is measured.
"""

from __future__ import annotations

from gateway.words import Say
from tools.bench import bulk, growth, live, memory
from tools.bench.floors import lack_of_compiler
from tools.bench.goals import CORE, Finding, Findings
from tools.bench.report import report
from tools.bench.turns import machine
from tools.terminal import say, t

LIVE_SHARE = 50  # a live turn has a fiftieth of a batch's records


def measure(records: int, turns: int) -> Findings:
    """A finding for each goal: `records` a batch, `turns` of each contender."""
    no_compiler = lack_of_compiler()
    found: Findings = dict.fromkeys((goal.key for goal in CORE), Finding(why=no_compiler))
    _tell("live")
    found |= live.measure(records // LIVE_SHARE, turns, no_compiler)
    if no_compiler is None:
        _tell("bulk")
        found |= bulk.measure(records, turns)
        _tell("growth")
        found |= growth.measure(turns)
        _tell("memory")
        found |= memory.measure()
    return found


def _tell(part: str) -> None:
    say(t("bench.measuring", part=Say(f"bench.part-{part}")))


def run_bench(records: int, turns: int) -> int:
    about = machine()
    return report(CORE, measure(records, turns), about, records=records, turns=turns)
