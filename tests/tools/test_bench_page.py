"""The bench measures what it says: real acknowledgements, viewers that are fed. How fast, the bench tells, not a test."""

from __future__ import annotations

import subprocess

import pytest

from tests.real_parts import needs
from tools import bench_page
from tools.bench_city import BenchError
from tools.bench_page import measure

pytestmark = needs("pty")


def test_records_are_acknowledged_and_viewers_are_fed():
    result = measure(turns=1, turn_s=1.5)
    assert result["records"] > 10
    assert result["states"] >= bench_page.VIEWERS
    assert 0 < result["latency_ms"]["alone"]["p50"] <= result["latency_ms"]["alone"]["max"]
    assert result["latency_ratio"] > 0


def test_a_gateway_that_says_nothing_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(bench_page, "ACK_S", 0.4)
    monkeypatch.setattr(bench_page.streetwire, "encode_frame", lambda payload: b"\x00")
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(bench_page.subprocess, "Popen", lambda *args, **how: started.append(popen(*args, **how)) or started[-1])
    with pytest.raises(BenchError):
        measure(turns=1, turn_s=0.1)
    assert [process.poll() is not None for process in started] == [True]
