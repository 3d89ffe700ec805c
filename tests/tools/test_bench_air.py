"""The bench of the air measures what it says: every advert is heard, every content believed, every record in the books."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from gateway.model import PERIOD_S, node_name
from tools import bench_air, cli
from tools.bench_city import NODE, City, only_errors

CONTENTS_PER_MINUTE, ADVERTS_PER_MINUTE = 6, 30


def test_the_share_is_of_adverts_that_are_believed_all_of_them():
    with only_errors():
        found = bench_air.share(nodes=3, minutes=5)
    assert found["adverts"] == pytest.approx(3 * 5 * ADVERTS_PER_MINUTE, abs=10)
    assert found["contents"] == pytest.approx(3 * 5 * CONTENTS_PER_MINUTE, abs=3)  # each node's last may not be booked yet
    assert (found["conversations"], found["records"]) == (3, pytest.approx(3 * 60, abs=3))  # what an hour has brought
    assert min(found["share"], found["stand_in"]) > 0
    assert found["gateway"] == pytest.approx(found["share"] - found["stand_in"])


@pytest.mark.parametrize("interval_s", bench_air.INTERVALS_S)
def test_a_backlog_arrives_whole_and_no_faster_than_its_packets(interval_s):
    with only_errors():
        found = bench_air.backlog(100, interval_s)
    assert found["records"] == 100
    assert found["took_s"] > 100 / 4 * interval_s  # four packets an event


def test_what_was_fetched_is_what_the_node_has_counted():
    city = City(1, bench_air.NOW_S - 30 * PERIOD_S)

    async def fetch(there, path):
        await there.start_gateway()
        await bench_air.asyncio.sleep(1)
        await bench_air._until_committed(path, 1, 30)
        with closing(sqlite3.connect(path)) as store:
            return store.execute("SELECT node, start, ab, ba FROM bins JOIN series ON id = series ORDER BY start").fetchall()

    with only_errors():
        rows = bench_air.on_air(city, fetch)
    bins = [city.bin(0, number) for number in range(30)]
    assert rows == [(node_name(NODE), one.start_s, one.ab, one.ba) for one in bins]


@pytest.mark.parametrize(("most", "code"), [("MOST_SHARE", 1), ("LONGEST_BACKLOG_S", 1), (None, 0)])
def test_a_goal_that_is_missed_is_a_failed_check(most, code, monkeypatch, capsys):
    monkeypatch.setattr(bench_air, "DAY_RECORDS", 10)
    if most:
        monkeypatch.setattr(bench_air, most, 0.0)
    assert cli.main(["--json", "bench", "air", "--nodes", "1", "--minutes", "1"]) == code
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is (code == 0)
    assert [row["interval_ms"] for row in told["backlog"]] == [15, 30, 50]


@pytest.mark.parametrize(("words", "expected"), [(("--minutes", "0"), "1440"), (("--nodes", "257"), "256")])
def test_numbers_out_of_range_are_refused(words, expected, capsys):
    assert cli.main(["bench", "air", *words]) == 2
    assert expected in capsys.readouterr().err
