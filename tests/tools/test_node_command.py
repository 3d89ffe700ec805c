"""`trottoir node replay`: its lines, its exit codes, and one clear line for whatever goes wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.real_parts import needs
from tests.tools.test_cli import no_environment, one_line, trottoir  # noqa: F401
from tests.traces.generated import radar_reads, walk, write_radar
from tools import micropython

ROOT = Path(__file__).resolve().parents[2]
PASSAGES = '{"t_s":3.5,"direction":"ab"}\n{"t_s":10.5,"direction":"ba"}\n'
SUMMARY = (
    '{"summary":true,"ab":1,"ba":1,"frames":200,"rejected_bytes":2,"saturated_s":0.0,"blocked_s":0.0,'
    '"heap_peak_b":%s,"interpreter":"%s"}\n'
)
CPYTHON = "--interpreter", "cpython"


@pytest.fixture
def trace(tmp_path):
    """Two who walk, of three who walked, and two bytes of noise."""
    reads = radar_reads(walk(2_000, 1), walk(9_000, -1))
    reads[7] = (reads[7][0], b"\x00\x01" + reads[7][1])
    return write_radar(tmp_path / "trace", reads, truth=((3_500, "ab"), (10_500, "ba"), (15_000, "ba")))


@pytest.fixture
def replay(trottoir, trace):  # noqa: F811
    """Runs the command on the trace; exit code, stdout and stderr."""

    def call(*words: str, before: tuple[str, ...] = (), folder: Path = trace) -> tuple[int, str, str]:
        return trottoir(*before, "node", "replay", str(folder), *words)

    return call


def test_the_lines_are_as_they_always_were(replay):
    assert replay("--sensor", "ld2450", *CPYTHON) == (0, PASSAGES + SUMMARY % ("null", "cpython"), "")
    assert replay("--sensor", "ld2450", *CPYTHON, before=("--json",)) == (0, PASSAGES + SUMMARY % ("null", "cpython"), "")


@needs("micropython")
def test_the_nodes_own_interpreter_is_the_usual_one_and_says_the_same(replay):
    code, out, err = replay("--sensor", "ld2450", "--heap", "60w")
    heap_b = json.loads(out.splitlines()[-1])["heap_peak_b"]
    assert (code, out, err) == (0, PASSAGES + SUMMARY % (heap_b, "micropython"), "")
    assert 4_000 < heap_b < 60 * 1024 * 2


def test_the_score_stands_in_the_summary(replay):
    _, out, err = replay("--sensor", "ld2450", "--score", *CPYTHON)
    found = json.loads(out.splitlines()[-1])
    score = {name: found[name] for name in list(found)[-4:]}
    assert score == {"f1": 0.8, "precision": 1.0, "recall": 0.6667, "signed_error": -0.3333}
    assert err == ""


def test_without_a_truth_there_is_no_score_and_that_is_said(replay, trace):
    (trace / "truth.csv").unlink()
    code, out, err = replay("--sensor", "ld2450", "--score", *CPYTHON)
    assert (code, out) == (0, PASSAGES + SUMMARY % ("null", "cpython"))
    assert one_line(err) == f"{trace} has no truth.csv, so there is no score"


def test_where_nobody_walked_there_are_no_ratios(replay, tmp_path):
    _, out, _ = replay("--sensor", "ld2450", "--score", *CPYTHON, folder=write_radar(tmp_path / "empty", []))
    assert json.loads(out) == {
        "summary": True, "ab": 0, "ba": 0, "frames": 0, "rejected_bytes": 0, "saturated_s": 0.0, "blocked_s": 0.0,
        "heap_peak_b": None, "interpreter": "cpython", "f1": None, "precision": None, "recall": None, "signed_error": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sensor", "radar"], "--sensor: found 'radar', expected ld2450, tfluna, vl53l1x, pir"),
        ([], "--sensor is missing. See trottoir node replay --help."),
        (["--sensor", "ld2450", "--interpreter", "pypy"], "--interpreter: found 'pypy', expected micropython, cpython"),
        (["--sensor", "ld2450", "--heap", "110"], "--heap: found 110, expected a whole number of KB with a w, such as 110w"),
        (["--sensor", "ld2450", "--heap", "0w"], "--heap: found 0w, expected a whole number of KB with a w, such as 110w"),
        (["--sensor", "ld2450", "--heap", "1w K"], "--heap: found 1w K, expected a whole number of KB with a w, such as 110w"),
    ],
)
def test_words_that_make_no_sense_end_with_2(replay, words, said):
    code, out, err = replay(*words)
    assert (code, out, one_line(err)) == (2, "", said)


def test_a_damaged_trace_ends_with_3_and_a_line_for_each_mistake(replay, trace):
    (trace / "ld2450_chunks.csv").write_text("t_s,bytes\n1,x\ny,30\n")
    code, out, err = replay("--sensor", "ld2450")
    assert (code, out) == (3, "")
    assert [line.split(": found")[0] for line in err.splitlines()] == ["ld2450_chunks.csv:2: bytes", "ld2450_chunks.csv:3: t_s"]


def test_a_damaged_truth_is_read_before_anything_is_counted(replay, trace):
    (trace / "truth.csv").write_text("t_s\n")
    code, out, err = replay("--sensor", "ld2450", "--score")
    assert (code, out) == (3, "")
    assert one_line(err) == "truth.csv:1: found 't_s', expected t_s,direction,person,kind,group"


def test_without_the_interpreter_it_ends_with_3(replay, monkeypatch):
    monkeypatch.setattr(micropython, "find", lambda: None)
    code, out, err = replay("--sensor", "ld2450")
    assert (code, out) == (3, "")
    assert one_line(err).startswith("there is no MicroPython here.")


@needs("micropython")
def test_too_small_a_heap_ends_with_1(replay):
    code, out, err = replay("--sensor", "ld2450", "--heap", "9w")
    assert (code, out, one_line(err)) == (1, "", "the firmware ran out of memory in a heap of 9w")


def test_a_heap_under_cpython_and_a_refused_setting_are_told_apart_from_the_lines(replay, tmp_path):
    wide = write_radar(tmp_path / "wide", [], pavement_m=9)
    code, out, err = replay("--sensor", "ld2450", "--heap", "110w", *CPYTHON, folder=wide)
    assert (code, len(out.splitlines())) == (0, 1)
    assert err.splitlines() == [
        "--heap holds for MicroPython only",
        "trace.json: pavement_mm is 9000, expected 800 to 7400; 7400 is used",
    ]


def test_ctrl_c_ends_it_with_130_and_no_half_result(tmp_path):
    import fcntl
    import termios

    # The reads come from a pipe that stays open, so the command is in the middle of them for as long as we like.
    folder = write_radar(tmp_path / "trace", radar_reads())
    (folder / "ld2450_chunks.csv").unlink()
    os.mkfifo(folder / "ld2450_chunks.csv")
    command = [sys.executable, "-m", "tools.cli", "node", "replay", str(folder), "--sensor", "ld2450", *CPYTHON]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'firmware'}"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    with (folder / "ld2450_chunks.csv").open("w") as reads:  # opens when the command has opened its end
        reads.write("t_s,bytes\n0.000,30\n")
        reads.flush()
        ends_s = time.monotonic() + 60
        while fcntl.ioctl(reads, termios.FIONREAD, bytes(4)) != bytes(4):  # while it opens a file, Python may let a Ctrl-C go by
            assert time.monotonic() < ends_s
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.strip()) == (130, "", "stopped")
