"""Who walks down the street, and what a perfect observer would count.

Theory of operation. The box stands at x = 0 and looks across the pavement; x grows along the pavement, y is the
distance from the box, both in mm. A walker is a path: points (t_ms, x_mm, y_mm) joined by straight lines, so position
is exact at every moment and nothing is stepped. People come in parties (most alone, some two to four) that arrive as
a Poisson process whose rate follows the day curve; the curve counts people, so it is divided by the mean party size.
A party shares direction, speed and errand: nearly all walk through, a few turn round, a few stop for a while.

The street opens and closes empty: everybody enters at t >= 0 and whoever could not be gone by the end does not set
out, so that no passage is true which the sensor had no chance to see.

Truth is the contract's rule (section 3): a completed transit of the band |x| <= 0.5 m, dated at its last passage of
x = 0. Turning back inside the band is no passage, turning beyond it makes two. Children, whoever pushes a pram (one
person) and cyclists count, dogs do not.

Only `Random.random()` and the four operations are used, no logarithm and no sine: these give the same bits on every
platform, a C library's transcendental functions need not.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

BAND_MM = 500  # contract section 3
STREET_END_MM = 7_000  # paths start and end here: beyond the radar's 6 m, so it sees people come and go
ARRIVAL_SLOT_MS = 100  # one coin toss a slot is a Poisson process for all that matters: p stays below 0.05

PARTY_SIZES = ((1, 0.62), (2, 0.27), (3, 0.08), (4, 0.03))
MEAN_PARTY = sum(size * share for size, share in PARTY_SIZES)

# Free walking speed on pavements is about 1.35 m/s with a spread of 0.2 (Weidmann 1993).
WALK_MM_S, WALK_SPREAD_MM_S, WALK_MIN_MM_S, WALK_MAX_MM_S = 1350, 220, 600, 2200
BIKE_MIN_MM_S, BIKE_MAX_MM_S = 3000, 5000
CHILD_PACE = 0.9  # a child's share of an adult's speed

# Shares of parties.
BIKES, TURNERS, LOITERERS, WITH_DOG = 0.02, 0.015, 0.005, 0.015
# Shares of persons on foot; a child alone is rarer than a child in company.
CHILD_ALONE, CHILD_IN_COMPANY, PRAM = 0.06, 0.2, 0.02
STOP_MIN_MS, STOP_MAX_MS, STOP_REACH_MM = 5_000, 60_000, 2_500
TURN_MIN_MS, TURN_MAX_MS, TURN_REACH_MM = 300, 1_500, 1_500  # before, inside or beyond the band
STOP_SCATTER_MM = 150  # nobody stops on the very spot of his company

ABREAST_MM, ABREAST_SPREAD_MM = 650, 100  # shoulder to shoulder with a little air
STAGGER_MM, ROW_MM, BIKE_ROW_MM = 150, 900, 2_500  # along x: within a row, between rows, between bicycles
EDGE_MM = 150  # nobody's middle is nearer to the pavement's edge than this
DRIFT_MM = 75  # how far a path leans to each side between its ends
DOG_REACH_MM = 600  # a short leash


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


def _between(rng: Random, low: float, high: float) -> float:
    return low + (high - low) * rng.random()


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def share_ab(second_of_day: float) -> float:
    """Share of parties that walk `ab`: 65 % up to 8 o'clock, 35 % from 18 o'clock, straight in between (commuters)."""
    return 0.65 - 0.30 * _clamp((second_of_day / 3600 - 8) / 10, 0, 1)


def _party_size(rng: Random) -> int:
    left = rng.random()
    for size, share in PARTY_SIZES:
        left -= share
        if left < 0:
            return size
    return PARTY_SIZES[-1][0]


def _kind(rng: Random, size: int, place: int) -> str:
    toss = rng.random()
    if place > 0 or size == 1:
        child = CHILD_ALONE if size == 1 else CHILD_IN_COMPANY
        if toss < child:
            return "child"
    return "pram" if toss > 1 - PRAM else "adult"


@dataclass(frozen=True, slots=True)
class _Errand:
    """Where a party stops, if it does: `at_mm` is the way from the box in its own direction, negative before it."""

    pause_ms: int = 0
    at_mm: float = 0
    returns: bool = False


def _errand(rng: Random) -> _Errand:
    toss = rng.random()
    if toss < LOITERERS:
        return _Errand(round(_between(rng, STOP_MIN_MS, STOP_MAX_MS)), _between(rng, -STOP_REACH_MM, STOP_REACH_MM))
    if toss < LOITERERS + TURNERS:
        at_mm = _between(rng, -TURN_REACH_MM, TURN_REACH_MM)
        return _Errand(round(_between(rng, TURN_MIN_MS, TURN_MAX_MS)), at_mm, returns=True)
    return _Errand()


def _path(rng: Random, start_ms: int, sign: int, mm_per_s: float, errand: _Errand, y0: int, y1: int) -> Path:
    """From one end of the street to the other, or back to the first."""
    near, far = -sign * STREET_END_MM, sign * STREET_END_MM
    if not errand.pause_ms:
        return (start_ms, near, y0), (start_ms + round(2_000 * STREET_END_MM / mm_per_s), far, y1)
    at_mm = errand.at_mm + STOP_SCATTER_MM * bell(rng)
    there_mm = STREET_END_MM + at_mm
    on_mm = there_mm if errand.returns else STREET_END_MM - at_mm
    arrive_ms = start_ms + round(1_000 * there_mm / mm_per_s)
    leave_ms = arrive_ms + errand.pause_ms
    end_ms = leave_ms + round(1_000 * on_mm / mm_per_s)
    x, y = round(sign * at_mm), (y0 + y1) // 2
    return (start_ms, near, y0), (arrive_ms, x, y), (leave_ms, x, y), (end_ms, near if errand.returns else far, y1)


def _party(rng: Random, t_ms: int, sign: int, pavement: Pavement) -> list[tuple[str, Path]]:
    """Kinds and paths of one party's members, its dog last."""
    size = _party_size(rng)
    bikes = rng.random() < BIKES
    kinds = ["bike" if bikes else _kind(rng, size, place) for place in range(size)]
    if bikes:
        mm_per_s = _between(rng, BIKE_MIN_MM_S, BIKE_MAX_MM_S)
    else:
        pace = CHILD_PACE if "child" in kinds else 1.0  # the party keeps the child's pace
        mm_per_s = _clamp(pace * (WALK_MM_S + WALK_SPREAD_MM_S * bell(rng)), WALK_MIN_MM_S, WALK_MAX_MM_S)
    errand = _errand(rng)
    abreast = 1 if bikes else 3 if size == 3 and rng.random() < 0.5 else 2
    row_mm = BIKE_ROW_MM if bikes else ROW_MM
    low, high = pavement.near_mm + EDGE_MM, pavement.near_mm + pavement.width_mm - EDGE_MM
    y_first = _between(rng, low, max(low, high - ABREAST_MM * (min(size, abreast) - 1)))

    def member(kind: str, y: float, behind_mm: float) -> tuple[str, Path]:
        own_mm_per_s = mm_per_s * (1 + 0.01 * bell(rng))
        lean = DRIFT_MM * bell(rng)
        start_ms = t_ms + round(1_000 * behind_mm / mm_per_s)
        y0, y1 = round(_clamp(y - lean, low, high)), round(_clamp(y + lean, low, high))
        return kind, _path(rng, start_ms, sign, own_mm_per_s, errand, y0, y1)

    members = []
    for place, kind in enumerate(kinds):
        row, column = divmod(place, abreast)
        y = y_first + column * ABREAST_MM + ABREAST_SPREAD_MM * bell(rng)
        members.append(member(kind, y, row * row_mm + STAGGER_MM * (3 + bell(rng))))
    if not bikes and rng.random() < WITH_DOG:
        members.append(member("dog", y_first + _between(rng, -DOG_REACH_MM, DOG_REACH_MM), _between(rng, 0, ROW_MM)))
    return members


def walk_day(rng: Random, rates_per_hour: Sequence[float], start_s: int, duration_s: int, pavement: Pavement,
             ) -> list[Walker]:
    """Everybody who walks in `duration_s` from `start_s` after midnight, by arrival; 24 rates in people per hour."""
    if len(rates_per_hour) != 24 or min(rates_per_hour) < 0:
        raise ValueError(f"24 rates of at least 0 people per hour expected, got {list(rates_per_hour)}")
    end_ms = duration_s * 1000
    chance = [rate / MEAN_PARTY * ARRIVAL_SLOT_MS / 3_600_000 for rate in rates_per_hour]
    walkers: list[Walker] = []
    group = 0
    for slot_ms in range(0, end_ms, ARRIVAL_SLOT_MS):
        second = (start_s + slot_ms // 1000) % 86_400
        if rng.random() >= chance[second // 3600]:
            continue
        t_ms = slot_ms + int(ARRIVAL_SLOT_MS * rng.random())
        party = _party(rng, t_ms, 1 if rng.random() < share_ab(second) else -1, pavement)
        if max(path[-1][0] for _, path in party) >= end_ms:
            continue
        for kind, path in party:
            walkers.append(Walker(len(walkers), kind, group, path))
        group += 1
    return sorted(walkers, key=lambda walker: (walker.points[0][0], walker.person))


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
        for walker in walkers if walker.kind != "dog"
        for t_ms, direction in _transits(walker.points)
    ]
    return sorted(found, key=lambda crossing: (crossing.t_ms, crossing.person))
