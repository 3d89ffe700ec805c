"""What was found, as a table: for a terminal, for the README, and as one JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.accuracy.goals import FALSE_PER_HOUR_FLOOR, FALSE_PER_HOUR_GOAL, INDEX, SATURATED_FLOOR, Verdict
from tools.accuracy.pool import Interval, Row

ROOT = Path(__file__).resolve().parent.parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- written by python -m tools.accuracy --readme -->", "<!-- end of what is written -->"
HEAD = (
    "people", "sensor", "true", "counted", "F1 (95 %)", "precision", "recall", "A to B", "B to A", "total (95 %)", "saturated",
    "floor / goal", "",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What was asked for."""

    seed: int
    seeds: int
    minutes: int

    def line(self) -> str:
        last = self.seed + self.seeds - 1
        return f"Seeds {self.seed} to {last}, {self.minutes} minutes of each scene; MicroPython, heap 110w."


def document(run: Run, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "seed": run.seed, "seeds": run.seeds, "minutes": run.minutes, "interpreter": "micropython",
        "missed": sum(row.verdict is Verdict.MISSED for row in rows), "rows": [row.as_json() for row in rows],
    }  # fmt: skip


def cells(row: Row) -> list[str]:
    """One line of the table."""
    return [
        row.density, row.sensor + (" (index)" if row.sensor in INDEX else ""), str(row.true), str(row.counted),
        _with(row.f1, row.f1_interval, _ratio), _ratio(row.precision), _ratio(row.recall), _percent(row.error_ab),
        _percent(row.error_ba), _with(row.signed_error, row.signed_error_interval, _percent), f"{100 * row.saturated_share:.0f} %",
        _bounds(row), row.verdict.value.upper() if row.verdict is Verdict.MISSED else row.verdict or "",
    ]  # fmt: skip


def _bounds(row: Row) -> str:
    if row.f1_floor is not None and row.f1_goal is not None and row.total_floor is not None and row.total_goal is not None:
        return f"F1 {row.f1_floor:.2f} / {row.f1_goal:.2f}, total {100 * row.total_floor:.0f} / {100 * row.total_goal:.0f} %"
    if row.false_per_hour is not None:
        bounds = f", {FALSE_PER_HOUR_FLOOR:.0f} / {FALSE_PER_HOUR_GOAL:.0f}" if row.verdict else ""
        return f"{row.false_per_hour:.1f} false an hour{bounds}"
    return f"saturated {100 * SATURATED_FLOOR:.0f} %" if row.verdict else ""


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f} %"


def _with(value: float | None, interval: Interval, form: Any) -> str:
    if interval is None:
        return form(value)
    return f"{form(value)} ({form(interval[0]).removesuffix(' %')} to {form(interval[1]).removesuffix(' %')})"


def as_text(run: Run, rows: Sequence[Row]) -> str:
    """Columns of equal width."""
    table = [list(HEAD), *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    return "\n".join([run.line(), *lines])


def as_markdown(run: Run, rows: Sequence[Row]) -> str:
    table = [HEAD, ["---"] * len(HEAD), *(cells(row) for row in rows)]
    return "\n".join([run.line(), "", *(f"| {' | '.join(line)} |" for line in table)])


def renewed(readme: str, written: str) -> str:
    """The text with something else between its marks."""
    before, _, rest = readme.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"expected {BEGIN} and {END}, each once")
    return f"{before}{BEGIN}\n{written}\n{END}{after}"
