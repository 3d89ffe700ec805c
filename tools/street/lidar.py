"""What two TF-Lunas at x = -separation/2 and +separation/2 report of the walkers: their bytes, imperfections included.

Theory of operation. Both beams look level across the pavement (along +y). A beam is a cone of 2 degrees, here five
spokes: each meets the nearest body first, a body whose edge fills only part of the cone's height lets the rest through
to the next or to the backdrop, and the module reports one range, the mean of all it meets weighted by the light that
comes back. So an edge reads between near and far, a dark coat hardly weighs, and whoever walks behind somebody is not
there at all. The backdrop is a wall, or an open street with nothing; a van may park before it and cars may pass. Below
an amplitude of 100 a reading means little: the module then gives 0 or a rough range. Each module runs on a clock of
its own, so the phase between the streams wanders.

Where a constant comes from stands beside it: [F] facts about the part, [S] statistics of the sample trace pavement300
(ranges, amplitudes, durations; never a detector's result), [P] physics, [G] a guess. Honest limits: a reading is taken
at one moment, not averaged over the frame; one amplitude stands for a whole body; vans and cars are flat; nobody
touches the box, and the 0.2 m of blindness before it are not modelled.

Only the four operations, square root and `Random.random()` are used, so that a seed gives the same bytes everywhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from random import Random

from tools.street.bodies import Passing, Placed
from tools.street.walkers import Walker, bell

REACH_MM = 1_500  # nobody farther along the pavement touches a beam: a pram's hood is 1.1 m ahead of its pusher
SPOKES = tuple(0.01746 * share for share in (-0.8, -0.4, 0.0, 0.4, 0.8))  # [F] a cone of 2 deg: tangent of 1 deg
SPOT = 0.01746  # half the cone's height per distance

# Amplitude at 1 m; it falls with the square of the distance [P].
WALL, VAN = 13_700, 15_000  # [S] 469 at 5.4 m; a van's side [G]
PALE_MIN, PALE_MAX = 10_000, 16_000  # [S] bodies in ordinary clothes
DARK_MIN, DARK_MAX = 400, 1_000  # [F] 10 % black is lost beyond 2.5 m: here from 2.0 to 3.2 m; [S] 1,250 at most
FLICKER = 0.33  # [S] amplitude varies by a third to both sides
AMPLITUDE_MAX = 40_000  # [S] where the strongest echoes are clipped
AMPLITUDE_WEAK = 100  # [F] below it a range is unreliable
ZERO_WHEN_WEAK = 0.5  # [S] share of weak readings that give distance 0
ROUGH = 3  # [G] the others' noise
WEAK_IN_SUN = 0.05  # [G] more of them in full sun

NOISE_MM, NOISE_MM_PER_M2 = 4.0, 0.6  # [F] 5 mm at 2 m, 10 mm at 4 m; [S] 21 mm at 5.4 m
NOISE_IN_SUN = 2.0  # [G] full sun triples the noise
OFFSET_MM = 20  # [S] the two modules differ by 2 cm
CLOCK_SPREAD = 0.003  # [G] an RC oscillator's rate differs from the next one's by some per mille
RAIN_MIN_MM, RAIN_MAX_MM = 200, 1_200  # [G] a drop is seen where it fills enough of the beam
RAIN_MIN, RAIN_MAX = 100, 1_500  # [G] its amplitude
CAR_MIN_MM_S, CAR_MAX_MM_S, CAR_LENGTH_MM = 6_000, 14_000, 4_500  # [P]
CAR_BEHIND_MM, CAR_SPREAD_MM = 1_000, 2_500  # [G] beyond the pavement's far edge: a lane

TEMPERATURE = (24 + 256) * 8  # [S] raw


@dataclass(frozen=True, slots=True)
class Van:
    """Parks between pavement and wall."""

    from_ms: int
    until_ms: int
    mm: int


@dataclass(frozen=True, slots=True)
class LidarSetup:
    """One site; the defaults are the sample's in dry shade, at a frame rate that suits a node."""

    hz: float = 50.0  # [F] 500/n; [S] 33
    height_mm: int = 1_000
    separation_mm: int = 300
    far_mm: int = 3_600  # the pavement's far edge
    wall_mm: int = 5_400  # [S]; 0 is an open street
    dark_share: float = 0.15  # [S] about a tenth of those seen, and the far ones are not seen
    sun: float = 0.0  # 0 shade to 1 full sun on the wall
    rain_per_minute: float = 0.0  # drops that a beam sees
    cars_per_minute: float = 0.0
    noise: float = 1.0  # of the noise above: units differ
    weak_share: float = 0.014  # [S] readings that are weak for no reason, 5 to 99 in amplitude
    van: Van | None = None

    @classmethod
    def drawn(cls, rng: Random, far_mm: int = 3_600) -> "LidarSetup":
        """A site at random, its frame rate among those that are used."""
        hz = (500 / 15, 50.0, 100.0)[int(3 * rng.random())]
        height_mm = round(950 + 100 * rng.random())
        wall_mm = round(far_mm + 200 + 2_300 * rng.random()) if rng.random() < 0.75 else 0
        van = None
        if rng.random() < 0.3 and (not wall_mm or wall_mm > far_mm + 600):
            from_ms = round(60_000 + 240_000 * rng.random())
            van = Van(from_ms, from_ms + round(60_000 + 600_000 * rng.random()), round(far_mm + 150 + 350 * rng.random()))
        return cls(
            hz,
            height_mm,
            300,
            far_mm,
            wall_mm,
            dark_share=0.05 + 0.3 * rng.random(),
            sun=rng.random() if rng.random() < 0.4 else 0.0,
            rain_per_minute=20 * rng.random() if rng.random() < 0.2 else 0.0,
            cars_per_minute=6 * rng.random() if not wall_mm else 0.0,
            noise=0.7 + 0.8 * rng.random(),
            weak_share=0.02 * rng.random(),
            van=van,
        )


def encode_frame(mm: float, amplitude: float) -> bytes:
    """The 9 bytes of one reading: whole centimetres, amplitude clipped to 16 bits, checksum."""
    cm, strength = int(mm / 10 + 0.5), min(int(amplitude), 0xFFFF)
    eight = (0x59, 0x59, cm & 255, cm >> 8, strength & 255, strength >> 8, TEMPERATURE & 255, TEMPERATURE >> 8)
    return bytes((*eight, sum(eight) & 255))


class _Backdrop:
    """What one beam sees when nobody is there: the nearest of wall, parked van and passing cars."""

    def __init__(self, setup: LidarSetup, cars: Sequence[tuple[float, float, float]], beam_mm: float) -> None:
        self._wall = (setup.wall_mm, WALL) if setup.wall_mm else None
        spans = []  # from_ms, until_ms, range, amplitude at 1 m
        for start_ms, speed_mm_ms, mm in cars:
            at_ms = start_ms + beam_mm / speed_mm_ms
            spans.append((at_ms, at_ms + CAR_LENGTH_MM / abs(speed_mm_ms), mm, VAN))
        if setup.van:
            spans.append((setup.van.from_ms, setup.van.until_ms, setup.van.mm, VAN))
        self._coming = sorted(spans, reverse=True)
        self._there: list[tuple[float, float, float, float]] = []

    def at(self, t_ms: float) -> tuple[float, float] | None:
        """Range in mm and amplitude at 1 m, None where nothing echoes; `t_ms` never falls."""
        while self._coming and self._coming[-1][0] <= t_ms:
            self._there.append(self._coming.pop())
        if not self._there:
            return self._wall
        self._there = [span for span in self._there if span[1] > t_ms]
        seen = [span[2:] for span in self._there]
        if self._wall:
            seen.append(self._wall)
        return min(seen, default=None)


def _cars(rng: Random, setup: LidarSetup, duration_ms: int) -> list[tuple[float, float, float]]:
    """Moment at x = 0, speed in mm/ms with the direction's sign, and range of every car."""
    cars = []
    for second_ms in range(0, duration_ms, 1_000):
        if rng.random() < setup.cars_per_minute / 60:
            speed = (CAR_MIN_MM_S + (CAR_MAX_MM_S - CAR_MIN_MM_S) * rng.random()) / 1_000
            mm = setup.far_mm + CAR_BEHIND_MM + CAR_SPREAD_MM * rng.random()
            cars.append((second_ms, speed if rng.random() < 0.5 else -speed, mm))
    return cars


def _strength(clothes: float, dark_share: float) -> float:
    """Amplitude at 1 m of somebody with these clothes."""
    if clothes < dark_share:
        return DARK_MIN + (DARK_MAX - DARK_MIN) * clothes / dark_share
    return PALE_MIN + (PALE_MAX - PALE_MIN) * (clothes - dark_share) / (1 - dark_share)


def _in_beam(setup: LidarSetup, parts: Sequence[Placed], beam_mm: float) -> list[tuple[float, ...]]:
    """Parts that the cone may touch: x, y, half length, half width, share of the cone's height, amplitude at 1 m."""
    touched = []
    for x, y, part, body in parts:
        spot = SPOT * y
        if abs(x - beam_mm) < part.half_length_mm + spot:
            low, high = max(setup.height_mm - spot, part.bottom_mm), min(setup.height_mm + spot, part.top_mm)
            if low < high:
                strength = _strength(body.clothes, setup.dark_share)
                touched.append((x, y, part.half_length_mm, part.half_width_mm, (high - low) / (2 * spot), strength))
    return touched


def _echo(
    touched: Sequence[tuple[float, ...]],
    beam_mm: float,
    backdrop: tuple[float, float] | None,
) -> tuple[float, float]:
    """Mean range weighted by the light that comes back, and the amplitude of all of it; 0, 0 of nothing."""
    light = weighted = 0.0
    for slope in SPOKES:
        hits = []
        for x, y, half_length, half_width, share, strength in touched:
            across = (beam_mm + slope * y - x) / half_length
            if -1 < across < 1:
                hits.append((y - half_width * sqrt(1 - across * across), share, strength))
        hits.sort()
        if backdrop:
            hits.append((backdrop[0], 1.0, backdrop[1]))
        left = 1.0
        for mm, share, strength in hits:
            back = left * share * strength / (mm * mm)
            light += back
            weighted += back * mm
            left *= 1 - share
    return (weighted / light, light * 1e6 / len(SPOKES)) if light else (0.0, 0.0)


def _reading(rng: Random, setup: LidarSetup, rain: float, mm: float, amplitude: float) -> bytes:
    """One frame of an echo: rain, weak moments and noise on it."""
    if rain and rng.random() < rain:
        mm = RAIN_MIN_MM + (RAIN_MAX_MM - RAIN_MIN_MM) * rng.random()
        amplitude = RAIN_MIN + (RAIN_MAX - RAIN_MIN) * rng.random()
    amplitude = min(AMPLITUDE_MAX, amplitude * (1 + FLICKER * (2 * rng.random() - 1)))
    if rng.random() < setup.weak_share + WEAK_IN_SUN * setup.sun or not mm:
        amplitude = min(5 + 95 * rng.random(), 99.0)
    noise_mm = setup.noise * (NOISE_MM + NOISE_MM_PER_M2 * 1e-6 * mm * mm) * (1 + NOISE_IN_SUN * setup.sun)
    if amplitude < AMPLITUDE_WEAK:
        if not mm or rng.random() < ZERO_WHEN_WEAK:
            return encode_frame(0, amplitude)
        noise_mm *= ROUGH
    return encode_frame(max(0.0, mm + noise_mm * bell(rng)), amplitude)


def readings(
    rng: Random,
    walkers: Sequence[Walker],
    duration_ms: int,
    setup: LidarSetup,
) -> Iterator[tuple[int, int, bytes]]:
    """Every frame of stream 0 (A, negative x) and 1 (B) below `duration_ms`: (t_ms, stream, 9 bytes), in order of time."""
    passing = Passing(walkers, int(rng.random() * 2**32), REACH_MM)
    cars = _cars(rng, setup, duration_ms)
    beams_mm = (-setup.separation_mm / 2, setup.separation_mm / 2)
    backdrops = [_Backdrop(setup, cars, beam_mm) for beam_mm in beams_mm]
    offsets_mm = [OFFSET_MM * (2 * rng.random() - 1) for _ in beams_mm]
    frames_ms = [1_000 / setup.hz * (1 + CLOCK_SPREAD * (2 * rng.random() - 1)) for _ in beams_mm]
    next_ms = [frame_ms * rng.random() for frame_ms in frames_ms]
    rain = setup.rain_per_minute / (60 * setup.hz)
    while True:
        stream = 0 if next_ms[0] <= next_ms[1] else 1
        t_ms = next_ms[stream]
        if t_ms >= duration_ms:
            return
        next_ms[stream] += frames_ms[stream]
        parts, backdrop = passing.at(t_ms), backdrops[stream].at(t_ms)
        touched = _in_beam(setup, parts, beams_mm[stream]) if parts else None
        if touched:
            mm, amplitude = _echo(touched, beams_mm[stream], backdrop)
        elif backdrop:
            mm, amplitude = backdrop[0], backdrop[1] * 1e6 / (backdrop[0] * backdrop[0])
        else:
            mm = amplitude = 0.0
        yield int(t_ms), stream, _reading(rng, setup, rain, mm + offsets_mm[stream] if mm else 0.0, amplitude)
