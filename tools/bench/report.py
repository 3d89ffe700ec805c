"""What `bench core` and `bench batch` say: a row for each goal, met or missed, and the machine that it was measured on."""

from __future__ import annotations

from typing import Any

from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK
from gateway.words import Say
from tools.bench.goals import Findings, Goal, rows
from tools.bench.packages import versions
from tools.bench.turns import machine
from tools.terminal import decimal, show, t

PACKAGES = ("numpy", "pandas", "polars", "river")
NAMES = {"deque": "collections.deque", "river": "river TimeRolling", "sqlite": "sqlite3", "groupby": "pandas groupby.rolling"}
OWN_NAMES = ("empty", "floor", "bandwidth", "batch")  # told in the reader's language; the others are names of packages


def report(goals: tuple[Goal, ...], found: Findings, **amounts: int) -> int:
    """Shows the result. Exit code 1 where a goal is missed; what was not measured is no failure."""
    judged = rows(goals, found)
    result = {"machine": machine(), **amounts, "packages": versions(PACKAGES), "rows": judged}
    result["ok"] = all(row["met"] is not False for row in judged)
    show(result, text(result))
    return EXIT_OK if result["ok"] else EXIT_CHECK_FAILED


def text(result: dict[str, Any]) -> str:
    about = result["machine"]
    lines = [t("bench.machine", **{**about, "compiler": about["compiler"] or t("bench.none"), "load": about["load"] or "?"})]
    lines += [", ".join(f"{name} {number}" for name, number in result["packages"].items()), t("bench.how")]
    told = [(describe(row), bound(row), figure(row), verdict(row)) for row in result["rows"]]
    width = max(len(work) for work, *_ in told)
    for row, (work, goal, found, judged) in zip(result["rows"], told, strict=True):
        lines.append(f"{work:<{width}}  {goal:>7}  {found:>7}  {judged}")
        lines += [f"    {told_of(said)}" for said in (row["why"], row["note"]) if said is not None]
    return "\n".join(lines)


def told_of(said: Say) -> str:
    """With its numbers as the reader writes them."""
    return t(said.key, **{name: number(value) if isinstance(value, float) else value for name, value in said.values.items()})


def describe(row: dict[str, Any]) -> str:
    """What is measured, against whom."""
    workload, _, against = row["goal"].partition(" ")
    work = t(f"bench.work-{workload}")
    if not against:
        return work
    name = t(f"bench.against-{against}") if against in OWN_NAMES else NAMES.get(against, against)
    return t("bench.versus", work=work, against=name)


def bound(row: dict[str, Any]) -> str:
    return f"≥ {number(row['least'])}" if row["least"] is not None else f"≤ {number(row['most'])}"


def figure(row: dict[str, Any]) -> str:
    return "-" if row["figure"] is None else number(row["figure"])


def verdict(row: dict[str, Any]) -> str:
    return t({True: "bench.met", False: "bench.missed", None: "bench.not-measured"}[row["met"]])


def number(value: float) -> str:
    """Three digits, or all of a large number."""
    size = abs(value)
    return decimal(value, 0 if size >= 100 or value == round(value) else 1 if size >= 10 else 2)
