"""What a walker is to a beam: upright elliptic cylinders that walk, from which every optical model takes its slice.

Theory of operation. A body is a handful of parts (head, shoulders, trunk, two forearms, a pram's hood), each an ellipse
in plan between two heights. A beam across the pavement meets the parts at its own height, a sensor over a door meets
their tops, so both see the same person. Forearms swing in antiphase, once in two steps, and hang when their owner
stands: that makes the gaps and early touches that a level beam meets at chest height. Sizes are drawn once per person,
from a generator seeded by the person and the street: the same person is the same body at every look.

Where a constant comes from stands beside it: [P] published body dimensions (DIN 33402-2 and its kin, clothed) and
gait, [S] statistics of the sample trace pavement300, [G] a guess. Honest limits: bodies do not turn with a slanting
path and do not bend; legs are left out, for no beam here is lower than a trunk; a pram has one shape, a bicycle no
frame (it ends below the beam).

A `Passing` keeps who is near, so that an empty street costs next to nothing. Only the four operations, square root and
`Random.random()` are used: the same seed gives the same bits everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from tools.street.walkers import Walker, bell, between

ADULT_MM, ADULT_SPREAD_MM = 1_720, 85  # [P] men and women together, shoes on
CHILD_MIN_MM, CHILD_MAX_MM = 900, 1_500  # [S] 0.95 to 1.32 m under the sensor over the door; [P] 3 to 11 years
RIDER_MM = 1_700  # [P] on the saddle, leaning, a rider is about as tall as on foot
DOG_MIN_MM, DOG_MAX_MM = 250, 700  # [P] back or head, up to a large dog
GIRTH_SPREAD = 0.08  # [P] clothes and people
SHOULDER, ELBOW, HAND, CROTCH = 0.84, 0.66, 0.44, 0.47  # [P] shares of height; [S] shoulders 0.27 m below the crown
HEAD_MM = 230  # [P] chin to crown, nearly the same in children
SWING_MIN_MM, SWING_MAX_MM = 60, 210  # [P] a forearm's reach fore and aft, less with hands in pockets
STRIDE_MIN_MS, STRIDE_MAX_MS = 950, 1_150  # [P] two steps at about 1.9 steps/s
ARMS_HANG_MM_MS = 0.4  # [G] who is slower shuffles, and his arms hang
TURN_MM = 1_000  # who goes less far sways and does not turn round
RUCKSACK = 0.15  # [G] share of people with a bag on the back
HOOD_MIN_MM, HOOD_MAX_MM = 900, 1_150  # [P] tops of prams


@dataclass(frozen=True, slots=True)
class Part:
    """An upright elliptic cylinder; `ahead_mm` along the walker's way and `aside_mm` across it place its middle."""

    ahead_mm: float
    aside_mm: float
    half_length_mm: float  # along the way
    half_width_mm: float
    bottom_mm: float
    top_mm: float
    swing_mm: float = 0.0  # how far it swings ahead and back; negative begins backwards
    hair: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    parts: tuple[Part, ...]
    clothes: float  # 0 the darkest to 1 the palest of all people, evenly spread
    hair: float  # likewise
    stride_ms: float
    stride_start: float  # share of a stride at time 0


Placed = tuple[float, float, Part, Body]  # x_mm, y_mm of the part's middle


def _on_foot(height_mm: float, girth: float, swing_mm: float) -> list[Part]:
    """Head, shoulders, trunk and swinging forearms."""
    size = girth * height_mm / ADULT_MM
    shoulder_mm, elbow_mm = SHOULDER * height_mm, ELBOW * height_mm
    arm_mm = 195 * size
    return [
        Part(0, 0, 98, 80, height_mm - HEAD_MM, height_mm, hair=True),
        Part(0, 0, 115 * size, 225 * size, elbow_mm, shoulder_mm),
        Part(0, 0, 140 * size, 165 * size, CROTCH * height_mm, elbow_mm),
        Part(0, arm_mm, 55 * size, 45 * size, HAND * height_mm, elbow_mm, swing_mm),
        Part(0, -arm_mm, 55 * size, 45 * size, HAND * height_mm, elbow_mm, -swing_mm),
    ]


def _adult(rng: Random) -> list[Part]:
    height_mm = ADULT_MM + ADULT_SPREAD_MM * bell(rng)
    girth = 1 + GIRTH_SPREAD * bell(rng)
    parts = _on_foot(height_mm, girth, between(rng, SWING_MIN_MM, SWING_MAX_MM))
    if rng.random() < RUCKSACK:
        parts.append(Part(-210, 0, 110, 150, 0.55 * height_mm, 0.82 * height_mm))
    return parts


def _child(rng: Random) -> list[Part]:
    height_mm = between(rng, CHILD_MIN_MM, CHILD_MAX_MM)
    return _on_foot(height_mm, 1 + GIRTH_SPREAD * bell(rng), between(rng, SWING_MIN_MM, SWING_MAX_MM))


def _pram(rng: Random) -> list[Part]:
    """Whoever pushes, forearms stretched to the handle, and the hood ahead of it."""
    pusher = _on_foot(ADULT_MM + ADULT_SPREAD_MM * bell(rng), 1 + GIRTH_SPREAD * bell(rng), 0)[:3]
    forearms = [Part(290, aside_mm, 180, 45, 920, 1_110) for aside_mm in (190, -190)]
    return [*pusher, *forearms, Part(700, 0, 290, 220, 400, between(rng, HOOD_MIN_MM, HOOD_MAX_MM))]


def _bike(rng: Random) -> list[Part]:
    """A rider: trunk over the saddle, head and shoulders leaning ahead, arms on the bars."""
    height_mm = RIDER_MM + ADULT_SPREAD_MM * bell(rng)
    shoulder_mm = height_mm - 280
    forearms = [Part(430, aside_mm, 150, 45, 950, shoulder_mm - 150) for aside_mm in (210, -210)]
    return [
        Part(250, 0, 110, 80, height_mm - HEAD_MM, height_mm, hair=True),
        Part(170, 0, 160, 215, 1_200, shoulder_mm),
        Part(0, 0, 190, 180, 850, 1_300),
        *forearms,
        Part(600, 0, 60, 280, 950, 1_080),
    ]


def _dog(rng: Random) -> list[Part]:
    top_mm = between(rng, DOG_MIN_MM, DOG_MAX_MM)
    return [Part(0, 0, 0.75 * top_mm, 0.2 * top_mm, 0.3 * top_mm, top_mm)]


_PARTS_OF_KIND = {"adult": _adult, "child": _child, "pram": _pram, "bike": _bike, "dog": _dog}


def body_of(walker: Walker, street: int) -> Body:
    """The person's body; `street` seeds a whole street, so that person 0 differs from street to street."""
    rng = Random(street * 1_000_003 + walker.person)
    parts = _PARTS_OF_KIND[walker.kind](rng)
    stride_ms = between(rng, STRIDE_MIN_MS, STRIDE_MAX_MS)
    return Body(tuple(parts), rng.random(), rng.random(), stride_ms, rng.random())


def swing(share: float) -> float:
    """A sine made of two parabolas: -1 to 1 over one period, `share` at least 0 in periods."""
    wave = 2 * (share - int(share)) - 1
    return 4 * wave * (1 - abs(wave))


def time_near(points: Sequence[tuple[int, int, int]], reach_mm: float) -> tuple[float, float] | None:
    """From the first moment with |x| below `reach_mm` to the last, in ms; None for who never comes so near."""
    moments: list[float] = []
    for (t0, x0, _), (t1, x1, _) in pairwise(points):
        if x0 == x1:
            shares = [0.0, 1.0] if abs(x0) < reach_mm else []
        else:
            ends = sorted(((side * reach_mm - x0) / (x1 - x0)) for side in (-1, 1))
            shares = [max(0.0, ends[0]), min(1.0, ends[1])]
            if shares[0] >= shares[1]:
                continue
        moments += [t0 + (t1 - t0) * share for share in shares]
    return (min(moments), max(moments)) if moments else None


def _headings(points: Sequence[tuple[int, int, int]]) -> list[int]:
    """Which way along x a walker faces, leg by leg: 1 or -1."""
    headings: list[int] = []
    for (_, x0, _), (_, x1, _) in pairwise(points):
        turns = abs(x1 - x0) >= TURN_MM or not headings
        headings.append((1 if x1 > x0 else -1) if turns else headings[-1])
    return headings


class _Figure:
    """A walker with a body and the stretch of time in which he is near."""

    __slots__ = ("_body", "_headings", "_leg", "_points", "end_ms", "start_ms")

    def __init__(self, walker: Walker, street: int, near: tuple[float, float]) -> None:
        self._points, self._leg, self._headings = walker.points, 1, _headings(walker.points)
        self._body = body_of(walker, street)
        self.start_ms, self.end_ms = near

    def place(self, t_ms: float) -> list[Placed]:
        """Where the parts are; `t_ms` is within the stretch and never falls."""
        points, body, leg = self._points, self._body, self._leg
        while t_ms > points[leg][0]:
            leg += 1
        self._leg = leg
        t0, x0, y0 = points[leg - 1]
        t1, x1, y1 = points[leg]
        share = (t_ms - t0) / (t1 - t0)
        x, y = x0 + (x1 - x0) * share, y0 + (y1 - y0) * share
        walks = abs(x1 - x0) >= ARMS_HANG_MM_MS * (t1 - t0)
        arms = swing(t_ms / body.stride_ms + body.stride_start) if walks else 0.0
        heading = self._headings[leg - 1]
        return [
            (x + heading * (part.ahead_mm + arms * part.swing_mm), y + heading * part.aside_mm, part, body) for part in body.parts
        ]


class Passing:
    """Who is near at a time that never falls."""

    def __init__(self, walkers: Sequence[Walker], street: int, reach_mm: float) -> None:
        stretches = ((walker, time_near(walker.points, reach_mm)) for walker in walkers)
        figures = [_Figure(walker, street, near) for walker, near in stretches if near]
        self._coming = sorted(figures, key=lambda figure: figure.start_ms, reverse=True)
        self._near: list[_Figure] = []
        self.next_ms = self._coming[-1].start_ms if figures else None  # when the next one comes

    def at(self, t_ms: float) -> list[Placed]:
        """The parts of everybody near at `t_ms`."""
        while self.next_ms is not None and self.next_ms <= t_ms:
            self._near.append(self._coming.pop())
            self.next_ms = self._coming[-1].start_ms if self._coming else None
        if not self._near:
            return []
        self._near = [figure for figure in self._near if figure.end_ms >= t_ms]
        return [placed for figure in self._near for placed in figure.place(t_ms)]
