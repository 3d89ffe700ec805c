"""A scene recorded: what every sensor's trace is made of, and that a seed is a trace."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tools.street.radar import EMPTY_FRAME
from tools.street.recording import RECORDERS, record
from tools.street.scenes import SCENES
from tools.traces.trace import SENSORS, open_trace, read_truth

MINUTES_S = 180


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded") / "steady"
    play = SCENES["steady"].play("3", MINUTES_S)
    record(play, folder, list(RECORDERS))
    return play, folder


def test_every_sensor_of_a_trace_can_be_recorded():
    assert set(RECORDERS) == set(SENSORS)


@pytest.mark.parametrize("sensor", SENSORS)
def test_what_is_recorded_can_be_read(steady, sensor):
    play, folder = steady
    trace = open_trace(folder, sensor)
    assert (trace.duration_ms, trace.pavement_mm, trace.near_mm) == (MINUTES_S * 1000, play.ground.width_mm, play.ground.near_mm)
    assert list(trace.events())


def test_the_truth_is_that_of_the_people(steady):
    play, folder = steady
    assert read_truth(folder) == [(crossing.t_ms, crossing.direction) for crossing in play.truth]
    assert len(play.truth) > 3


def test_trace_json_says_what_it_is(steady):
    about = json.loads((steady[1] / "trace.json").read_text())
    assert (about["schema"], about["scene"], about["seed"]) == (1, "steady", "3")
    assert set(about["ld2450"]) == {"height_m", "yaw_deg"}
    assert set(about["tfluna"]) == {"height_m", "separation_m"}
    assert set(about["vl53l1x"]) == {"height_m"}
    assert set(about["pir"]) == {"hold_s", "toe_deg"}


def test_the_radar_says_ten_times_a_second_what_it_sees_also_where_nobody_is(tmp_path):
    record(SCENES["empty"].play("1", 60), tmp_path, ["ld2450"])
    data = (tmp_path / "ld2450.bin").read_bytes()
    assert data.count(b"\x55\xcc") == pytest.approx(600, abs=5)


def near_readings(data):
    """Of a LiDAR: as many as were nearer than anybody of the empty street can be."""
    reports = data.split(b"\x59\x59")[1:]
    return sum(len(report) == 7 and 0 < report[0] | report[1] << 8 < 50 for report in reports)


@pytest.mark.parametrize("sensor", ["ld2450", "tfluna"])
def test_in_rain_a_sensor_sees_what_is_not_there(tmp_path, sensor):
    wet = SCENES["empty"].play("2", 600)
    dry = replace(wet, scene=replace(wet.scene, has_rain=False))

    def seen(play):
        folder = tmp_path / f"rain-{play.scene.has_rain}"
        record(play, folder, [sensor])
        if sensor == "ld2450":
            data = (folder / "ld2450.bin").read_bytes()
            return data.count(b"\xaa\xff\x03\x00") - data.count(EMPTY_FRAME)
        return sum(near_readings((folder / f"{name}.bin").read_bytes()) for name in ("tfluna_a", "tfluna_b"))

    assert seen(wet) > 2 * seen(dry) + 10


def test_a_seed_is_a_trace_and_no_sensor_depends_on_another(steady, tmp_path):
    play, folder = steady
    for sensor in RECORDERS:
        record(play, tmp_path / sensor, [sensor])
        for path in (tmp_path / sensor).glob("*[!n]"):
            if path.name != "trace.json":
                assert path.read_bytes() == (folder / path.name).read_bytes()
