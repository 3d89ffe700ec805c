"""The benches do what they say: everything that they claim to have kept or sent is there. How fast, they tell, not a test."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing

import pytest

from tests.real_parts import needs
from tools import bench_chain, bench_drain, bench_soak, bench_store, cli
from tools.street import influxd as real


@pytest.fixture
def bench(capsys):
    """Runs `trottoir bench ...`; its exit code and what it found."""

    def call(*words: str) -> tuple[int, dict]:
        code = cli.main(["--json", "bench", *words])
        return code, json.loads(capsys.readouterr().out)

    return call


def rows(path, table: str) -> int:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_every_contender_keeps_its_records(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_store, "RING_S", 3600)
    result = bench_store.measure(tmp_path, 4000)
    assert rows(tmp_path / "group.db", "bins") == 4000
    assert rows(tmp_path / "single.db", "bins") == rows(tmp_path / "sqlite.db", "records") == 400
    assert len((tmp_path / "lines.csv").read_text().splitlines()) == 400
    assert result["minutes"] == rows(tmp_path / "windows.db", "bins") == 60 * bench_store.SERIES
    assert rows(tmp_path / "windows.db", f"bins WHERE state = {bench_store.SENT}") == bench_store.MAX_LINES
    assert set(result["ratios"]) == {"single", "sqlite", "lines"}
    assert min(*result["records_per_s"].values(), result["bytes_per_minute"], result["render_us"], result["settle_us"]) > 0


@needs("influxd")
def test_all_ways_bring_the_same_points_to_a_real_server(bench):
    _, result = bench("chain", "--records", "1000", "--nodes", "5")
    assert result["stored"] == dict.fromkeys(("ours", "straight", "batching", "synchronous"), True)
    assert set(result["ratios"]) == {"straight", "batching", "synchronous"}


@needs("influxd")
def test_the_client_writes_the_lines_that_the_gateway_writes(influxd, database):
    city = bench_chain.City(2, bench_chain.START_S)
    influxd.create_database(f"{database}_client")
    with bench_chain.adapter_beside(influxd.url) as url:
        bench_chain.through_client(url, f"{database}_client", bench_chain.payloads(city, 6), is_batching=False)
    with closing(bench_chain.InfluxV1(influxd.url, f"{database}_client")) as reader:
        found = {(row.tags["node"], row.time_s): row for row in reader.read("passages", 0, 1 << 32)}
    assert len(found) == 6
    for number in range(3):
        for node in range(2):
            bin_ = city.bin(node, number)
            ours = bench_store.pipeline.passages_point(bin_)
            row = found[bin_.series.node, bin_.start_s]
            assert (row.tags, row.fields) == (ours.tags, ours.fields)


def test_without_a_server_the_chain_ends_in_files(bench, monkeypatch):
    monkeypatch.setattr(real, "find", lambda: None)
    code, result = bench("chain", "--records", "1000")
    assert (code, result["server"], result["stored"], result["ratios"]) == (0, "file", {"ours": True}, {})


@needs("influxd")
def test_a_backlog_drains_while_new_minutes_arrive(bench, monkeypatch):
    monkeypatch.setattr(bench_drain, "AFTER_S", 1.0)
    _, result = bench("chain", "--drain", "0.1", "--nodes", "50")
    assert result["stored"] == result["points"] == 144 * 50
    assert result["live_records"] >= 1
    assert result["live_lag_s"] > 0


def test_a_drain_needs_a_server(monkeypatch, capsys):
    monkeypatch.setattr(real, "find", lambda: None)
    assert cli.main(["bench", "chain", "--drain", "1"]) == 3
    assert "apt install influxdb" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_short_soak_sends_everything_and_says_what_it_wrote(bench):
    _, result = bench("soak", "--days", "0.1", "--nodes", "3")
    minutes = 144
    told = 3 * -(-minutes // 5) + minutes  # health of the nodes, and of the gateway
    assert result["days"] == 0.1
    assert result["points"] >= 2 * 3 * minutes + told
    assert result["more_files"] == 0
    assert result["store_mb"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_soak_that_writes_too_much_is_a_failed_check(bench, monkeypatch):
    monkeypatch.setitem(bench_soak.MOST, "written_mb_per_day", -1.0)
    code, result = bench("soak", "--days", "0.01", "--nodes", "1")
    assert (code, result["ok"]) == (1, False)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("store", "--records", "999"), "1000"),
        (("chain", "--nodes", "257"), "256"),
        (("chain", "--drain", "0"), "366"),
        (("soak", "--days", "0"), "3660"),
        (("soak", "--nodes", "0"), "256"),
    ],
)
def test_what_makes_no_sense_is_refused(words, expected, capsys):
    assert cli.main(["bench", *words]) == 2
    assert expected in capsys.readouterr().err
