"""What `bench core` and `bench batch` say: a row for each goal, met or missed, and the machine that it was measured on."""

from __future__ import annotations

import textwrap
from typing import Any

from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK
from gateway.words import Say
from tools.bench.amounts import FULL, is_less
from tools.bench.goals import Findings, Goal, rows
from tools.bench.packages import versions
from tools.bench.turns import load
from tools.terminal import decimal, show, t

PACKAGES = ("numpy", "pandas", "polars", "river")
NAMES = {"deque": "collections.deque", "river": "river TimeRolling", "sqlite": "sqlite3", "groupby": "pandas groupby.rolling"}
WIDTH = 80
VERDICTS = {"met": True, "missed": False, "not_measured": None}
OWN_NAMES = ("empty", "floor", "bandwidth", "batch")  # told in the reader's language; the others are names of packages


def report(goals: tuple[Goal, ...], found: Findings, about: dict[str, Any], **amounts: int) -> int:
    """Shows the result. Exit code 1 where a goal is missed; what was not measured is no failure."""
    judged = rows(goals, found)
    counts = {name: sum(row["met"] is met for row in judged if asks(row)) for name, met in VERDICTS.items()}
    caution = Say("bench.caution") if is_less(amounts) else None
    about = {**about, "load_after": load()}
    result = {"machine": about, **amounts, "packages": versions(PACKAGES), "rows": judged, "caution": caution, "goals": counts}
    result["ok"] = not counts["missed"]
    show(result, text(result))
    return EXIT_OK if result["ok"] else EXIT_CHECK_FAILED


def text(result: dict[str, Any]) -> str:
    """At most WIDTH columns: what is measured over what was found, under a heading; how many goals are met at the end."""
    lines = [*_origin(result), "", t("bench.heading-work")]
    lines.append(_columns(*(t(f"bench.heading-{name}") for name in ("found", "half", "goal"))))
    for row in result["rows"]:
        lines += ["", *wrapped(describe(row)), _columns(figure(row), half(row), bound(row), verdict(row))]
        lines += [line for said in (row["why"], row["note"]) if said is not None for line in wrapped(told_of(said), 8)]
    caution = result["caution"]
    lines += ["", *wrapped(t("bench.goals", **result["goals"])), *(wrapped(told_of(caution)) if caution else [])]
    return "\n".join(lines)


def _origin(result: dict[str, Any]) -> list[str]:
    """The machine, who took part, how much of what, and how to read it."""
    about = {name: known if known is not None else "?" for name, known in result["machine"].items()}
    about["compiler"] = result["machine"]["compiler"] or t("bench.none")
    amounts = [t(f"bench.amount-{name}", amount=decimal(result[name])) for name in FULL if name in result]
    packages = [f"{name} {number}" for name, number in result["packages"].items()]
    paragraphs = (t("bench.machine", **about), ", ".join(packages), ", ".join(amounts), t("bench.how"))
    return [line for paragraph in paragraphs for line in wrapped(paragraph)]


def wrapped(words: str, indent: int = 0) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(words, WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False)


def _columns(found: str, half: str, goal: str, verdict: str = "") -> str:
    return f"    {found:>10}   {half:<24}{goal:<10}{verdict}".rstrip()


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


def asks(row: dict[str, Any]) -> bool:
    """Whether there is a goal."""
    return row["least"] is not None or row["most"] is not None


def bound(row: dict[str, Any]) -> str:
    if row["least"] is not None:
        return f"≥ {number(row['least'])}"
    return f"≤ {number(row['most'])}" if row["most"] is not None else ""


def figure(row: dict[str, Any]) -> str:
    return "-" if row["figure"] is None else number(row["figure"])


def half(row: dict[str, Any]) -> str:
    """Between which two figures half of the turns lie."""
    if row["quartiles"] is None:
        return ""
    first, third = map(number, row["quartiles"])
    return t("bench.half", first=first, third=third)


def verdict(row: dict[str, Any]) -> str:
    if row["figure"] is None:
        return t("bench.not-measured")
    return t({True: "bench.met", False: "bench.missed"}[row["met"]]) if asks(row) else ""


def number(value: float) -> str:
    """Three digits, or all of a large number."""
    size = abs(value)
    return decimal(value, 0 if size >= 100 or value == round(value) else 1 if size >= 10 else 2)
