"""What a VL53L1X over a door reports of the walkers: two zones in turn, imperfections included.

Theory of operation. The sensor looks straight down from above (0, y). Its 16x16 SPADs are read as two zones of 8x16:
zone 0 sees the side of negative x, zone 1 that of positive x, each 13.5 degrees along x and 27 along y; the lens blurs
them into each other a little. A measurement looks along a grid of rays. Each meets the highest body part it can, else
the floor; what comes back is weighted by reflectance over distance squared. Surfaces that lie within one pulse of
each other read as one; of what is left the module names the nearest that is strong enough: a head, or the shoulders
where the hair is dark. Too little light, or too much sun, gives a status other than 0 and a range that means nothing.
A door leaf that stands under the sensor is all it sees in that zone.

Where a constant comes from stands beside it: [F] facts about the part, [S] statistics of the sample trace pavement300
(noise, statuses, heights; never a detector's result), [P] physics, [G] a guess. Honest limits: rays meet tops, not
sides; a measurement is one moment in the middle of its time; the leaf does not know who walks through the door.

Only the four operations, square root and `Random.random()` are used, so that a seed gives the same samples everywhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from tools.street.bodies import Body, Part, Passing, Placed
from tools.street.walkers import Walker, bell

REACH_MM = 2_000  # a dog at the zones' rim, a pram's hood ahead of its pusher

# Tangents of the rays' angles. Along x for zone 1: -1.2 1.5 5 8.5 12 14.5 deg; [F] 13.5 deg, [G] blur of 1 deg.
RAYS_X = ((-0.0209, 0.4), (0.0262, 1.0), (0.0875, 1.0), (0.1495, 1.0), (0.2126, 1.0), (0.2586, 0.4))
RAYS_Y = (-0.1989, -0.1184, -0.0393, 0.0393, 0.1184, 0.1989)  # [F] +-13.5 deg
LIGHT_OF_WHITE = len(RAYS_Y) * sum(weight for _, weight in RAYS_X)  # all rays, reflectance 1, at 1 m

HAIR_DARK, HAIR_PALE = 0.04, 0.5  # [P] reflectance at 940 nm
CLOTHES_DARK, CLOTHES_PALE = 0.06, 0.7  # [P] most cloth is pale in the near infrared
FIRST_SHARE = 0.1  # [G] of all light, what the nearest surface needs to be named
WHITE, WHITE_REACH_MM = 0.88, 4_000  # [F] a white target in the dark
REACH_LOST_IN_SUN_MM = 3_000  # [F] 0.7 to 1.3 m are left in strong light
ENOUGH_LIGHT, NO_LIGHT = 1.0, 0.5  # [G] from sure to no range, in units of what the reach above needs

FAILED = 0.0055  # [S] share of samples with a status other than 0 for no reason
STATUSES = ((4, 0.32), (2, 0.29), (1, 0.2), (7, 0.19))  # [S] out of bounds, signal, sigma, wrap-around
RANDOM_WHEN_FAILED = 0.5  # [S] share of failed samples whose range is anything
ANY_MIN_MM, ANY_MAX_MM = 500, 3_600  # [S]
NOISE_NEAR = 0.5  # [S] 8 mm at a head, 12 mm at the floor: share of the noise that does not depend on distance
NOISE_AT_MM = 2_500
LEAF_TOP_MM = 2_000  # [P] doors are about two metres high
LEAF_MIN_MS, LEAF_MAX_MS = 1_000, 8_000  # [G]


@dataclass(frozen=True, slots=True)
class TofSetup:
    """One door; the defaults are the sample's: 2.5 m over the middle of a pavement, no sun, no leaf."""

    height_mm: int = 2_500
    y_mm: int = 2_100
    sample_ms: float = 59.0  # [S] from sample to sample; zones alternate
    noise_mm: float = 12.0  # [S] at the floor
    floor: float = 0.55  # reflectance
    blend_mm: float = 150.0  # [S] heads and shoulders, 270 mm apart, are told apart; [P] 600 would be one pulse
    sun: float = 0.0  # 0 shade to 1 strong light
    leaves_per_hour: float = 0.0

    @classmethod
    def drawn(cls, rng: Random, y_mm: int = 2_100) -> "TofSetup":
        """A door at random."""
        return cls(
            round(2_300 + 300 * rng.random()),
            y_mm,
            sample_ms=30 + 30 * rng.random(),
            noise_mm=8 + 20 * rng.random(),
            floor=0.5 + 0.3 * rng.random(),
            blend_mm=100 + 200 * rng.random(),
            sun=0.4 * rng.random() if rng.random() < 0.3 else 0.0,
            leaves_per_hour=30 * rng.random() if rng.random() < 0.3 else 0.0,
        )


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A door leaf under the sensor."""

    from_ms: int
    until_ms: int
    mm: float
    zones: tuple[int, ...]


def _leaves(rng: Random, setup: TofSetup, duration_ms: int) -> list[_Leaf]:
    leaves = []
    for second_ms in range(0, duration_ms, 1_000):
        if rng.random() < setup.leaves_per_hour / 3_600:
            until_ms = second_ms + LEAF_MIN_MS + round((LEAF_MAX_MS - LEAF_MIN_MS) * rng.random())
            mm = setup.height_mm - LEAF_TOP_MM + 60 * (2 * rng.random() - 1)
            leaves.append(_Leaf(second_ms, until_ms, mm, ((0,), (1,), (0, 1))[int(3 * rng.random())]))
    return leaves


def _reflectance(part: Part, body: Body) -> float:
    if part.hair:
        return HAIR_DARK + (HAIR_PALE - HAIR_DARK) * body.hair
    return CLOTHES_DARK + (CLOTHES_PALE - CLOTHES_DARK) * body.clothes


def _light(setup: TofSetup, zone: int, parts: Sequence[Placed]) -> list[tuple[float, float]]:
    """Depth in mm below the sensor and the light that comes back from there, nearest first."""
    side = 1 if zone else -1
    tops = []
    for x, y, part, body in sorted(parts, key=lambda placed: -placed[2].top_mm):
        depth = max(50.0, setup.height_mm - part.top_mm)
        tops.append((depth, x, y - setup.y_mm, part.half_length_mm, part.half_width_mm, _reflectance(part, body)))
    light: dict[float, float] = {}
    for outwards, weight in RAYS_X:
        slope_x = side * outwards
        for slope_y in RAYS_Y:
            met, reflectance = float(setup.height_mm), setup.floor
            for depth, x, y, half_length, half_width, shine in tops:
                along, across = (slope_x * depth - x) / half_length, (slope_y * depth - y) / half_width
                if along * along + across * across < 1:
                    met, reflectance = depth, shine
                    break
            light[met] = light.get(met, 0.0) + weight * reflectance * 1e6 / (met * met)
    return sorted(light.items())


def _named(light: Sequence[tuple[float, float]], blend_mm: float) -> tuple[float, float]:
    """Depth of the nearest surface that is strong enough, and the light of all."""
    everything = sum(part for _, part in light)
    for nearest, _ in light:
        pulse = [(depth, part) for depth, part in light if nearest <= depth <= nearest + blend_mm]
        together = sum(part for _, part in pulse)
        if together >= FIRST_SHARE * everything:
            return sum(depth * part for depth, part in pulse) / together, everything
    raise ValueError("no surface holds its share of the light: FIRST_SHARE is too high")


def _fails(setup: TofSetup, light: float) -> float:
    """How likely a measurement with so much light has a status other than 0."""
    reach_m = (WHITE_REACH_MM - REACH_LOST_IN_SUN_MM * setup.sun) / 1_000
    margin = light / (LIGHT_OF_WHITE * WHITE / (reach_m * reach_m))
    return FAILED + min(1.0, max(0.0, (ENOUGH_LIGHT - margin) / (ENOUGH_LIGHT - NO_LIGHT)))


def _status(rng: Random) -> int:
    left = rng.random()
    for status, share in STATUSES:
        left -= share
        if left < 0:
            return status
    return STATUSES[0][0]


def samples(
    rng: Random,
    walkers: Sequence[Walker],
    duration_ms: int,
    setup: TofSetup,
) -> Iterator[tuple[int, int, int, int]]:
    """Every sample below `duration_ms`: (t_ms, zone, mm, status), zones in turn, `mm` true where the status is 0."""
    passing = Passing(walkers, int(rng.random() * 2**32), REACH_MM)
    leaves = _leaves(rng, setup, duration_ms)
    floor = _named(_light(setup, 0, []), setup.blend_mm)
    t_ms, zone = setup.sample_ms * rng.random(), 0
    while t_ms < duration_ms:
        at_ms = t_ms - setup.sample_ms / 2  # [P] light is gathered before the answer
        parts = passing.at(at_ms)
        mm, light = _named(_light(setup, zone, parts), setup.blend_mm) if parts else floor
        while leaves and leaves[0].until_ms <= at_ms:
            leaves.pop(0)
        if leaves and leaves[0].from_ms <= at_ms and zone in leaves[0].zones:
            mm, light = min(mm, leaves[0].mm), LIGHT_OF_WHITE
        status = _status(rng) if rng.random() < _fails(setup, light) else 0
        if status and rng.random() < RANDOM_WHEN_FAILED:
            mm = ANY_MIN_MM + (ANY_MAX_MM - ANY_MIN_MM) * rng.random()
        noise_mm = setup.noise_mm * (NOISE_NEAR + (1 - NOISE_NEAR) * mm / NOISE_AT_MM)
        yield int(t_ms), zone, max(0, round(mm + noise_mm * bell(rng))), status
        t_ms, zone = t_ms + setup.sample_ms, 1 - zone
