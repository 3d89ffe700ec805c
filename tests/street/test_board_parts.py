"""Every stand-in for a part against the firmware's real driver of it, under both interpreters."""

import ast
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real_parts import needs
from tools import micropython
from tools.board import image, kits
from tools.street import lidar, wiring
from tools.street.node import HEAP, SHIMS, Event, packed

BENCH = Path(__file__).with_name("part_bench.py")
VECTORS = Path(__file__).parent.parent / "vectors"
A, B = wiring.COUNTER, wiring.COUNTER_B

pytestmark = needs("pty")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    return {kit: image(kit, folder / kit) for kit in kits()}


@pytest.fixture(params=[pytest.param("micropython", marks=needs("micropython")), "cpython"])
def ask(request, images):
    """`ask(kit, events, role, ...)` -> the lines that the driver at that role makes of the events."""

    def on_board(kit: str, events: list[Event], *words: object, until_ms: int = 100_000) -> list[str]:
        grants_out, grants = os.pipe()
        os.write(grants, packed(until_ms, events))
        environment = {
            "PATH": os.environ.get("PATH", ""), "STREET_GRANTS": str(grants_out), "STREET_REPORTS": "2",
            "STREET_PARTS": wiring.places(kit),
        }  # fmt: skip
        path = f"{SHIMS / 'board'}:{images[kit]}"
        if request.param == "micropython":
            environment["MICROPYPATH"] = path + ":.frozen"
            command = [micropython.find(), "-X", f"heapsize={HEAP}", str(BENCH)]
        else:
            environment["PYTHONPATH"] = path
            command = [sys.executable, str(BENCH)]
        ended = subprocess.run(
            [*command, *map(str, words)], env=environment, cwd=images[kit], capture_output=True, timeout=60, pass_fds=(grants_out,)
        )
        os.close(grants_out)
        os.close(grants)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout.decode().splitlines()

    return on_board


def air(temperature: int, humidity: int, t_ms: int = 0) -> Event:
    return t_ms, wiring.AIR, struct.pack("<hH", temperature, humidity)


def samples(lines: list[str]) -> list[tuple]:
    """(t_ms, whatever the driver says of it) of every sample."""
    found = [line.split(" ", 2)[1:] for line in lines if line.startswith("sample ")]
    return [(int(t_ms), ast.literal_eval(rest)) for t_ms, rest in found]


# kit, role, how far a reading may be off: the steps of the part in hundredths, None where it has no humidity
CLIMATE = [
    ("pavement-radar", "CLIMATE", 1, 1), ("doorway-tof", "CLIMATE", 1, 1), ("pavement-lidar", "CLIMATE", 2, 8),
    ("school-pir", "CLIMATE", 5, 5), ("doorway-tof", "PROBE", 4, None),
]  # fmt: skip
PUBLISHED = [
    (round(100 * row["t_c"]), round(100 * row["rh"]))
    for part in ("sht3x", "dht22") for row in json.loads((VECTORS / "climate.json").read_text())[part]
    if row.get("t_c") is not None and row.get("rh") is not None and -40 < row["t_c"] < 80 and row["rh"] < 97
]  # fmt: skip


@pytest.mark.parametrize(("kit", "role", "near_t", "near_h"), CLIMATE)
@pytest.mark.parametrize(("temperature", "humidity"), [(-1234, 9600), (3999, 1503), (-4, 4000), *PUBLISHED])
def test_the_driver_reads_the_air_that_the_street_tells_and_then_what_it_has_become(
    ask, kit, role, near_t, near_h, temperature, humidity
):
    airs = [(temperature, humidity), (temperature + 100, humidity - 300)]
    lines = ask(kit, [air(*airs[0]), air(*airs[1], t_ms=9000)], role)
    for line, (t, h) in zip(lines, airs, strict=True):
        reading, faults = ast.literal_eval(line.removeprefix("reading "))
        assert faults == 0
        assert abs(reading[0] - t) <= near_t
        assert reading[1] is None if near_h is None else abs(reading[1] - h) <= near_h


def test_published_reports_of_the_radar_come_through(ask):
    rows = json.loads((VECTORS / "ld2450.json").read_text())["ld2450_report"]
    reports = [(bytes.fromhex(row["hex12"]) + bytes(16) + b"\x55\xcc", row["target1"]) for row in rows if "hex12" in row]
    events = [(100 * i, A, report) for i, (report, _) in enumerate(reports, 10)]
    found = dict(samples(ask("pavement-radar", events, "COUNTER", 100, 5000)))
    assert [found[100 * i] for i in range(10, 10 + len(reports))] == [target[:3] for _, target in reports]
    assert len(found) >= 49  # ten a second, also when nobody is there
    assert found[4000] == []


def test_each_beams_readings_come_through_its_own_wire_and_the_set_rate_is_answered(ask):
    beams = ((A, "COUNTER", 100), (B, "COUNTER_B", 300))
    events = [(20 * i, stream, lidar.encode_frame(10 * (mm + i), 3000)) for stream, _, mm in beams for i in range(1, 101)]
    for _, role, mm in beams:
        *lines, rejected = ask("pavement-lidar", events, role, 100, 2000)
        assert [range_mm for _, range_mm in samples(lines)] == [10 * (mm + i) for i in range(1, 101)]
        assert rejected == "rejected 6"  # the answer, which is no report


def test_the_doors_zones_come_in_turn_at_their_moments_with_range_and_status(ask):
    told = [(i % 2, 300 + 17 * i, (0, 1, 2, 4, 7)[i % 5]) for i in range(100)]
    events = [(1000 + 40 * i, A, struct.pack("<BHB", *sample)) for i, sample in enumerate(told)]
    found = samples(ask("doorway-tof", events, "COUNTER", 20, 5000))
    assert [sample for _, sample in found] == told
    assert [t_ms for t_ms, _ in found] == [1000 + 40 * i - 17 for i in range(100)]  # the middle of the measurement


def test_a_zone_that_was_not_asked_for_is_not_told(ask):
    events = [(1000 + 40 * i, A, struct.pack("<BHB", 1, 2000, 0)) for i in range(10)]
    assert samples(ask("doorway-tof", events, "COUNTER", 20, 2000)) == []


def test_edges_of_the_switches_interrupt_between_two_beats(ask):
    events = [(1234, A, b"\x01"), (1255, B, b"\x01"), (3301, A, b"\x00"), (3377, B, b"\x00")]
    found = samples(ask("school-pir", events, "COUNTER", 100, 4000))
    edges = [(t_ms, levels) for t_ms, levels in found if t_ms % 100]
    assert edges == [(1234, [1, 0]), (1255, [1, 1]), (3301, [0, 1]), (3377, [0, 0])]
    assert dict(found)[2000] == [1, 1]


@pytest.mark.parametrize("kit", kits())
def test_the_button_is_seen_and_the_battery_sinks(ask, kit):
    lines = ask(kit, [(500, wiring.BUTTON, b"\x00"), (2500, wiring.BUTTON, b"\x01")], "PANEL")
    assert lines == ["button 1 0 1", "battery 4050 4038"]
