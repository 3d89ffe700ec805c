"""Plays of one class, pooled: ratios of sums, and how far chance alone may move them.

Pure. The interval is a percentile bootstrap over whole plays, because people in one play share pavement, unit and pace: plays are
drawn again with replacement, and the middle 95 % of what they give is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from tools.accuracy.goals import INDEX, Density, Verdict, verdict_of_false, verdict_of_saturation
from tools.accuracy.plays import Played
from tools.traces.score import DIRECTIONS, Score

RESAMPLES = 1000
TAIL = 0.025  # on each side of a 95 % interval

Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Row:
    """One class and sensor. Ratios; None where there is nothing to divide by, or where fewer than two plays allow no interval."""

    density: str
    sensor: str
    plays: int
    hours: float
    true: int
    counted: int
    f1: float | None
    f1_interval: Interval
    precision: float | None
    recall: float | None
    error_ab: float | None
    error_ba: float | None
    signed_error: float | None
    signed_error_interval: Interval
    false_per_hour: float | None
    saturated_share: float
    f1_floor: float | None
    f1_goal: float | None
    total_floor: float | None
    total_goal: float | None
    verdict: Verdict | None

    def as_json(self) -> dict[str, Any]:
        return {name: _rounded(value) for name, value in asdict(self).items()}


def pooled(density: Density, sensor: str, plays: Sequence[Played], seed: str) -> Row:
    """`seed` is that of the drawing again."""
    total = _sum(plays)
    hours = sum(play.wish.duration_s for play in plays) / 3600
    is_empty = total.true == 0
    errors = {way: _ratio(_people(plays, way, "counted") - _people(plays, way, "true"), _people(plays, way, "true"))
              for way in DIRECTIONS}  # fmt: skip
    goal = density.goal if sensor not in INDEX else None
    return Row(
        density.name, sensor, len(plays), hours, total.true, total.counted,
        None if is_empty else total.f1, _interval(plays, lambda score: score.f1, seed),
        None if is_empty else total.precision, total.recall,
        errors["ab"], errors["ba"], total.signed_error, _interval(plays, lambda score: score.signed_error, seed),
        total.counted / hours if is_empty else None,
        _saturated_share(plays),
        goal and goal.f1_floor, goal and goal.f1_goal, goal and goal.total_floor, goal and goal.total_goal,
        _verdict(density, sensor, plays, hours),
    )  # fmt: skip


def _verdict(density: Density, sensor: str, plays: Sequence[Played], hours: float) -> Verdict | None:
    total = _sum(plays)
    if sensor in INDEX or (density.goal is not None and total.true == 0):
        return None  # no goal, or nobody who could be counted
    if density.goal is not None:
        return density.goal.verdict(total.f1 or 0.0, total.signed_error or 0.0)
    if total.true == 0:
        return verdict_of_false(total.counted / hours)
    return verdict_of_saturation(_saturated_share(plays))


def _sum(plays: Sequence[Played]) -> Score:
    return sum((play.score for play in plays), Score(0, 0, 0))


def _saturated_share(plays: Sequence[Played]) -> float:
    return sum(play.saturated_ms for play in plays) / sum(1000 * play.wish.duration_s for play in plays)


def _people(plays: Sequence[Played], way: str, side: str) -> int:
    return sum(getattr(play, side)[way] for play in plays)


def _interval(plays: Sequence[Played], figure: Callable[[Score], float | None], seed: str) -> Interval:
    if len(plays) < 2 or _sum(plays).true == 0:
        return None
    rng = Random(seed)
    found = [figure(_sum([plays[int(len(plays) * rng.random())] for _ in plays])) for _ in range(RESAMPLES)]
    sure = sorted(value for value in found if value is not None)
    return sure[int(TAIL * len(sure))], sure[int((1 - TAIL) * len(sure))]


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [round(bound, 4) for bound in value]
    return round(value, 4) if isinstance(value, float) else value


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
