"""What two PIR switches, turned outwards, report of the walkers: their edges, imperfections included.

Theory of operation. A PIR sees heat that moves through a lobe of its lens. Channel 0 looks `toe_deg` to the side of
negative x, channel 1 as much to the other, so who walks `ab` warms channel 0 first. Paths are straight lines and so are
the lobes' edges: the span of time in which a body is inside a lobe is solved exactly, nothing is stepped. Each span
excites its channel or not, by range and by the contrast of body against air, which is nothing on a warm summer's day.
The switch goes high with a span and falls when the hold time is over, counted from the span's end where it can be
triggered again and from its beginning where it cannot; for a moment after the fall it is blind. Wind warms one channel,
a patch of sun both, now and then.

Where a constant comes from stands beside it: [F] facts about the part, [S] statistics of the sample trace pavement300
(lengths of pulses, gaps, lags; never a detector's result), [P] physics, [G] a guess. Honest limits: nobody shades
anybody, whoever stands on one spot is cold, the slowest sway is as warm as a stride, the part has warmed up.

Only the four operations, square root and `Random.random()` are used, so that a seed gives the same edges everywhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from random import Random

from tools.street.walkers import Walker

Span = tuple[float, float]  # from_ms, until_ms

SIDE_LOBES_DEG = (-18.0, 0.0, 18.0)  # [P] three facets of the lens where the tube is short or missing
HALF_BODY_MM = 120.0  # [S] what of a person is warm enough, to each side
SEEN = 0.98  # [S] who passes near is hardly ever missed
SEEN_OF_KIND = {"dog": 0.5, "bike": 0.9}  # [G] below the lobes; [P] faster than the amplifier's 3 Hz
SURE_SHARE, GONE_SHARE = 0.8, 1.1  # [G] of the reach: sure up to here, nothing beyond there
BODY_C, FULL_CONTRAST_K = 31.0, 8.0  # [P] clothed people on average; [F] fails near 30 to 35 degC
DELAY_MS = 60  # [G] the amplifier answers within
FALSE_MIN_MS, FALSE_MAX_MS = 50, 400  # [G]
FALSE_BOTH, FALSE_APART_MS = 0.3, 500  # [G] share that warms both channels: a patch of sun


@dataclass(frozen=True, slots=True)
class PirSetup:
    """One pair of switches; the defaults are the sample's, on a mild day."""

    toe_deg: float = 12.0
    lobes_deg: tuple[float, ...] = (0.0,)  # off each channel's axis
    lobe_slope: float = 0.09  # [S] half a lobe's width per distance, about 5 deg: the switch looks through a tube
    reach_mm: float = 5_000.0  # [F] 3 to 7 m
    air_c: float = 15.0
    hold_ms: int = 2_000  # [F] AM312
    retriggers: bool = True  # [S] a pulse lasts the hold beyond the body
    blocked_ms: int = 100  # [S] the shortest gap in the sample is 117 ms; [F] data sheets say up to 2.5 s
    false_per_hour: float = 0.5  # [G] wind and sun together

    @classmethod
    def drawn(cls, rng: Random) -> "PirSetup":
        """A pair at random, in any season."""
        return cls(
            toe_deg=9 + 6 * rng.random(),
            lobes_deg=SIDE_LOBES_DEG if rng.random() < 0.3 else (0.0,),
            lobe_slope=0.05 + 0.07 * rng.random(),
            reach_mm=3_000 + 4_000 * rng.random(),
            air_c=30 * rng.random(),
            hold_ms=round(2_000 + 500 * rng.random()),
            retriggers=rng.random() < 0.7,
            blocked_ms=round(100 + 400 * rng.random()),
            false_per_hour=3 * rng.random(),
        )


def tangent(degrees: float) -> float:
    """By its series, good to 0.001 below 40 degrees: a C library's may differ from platform to platform."""
    a = degrees * 0.017453292519943295
    square = a * a
    return a * (1 + square * (1 / 3 + square * (2 / 15 + square * (17 / 315 + square * 62 / 2835))))


def _positive(low: float, high: float, start: float, end: float) -> Span:
    """The part of the shares low to high of a leg where a value that runs straight from `start` to `end` is above 0."""
    if start <= 0 and end <= 0:
        return high, low
    if start < 0:
        return max(low, start / (start - end)), high
    if end < 0:
        return low, min(high, start / (start - end))
    return low, high


def _spans_in_lobe(walker: Walker, slope: float, lobe_slope: float) -> Iterator[tuple[float, float, float]]:
    """From, until and range in mm of each walk through a lobe; who stands gives no signal."""
    for (t0, x0, y0), (t1, x1, y1) in pairwise(walker.points):
        if x0 == x1:
            continue
        off0, off1 = x0 - slope * y0, x1 - slope * y1
        half0, half1 = HALF_BODY_MM + lobe_slope * y0, HALF_BODY_MM + lobe_slope * y1
        low, high = _positive(0.0, 1.0, half0 + off0, half1 + off1)
        low, high = _positive(low, high, half0 - off0, half1 - off1)
        if low < high:
            share = (low + high) / 2
            x, y = x0 + (x1 - x0) * share, y0 + (y1 - y0) * share
            yield t0 + (t1 - t0) * low, t0 + (t1 - t0) * high, sqrt(x * x + y * y)


def _seen(setup: PirSetup, kind: str, range_mm: float) -> float:
    """How likely a walk through a lobe excites the channel."""
    reach_mm = setup.reach_mm * min(1.0, abs(BODY_C - setup.air_c) / FULL_CONTRAST_K)
    share = (GONE_SHARE * reach_mm - range_mm) / ((GONE_SHARE - SURE_SHARE) * reach_mm + 1)
    return SEEN_OF_KIND.get(kind, 1.0) * SEEN * min(1.0, max(0.0, share))


def _excitations(rng: Random, walkers: Sequence[Walker], setup: PirSetup, ch: int) -> list[Span]:
    """When people excite a channel."""
    axis_deg = setup.toe_deg if ch else -setup.toe_deg
    slopes = [tangent(axis_deg + lobe_deg) for lobe_deg in setup.lobes_deg]
    spans = []
    for walker in walkers:
        for slope in slopes:
            for from_ms, until_ms, range_mm in _spans_in_lobe(walker, slope, setup.lobe_slope):
                late_ms = DELAY_MS * rng.random()
                if rng.random() < _seen(setup, walker.kind, range_mm) and from_ms + late_ms < until_ms:
                    spans.append((from_ms + late_ms, until_ms))
    return spans


def _false_alarms(rng: Random, setup: PirSetup, duration_ms: int) -> tuple[list[Span], list[Span]]:
    """Wind in one channel, sun in both within half a second, in any order."""
    alarms: tuple[list[Span], list[Span]] = [], []
    for second_ms in range(0, duration_ms, 1_000):
        if rng.random() < setup.false_per_hour / 3_600:
            first = int(2 * rng.random())
            channels = (first, 1 - first) if rng.random() < FALSE_BOTH else (first,)
            for place, ch in enumerate(channels):
                from_ms = second_ms + place * FALSE_APART_MS * rng.random()
                alarms[ch].append((from_ms, from_ms + FALSE_MIN_MS + (FALSE_MAX_MS - FALSE_MIN_MS) * rng.random()))
    return alarms


def _pulses(spans: Sequence[Span], setup: PirSetup) -> list[Span]:
    """From rise to fall of a switch that is excited during `spans`, which may overlap."""
    pulses: list[Span] = []
    free_ms = 0.0
    for from_ms, until_ms in sorted(spans):
        if setup.retriggers and pulses and from_ms <= pulses[-1][1]:
            rise_ms, fall_ms = pulses.pop()
            pulses.append((rise_ms, max(fall_ms, until_ms + setup.hold_ms)))
            free_ms = pulses[-1][1] + setup.blocked_ms
            continue
        rise_ms = max(from_ms, free_ms)
        while rise_ms < until_ms:
            pulses.append((rise_ms, (until_ms if setup.retriggers else rise_ms) + setup.hold_ms))
            rise_ms = free_ms = pulses[-1][1] + setup.blocked_ms
    return pulses


def edges(rng: Random, walkers: Sequence[Walker], duration_ms: int, setup: PirSetup) -> Iterator[tuple[int, int, int]]:
    """Every edge below `duration_ms`: (t_ms, channel, level), in order of time; both are low at the start."""
    alarms = _false_alarms(rng, setup, duration_ms)
    found = []
    for ch in (0, 1):
        spans = _excitations(rng, walkers, setup, ch) + alarms[ch]
        for rise_ms, fall_ms in _pulses(spans, setup):
            found += [(int(rise_ms), ch, 1), (int(fall_ms), ch, 0)]
    yield from (edge for edge in sorted(found) if edge[0] < duration_ms)
