"""Traces: all four sensors' files are read and merged by time, and every mistake is one line with place, found and expected."""

from __future__ import annotations

import json
import tracemalloc
from contextlib import contextmanager

import pytest

from tests.traces.generated import ABOUT, EMPTY, radar_reads, write_radar
from tools.traces.table import MOST_MISTAKES, TraceError
from tools.traces.trace import MOST_BYTES, open_trace, read_truth
from tools.traces.writing import write_stream


@pytest.fixture
def folder(tmp_path):
    return write_radar(tmp_path / "trace", radar_reads(duration_ms=300), truth=((1000, "ab"),))


def mistakes(folder, sensor="ld2450") -> list[str]:
    with pytest.raises(TraceError) as caught:
        open_trace(folder, sensor)
    assert caught.value.exit_code == 3
    return caught.value.line().splitlines()


def one_mistake(folder, sensor="ld2450") -> str:
    found = mistakes(folder, sensor)
    assert len(found) == 1, found
    return found[0]


# -- what is whole


def test_reads_come_as_they_were_wherever_they_cut(folder):
    write_stream(folder, "ld2450", [(4, EMPTY[:7]), (9, EMPTY[7:]), (9, b""), (120, EMPTY + b"x")])
    trace = open_trace(folder, "ld2450")
    assert list(trace.events()) == [(4, 0, EMPTY[:7]), (9, 0, EMPTY[7:]), (9, 0, b""), (120, 0, EMPTY + b"x")]


def test_two_streams_are_one_by_time(folder):
    write_stream(folder, "tfluna_a", [(10, b"a1"), (30, b"a2"), (40, b"a3")])
    write_stream(folder, "tfluna_b", [(5, b"b1"), (30, b"b2")])
    events = list(open_trace(folder, "tfluna").events())
    assert events == [(5, 1, b"b1"), (10, 0, b"a1"), (30, 0, b"a2"), (30, 1, b"b2"), (40, 0, b"a3")]


def test_zones_and_edges_are_packed(folder):
    (folder / "vl53l1x_zones.csv").write_text("t_s,zone,mm,status\n0.000,0,2524,0\n0.059,1,300,7\n")
    assert list(open_trace(folder, "vl53l1x").events()) == [(0, 0, b"\x00\xdc\x09\x00"), (59, 0, b"\x01\x2c\x01\x07")]
    (folder / "pir_edges.csv").write_text("t_s,ch,level\n16.713,1,1\n17.071,0,0\n")
    assert list(open_trace(folder, "pir").events()) == [(16713, 0, b"\x01\x01"), (17071, 0, b"\x00\x00")]


def test_a_key_that_may_be_missing_has_its_default_and_unknown_ones_do_not_matter(folder):
    trace = open_trace(folder, "ld2450")
    assert (trace.duration_ms, trace.near_mm, trace.pavement_mm) == (20_000, 600, 3000)
    (folder / "trace.json").write_text(json.dumps({**ABOUT, "near_m": 1.25, "weather": ["rain"], "ld2450": {"yaw_deg": 3}}))
    assert open_trace(folder, "ld2450").near_mm == 1250


def test_what_is_said_about_the_sensor_itself_becomes_the_nodes_settings(folder):
    for stream in ("tfluna_a", "tfluna_b"):
        (folder / f"{stream}.bin").write_bytes(b"")
        (folder / f"{stream}_chunks.csv").write_text("t_s,bytes\n")
    (folder / "pir_edges.csv").write_text("t_s,ch,level\n")
    own = {"tfluna": {"height_m": 1, "separation_m": 0.25}, "pir": {"hold_s": 3.5, "toe_deg": 12}, "ld2450": {"yaw_deg": 2}}
    (folder / "trace.json").write_text(json.dumps({**ABOUT, **own}))
    pavement = {"near_mm": 600, "pavement_mm": 3000}
    assert open_trace(folder, "tfluna").settings == {**pavement, "separation_mm": 250}
    assert open_trace(folder, "pir").settings == {**pavement, "hold_ms": 3500}
    assert open_trace(folder, "ld2450").settings == pavement
    for wrong in ({"tfluna": {"separation_m": "wide"}}, {"tfluna": 3}):
        (folder / "trace.json").write_text(json.dumps({**ABOUT, **wrong}))
        with pytest.raises(TraceError, match="tfluna"):
            open_trace(folder, "tfluna")
        assert open_trace(folder, "ld2450").settings == pavement


def test_lines_may_end_as_windows_ends_them_and_be_empty(folder):
    path = folder / "ld2450_chunks.csv"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert len(list(open_trace(folder, "ld2450").events())) == 3


def test_an_empty_trace_has_no_events(tmp_path):
    assert list(open_trace(write_radar(tmp_path, [], duration_s=0), "ld2450").events()) == []


def test_truth_is_time_and_direction_in_any_order(folder):
    head = "t_s,direction,person,kind,group\n"
    (folder / "truth.csv").write_text(head + "17.266,ba,1,bike,18\n16.996,ab,0,adult,1\n")
    assert read_truth(folder) == [(17266, "ba"), (16996, "ab")]
    (folder / "truth.csv").unlink()
    assert read_truth(folder) is None


def test_a_long_trace_takes_no_more_memory_than_a_short_one(tmp_path):
    def peak(reads):
        trace = open_trace(write_radar(tmp_path, [(100 * n, EMPTY) for n in range(reads)]), "ld2450")
        tracemalloc.start()
        for _ in trace.events():
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(20_000) < peak(2_000) + 10_000


# -- what is damaged


@contextmanager
def changed(path, old: str, new: str):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    yield


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("0.100,30", "x,30", "ld2450_chunks.csv:3: t_s: found 'x', expected seconds such as 12.345"),
        ("0.100,30", "-0.1,30", "ld2450_chunks.csv:3: t_s: found '-0.1', expected seconds such as 12.345"),
        ("0.100,30", "nan,30", "ld2450_chunks.csv:3: t_s: found 'nan', expected seconds such as 12.345"),
        ("0.100,30", "9999999,30", "ld2450_chunks.csv:3: t_s: found '9999999', expected seconds such as 12.345"),
        ("0.200,30", "0.099,30", "ld2450_chunks.csv:4: t_s: found '0.099', expected no earlier time than 0.100 in the row before"),
        ("0.100,30", "0.100,3.5", "ld2450_chunks.csv:3: bytes: found '3.5', expected a whole number from 0 to 1048576"),
        ("0.100,30", "0.100,-1", "ld2450_chunks.csv:3: bytes: found '-1', expected a whole number from 0 to 1048576"),
        ("0.100,30", "0.100,²", "ld2450_chunks.csv:3: bytes: found '\\ufffd\\ufffd', expected a whole number from 0 to 1048576"),
        ("0.100,30", "0.100", "ld2450_chunks.csv:3: found '0.100', expected fields: 2"),
        ("0.100,30", "0.100,30,1", "ld2450_chunks.csv:3: found '0.100,30,1', expected fields: 2"),
        ("0.100,30", "0.100,31", "ld2450_chunks.csv: bytes: found 91, expected 90 in all, as in ld2450.bin"),
        ("0.200,30", "0.200,3", "ld2450_chunks.csv: bytes: found 63, expected 90 in all, as in ld2450.bin"),
        ("t_s,bytes", "t,bytes", "ld2450_chunks.csv:1: found 't,bytes', expected t_s,bytes"),
    ],
)
def test_a_damaged_list_of_reads_is_one_line(folder, old, new, said):
    with changed(folder / "ld2450_chunks.csv", old, new):
        assert one_mistake(folder) == said.replace("\\ufffd", "\ufffd")


def test_a_read_is_no_larger_than_any_buffer(folder):
    write_stream(folder, "ld2450", [(0, bytes(MOST_BYTES + 1))])
    assert "found '1048577', expected a whole number from 0 to 1048576" in one_mistake(folder)


def test_something_else_than_a_table_is_one_line(folder):
    (folder / "ld2450_chunks.csv").write_bytes(b"t_s,bytes\n" + bytes(1_000_000))
    assert one_mistake(folder).endswith("expected a row of fewer than 200 bytes")
    (folder / "ld2450_chunks.csv").write_bytes(bytes(range(256)) * 100)
    assert "ld2450_chunks.csv:1: found " in one_mistake(folder)


@pytest.mark.parametrize("name", ["trace.json", "ld2450.bin", "ld2450_chunks.csv"])
def test_a_file_that_is_not_there_is_named(folder, name):
    (folder / name).unlink()
    assert one_mistake(folder) == f"{folder / name}: No such file or directory"


def test_another_sensors_files_do_not_matter(folder):
    (folder / "pir_edges.csv").write_text("nonsense")
    assert open_trace(folder, "ld2450")
    assert one_mistake(folder, "pir") == "pir_edges.csv:1: found 'nonsense', expected t_s,ch,level"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("schema", 2, "trace.json: schema: found 2, expected 1"),
        ("schema", None, "trace.json: schema: found None, expected 1"),
        ("duration_s", "20", "trace.json: duration_s: found '20', expected a number from 0 to 4294967"),
        ("duration_s", -1, "trace.json: duration_s: found -1, expected a number from 0 to 4294967"),
        ("duration_s", float("nan"), "trace.json: duration_s: found nan, expected a number from 0 to 4294967"),
        ("pavement_m", None, "trace.json: pavement_m: found None, expected a number from 0 to 4294967"),
        ("pavement_m", True, "trace.json: pavement_m: found True, expected a number from 0 to 4294967"),
        ("near_m", [0.6], "trace.json: near_m: found [0.6], expected a number from 0 to 4294967"),
    ],
)
def test_a_wrong_value_is_one_line(folder, key, value, said):
    (folder / "trace.json").write_text(json.dumps({**ABOUT, key: value}))
    assert one_mistake(folder) == said


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"", "trace.json:1"), (b"{\n\n!", "trace.json:3"), (b"[1]", "trace.json:1"), (b"\xff\xfe", "trace.json:1"),
        (b"[" * 9999, "trace.json:1"),
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_one_line(folder, text, place):
    (folder / "trace.json").write_bytes(text)
    line = one_mistake(folder)
    assert line.startswith(f"{place}: found ")
    assert line.endswith(", expected a JSON object")


def test_all_mistakes_are_told_at_once_but_not_more_than_one_reads(folder):
    (folder / "trace.json").write_text("{}")
    assert len(mistakes(folder)) == 3
    (folder / "ld2450_chunks.csv").write_text("t_s,bytes\n" + "x,y\n" * 1000)
    lines = mistakes(folder)
    assert len(lines) == MOST_MISTAKES + 1
    assert lines[-1] == "... and more mistakes"
    assert lines[3:5] == [
        "ld2450_chunks.csv:2: t_s: found 'x', expected seconds such as 12.345",
        "ld2450_chunks.csv:2: bytes: found 'y', expected a whole number from 0 to 1048576",
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1.000,up,1,adult,1", "truth.csv:2: direction: found 'up', expected ab, ba"),
        ("soon,ab,1,adult,1", "truth.csv:2: t_s: found 'soon', expected seconds such as 12.345"),
        ("1.000,ab", "truth.csv:2: found '1.000,ab', expected fields: 5"),
    ],
)
def test_a_damaged_truth_is_one_line(folder, row, said):
    (folder / "truth.csv").write_text("t_s,direction,person,kind,group\n" + row + "\n")
    with pytest.raises(TraceError) as caught:
        read_truth(folder)
    assert caught.value.line() == said


def test_mistakes_speak_the_readers_language(folder):
    with changed(folder / "ld2450_chunks.csv", "0.100,30", "0.100,x"), pytest.raises(TraceError) as caught:
        open_trace(folder, "ld2450")
    assert caught.value.line("de") == "ld2450_chunks.csv:3: bytes: 'x' gefunden, ganze Zahl von 0 bis 1048576 erwartet"


def test_files_that_change_between_check_and_reading_are_noticed(folder):
    trace = open_trace(folder, "ld2450")
    (folder / "ld2450.bin").write_bytes(EMPTY)
    with pytest.raises(TraceError):
        list(trace.events())
