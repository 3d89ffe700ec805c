"""What real servers refuse, carried through `delivery.attempt`: the good lines are there, the bad ones are dead letters."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.delivery import BatchSize, Result, attempt
from gateway.model import OutboxRef
from gateway.uplink.base import Answer, Outcome, Uplink
from gateway.uplink.influx_v1 import InfluxV1
from gateway.uplink.influx_v2 import InfluxV2
from tests.gateway.uplink.test_contract import T0, TAGS, counts, passages
from tests.real_parts import needs
from tools.street.influxd import Influxd

COUNT = 40
BAD = (0, 7, 8, 39)
DAY = 86_400

SPOILT = {
    "no line": lambda n: b"no line protocol",
    "type conflict": lambda n: passages(n, n).replace(b"count=%di" % n, b"count=%d.0" % n),
    "cut in its time": lambda n: passages(n, n)[:-4] + b"x",
    "too large a number": lambda n: passages(n, n).replace(b"count=%di" % n, b"count=9223372036854775808i"),
    "not a number": lambda n: passages(n, n).replace(b"count=%di" % n, b"count=nan"),
}


def deliver(uplink: Uplink, lines: list[bytes]) -> Result:
    async def send(some) -> Answer:
        return uplink.send(some)

    return asyncio.run(attempt([(OutboxRef(n, "passages", {}, n, 0), line) for n, line in enumerate(lines)], send))


def numbers(result: Result) -> tuple[list[int], list[int]]:
    """Of the stored and of the refused."""
    return sorted(ref.id for ref in result.stored), sorted(ref.id for ref, _, _ in result.refused)


@pytest.fixture(params=["v1", "v2"])
def influx(request, influxd, database):
    """influxd itself, and behind InfluxDB 2's wire."""
    adapter = request.getfixturevalue("adapter")
    of = {"v1": lambda: InfluxV1(influxd.url, database), "v2": lambda: InfluxV2(adapter.url, adapter.org, database, adapter.writer)}
    uplink = of[request.param]()
    yield uplink
    uplink.close()


@needs("influxd")
@pytest.mark.parametrize("how", SPOILT)
def test_bad_lines_are_found_and_all_others_are_there(influx, how):
    assert influx.send([passages(100, 1)]).outcome is Outcome.STORED  # the types are settled
    lines = [SPOILT[how](n) if n in BAD else passages(n, n) for n in range(COUNT)]
    result = deliver(influx, lines)
    good = [n for n in range(COUNT) if n not in BAD]
    assert (numbers(result), result.stopped) == ((good, list(BAD)), None)
    assert all(reason.startswith("HTTP 4") and len(reason) > 20 for _, _, reason in result.refused)
    assert counts(influx) == {100: 1, **{n: n for n in good}}


@needs("influxd")
def test_what_is_beyond_retention_is_refused_together(influxd, database):
    influxd.query(f'CREATE RETENTION POLICY "ten" ON "{database}" DURATION 10d REPLICATION 1 DEFAULT')
    uplink = InfluxV1(influxd.url, database)
    now_s = int(time.time()) // 60 * 60
    moments = [now_s - 20 * DAY + 60 * n for n in range(100)] + [now_s - 60 * n for n in range(1, 29)]
    asked = []

    async def send(some) -> Answer:
        asked.append(len(some))
        return uplink.send(some)

    lines = [passages(0, 3).rpartition(b" ")[0] + b" %d" % at for at in moments]
    result = asyncio.run(attempt([(OutboxRef(n, "passages", {}, n, 0), line) for n, line in enumerate(lines)], send))
    assert (numbers(result), result.stopped) == ((list(range(100, 128)), list(range(100))), None)
    assert len(asked) < 15
    assert all("beyond retention policy" in reason for _, _, reason in result.refused)
    assert sorted(row.time_s for row in uplink.read("passages", 0, now_s)) == sorted(moments[100:])
    uplink.close()


@needs("influxd")
@pytest.mark.parametrize(
    ("broken", "status"),
    [
        (lambda url, _: InfluxV1(url, "nowhere"), 404),
        (lambda url, database: InfluxV2(url, "stadt", database, "t"), 404),  # 1.6 does not know the path
        (lambda url, database: InfluxV1(url + "/elsewhere", database), 404),
    ],
)
def test_a_wrong_place_keeps_everything_until_it_is_put_right(influxd, database, broken, status):
    lines = [passages(n, n) for n in range(COUNT)]
    wrong, right = broken(influxd.url, database), InfluxV1(influxd.url, database)
    result = deliver(wrong, lines)
    assert (result.stored, result.refused) == ([], [])
    assert (result.stopped.outcome, result.stopped.status) == (Outcome.HOLD, status)
    assert numbers(deliver(right, lines)) == (list(range(COUNT)), [])
    assert counts(right) == {n: n for n in range(COUNT)}
    for uplink in (wrong, right):
        uplink.close()


@needs("influxd")
def test_a_wrong_password_keeps_everything_until_it_is_put_right(tmp_path):
    server = Influxd(tmp_path, auth=True)
    server.start()
    server.query("CREATE USER root WITH PASSWORD 'r' WITH ALL PRIVILEGES")
    server.query("CREATE DATABASE d", u="root", p="r")
    lines = [passages(n, n) for n in range(COUNT)]
    for password, outcome, status in (("wrong", Outcome.HOLD, 401), (None, Outcome.HOLD, 401), ("r", None, None)):
        uplink = InfluxV1(server.url, "d", "root", password)
        result = deliver(uplink, lines)
        stopped = result.stopped
        assert (stopped and stopped.outcome, stopped and stopped.status) == (outcome, status)
        assert len(result.stored) == (0 if outcome else COUNT)
        uplink.close()
    server.stop()


@needs("influxd")
def test_a_server_that_takes_only_small_bodies_gets_everything_in_few_tries(tmp_path):
    server = Influxd(tmp_path)
    config = tmp_path / "influxdb.conf"
    config.write_text(config.read_text().replace("[http]\n", "[http]\nmax-body-size = 1000\n"))
    server.start()
    server.create_database("d")
    uplink = InfluxV1(server.url, "d")
    waiting = {n: passages(n, n) for n in range(2000)}
    size, attempts = BatchSize(500), 0
    while waiting:
        attempts += 1
        result = deliver_some(uplink, waiting, size.points)
        for ref in result.stored:
            del waiting[ref.id]
        assert result.refused == []
        size.take(result.stopped)
        assert attempts < 1000
    assert counts(uplink) == {n: n for n in range(2000)}
    uplink.close()
    server.stop()


def deliver_some(uplink: Uplink, waiting: dict[int, bytes], most: int) -> Result:
    async def send(some) -> Answer:
        return uplink.send(some)

    items = [(OutboxRef(n, "passages", {}, n, 0), waiting[n]) for n in list(waiting)[:most]]
    return asyncio.run(attempt(items, send))


@needs("victoria-metrics")
@pytest.mark.parametrize("how", ["no line", "cut in its time", "not a number"])
def test_victoriametrics_says_nothing_of_a_bad_line_and_keeps_the_others(victoria, how):
    uplink = InfluxV2(victoria.url, "", "trottoir")
    lines = [SPOILT[how](n) if n in BAD else passages(n, n) for n in range(COUNT)]
    result = deliver(uplink, lines)
    assert (numbers(result), result.stopped) == ((list(range(COUNT)), []), None)  # 204: only reading back finds the hole
    victoria.flush()
    tallies = uplink.tally("passages", ["count", "count_ba"], T0, T0 + DAY)
    assert {dict(tags)["node"] for tags, _ in tallies} == {TAGS["node"]}
    assert sum(tally.points for tally in tallies.values()) == COUNT - len(BAD)
    assert sum(tally.sums["count"] for tally in tallies.values()) == sum(range(COUNT)) - sum(BAD)
    uplink.close()
