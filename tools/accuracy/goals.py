"""What counting has to reach, by density and sensor; raw, before any calibration."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    MET = "met"
    FLOOR = "floor"
    MISSED = "missed"


@dataclass(frozen=True)
class Goal:
    """F1 is to be at least, the total's error at most: the floor has to be reached, the goal is wanted. Ratios."""

    f1_floor: float
    f1_goal: float
    total_floor: float
    total_goal: float

    def verdict(self, f1: float, signed_error: float) -> Verdict:
        if f1 >= self.f1_goal and abs(signed_error) <= self.total_goal:
            return Verdict.MET
        is_enough = f1 >= self.f1_floor and abs(signed_error) <= self.total_floor
        return Verdict.FLOOR if is_enough else Verdict.MISSED


# Nobody is there: whatever is counted is false.
FALSE_PER_HOUR_FLOOR, FALSE_PER_HOUR_GOAL = 2.0, 0.0


def verdict_of_false(per_hour: float) -> Verdict:
    if per_hour <= FALSE_PER_HOUR_GOAL:
        return Verdict.MET
    return Verdict.FLOOR if per_hour <= FALSE_PER_HOUR_FLOOR else Verdict.MISSED


# There are more people than can be counted: the sensor has to say so most of the time.
SATURATED_FLOOR = 0.5


def verdict_of_saturation(share: float) -> Verdict:
    return Verdict.MET if share >= SATURATED_FLOOR else Verdict.MISSED


@dataclass(frozen=True)
class Density:
    """One class: its scenes, pooled, and the sensors that suit it. Without a goal the class is about something else."""

    name: str
    scenes: tuple[str, ...]
    sensors: tuple[str, ...]
    goal: Goal | None = None


PAVEMENT_SENSORS = ("ld2450", "tfluna", "pir")
INDEX = ("pir",)  # says whether much or little is going on; no goal

DENSITIES = (
    Density("up to 100/h", ("calm",), PAVEMENT_SENSORS, Goal(0.88, 0.93, 0.16, 0.08)),
    Density("100 to 300/h", ("steady",), PAVEMENT_SENSORS, Goal(0.88, 0.93, 0.15, 0.08)),
    Density("300 to 600/h", ("busy",), PAVEMENT_SENSORS, Goal(0.85, 0.91, 0.20, 0.12)),
    Density("600 to 1200/h", ("crowded",), PAVEMENT_SENSORS, Goal(0.80, 0.87, 0.28, 0.18)),
    Density("above 1200/h", ("packed",), ("ld2450", "tfluna")),
    Density("stress, 200/h", ("stress",), PAVEMENT_SENSORS, Goal(0.85, 0.92, 0.10, 0.05)),
    Density("empty", ("empty",), PAVEMENT_SENSORS),
    Density("door, up to 500/h", ("door300", "door500"), ("vl53l1x",), Goal(0.95, 0.98, 0.10, 0.04)),
)
