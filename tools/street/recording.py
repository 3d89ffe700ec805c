"""A scene as sensors would have recorded it: its trace, in a folder.

Every sensor draws from a generator of its own, so what one says does not depend on which others were there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from tools.street import lidar, pir, radar, tof
from tools.street.radar_constants import RadarConstants
from tools.street.scenes import Play
from tools.traces import writing

RADAR_HEIGHT_M = 1.2  # the model's radar looks level: what is written is where one would hang it
RAIN_PER_MINUTE = 10.0  # drops that a LiDAR's beam sees


def record(play: Play, folder: Path, sensors: Sequence[str]) -> None:
    """Writes trace.json, truth.csv and what each of these sensors said; the folder is made where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    about: dict[str, object] = {"scene": play.scene.name, "seed": play.seed}
    for sensor in sensors:
        about[sensor] = RECORDERS[sensor](Random(f"{play.seed}/{play.scene.name}/{sensor}"), play, folder)
    writing.write_about(folder, play.duration_ms, play.ground.width_m, play.ground.near_m, about)
    writing.write_truth(folder, ((c.t_ms, c.direction, c.person, c.kind, c.group) for c in play.truth))


def _radar(rng: Random, play: Play, folder: Path) -> dict[str, float]:
    constants = RadarConstants.drawn(rng)
    if play.scene.has_rain:
        constants = constants.in_rain()
    phase_ms = int(radar.FRAME_MS * rng.random())
    frames = _filled(radar.frames(rng, play.walkers, play.duration_ms, phase_ms, constants), phase_ms, play.duration_ms)
    _write_stream(rng, folder, "ld2450", frames)
    return {"height_m": RADAR_HEIGHT_M, "yaw_deg": 0.0}


def _lidar(rng: Random, play: Play, folder: Path) -> dict[str, float]:
    setup = lidar.LidarSetup.drawn(rng, play.ground.far_mm)
    if play.scene.has_rain:
        setup = replace(setup, rain_per_minute=RAIN_PER_MINUTE)
    readings = list(lidar.readings(rng, play.walkers, play.duration_ms, setup))
    for stream, name in enumerate(("tfluna_a", "tfluna_b")):
        _write_stream(rng, folder, name, ((t_ms, frame) for t_ms, which, frame in readings if which == stream))
    return {"height_m": setup.height_mm / 1000, "separation_m": setup.separation_mm / 1000}


def _tof(rng: Random, play: Play, folder: Path) -> dict[str, float]:
    setup = tof.TofSetup.drawn(rng, y_mm=(play.ground.near_mm + play.ground.far_mm) // 2)
    writing.write_zones(folder, tof.samples(rng, play.walkers, play.duration_ms, setup))
    return {"height_m": setup.height_mm / 1000}


def _pir(rng: Random, play: Play, folder: Path) -> dict[str, float]:
    setup = pir.PirSetup.drawn(rng)
    writing.write_edges(folder, pir.edges(rng, play.walkers, play.duration_ms, setup))
    return {"hold_s": setup.hold_ms / 1000, "toe_deg": round(setup.toe_deg, 1)}


def _filled(frames: Iterator[writing.Piece], phase_ms: int, duration_ms: int) -> Iterator[writing.Piece]:
    """With the empty frames that the model leaves out."""
    following = next(frames, None)
    for t_ms in range(phase_ms, duration_ms, radar.FRAME_MS):
        if following is not None and following[0] == t_ms:
            yield following
            following = next(frames, None)
        else:
            yield t_ms, radar.EMPTY_FRAME


def _write_stream(rng: Random, folder: Path, name: str, frames: Iterator[writing.Piece]) -> None:
    reads = Random(rng.random())  # of its own: the model draws while its frames are taken
    writing.write_stream(folder, name, writing.torn(reads, writing.damaged(reads, frames)))


RECORDERS: dict[str, Callable[[Random, Play, Path], dict[str, float]]] = {
    "ld2450": _radar,
    "tfluna": _lidar,
    "vl53l1x": _tof,
    "pir": _pir,
}
