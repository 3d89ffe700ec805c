"""Bodies on the street, and what a perfect observer would count.

Theory of operation. The box stands at x = 0 and looks across the pavement; x grows along the pavement, y is the
distance from the box, both in mm. A walker is a path: points (t_ms, x_mm, y_mm) joined by straight lines, so position
is exact at every moment and nothing is stepped.

Truth is the contract's rule (section 3): a completed transit of the band |x| <= 0.5 m, dated at its last passage of
x = 0. Turning back inside the band is no passage, turning beyond it makes two. Children, whoever pushes a pram (one
person) and cyclists count, dogs do not. A pram rolls ahead of its pusher and is no person: its path follows from his.

Here and wherever the street is drawn by lot, only `Random.random()`, the four operations and the square root are used:
these give the same bits on every platform, a C library's transcendental functions need not.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

BAND_MM = 500  # contract section 3
STREET_END_MM = 7_000  # paths start and end here: beyond the radar's 6 m, so it sees people come and go
PRAM_AHEAD_MM = 700  # the middle of a pram, before that of its pusher
STRIDE_MM = 1_000  # who goes less far than this sways and does not turn his pram

Path = tuple[tuple[int, int, int], ...]  # (t_ms, x_mm, y_mm), t strictly rising


@dataclass(frozen=True, slots=True)
class Pavement:
    width_m: float = 3.0
    near_m: float = 0.6  # box to near edge

    @property
    def near_mm(self) -> int:
        return round(self.near_m * 1000)

    @property
    def width_mm(self) -> int:
        return round(self.width_m * 1000)

    @property
    def far_mm(self) -> int:
        return self.near_mm + self.width_mm


@dataclass(frozen=True, slots=True)
class Walker:
    """One body on the street. `kind` is adult, child, pram (its pusher), bike or dog."""

    person: int
    kind: str
    group: int
    points: Path

    def at(self, t_ms: float) -> tuple[float, float] | None:
        """Where it is, or None before it comes and after it has gone."""
        points = self.points
        if not points[0][0] <= t_ms <= points[-1][0]:
            return None
        i = min(bisect_right(points, t_ms, key=lambda point: point[0]), len(points) - 1)
        t0, x0, y0 = points[i - 1]
        t1, x1, y1 = points[i]
        share = (t_ms - t0) / (t1 - t0)
        return x0 + (x1 - x0) * share, y0 + (y1 - y0) * share


@dataclass(frozen=True, slots=True)
class Crossing:
    t_ms: int
    direction: str
    person: int
    kind: str
    group: int


def bell(rng: Random) -> float:
    """Roughly normal, mean 0, spread 1, never beyond 3: three uniform numbers added."""
    return 2.0 * (rng.random() + rng.random() + rng.random() - 1.5)


def between(rng: Random, low: float, high: float) -> float:
    return low + (high - low) * rng.random()


def clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def pram_path(points: Path) -> Path:
    """Of the pram that is pushed along this path; where its pusher turns round, it swings about him."""
    ahead: list[tuple[int, int, int]] = []
    heading = 0
    for i, (t_ms, x_mm, y_mm) in enumerate(points):
        leg_mm = points[i + 1][1] - x_mm if i + 1 < len(points) else 0
        if abs(leg_mm) >= STRIDE_MM or not heading:
            heading = 1 if leg_mm > 0 else -1
        ahead.append((t_ms, x_mm + heading * PRAM_AHEAD_MM, y_mm))
    return tuple(ahead)


def _transits(points: Sequence[tuple[int, int, int]]) -> Iterable[tuple[int, str]]:
    """Completed transits of the band. Between two points x is monotone, so looking at the points misses nothing."""
    side = zero_ms = 0
    x0, t0 = 0, 0
    for i, (t1, x1, _) in enumerate(points):
        if i and (x0 < 0) != (x1 < 0):
            zero_ms = round(t0 + (t1 - t0) * x0 / (x0 - x1))
        now = 1 if x1 > BAND_MM else -1 if x1 < -BAND_MM else 0
        if now and side and now != side:
            yield zero_ms, "ab" if now > 0 else "ba"
        side = now or side
        x0, t0 = x1, t1


def crossings(walkers: Iterable[Walker]) -> list[Crossing]:
    """The truth, sorted by time."""
    found = [
        Crossing(t_ms, direction, walker.person, walker.kind, walker.group)
        for walker in walkers
        if walker.kind != "dog"
        for t_ms, direction in _transits(walker.points)
    ]
    return sorted(found, key=lambda crossing: (crossing.t_ms, crossing.person))
