"""Traces are written as they are read back; reads cut frames anywhere, and damage stays rare and small."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.traces.generated import EMPTY
from tools.traces import writing
from tools.traces.trace import open_trace, read_truth

FRAMES = [(37 + 100 * n, bytes([n % 256]) * 30) for n in range(5000)]


@given(st.lists(st.tuples(st.integers(0, 200), st.binary(min_size=1, max_size=40)), max_size=60), st.integers(0, 2**32))
def test_reads_hold_the_same_bytes_in_order_never_before_they_came(gaps, seed):
    t_ms, pieces = 0, []
    for gap_ms, data in gaps:
        t_ms += gap_ms
        pieces.append((t_ms, data))
    reads = list(writing.torn(Random(seed), pieces))
    assert b"".join(data for _, data in reads) == b"".join(data for _, data in pieces)
    assert [at for at, _ in reads] == sorted(at for at, _ in reads)
    come = [at for at, data in pieces for _ in data]
    taken = [at for at, data in reads for _ in data]
    assert all(data for _, data in reads)
    assert all(read_ms >= came_ms for read_ms, came_ms in zip(taken, come, strict=True))


def test_reads_cut_frames_and_join_them():
    sizes = {len(data) for _, data in writing.torn(Random(1), FRAMES)}
    assert sizes >= {1, 7, 29, 30}
    assert max(sizes) > 30
    waits = [at % 100 - 37 for at, data in writing.torn(Random(1), FRAMES) if len(data) == 30]
    assert 5 <= sum(waits) / len(waits) < 60


def test_the_first_frame_is_incomplete_and_few_others_are_damaged():
    beginnings = set()
    for seed in range(30):
        (_, first), *others = writing.damaged(Random(seed), FRAMES)
        beginnings.add(len(first))
        assert FRAMES[0][1].endswith(first)
        changed = [data for (_, data), (_, frame) in zip(others, FRAMES[1:], strict=True) if data != frame]
        assert 0 < len(changed) < 0.01 * len(FRAMES)
        assert {len(data) for data in changed} <= {29, 30, 31}
    assert len(beginnings) > 10


def test_a_seed_is_a_stream():
    def stream(seed):
        return list(writing.torn(Random(seed), writing.damaged(Random(seed), FRAMES)))

    assert stream(1) == stream(1) != stream(2)


def test_what_is_written_is_read_back(tmp_path):
    writing.write_about(tmp_path, 20_500, 2.75, 0.85, {"scene": "busy", "ld2450": {"height_m": 1.2}})
    writing.write_stream(tmp_path, "ld2450", [(4, EMPTY[:7]), (1009, EMPTY[7:])])
    writing.write_zones(tmp_path, [(0, 0, 2500, 0), (59, 1, 300, 7)])
    writing.write_edges(tmp_path, [(16_713, 1, 1)])
    writing.write_truth(tmp_path, [(17_266, "ba", 0, "adult", 3)])
    radar = open_trace(tmp_path, "ld2450")
    assert (radar.duration_ms, radar.pavement_mm, radar.near_mm) == (20_500, 2750, 850)
    assert list(radar.events()) == [(4, 0, EMPTY[:7]), (1009, 0, EMPTY[7:])]
    assert [t_ms for t_ms, _, _ in open_trace(tmp_path, "vl53l1x").events()] == [0, 59]
    assert list(open_trace(tmp_path, "pir").events()) == [(16_713, 0, b"\x01\x01")]
    assert read_truth(tmp_path) == [(17_266, "ba")]
    assert (tmp_path / "truth.csv").read_text() == "t_s,direction,person,kind,group\n17.266,ba,0,adult,3\n"


@pytest.mark.parametrize(("t_ms", "text"), [(0, "0.000"), (7, "0.007"), (12_340, "12.340"), (86_400_001, "86400.001")])
def test_times_have_three_digits(t_ms, text):
    assert writing.seconds(t_ms) == text
