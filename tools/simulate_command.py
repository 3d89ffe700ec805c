"""`trottoir simulate` at work: wishes -> schedules; what was found, in words and as JSON.

The same seed gives the same bytes on stdout. So the only timing there, `schedules_per_s`, is rounded down to 1, 2 or 5 times a
power of ten; how fast it really was is said on stderr.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK
from gateway.words import Say
from tools.progress import bar
from tools.terminal import UsageError, decimal, say, shared, show, t

if TYPE_CHECKING:
    from tools.simulate.law import Violation
    from tools.simulate.run import Result, Trace

MOST_SCHEDULES = 10_000_000
MOST_SEED = 10**12
SHOWN_SEEDS = 20
_MOMENTS = ("begin", "end", "until", "minute", "hour")


def run_simulate(schedules: int, seed: int, mutant: str | None) -> int:
    """Exit code 1 where a law was broken, also by a mutant: then it was caught."""
    from tools.simulate import mutants, run

    _expect("--schedules", schedules, 1 <= schedules <= MOST_SCHEDULES, Say("simulate.range-schedules"))
    _expect("--seed", seed, 0 <= seed <= MOST_SEED, Say("simulate.range-seed"))
    _expect("--mutant", mutant, mutant is None or mutant in mutants.MUTANTS, Say("simulate.range-mutant"))
    begin_s = time.monotonic()
    with bar(t("simulate.running"), schedules) as done:
        result = run.simulate(schedules, seed, mutant, done=done)
    per_s = result.schedules / (time.monotonic() - begin_s)
    say(t("simulate.speed", rate=decimal(per_s, 1)))
    show(document(result, seed, mutant, per_s), report(result, seed, mutant))
    return EXIT_CHECK_FAILED if result.violations else EXIT_OK


def list_mutants() -> int:
    """Names, and the rule that each takes away."""
    from tools.simulate.mutants import MUTANTS

    rules = {name: Say(f"simulate.mutant-{name}") for name in MUTANTS}
    width = max(len(name) for name in rules)
    text = "\n".join(f"{name:{width}}  {rule.line(shared.language)}" for name, rule in rules.items())
    show({"mutants": [{"name": name, "rule": rule} for name, rule in rules.items()]}, text)
    return EXIT_OK


def document(result: Result, seed: int, mutant: str | None, per_s: float) -> dict[str, Any]:
    """The contract's keys, in a fixed order."""
    cuts = max(1, result.cuts)
    return {
        "schedules": result.schedules,
        "seed": seed,
        "mutant": mutant,
        "violations": result.violations,
        "failed_seeds": result.failed_seeds,
        "flagged_per_fault": {
            "value": round(result.flagged / cuts, 2), "ceiling": round(result.ceiling / cuts, 2), "cuts": result.cuts,
        },
        "node_years": result.node_years,
        "faults": dict(sorted(result.faults.items())),
        "schedules_per_s": rounded_down(per_s),
        "failures": [
            {
                "seed": trace.seed,
                "violations": [
                    {"law": found.law, "node": found.node, "numbers": found.numbers, "text": law_line(found, "en")}
                    for found in trace.violations
                ],
                "trace": trace_lines(trace, "en"),
            }
            for trace in result.traces
        ],
    }  # fmt: skip


def rounded_down(value: float) -> float:
    """To 1, 2 or 5 times a power of ten, so that two runs on one machine say the same."""
    step = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 0.1
    return next((factor * step for factor in (5, 2, 1) if value >= factor * step), 0.0)


# -- in words


def report(result: Result, seed: int, mutant: str | None) -> str:
    language = shared.language
    lines = [
        t("simulate.summary-run", schedules=result.schedules, first=seed, last=seed + result.schedules - 1),
        t("simulate.summary-faults", faults=sum(result.faults.values()), years=decimal(result.node_years, 2), cuts=result.cuts),
    ]
    if result.cuts:
        value, ceiling = (decimal(people / result.cuts, 1) for people in (result.flagged, result.ceiling))
        lines.append(t("simulate.summary-flagged", value=value, ceiling=ceiling))
    for trace in result.traces:
        lines += ["", t("simulate.summary-failed", seed=trace.seed), *(f"  {law_line(v, language)}" for v in trace.violations)]
        lines += [f"    {line}" for line in trace_lines(trace, language)]
        lines.append(t("simulate.summary-replay", seed=trace.seed, mutant=f" --mutant {mutant}" if mutant else ""))
    if result.violations:
        shown = ", ".join(map(str, result.failed_seeds[:SHOWN_SEEDS])) + (" …" if len(result.failed_seeds) > SHOWN_SEEDS else "")
        lines += ["", t("simulate.summary-broken", violations=result.violations, seeds=shown)]
    else:
        lines.append(t("simulate.summary-holds"))
    if mutant:
        lines.append(t("simulate.summary-caught" if result.violations else "simulate.summary-missed", mutant=mutant))
    return "\n".join(lines)


def law_line(violation: Violation, language: str) -> str:
    numbers = {name: _told(name, value) for name, value in violation.numbers.items()}
    return Say(f"simulate.law-{violation.law}", {"node": violation.node, **numbers}).line(language)


def trace_lines(trace: Trace, language: str) -> list[str]:
    """The shrunk schedule: who was there, and what struck when."""
    from gateway.model import node_name
    from tools.simulate.faults import FAULTS

    plan = trace.plan
    first_ms = plan.first_minute * 60_000
    lines = []
    for node in plan.nodes:
        about = {"node": node_name(node.number), "rate": node.street.rate, "flash": node.sectors * node.sector_size}
        lines.append(f"{_clock(first_ms)}  " + Say("simulate.trace-node", about).line(language))
    moments, end_ms = plan.moments()
    for at_ms, stroke in zip(moments, plan.strokes, strict=True):
        values = {name: _amount(name, value) for name, value in zip(FAULTS[stroke.fault].numbers, stroke.numbers, strict=True)}
        what = Say(f"simulate.fault-{stroke.fault.replace('_', '-')}", values).line(language)
        place = f"{node_name(plan.nodes[stroke.node].number)}: " if FAULTS[stroke.fault].strikes_node else ""
        lines.append(f"{_clock(first_ms + at_ms)}  {place}{what}")
    lines.append(f"{_clock(first_ms + end_ms)}  " + Say("simulate.trace-heals").line(language))
    return lines


def _clock(ms: int) -> str:
    days, rest = divmod(ms // 1000, 86_400)
    return (f"{days} d " if days else "") + f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"


def _amount(name: str, value: int) -> str:
    return f"{'-' if value < 0 else ''}{_clock(abs(value))}.{abs(value) % 1000:03d}" if name.endswith("_ms") else str(value)


def _told(name: str, value: object) -> object:
    from tools.simulate.gateway import START_S

    return _clock((value - START_S) * 1000) if name in _MOMENTS and isinstance(value, int) else value


def _expect(option: str, found: object, is_good: bool, expected: Say) -> None:
    if not is_good:
        raise UsageError("usage", option=option, found=found, expected=expected)
