"""gateway.minutes: status, silence, clocks that leap, and a page whose address was taken."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time

import pytest

from gateway import minutes, sending
from gateway.errors import StoreError
from gateway.keeping import KEEP_S
from gateway.model import Gap
from gateway.store import SENT
from gateway.uplink.base import Answer, Outcome
from gateway.uplink.file import FileUplink
from tests.gateway.gateways import Clock, FakeUplink, Gateway, acked, in_all_rooms, watermarks
from tests.gateway.parts import T0, hello, minute
from tests.gateway.ptys import run, until
from tests.gateway.test_store import accept
from tests.real_parts import needs

pytestmark = needs("pty")
SPEED = 3000  # a minute in 20 ms


class FastClock(Clock):
    """UTC at SPEED times the pace of real time."""

    def set(self, at_s):
        self._at_s, self._since_s = at_s, time.monotonic()

    def __call__(self):
        return int((self._at_s + (time.monotonic() - self._since_s) * SPEED) * 1000)


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """The service's own pauses at the same pace."""

    class Fast:
        def __getattr__(self, name):
            return getattr(asyncio, name)

        @staticmethod
        async def sleep(seconds):
            await asyncio.sleep(seconds / SPEED)

    in_all_rooms(monkeypatch, "asyncio", Fast())


@pytest.fixture
def said(monkeypatch):
    """Events that the service logs."""
    events = []

    class Log:
        def __getattr__(self, _level):
            return lambda event, **data: events.append(event)

    in_all_rooms(monkeypatch, "_log", Log())
    return events


def of_the_day(gateway) -> int:
    """People in the longest window."""
    return sum(live.windows[86_400][0] for live in gateway.service.now().windows)


def sent(tmp_path, measurement: str) -> list:
    return FileUplink(tmp_path / "points").read(measurement, 0, 1 << 40)


# -- every minute


def test_every_minute_the_gateways_own_state_is_sent_though_no_node_speaks(tmp_path):
    async def scenario():
        async with Gateway(tmp_path, clock=FastClock(T0 + 30)):
            await until(lambda: len(sent(tmp_path, "gateway_status")) >= 4)
        rows = sent(tmp_path, "gateway_status")
        assert all(row.time_s > T0 and row.time_s % 60 == 0 for row in rows)
        assert {row.tags["gateway"] for row in rows} == {"gateway"}
        assert all(row.fields["disk_free_mb"] > 0 and row.fields["dead_letters"] == 0 for row in rows)

    run(scenario())


def test_the_state_tells_what_waits_and_since_when(tmp_path, line):
    async def scenario():
        async with Gateway(tmp_path, line, clock=FastClock(T0 + 61), enabled=False) as gateway:
            line.say(hello(), minute(1, T0))
            await acked(line, 1)
            query = (
                "SELECT time, fields FROM facts WHERE fields LIKE '%outbox_age_s%' AND fields NOT LIKE '%\"outbox_points\": 0,%'"
            )
            await until(lambda: gateway.rows(query))
            moment, fields = gateway.rows(query)[0]
            assert moment - T0 <= json.loads(fields)["outbox_age_s"] < moment - T0 + 3600

    run(scenario())


def test_silence_becomes_a_gap_after_its_delay_and_is_resolved_by_what_follows(tmp_path, line):
    async def scenario():
        async with Gateway(tmp_path, line, clock=FastClock(T0 + 61)):
            line.say(hello(), minute(1, T0))
            await acked(line, 1)
            await until(lambda: sent(tmp_path, "gaps"))
            (gap,) = sent(tmp_path, "gaps")
            assert (gap.time_s, gap.tags["reason"], gap.fields["bound"], gap.fields["resolved"]) == (T0 + 60, "silent", -1, 0)
            assert gap.fields["until"] > T0 + 960
            line.say(minute(2, T0 + 60))
            await until(lambda: sent(tmp_path, "gaps")[0].fields["resolved"])
            assert sent(tmp_path, "gaps")[0].fields["bound"] == 0

    run(scenario())


def test_a_silence_that_the_disk_did_not_take_is_noticed_again(tmp_path, line, said):
    async def scenario():
        async with Gateway(tmp_path, line, clock=FastClock(T0 + 61)) as gateway:
            line.say(hello(), minute(1, T0))
            await acked(line, 1)
            original = gateway.service._store.commit
            refused = []

            def commit(effects, now_s):
                if any(isinstance(effect, Gap) for effect in effects) and len(refused) < 2:
                    refused.append(now_s)
                    raise StoreError("store-full", path="store.db")
                return original(effects, now_s)

            gateway.service._store.commit = commit
            await until(lambda: sent(tmp_path, "gaps"))
            assert len(refused) == 2
            assert said.count("minute not noted") == 2
            line.say(minute(2, T0 + 60))
            await acked(line, 2)

    run(scenario())


def test_at_midnight_the_old_is_forgotten_and_what_waits_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "SPEED", 120)  # the minute after midnight must not be missed
    monkeypatch.setattr(minutes, "UNSET_MS", 0)
    midnight = T0 + 16 * 3600

    def fill(store):
        store.commit([accept(1, T0 - KEEP_S), accept(2, T0 - KEEP_S + 60)], T0)
        store.settle(store.waiting(1), SENT)

    async def scenario():
        async with Gateway(tmp_path, clock=FastClock(midnight - 90), enabled=False) as gateway:
            await gateway.in_store(fill)
            await until(lambda: gateway.rows("SELECT max(time) FROM facts")[0][0] == midnight - 60)
            assert len(gateway.rows("SELECT * FROM bins")) == 2, "forgotten before midnight"
            await until(lambda: len(gateway.rows("SELECT * FROM bins")) == 1)
            assert gateway.rows("SELECT start FROM bins") == [(T0 - KEEP_S + 60,)]

    run(scenario())


def test_history_does_not_expire_by_a_clock_that_was_set(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "SPEED", 120)  # the minute after midnight must not be missed

    def fill(store):
        store.commit([accept(1, T0 - 600)], T0)
        store.settle(store.waiting(1), SENT)

    async def scenario():
        clock = FastClock(T0 + 400 * 86_400 + 16 * 3600 - 90)  # more than a year ahead, and soon it is midnight there
        async with Gateway(tmp_path, clock=clock, enabled=False) as gateway:
            await gateway.in_store(fill)
            midnight = T0 + 400 * 86_400 + 16 * 3600
            await until(lambda: (gateway.rows("SELECT max(time) FROM facts")[0][0] or 0) > midnight)
            assert len(gateway.rows("SELECT * FROM bins")) == 1

    run(scenario())


def test_pauses_grow_while_the_server_is_away_and_begin_anew_after_it_was_there(tmp_path, monkeypatch):
    pauses = []

    class Log:
        def __getattr__(self, _level):
            return lambda event, **data: pauses.append(data["next_try_s"]) if event == "server takes nothing" else None

    monkeypatch.setattr(sending, "_log", Log())
    monkeypatch.setattr(sending, "SAY_AGAIN_S", 0)
    away, there = Answer(Outcome.RETRY, "away", status=503), Answer(Outcome.STORED)
    answers = [away, away, away, there, away, away, there]
    uplink = FakeUplink(lambda _lines: answers.pop(0) if answers else there)

    async def scenario():
        async with Gateway(tmp_path, clock=FastClock(T0 + 30), uplink=uplink):
            await until(lambda: not answers)

    run(scenario())
    assert pauses == [0.8, 1.5, 3.0, 0.8, 1.5]  # a quarter less than 1, 2, 4: the jitter of these tests


def test_a_page_whose_address_is_taken_is_tried_again_every_minute_and_said_once(tmp_path, said):
    async def scenario():
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            async with Gateway(tmp_path, clock=FastClock(T0 + 30), page=f"127.0.0.1:{port}") as gateway:
                await until(lambda: said.count("minute") >= 3)
                assert gateway.service.page_url == ""
                other.close()
                await until(lambda: gateway.service.page_url)
        assert (said.count("page not open"), said.count("page open")) == (1, 1)

    run(scenario())


# -- clocks


def test_a_gateway_without_time_says_nothing_of_minutes_and_accepts_once_it_has_it(tmp_path, line):
    async def scenario():
        clock = FastClock(30)
        async with Gateway(tmp_path, line, clock=clock) as gateway:
            line.say(hello(), minute(1, T0, 3))
            await asyncio.sleep(0.15)
            assert watermarks(line) == []
            assert gateway.rows("SELECT * FROM outbox") == []
            clock.set(T0 + 70)
            line.say(hello(), minute(1, T0, 3))
            await acked(line, 1)
            await until(lambda: of_the_day(gateway) == 3)

    run(scenario())


def test_windows_are_rebuilt_when_the_clock_leaps_and_come_back_with_it(tmp_path, line, said):
    async def scenario():
        clock = FastClock(T0 + 70)
        async with Gateway(tmp_path, line, clock=clock) as gateway:
            line.say(hello(), minute(1, T0, 3))
            await acked(line, 1)
            await until(lambda: of_the_day(gateway) == 3)
            clock.set(T0 + 400 * 86_400)
            await until(lambda: "the clock has leapt" in said)
            await until(lambda: of_the_day(gateway) == 0)
            clock.set(T0 + 500)
            await until(lambda: of_the_day(gateway) == 3)
            line.say(minute(2, T0 + 60, 2, total=(5, 0)))
            await acked(line, 2)
            await until(lambda: of_the_day(gateway) == 5)

    run(scenario())
