"""gateway.service: what goes to the server, in which order, and what never does."""

from __future__ import annotations

import asyncio
import threading

import pytest

from gateway import sending, service
from gateway.delivery import Backoff
from gateway.model import Q_SIMULATED
from gateway.store import DEAD, SENT, SUPPRESSED
from gateway.uplink.base import Answer, Outcome
from gateway.uplink.influx_v2 import InfluxV2
from tests.gateway.gateways import Clock, FakeUplink, Gateway, acked, in_all_rooms
from tests.gateway.parts import NAME, OTHER, T0, hello, live, minute
from tests.gateway.ptys import run, until
from tests.real_parts import needs

pytestmark = needs("pty")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    in_all_rooms(monkeypatch, "DISK_PAUSE_S", 0.02)
    monkeypatch.setattr(Backoff, "LIMITS_S", dict.fromkeys(Backoff.LIMITS_S, 0.02))


def test_points_wait_for_company(tmp_path, line):
    uplink = FakeUplink()

    async def scenario():
        async with Gateway(tmp_path, line, uplink=uplink, clock=Clock(T0 + 9000), wait_s=0.25):
            line.say(hello())
            for seq in range(1, 6):
                line.say(minute(seq, T0 + 60 * seq))
                await acked(line, seq)
            await until(lambda: len(uplink.minutes) == 5)
        assert len(uplink.sent) <= 3

    run(scenario())


def test_with_nothing_to_send_nobody_asks(tmp_path, line):
    asked = []

    async def scenario():
        async with Gateway(tmp_path, line) as gateway:
            original = gateway.service._store.waiting
            gateway.service._store.waiting = lambda *span: (asked.append(span), original(*span))[1]
            line.say(hello(), minute(1, T0, 3))
            await until(lambda: gateway.stored() == {T0: 3})
            await asyncio.sleep(0.05)
            before = len(asked)
            await asyncio.sleep(0.15)
            assert len(asked) == before

    run(scenario())


def test_one_request_at_a_time_and_the_newest_value_last(tmp_path, line):
    gate = threading.Event()
    uplink = FakeUplink(lambda _lines: (gate.wait(5), Answer(Outcome.STORED))[1])

    async def scenario():
        async with Gateway(tmp_path, line, uplink=uplink) as gateway:
            line.say(hello(), minute(1, T0, 3, covered_s=20, total=(3, 0)))
            await until(lambda: uplink.sent)
            line.say(minute(2, T0, 4, covered_s=40, total=(7, 0)))  # the bin grows while it is on its way
            await acked(line, 2)
            gate.set()
            await until(lambda: gateway.rows("SELECT state, rev FROM outbox") == [(SENT, 1)])
        assert uplink.most_in_flight == 1
        assert [b"count=%di" % n in line for n, line in zip((3, 7), uplink.lines(b"passages,"), strict=True)] == [True, True]
        assert len(uplink.minutes) == 1

    run(scenario())


def test_trouble_with_the_server_is_said_and_loses_nothing_and_ends_by_itself(tmp_path, line, monkeypatch):
    said = []

    class Log:
        def __getattr__(self, level):
            return lambda event, **data: said.append((level, data["reason"])) if event == "server takes nothing" else None

    monkeypatch.setattr(sending, "_log", Log())
    answers = [Answer(Outcome.RETRY, "away"), Answer(Outcome.HOLD, "HTTP 404"), Answer(Outcome.RETRY, "away", 0.01)]
    uplink = FakeUplink(lambda _lines: answers.pop(0) if answers else Answer(Outcome.STORED))

    async def scenario():
        async with Gateway(tmp_path, line, uplink=uplink) as gateway:
            line.say(hello(), minute(1, T0, 3))
            await until(lambda: uplink.minutes)
            await until(lambda: gateway.rows("SELECT state FROM outbox") == [(SENT,)])
        assert len(uplink.sent) == 4
        assert said == [("warning", "away"), ("error", "HTTP 404"), ("warning", "away")]

    run(scenario())


def test_a_refused_line_becomes_a_dead_letter_and_all_others_arrive(tmp_path, line):
    def answer(lines):
        is_bad = any(line.startswith(b"passages,") and b"count=5i" in line for line in lines)
        return Answer(Outcome.REFUSED, "400 bad") if is_bad else Answer(Outcome.STORED)

    uplink = FakeUplink(answer)

    async def scenario():
        async with Gateway(tmp_path, line, uplink=uplink, clock=Clock(T0 + 9000), wait_s=0.1) as gateway:
            line.say(hello(), *(minute(n, T0 + 60 * n, n, total=(n * (n + 1) // 2, 0)) for n in range(1, 10)))
            await until(lambda: len(uplink.minutes) == 8)
            await until(lambda: gateway.rows("SELECT count(*) FROM dead_letters") == [(1,)])
            ((text, reason),) = gateway.rows("SELECT line, reason FROM dead_letters")
            assert ("count=5i" in text, reason) == (True, "400 bad")
            assert gateway.rows(f"SELECT time FROM outbox WHERE state = {DEAD}") == [(T0 + 300,)]

    run(scenario())


def test_a_point_that_the_schema_refuses_becomes_a_dead_letter_and_all_others_arrive(tmp_path, line):
    def poison(store):
        store.add_gateway_status("gw", T0 - 60, {"outbox_points": 1, "outbox_age_s": 1, "dead_letters": 1.5})

    async def scenario():
        async with Gateway(tmp_path, line) as gateway:
            await gateway.in_store(poison)
            line.say(hello(), minute(1, T0, 3))
            await until(lambda: gateway.stored() == {T0: 3})
            await until(lambda: gateway.rows("SELECT count(*) FROM dead_letters") == [(1,)])
            assert "dead_letters" in gateway.rows("SELECT reason FROM dead_letters")[0][0]
            await until(lambda: gateway.rows("SELECT count(*) FROM outbox WHERE state = 0") == [(0,)])

    run(scenario())


# -- simulated data stay here


def simulated_and_real(line):
    line.say(hello(platform="unix"), minute(1, T0, 3, climate=(2000, 100, 3)), live(uptime_s=90))
    line.say(hello(node=OTHER), minute(1, T0, 4, node=OTHER))


def test_nothing_of_a_simulated_node_goes_to_a_server_that_is_not_local(tmp_path, line):
    uplink = FakeUplink(is_local=False)

    async def scenario():
        async with Gateway(tmp_path, line, uplink=uplink) as gateway:
            simulated_and_real(line)
            await until(lambda: uplink.lines(b"tr-0000b2"))
            await until(lambda: gateway.rows("SELECT count(*) FROM outbox WHERE state = 0") == [(0,)])
            states = dict(gateway.rows("SELECT node, min(state) FROM bins JOIN series ON id = series GROUP BY 1"))
            assert states == {"tr-0000b2": SENT, NAME: SUPPRESSED}
        assert not uplink.lines(NAME.encode())

    run(scenario())


def test_simulated_data_say_so_where_they_may_go(tmp_path, line):
    uplink = FakeUplink(is_local=True)

    async def scenario():
        async with Gateway(tmp_path, line, uplink=uplink):
            simulated_and_real(line)
            await until(lambda: uplink.lines(b"passages,") and uplink.lines(b"climate"))
        for sent in uplink.lines(b"passages,") + uplink.lines(b"climate"):
            q = int(sent.partition(b",q=")[2].partition(b"i")[0])
            assert bool(q & Q_SIMULATED) == (NAME.encode() in sent)

    run(scenario())


def test_what_was_simulated_stays_so_though_its_node_calls_itself_a_board_later(tmp_path, line):
    uplink = FakeUplink(is_local=False)

    async def scenario():
        async with Gateway(tmp_path, line, enabled=False):
            line.say(hello(platform="unix"), minute(1, T0, 3, climate=(2000, 100, 3)))
            await acked(line, 1)
            line.say(hello(platform="esp32"), minute(2, T0 + 60, 5, total=(8, 0)))
            await acked(line, 2)
        async with Gateway(tmp_path, line, uplink=uplink) as gateway:
            await until(lambda: gateway.rows("SELECT count(*) FROM outbox WHERE state = 0") == [(0,)])
        assert [b"count=5i" in sent for sent in uplink.lines(b"")] == [True]

    run(scenario())


@needs("influxd")
def test_the_whole_gateway_delivers_over_v2_and_a_token_that_is_refused_keeps_everything(tmp_path, line, adapter, database):
    refused = InfluxV2(adapter.url, adapter.org, database, "not the token")
    allowed = InfluxV2(adapter.url, adapter.org, database, adapter.writer)

    async def scenario():
        async with Gateway(tmp_path, line, uplink=refused) as gateway:
            line.say(hello(), minute(1, T0, 3, climate=(2150, 96, 6)), minute(2, T0 + 60, 4, total=(7, 0)))
            await acked(line, 2)
            await until(lambda: gateway.service.now().trouble is not None)
            assert "401" in gateway.service.now().trouble.reason
            assert "not the token" not in gateway.service.now().trouble.reason
        async with Gateway(tmp_path, line, uplink=allowed) as gateway:
            await until(lambda: gateway.rows("SELECT count(*) FROM outbox WHERE state = 0") == [(0,)])
            assert gateway.service.now().trouble is None
        assert {row.time_s: row.fields["count"] for row in allowed.read("passages", T0, T0 + 120)} == {T0: 3, T0 + 60: 4}
        assert [row.fields["temperature_c"] for row in allowed.read("climate", T0, T0 + 120)] == [21.5]

    run(scenario())


def test_a_mistake_of_ours_in_an_uplink_is_trouble_and_no_end(tmp_path, line):
    answers = [ValueError("a bug"), Answer(Outcome.RETRY, "away"), Answer(Outcome.STORED)]

    def answer(_lines):
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(found, Exception):
            raise found
        return found

    seen = []

    async def scenario():
        async with Gateway(tmp_path, line, uplink=FakeUplink(answer), clock=Clock(T0 + 75)) as gateway:
            line.say(hello(), minute(1, T0, 3))
            await acked(line, 1)
            async with asyncio.timeout(10):
                while (trouble := gateway.service.now().trouble) is not None or not seen:
                    if trouble is not None:
                        seen.append(trouble)
                    await asyncio.sleep(0.001)
            await until(lambda: gateway.rows("SELECT count(*) FROM outbox WHERE state = 0") == [(0,)])
        assert {trouble.reason for trouble in seen} <= {"ValueError", "away"}
        assert len({trouble.since_s for trouble in seen}) == 1  # it began once

    run(scenario())


def test_a_silent_server_keeps_nobody_from_stopping(tmp_path, line):
    gate = threading.Event()
    uplink = FakeUplink(lambda _lines: (gate.wait(30), Answer(Outcome.STORED))[1])

    async def scenario():
        gateway = await Gateway(tmp_path, line, uplink=uplink).__aenter__()
        line.say(hello(), minute(1, T0, 3))
        await acked(line, 1)
        await until(lambda: uplink.sent)
        began = asyncio.get_running_loop().time()
        await gateway.stop()
        assert asyncio.get_running_loop().time() - began < service.STOP_S + 3
        gate.set()

    run(scenario())
