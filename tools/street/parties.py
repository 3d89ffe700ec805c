"""Who comes down the street, and on what errand.

Theory of operation. People come in parties (most alone, some two to four) that arrive as a Poisson process whose rate
follows the hour; rates count people, so they are divided by the mean party size. A party shares direction, speed and
errand: nearly all walk through, a few turn round before, inside or beyond the band, a few stop at the line, sway a
little and go on or back. It walks abreast, in file or staggered. Then everybody makes way for whom he overtakes or
meets (`evasion.py`); at a door, which is too narrow for that, people wait for each other.

The street opens and closes empty: everybody enters at t >= 0 and whoever could not be gone by the end does not set
out, so that no passage is true which the sensor had no chance to see.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from tools.street.evasion import evaded, in_turn
from tools.street.walkers import STREET_END_MM, Path, Pavement, Walker, bell, between, clamp

ARRIVAL_SLOT_MS = 100  # one coin toss a slot is a Poisson process for all that matters: p stays below 0.05

# Free walking speed on pavements is about 1.35 m/s with a spread of 0.2 (Weidmann 1993).
WALK_MM_S, WALK_SPREAD_MM_S, WALK_MIN_MM_S, WALK_MAX_MM_S = 1350, 220, 600, 2200
BIKE_MIN_MM_S, BIKE_MAX_MM_S = 3000, 5000
DOG_MIN_MM_S, DOG_MAX_MM_S = 600, 2500  # one that strays
PACE = {"child": 0.9, "pram": 0.92}  # of an adult's speed; a party keeps the pace of its slowest

# A child alone is rarer than a child in company.
CHILD_ALONE, CHILD_IN_COMPANY = 0.06, 0.2  # of persons on foot
STOP_MIN_MS, STOP_MAX_MS, STOP_REACH_MM = 5_000, 60_000, 900  # at the line: in the band or just beside it
SWAY_MIN_MS, SWAY_MAX_MS, SWAY_MM = 1_500, 4_000, 80  # nobody stands like a post
RETURNING = 0.3  # share of those who stopped
TURN_MIN_MS, TURN_MAX_MS, TURN_REACH_MM = 300, 1_500, 1_500  # before, inside or beyond the band
STOP_SCATTER_MM = 150  # nobody stops on the very spot of his company

ABREAST_MM, ABREAST_SPREAD_MM = 650, 100  # shoulder to shoulder with a little air
STAGGER_MM, ROW_MM, BIKE_ROW_MM = 150, 900, 2_500  # along x: within a row, between rows, between bicycles
EDGE_MM = 150  # nobody's middle is nearer to the pavement's edge than this
DRIFT_MM = 75  # how far a path leans to each side between its ends
DOG_REACH_MM = 600  # a short leash

T = TypeVar("T")


@dataclass(frozen=True)
class Mix:
    """Who comes: shares of parties, but of persons on foot where it says so. `formations` are those of whoever walks in
    company, `pace` multiplies everybody's speed."""

    sizes: tuple[tuple[int, float], ...] = ((1, 0.62), (2, 0.27), (3, 0.08), (4, 0.03))
    bikes: float = 0.02
    turners: float = 0.015
    loiterers: float = 0.005
    with_dog: float = 0.015
    prams: float = 0.02  # of persons on foot
    formations: tuple[tuple[str, float], ...] = (("abreast", 0.65), ("staggered", 0.2), ("file", 0.15))
    pace: float = 1.0

    @property
    def mean_size(self) -> float:
        return sum(size * share for size, share in self.sizes)


STREET = Mix()


def share_ab(second_of_day: float) -> float:
    """Share of parties that walk `ab`: 65 % up to 8 o'clock, 35 % from 18 o'clock, straight in between (commuters)."""
    return 0.65 - 0.30 * clamp((second_of_day / 3600 - 8) / 10, 0, 1)


def _drawn(rng: Random, shares: Sequence[tuple[T, float]]) -> T:
    left = rng.random()
    for what, share in shares:
        left -= share
        if left < 0:
            return what
    return shares[-1][0]


def _kind(rng: Random, mix: Mix, size: int, place: int) -> str:
    toss = rng.random()
    if place > 0 or size == 1:
        child = CHILD_ALONE if size == 1 else CHILD_IN_COMPANY
        if toss < child:
            return "child"
    return "pram" if toss > 1 - mix.prams else "adult"


@dataclass(frozen=True, slots=True)
class _Errand:
    """Where a party stops, if it does: `at_mm` is the way from the box in its own direction, negative before it."""

    pause_ms: int = 0
    at_mm: float = 0
    returns: bool = False
    sways: bool = False


def _errand(rng: Random, mix: Mix) -> _Errand:
    toss = rng.random()
    if toss < mix.loiterers:
        pause_ms = round(between(rng, STOP_MIN_MS, STOP_MAX_MS))
        return _Errand(pause_ms, between(rng, -STOP_REACH_MM, STOP_REACH_MM), rng.random() < RETURNING, sways=True)
    if toss < mix.loiterers + mix.turners:
        at_mm = between(rng, -TURN_REACH_MM, TURN_REACH_MM)
        return _Errand(round(between(rng, TURN_MIN_MS, TURN_MAX_MS)), at_mm, returns=True)
    return _Errand()


def _sway(rng: Random, arrive_ms: int, leave_ms: int, x: int, y: int, low: float, high: float) -> Iterator[tuple[int, int, int]]:
    """Small steps of somebody who stands, between coming and leaving."""
    t_ms = arrive_ms + round(between(rng, SWAY_MIN_MS, SWAY_MAX_MS))
    while t_ms < leave_ms - SWAY_MIN_MS:
        yield t_ms, round(x + SWAY_MM * bell(rng)), round(clamp(y + SWAY_MM * bell(rng), low, high))
        t_ms += round(between(rng, SWAY_MIN_MS, SWAY_MAX_MS))


class _Course:
    """What a party's members share: where it may walk, when, which way, how fast and why."""

    def __init__(self, rng: Random, t_ms: int, sign: int, mm_per_s: float, errand: _Errand, pavement: Pavement) -> None:
        self._rng, self._t_ms, self._sign, self._mm_per_s, self._errand = rng, t_ms, sign, mm_per_s, errand
        self.low, self.high = pavement.near_mm + EDGE_MM, pavement.far_mm - EDGE_MM

    def path(self, y: float, behind_mm: float) -> Path:
        """Of a member who walks at `y`, `behind_mm` after the party's head: from one end of the street to the other, or
        back to the first."""
        rng, sign, errand = self._rng, self._sign, self._errand
        mm_per_s = self._mm_per_s * (1 + 0.01 * bell(rng))
        lean = DRIFT_MM * bell(rng)
        start_ms = self._t_ms + round(1_000 * behind_mm / self._mm_per_s)
        y0, y1 = round(clamp(y - lean, self.low, self.high)), round(clamp(y + lean, self.low, self.high))
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
        stay = _sway(rng, arrive_ms, leave_ms, x, y, self.low, self.high) if errand.sways else ()
        return (start_ms, near, y0), (arrive_ms, x, y), *stay, (leave_ms, x, y), (end_ms, near if errand.returns else far, y1)


def _speed(rng: Random, mix: Mix, kinds: Sequence[str]) -> float:
    if kinds[0] == "bike":
        return mix.pace * between(rng, BIKE_MIN_MM_S, BIKE_MAX_MM_S)
    slowest = min(PACE.get(kind, 1.0) for kind in kinds)
    return mix.pace * clamp(slowest * (WALK_MM_S + WALK_SPREAD_MM_S * bell(rng)), WALK_MIN_MM_S, WALK_MAX_MM_S)


def _places(rng: Random, mix: Mix, size: int, row_mm: float) -> list[tuple[int, float]]:
    """For each member of a party: its column, and how far it walks behind the party's head."""
    formation = _drawn(rng, mix.formations) if size > 1 and row_mm == ROW_MM else "file"
    abreast = 1 if formation == "file" else 3 if size == 3 and rng.random() < 0.5 else 2
    lag_mm = row_mm / 2 if formation == "staggered" else 0
    return [(place % abreast, place // abreast * row_mm + place % abreast * lag_mm) for place in range(size)]


def _party(rng: Random, t_ms: int, sign: int, pavement: Pavement, mix: Mix) -> list[tuple[str, Path]]:
    """Kinds and paths of one party's members, its dog last."""
    size = _drawn(rng, mix.sizes)
    bikes = rng.random() < mix.bikes
    kinds = ["bike" if bikes else _kind(rng, mix, size, place) for place in range(size)]
    course = _Course(rng, t_ms, sign, _speed(rng, mix, kinds), _errand(rng, mix), pavement)
    places = _places(rng, mix, size, BIKE_ROW_MM if bikes else ROW_MM)
    columns = max(column for column, _ in places)
    y_first = between(rng, course.low, max(course.low, course.high - ABREAST_MM * columns))
    members = []
    for kind, (column, behind_mm) in zip(kinds, places, strict=True):
        y = y_first + column * ABREAST_MM + ABREAST_SPREAD_MM * bell(rng)
        members.append((kind, course.path(y, behind_mm + STAGGER_MM * (3 + bell(rng)))))
    if not bikes and rng.random() < mix.with_dog:
        y = y_first + between(rng, -DOG_REACH_MM, DOG_REACH_MM)
        members.append(("dog", course.path(y, between(rng, 0, ROW_MM))))
    return members


def _arrivals(rng: Random, per_hour: Sequence[float], start_s: int, duration_s: int) -> Iterator[tuple[int, int]]:
    """(t_ms, direction) of a Poisson process that follows 24 hourly rates; the direction is 1 for ab, else -1."""
    chance = [rate * ARRIVAL_SLOT_MS / 3_600_000 for rate in per_hour]
    for slot_ms in range(0, duration_s * 1000, ARRIVAL_SLOT_MS):
        second = (start_s + slot_ms // 1000) % 86_400
        if rng.random() < chance[second // 3600]:
            t_ms = slot_ms + int(ARRIVAL_SLOT_MS * rng.random())
            yield t_ms, 1 if rng.random() < share_ab(second) else -1


def _numbered(parties: Sequence[list[tuple[str, Path]]], duration_s: int, first: int = 0) -> list[Walker]:
    """Everybody with a number, by arrival, without parties that could not be gone by the end."""
    walkers: list[Walker] = []
    on_time = [party for party in parties if max(path[-1][0] for _, path in party) < duration_s * 1000]
    for group, party in enumerate(on_time, first):
        walkers += [Walker(first + len(walkers) + i, kind, group, path) for i, (kind, path) in enumerate(party)]
    return sorted(walkers, key=lambda walker: (walker.points[0][0], walker.person))


def walk_day(
    rng: Random, rates_per_hour: Sequence[float], start_s: int, duration_s: int, pavement: Pavement, mix: Mix = STREET
) -> list[Walker]:
    """Everybody who walks in `duration_s` from `start_s` after midnight, by arrival; 24 rates in people per hour."""
    if len(rates_per_hour) != 24 or min(rates_per_hour) < 0:
        raise ValueError(f"24 rates of at least 0 people per hour expected, got {list(rates_per_hour)}")
    parties_per_hour = [rate / mix.mean_size for rate in rates_per_hour]
    arrivals = _arrivals(rng, parties_per_hour, start_s, duration_s)
    parties = [_party(rng, t_ms, sign, pavement, mix) for t_ms, sign in arrivals]
    return evaded(_numbered(parties, duration_s), pavement.near_mm + EDGE_MM, pavement.far_mm - EDGE_MM)


def through_door(rng: Random, per_hour: float, duration_s: int, door: Pavement, mix: Mix) -> list[Walker]:
    """Everybody who goes through a door, one after the other; half of them `ab`."""
    arrivals = _arrivals(rng, [per_hour / mix.mean_size] * 24, 13 * 3600, duration_s)
    parties = [_party(rng, t_ms, sign, door, mix) for t_ms, sign in arrivals]
    waiting = in_turn(rng, _numbered(parties, duration_s))
    return [walker for walker in waiting if walker.points[-1][0] < duration_s * 1000]


def strays(rng: Random, per_hour: float, duration_s: int, pavement: Pavement, first: int = 0) -> list[Walker]:
    """Dogs without anybody, numbered from `first` on."""
    parties = []
    for t_ms, sign in _arrivals(rng, [per_hour] * 24, 0, duration_s):
        course = _Course(rng, t_ms, sign, between(rng, DOG_MIN_MM_S, DOG_MAX_MM_S), _errand(rng, STREET), pavement)
        parties.append([("dog", course.path(between(rng, course.low, course.high), 0))])
    return _numbered(parties, duration_s, first)
