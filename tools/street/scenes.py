"""Scenes by name: how many come, who they are and what they do, each different by its seed.

Nothing is to be fitted to one constant: a pavement's width, its distance from the box, how fast its people walk and how many of
them go which way are drawn within the bounds below. Only `empty` has nobody: dogs, and rain where the sensor feels it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from tools.street.parties import Mix, strays, through_door, walk_day
from tools.street.walkers import Crossing, Pavement, Walker, between, crossings

NEAR_M, WIDTH_M, DOOR_WIDTH_M = (0.5, 1.0), (2.5, 3.5), 1.0
DOOR_NEAR_M = 0.2  # a door has no box beside it; this only says where y begins
PACE = (0.9, 1.1)
MORNING_S, EVENING_S = 8 * 3600, 18 * 3600  # between them the share of those who walk ab falls
DOOR_PACE = 0.8  # of that on a pavement


@dataclass(frozen=True)
class Scene:
    """`people_per_hour` counts whoever comes, also those who then turn back; dogs come besides."""

    name: str
    people_per_hour: float
    mix: Mix = field(default_factory=lambda: Mix(turners=0.02, loiterers=0.01, with_dog=0.03, bikes=0.03))
    is_door: bool = False
    strays_per_hour: float = 0
    has_rain: bool = False

    def play(self, seed: str, duration_s: int) -> Play:
        """Same seed, same people."""
        rng = Random(f"{seed}/{self.name}")
        mix = replace(self.mix, pace=self.mix.pace * between(rng, *PACE))
        if self.is_door:
            ground = Pavement(DOOR_WIDTH_M, DOOR_NEAR_M)
            walkers = through_door(rng, self.people_per_hour, duration_s, ground, mix)
        else:
            ground = Pavement(round(between(rng, *WIDTH_M), 2), round(between(rng, *NEAR_M), 2))
            start_s = round(between(rng, MORNING_S, EVENING_S))
            walkers = walk_day(rng, [self.people_per_hour] * 24, start_s, duration_s, ground, mix)
        walkers += strays(rng, self.strays_per_hour, duration_s, ground, first=len(walkers))
        return Play(self, seed, ground, duration_s * 1000, sorted(walkers, key=lambda walker: walker.points[0][0]))


@dataclass(frozen=True)
class Play:
    """A scene with its people."""

    scene: Scene
    seed: str
    ground: Pavement
    duration_ms: int
    walkers: list[Walker]

    @property
    def truth(self) -> list[Crossing]:
        return crossings(self.walkers)


_DOOR = Mix(
    sizes=((1, 0.75), (2, 0.2), (3, 0.05)), bikes=0.0, turners=0.05, loiterers=0.01, with_dog=0.01, formations=(("file", 1.0),),
    pace=DOOR_PACE,
)  # fmt: skip

SCENES = {
    scene.name: scene
    for scene in (
        Scene("calm", 60),
        Scene("steady", 200),
        Scene("busy", 450),
        Scene("crowded", 900),
        Scene("packed", 1500),
        Scene("stress", 200, Mix(turners=0.25, loiterers=0.25)),
        Scene("empty", 0, strays_per_hour=3, has_rain=True),
        Scene("door300", 300, _DOOR, is_door=True),
        Scene("door500", 500, _DOOR, is_door=True),
    )
}
