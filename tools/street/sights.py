"""What each kit's sensors see at its site: who comes there, and what the counting part and the air show of it.

Theory of operation. A kit stands where it is made for: radar, LiDARs and PIR switches beside a pavement, time of flight above a
door. Its people follow the site's hourly counts; what its part senses of them are events on the streams of
`wiring.py`. A short-time count begins when its node is put up: its people and events are drawn from that moment on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from tools.street import lidar, parties, pir, radar, scenes, tof
from tools.street.climate import Weather
from tools.street.node import Event
from tools.street.walkers import Pavement, Walker
from tools.street.wiring import AIR, COUNTER

PAVEMENT = Pavement()
DOOR = Pavement(scenes.DOOR_WIDTH_M, scenes.DOOR_NEAR_M)
DOOR_MIX = scenes.SCENES["door300"].mix
AIR_MS = 10_000  # so long the air stays the same
SAMPLE_MS = 40  # a VL53L1X that ranges for 33 ms and is asked every 20
IDLE_MS = 3_600_000  # parts that say something all the time go on after the last passer-by

See = Callable[[Random, Sequence[Walker], int, int], Iterator[Event]]


@dataclass(frozen=True)
class Kit:
    """`sensor` is the counting part's tag in the database. Those that are put up for the end of a run only, as in a short-time
    count, look 50 times a second: hours of that are slow to simulate."""

    name: str
    sensor: str
    see: See
    kind: str  # as `judging.py` has them
    is_short: bool = False
    has_cable: bool = True

    def people(self, rng: Random, per_hour: Sequence[int], start_s: int, duration_s: int) -> list[Walker]:
        """Everybody who comes within `duration_s` from `start_s` after midnight; a door takes the rate of its first hour."""
        if self.kind == "door":
            return parties.through_door(rng, per_hour[start_s // 3600 % 24], duration_s, DOOR, DOOR_MIX)
        return parties.walk_day(rng, per_hour, start_s, duration_s, PAVEMENT)


def _radar(rng: Random, people: Sequence[Walker], duration_ms: int, phase_ms: int) -> Iterator[Event]:
    return ((t_ms, COUNTER, frame) for t_ms, frame in radar.frames(rng, people, duration_ms, phase_ms))


def _lidar(rng: Random, people: Sequence[Walker], duration_ms: int, _phase_ms: int) -> Iterator[Event]:
    readings = lidar.readings(rng, people, duration_ms + IDLE_MS, lidar.LidarSetup(far_mm=PAVEMENT.far_mm))
    return ((t_ms, COUNTER + beam, frame) for t_ms, beam, frame in readings)


def _tof(rng: Random, people: Sequence[Walker], duration_ms: int, _phase_ms: int) -> Iterator[Event]:
    setup = tof.TofSetup(y_mm=(DOOR.near_mm + DOOR.far_mm) // 2, sample_ms=SAMPLE_MS)
    samples = tof.samples(rng, people, duration_ms + IDLE_MS, setup)
    return ((t_ms, COUNTER, struct.pack("<BHB", zone, mm, status)) for t_ms, zone, mm, status in samples)


def _pir(rng: Random, people: Sequence[Walker], duration_ms: int, _phase_ms: int) -> Iterator[Event]:
    edges = pir.edges(rng, people, duration_ms, pir.PirSetup())
    return ((t_ms, COUNTER + channel, bytes((level,))) for t_ms, channel, level in edges)


def air(weather: Weather, from_ms: int) -> Iterator[Event]:
    """The air from a moment of the street on, without end."""
    t_ms = from_ms // AIR_MS * AIR_MS
    while True:
        yield t_ms, AIR, struct.pack("<hH", *weather.at(t_ms / 1000))
        t_ms += AIR_MS


# In the order in which a street gets them.
KITS = (
    Kit("pavement-radar", "radar", _radar, "pavement"),
    Kit("pavement-lidar", "lidar", _lidar, "pavement", is_short=True),
    Kit("doorway-tof", "tof", _tof, "door", is_short=True),
    Kit("school-pir", "pir", _pir, "index"),
    Kit("pavement-radar", "radar", _radar, "pavement", has_cable=False),
    Kit("school-pir", "pir", _pir, "index", has_cable=False),
)
