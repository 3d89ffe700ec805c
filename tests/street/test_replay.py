"""A trace through the firmware's own part and detector, under both interpreters."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.real_parts import needs
from tests.traces.generated import EMPTY, radar_reads, walk, write_radar
from tools import micropython
from tools.street import replay as street
from tools.street.node import FIRMWARE
from tools.street.radar import encode_frame
from tools.traces import trace as traces

HEAP_B = 110 * 1024 * 2  # 110w: a board's 110 KB, in words of twice the size
WALKS = walk(2_000, 1), walk(9_000, -1), walk(9_000 + 4_000, 1)
INTERPRETERS = [pytest.param("micropython", marks=needs("micropython")), "cpython"]


def ignore(_t_ms: int) -> None:
    pass


def replayed(folder: Path, interpreter: str = "cpython", heap: str = "110w", progress=ignore) -> street.Replayed:
    return street.replay(traces.open_trace(folder, "ld2450"), interpreter, heap, progress)


def cut(reads: list[tuple[int, bytes]], size: int) -> list[tuple[int, bytes]]:
    """The same bytes at the same times in reads of `size`."""
    return [(t_ms, data[at : at + size]) for t_ms, data in reads for at in range(0, len(data), size)]


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_who_walks_is_counted_at_the_moment_of_crossing(tmp_path, interpreter):
    found = replayed(write_radar(tmp_path, radar_reads(*WALKS)), interpreter)
    assert found.passages == [(3_500, "ab"), (10_500, "ba"), (14_500, "ab")]  # x = 0 is passed between 3.5 s and 3.6 s
    assert (found.frames, found.rejected_bytes, found.saturated_ms, found.complaints) == (200, 0, 0, [])


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_one_byte_at_a_time_counts_the_same(tmp_path, interpreter):
    reads = radar_reads(*WALKS)
    whole = replayed(write_radar(tmp_path / "whole", reads), interpreter)
    assert replayed(write_radar(tmp_path / "cut", cut(reads, 1)), interpreter).passages == whole.passages
    assert replayed(write_radar(tmp_path / "torn", cut(reads, 29)), interpreter).passages == whole.passages


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_a_read_longer_than_any_buffer_of_the_node_is_dated_back_report_by_report(tmp_path, interpreter):
    reads = radar_reads(*WALKS)
    late = [(reads[-1][0], b"".join(data for _, data in reads))]
    assert replayed(write_radar(tmp_path, late), interpreter).passages == [(3_500, "ab"), (10_500, "ba"), (14_500, "ab")]


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_what_is_no_report_is_rejected_and_costs_no_passage(tmp_path, interpreter):
    reads = [(t_ms, b"\x00\xaa\xff" + data if t_ms % 1000 == 0 else data) for t_ms, data in radar_reads(*WALKS)]
    found = replayed(write_radar(tmp_path, reads), interpreter)
    assert (len(found.passages), found.frames, found.rejected_bytes) == (3, 200, 60)


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_the_tick_counter_wraps_in_the_middle_of_a_passage(tmp_path, interpreter):
    reads = radar_reads(walk(58_400, 1), duration_ms=70_000)
    assert replayed(write_radar(tmp_path, reads), interpreter).passages == [(59_900, "ab")]  # decided after the wrap at 60.0 s


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_an_empty_trace_counts_nobody(tmp_path, interpreter):
    found = replayed(write_radar(tmp_path, []), interpreter)
    assert (found.passages, found.frames, found.rejected_bytes, found.saturated_ms) == ([], 0, 0, 0)


def test_saturated_is_the_time_from_report_to_report_and_to_the_end(tmp_path):
    full = encode_frame([(x_mm, 1800, 0, 360) for x_mm in (-1500, 900, 1500)])
    reads = [(t_ms, full) for t_ms in range(0, 10_000, 100)]
    # After 31 reports with no slot free, at 3.0 s; nothing is heard after 9.9 s, and the trace ends at 20 s.
    assert replayed(write_radar(tmp_path, reads)).saturated_ms == 17_000


def test_passages_stand_in_the_order_of_crossing_not_of_decision(tmp_path):
    # The first stops just behind the line, is overtaken, and is taken for crossed when it walks on.
    reads = []
    for i in range(120):
        slow = min(-1500 + 100 * i, 150) if i < 90 else 150 + 100 * (i - 90)
        fast = -1900 + 130 * (i - 30) if 30 <= i < 62 else None
        targets = [(slow, 1200, 0, 360)] + ([(fast, 3200, 0, 360)] if fast is not None else [])
        reads.append((100 * i, encode_frame([target for target in targets if abs(target[0]) < 1700 or target[1] > 2000])))
    times = [t_ms for t_ms, _ in replayed(write_radar(tmp_path, reads)).passages]
    assert len(times) == 2
    assert times == sorted(times)
    assert times[0] < 2_000 < 4_000 < times[1]


@needs("micropython")
def test_the_heap_peak_is_that_of_the_work_and_does_not_grow_with_the_trace(tmp_path):
    short = replayed(write_radar(tmp_path / "short", radar_reads(*WALKS)), "micropython").heap_peak_b
    reads = radar_reads(*(walk(t_ms, 1) for t_ms in range(1_000, 600_000, 5_000)), duration_ms=600_000)
    long = replayed(write_radar(tmp_path / "long", reads), "micropython").heap_peak_b
    assert short and long
    assert 4_000 < short <= long < short + 4_000 < HEAP_B


def test_cpython_has_no_such_heap(tmp_path):
    assert replayed(write_radar(tmp_path, [])).heap_peak_b is None


@needs("micropython")
def test_a_heap_that_is_too_small_is_said(tmp_path):
    with pytest.raises(street.OutOfHeap) as caught:
        replayed(write_radar(tmp_path, radar_reads()), "micropython", "9w")
    assert (caught.value.exit_code, caught.value.line()) == (1, "the firmware ran out of memory in a heap of 9w")


def test_without_the_interpreter_nothing_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(micropython, "find", lambda: None)
    with pytest.raises(street.InterpreterMissing) as caught:
        replayed(write_radar(tmp_path, []), "micropython")
    assert caught.value.exit_code == 3
    assert "--interpreter cpython" in caught.value.line()


def test_settings_that_the_firmware_refuses_are_told(tmp_path):
    found = replayed(write_radar(tmp_path, [], pavement_m=9))
    assert found.complaints == ["node.json: pavement_mm is 9000, expected 800 to 7400; 7400 is used"]


def test_the_firmware_hears_of_the_geometry(tmp_path):
    reads = radar_reads(walk(2_000, 1, y_mm=4_800))
    assert not replayed(write_radar(tmp_path / "narrow", reads)).passages
    assert replayed(write_radar(tmp_path / "wide", reads, pavement_m=4.5)).passages
    assert replayed(write_radar(tmp_path / "far", reads, near_m=2)).passages


def test_a_firmware_that_fails_is_a_bug_with_its_last_words(tmp_path, monkeypatch):
    broken = tmp_path / "harness.py"
    broken.write_text("raise ZeroDivisionError('of a part')\n")
    monkeypatch.setattr(street, "HARNESS", broken)
    with pytest.raises(RuntimeError, match=r"(?s)exit code 1 .*ZeroDivisionError: of a part"):
        replayed(write_radar(tmp_path / "trace", radar_reads(duration_ms=2_000_000)))


def test_who_stops_it_leaves_no_process_behind(tmp_path, monkeypatch):
    started = []
    popen = subprocess.Popen

    def remembered(*args, **kwargs):
        started.append(popen(*args, **kwargs))
        return started[-1]

    def stop(t_ms: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", remembered)
    with pytest.raises(KeyboardInterrupt):
        replayed(write_radar(tmp_path, radar_reads()), progress=stop)
    assert started[0].poll() is not None


def test_progress_hears_the_time_of_the_trace(tmp_path):
    heard = []
    replayed(write_radar(tmp_path, radar_reads(duration_ms=500)), progress=heard.append)
    assert heard == [0, 100, 200, 300, 400]


def test_every_part_that_the_firmware_has_is_known_to_the_harness_and_no_other():
    code = "import harness; print(*harness.SENSORS)"
    paths = f"{FIRMWARE}:{street.HARNESS.parent}"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": paths}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(traces.SENSORS)


def test_an_event_that_is_cut_off_is_no_quiet_end():
    command = [sys.executable, str(street.HARNESS), "ld2450", "{}"]
    for data in (b"\x00\x00\x00", b"\x00\x00\x00\x00\x00\x1e\x00\x00\x00" + EMPTY[:7]):
        done = subprocess.run(command, input=data, env={"PYTHONPATH": str(FIRMWARE)}, capture_output=True)
        assert done.returncode == 1
        assert b"EOFError: the trace ends inside" in done.stderr


def test_blocked_is_told_like_saturated(tmp_path):
    dark = encode_frame([(30, 120, 0, 360)])
    reads = [(100 * i, dark if 50 <= i < 250 else EMPTY) for i in range(400)]
    assert 10_000 <= replayed(write_radar(tmp_path, reads)).blocked_ms <= 20_000
