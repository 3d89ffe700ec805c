"""How well each kind of part counted: by sensor, and against the floor of its kind.

Radar and LiDARs stand beside a pavement, and are held to the floors of its density; time of flight hangs above a door. What a PIR
pair counts is an index: it rises and falls with the people, and is shown, but held to nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

# People per hour and node up to which a raw total may be off by so much: the floor that every detector must reach.
FLOORS = {
    "pavement": ((100, 0.16), (300, 0.15), (600, 0.20), (1200, 0.28)),
    "door": ((500, 0.10),),
    "index": (),
}


@dataclass(frozen=True)
class Tally:
    """One node: people by direction, in truth, as counted, as stored; and for how long it was there."""

    sensor: str
    kind: str
    hours: float
    truth: Counter[str]
    counted: Counter[str]
    stored: Counter[str]


@dataclass(frozen=True)
class Verdict:
    """The nodes of one kind, taken together. `floor` is infinite where nothing is promised."""

    kind: str
    sensors: tuple[str, ...]
    people: int
    counted: int
    floor: float

    @property
    def error(self) -> float:
        return (self.counted - self.people) / self.people if self.people else 0.0

    def told(self) -> dict[str, object]:
        """As the result has it: no floor is None, for JSON knows no infinity."""
        return {"error": round(self.error, 4), "error_floor": None if self.floor == float("inf") else self.floor}

    @property
    def is_good(self) -> bool:
        return abs(self.error) <= self.floor


def floor_for(kind: str, people_per_hour: float) -> float:
    """The greatest share by which a raw total may differ from the truth at this density; infinite where none is promised."""
    return next((floor for limit, floor in FLOORS[kind] if people_per_hour <= limit), float("inf"))


def verdicts(tallies: Sequence[Tally]) -> list[Verdict]:
    """One for each kind that is there."""
    found = []
    for kind in FLOORS:
        of_kind = [tally for tally in tallies if tally.kind == kind]
        if of_kind:
            sensors = tuple(dict.fromkeys(tally.sensor for tally in of_kind))
            people = sum(tally.truth.total() for tally in of_kind)
            floor = floor_for(kind, people / sum(tally.hours for tally in of_kind))
            found.append(Verdict(kind, sensors, people, sum(tally.counted.total() for tally in of_kind), floor))
    return found


def alone(tallies: Sequence[Tally]) -> list[Verdict]:
    """One for each sensor, with as much more as chance does where few pass: none hides behind another of its kind."""
    found = []
    for sensor in dict.fromkeys(tally.sensor for tally in tallies):
        (verdict,) = verdicts([tally for tally in tallies if tally.sensor == sensor])
        found.append(replace(verdict, floor=verdict.floor + 1 / sqrt(max(verdict.people, 1))))
    return found


def by_direction(people: Counter[str]) -> dict[str, int]:
    return {"ab": people["ab"], "ba": people["ba"]}


def by_sensor(tallies: Sequence[Tally]) -> dict[str, dict[str, dict[str, int]]]:
    """`{"radar": {"truth": {"ab": 1, "ba": 2}, "counted": ..., "stored": ...}, ...}`"""
    sums: dict[str, dict[str, Counter[str]]] = {}
    for tally in tallies:
        found = sums.setdefault(tally.sensor, {name: Counter() for name in ("truth", "counted", "stored")})
        for name, total in found.items():
            total.update(getattr(tally, name))
    return {sensor: {name: by_direction(total) for name, total in found.items()} for sensor, found in sums.items()}
