"""How people get past each other.

Theory of operation. On a pavement whoever would come within a body's width of somebody else, overtaking or meeting, makes
way: both step half of what is missing to the side, around the moment at which they are at the same x, and back again.
Moments and gaps are those of the paths as they were before anybody made way; x is never touched, so neither is the truth.
Company keeps together and a dog runs where it likes. In a door there is no room for that: people take turns (`in_turn`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random

from tools.street.walkers import Path, Walker, between, clamp

ROOM_MM = 600  # between the middles of two who pass each other: shoulders, and arms that swing
EVADE_MS = 1_500  # so long before, stepping aside begins; so long after, it ends
LEAST_LEG_MS = 100  # a shorter leg between whole millimetres would be no straight line
DOOR_MM = 600  # who is nearer to the line than this is in the door
HEADWAY_MIN_MS, HEADWAY_MAX_MS = 500, 1_500  # between two who go through it the same way
STANDS_MS = 3_000  # who takes longer blocks the door

Evasion = tuple[int, float]  # when it is greatest, and by how many mm of y


def evaded(walkers: Sequence[Walker], low_mm: float, high_mm: float) -> list[Walker]:
    """The same people, sorted by arrival as they came, their paths bent in y but never beyond `low_mm` and `high_mm`."""
    evasions: dict[int, list[Evasion]] = {walker.person: [] for walker in walkers}
    about: list[Walker] = []
    for walker in walkers:
        about = [other for other in about if other.points[-1][0] > walker.points[0][0]]
        for other in about:
            if other.group != walker.group and "dog" not in (other.kind, walker.kind):
                for t_ms, y_other, y_own in _meetings(other.points, walker.points):
                    by_other, by_own = _steps(y_other, y_own, low_mm, high_mm)
                    evasions[other.person].append((t_ms, by_other))
                    evasions[walker.person].append((t_ms, by_own))
        about.append(walker)
    return [_bent(walker, evasions[walker.person], low_mm, high_mm) for walker in walkers]


def _meetings(a: Path, b: Path) -> Iterator[tuple[int, float, float]]:
    """Every moment at which both are at the same x and too near, with the y of each."""
    walker_a, walker_b = Walker(0, "", 0, a), Walker(1, "", 1, b)
    first, last = max(a[0][0], b[0][0]), min(a[-1][0], b[-1][0])
    times = sorted({first, last, *(t_ms for t_ms, _, _ in (*a, *b) if first < t_ms < last)})
    before = None
    for t_ms in times:
        place_a, place_b = walker_a.at(t_ms), walker_b.at(t_ms)
        assert place_a and place_b  # both are there from first to last
        apart = place_b[0] - place_a[0]
        if before is not None and (before[1] < 0) != (apart < 0):
            met_ms = round(before[0] + (t_ms - before[0]) * before[1] / (before[1] - apart))
            met_a, met_b = walker_a.at(met_ms), walker_b.at(met_ms)
            assert met_a and met_b
            if abs(met_b[1] - met_a[1]) < ROOM_MM:
                yield met_ms, met_a[1], met_b[1]
        before = t_ms, apart


def _steps(y_a: float, y_b: float, low_mm: float, high_mm: float) -> tuple[float, float]:
    """How far each steps aside: half of what is missing, or more where the other has no room."""
    if y_b < y_a:
        by_b, by_a = _steps(y_b, y_a, low_mm, high_mm)
        return by_a, by_b
    missing = ROOM_MM - (y_b - y_a)
    room_a, room_b = max(0.0, y_a - low_mm), max(0.0, high_mm - y_b)
    by_a = min(room_a, max(missing / 2, missing - room_b))
    return -by_a, min(room_b, missing - by_a)


def _bent(walker: Walker, evasions: Sequence[Evasion], low_mm: float, high_mm: float) -> Walker:
    if not evasions:
        return walker
    times = [t_ms for t_ms, _, _ in walker.points]
    first, last = times[0], times[-1]
    for at_ms, _ in evasions:
        for t_ms in (at_ms, at_ms - EVADE_MS, at_ms + EVADE_MS):
            if first < t_ms < last and min(abs(t_ms - knot) for knot in times) >= LEAST_LEG_MS:
                times.append(t_ms)
    points = []
    for t_ms in sorted(times):
        place = walker.at(t_ms)
        assert place  # no knot lies outside the path
        by = sum(most * max(0.0, 1 - abs(t_ms - at_ms) / EVADE_MS) for at_ms, most in evasions)
        points.append((t_ms, round(place[0]), round(clamp(place[1] + by, low_mm, high_mm))))
    return replace(walker, points=tuple(points))


def in_turn(rng: Random, walkers: Sequence[Walker]) -> list[Walker]:
    """The same people, later where they have to wait: nobody meets anybody in the door, those who go the same way keep a
    step between them, and nobody passes one who stands or turns back in it."""
    stays = sorted(((*_in_door(walker.points), walker) for walker in walkers), key=lambda stay: (stay[0], stay[3].person))
    waited = []
    entered = free_ms = last = 0
    for enter_ms, leave_ms, heading, walker in stays:
        earliest = entered + round(between(rng, HEADWAY_MIN_MS, HEADWAY_MAX_MS)) if heading and heading == last else free_ms
        later = max(0, earliest - enter_ms)
        waited.append(replace(walker, points=tuple((t_ms + later, x, y) for t_ms, x, y in walker.points)))
        entered, free_ms, last = enter_ms + later, max(free_ms, leave_ms + later), heading
    return sorted(waited, key=lambda walker: (walker.points[0][0], walker.person))


def _in_door(points: Path) -> tuple[int, int, int]:
    """When it comes into the door and leaves it, and which way it goes through: 0 who does not walk straight through."""
    times = []
    for (t0, x0, _), (t1, x1, _) in pairwise(points):
        for edge in (-DOOR_MM, DOOR_MM):
            if (x0 < edge) != (x1 < edge):
                times.append(round(t0 + (t1 - t0) * (edge - x0) / (x1 - x0)))
    if len(times) < 2:  # came no nearer: whoever waits outside is in nobody's way
        nearest = min(points, key=lambda point: abs(point[1]))[0]
        return nearest, nearest, 0
    enter_ms, leave_ms = min(times), max(times)
    walks = points[0][1] * points[-1][1] < 0 and leave_ms - enter_ms < STANDS_MS
    return enter_ms, leave_ms, (1 if points[0][1] < 0 else -1) if walks else 0
