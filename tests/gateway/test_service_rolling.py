"""gateway.service: rolling results are published beside the minutes they are made of, also after a start, a refusal or a loss."""

from __future__ import annotations

import pytest

from gateway import publishing, wishes
from gateway.delivery import Backoff
from gateway.outbox import ROLLED
from gateway.uplink.base import Answer, Outcome
from tests.gateway.gateways import Clock, FakeUplink, Gateway, acked, in_all_rooms
from tests.gateway.parts import T0, hello, minute, records
from tests.gateway.ptys import run, until
from tests.gateway.readback import MemoryServer
from tests.real_parts import needs

pytestmark = needs("pty")
NOW_S = T0 + 1805


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    in_all_rooms(monkeypatch, "DISK_PAUSE_S", 0.02)
    monkeypatch.setattr(publishing, "WISHES_S", 0.02)
    monkeypatch.setattr(publishing, "GLANCE_S", 0.1)
    monkeypatch.setattr("gateway.auditing.RETRY_S", 0.02)
    monkeypatch.setattr(Backoff, "LIMITS_S", dict.fromkeys(Backoff.LIMITS_S, 0.02))
    monkeypatch.setattr(Backoff, "UNANSWERED_S", 0.02)


def gateway_on(folder, line, server, at_s: float = NOW_S) -> Gateway:
    gateway = Gateway(folder, line, uplink=server, clock=Clock(at_s))
    gateway.service._publishing.auditing._uplink = server
    return gateway


def results(server: MemoryServer, window: str) -> dict[int, tuple[object, object]]:
    """End after T0 -> (count, coverage)."""
    rows = server.of("passages_rolling").items()
    return {end_s - T0: (fields["count"], fields["coverage"]) for (tags, end_s), fields in rows if dict(tags)["window"] == window}


async def half_an_hour(gateway: Gateway, line) -> None:
    """A node tells of thirty minutes, and everything is published."""
    line.say(hello(), *records(1, 30))
    await acked(line, 30)
    await settled(gateway)


async def settled(gateway: Gateway) -> None:
    await until(lambda: gateway.service._booking.windows.is_published and not gateway.rows("SELECT 1 FROM outbox WHERE state = 0"))


def test_every_window_is_published_with_its_coverage(tmp_path, line):
    server = MemoryServer()

    async def scenario():
        async with gateway_on(tmp_path, line, server) as gateway:
            await half_an_hour(gateway, line)
        assert results(server, "1m") == {60 * n: (2, 1.0) for n in range(1, 31)}
        assert results(server, "5m")[300] == (10, 1.0) and results(server, "5m")[60] == (2, 0.2)
        assert results(server, "15m")[1800] == (30, 1.0)
        assert results(server, "1h") == {300 * n: (10 * n, round(n / 12, 6)) for n in range(1, 7)}
        assert results(server, "24h") == {900: (30, round(900 / 86_400, 6)), 1800: (60, round(1800 / 86_400, 6))}

    run(scenario())


def test_what_had_not_been_published_when_it_stopped_is_after_a_start(tmp_path, line):
    server = MemoryServer()
    server.answers = lambda: Answer(Outcome.RETRY, "away", is_undelivered=True)

    async def scenario():
        async with gateway_on(tmp_path, line, server):
            line.say(hello(), *records(1, 30))
            await acked(line, 30)
        assert server.points == {}
        server.answers = lambda: Answer(Outcome.STORED)
        async with gateway_on(tmp_path, line, server, NOW_S + 60) as gateway:
            await settled(gateway)
        assert results(server, "1m") == {60 * n: (2, 1.0) for n in range(1, 31)}

    run(scenario())


def test_a_start_in_the_middle_of_every_window_changes_no_number(tmp_path, line):
    server = MemoryServer()

    async def scenario():
        async with gateway_on(tmp_path, line, server) as gateway:
            await half_an_hour(gateway, line)
            before, published = list(gateway.service.now().windows), dict(server.points)
            assert {window: ab for window, (ab, *_) in before[0].windows.items()} == {60: 2, 300: 10, 900: 30, 3600: 60, 86_400: 60}
        async with gateway_on(tmp_path, line, server) as gateway:
            assert list(gateway.service.now().windows) == before
            await settled(gateway)
        assert server.points == published

    run(scenario())


def test_a_late_record_revises_what_was_published_and_again_after_a_kill(tmp_path, line):
    server = MemoryServer()

    async def scenario():
        async with gateway_on(tmp_path, line, server) as gateway:
            await half_an_hour(gateway, line)
            await gateway.service._booking.note_status("gateway", NOW_S // 60 * 60, {"outbox_points": 0, "outbox_age_s": 0,
                                                       "dead_letters": 0, "disk_free_mb": 1})  # fmt: skip
            assert gateway.rows(f"SELECT value FROM meta WHERE name = '{ROLLED}'") == [(T0 + 1740,)]
            server.answers = lambda: Answer(Outcome.RETRY, "away", is_undelivered=True)
            line.say(minute(31, T0 + 600, 5, total=(65, 0), uptime_end_s=1860))
            await acked(line, 31)
            assert gateway.rows(f"SELECT value FROM meta WHERE name = '{ROLLED}'") == [(T0 + 600,)]
        server.answers = lambda: Answer(Outcome.STORED)
        async with gateway_on(tmp_path, line, server, NOW_S + 60) as gateway:
            await settled(gateway)
        assert results(server, "1m")[660] == (7, 1.0)
        assert results(server, "24h")[1800] == (65, round(1800 / 86_400, 6))
        assert results(server, "15m")[600] == (20, round(600 / 900, 6)), "what ended before is as it was"

    run(scenario())


def test_results_of_minutes_that_a_server_has_lost_are_sent_again_with_them(tmp_path, line):
    server = MemoryServer()

    async def scenario():
        async with gateway_on(tmp_path, line, server) as gateway:
            await half_an_hour(gateway, line)
            before = dict(server.points)
            server.points.clear()
            gateway.clock.set(NOW_S + 180)  # so that all is old enough to be judged
            wishes.ask(tmp_path / "state", wishes.AUDIT)
            await until(lambda: len(server.counts()) == 30)
            await settled(gateway)
        assert {place: fields for place, fields in server.points.items() if place[0] == "passages_rolling"} == {
            place: fields for place, fields in before.items() if place[0] == "passages_rolling"
        }

    run(scenario())


def test_a_result_that_the_server_refuses_holds_up_nobody_and_can_be_sent_again(tmp_path, line):
    server = MemoryServer()
    server.refuses = lambda sent: b"window=5m" in sent and sent.endswith(b" %d" % (T0 + 300))

    async def scenario():
        async with gateway_on(tmp_path, line, server) as gateway:
            await half_an_hour(gateway, line)
            assert [text for (text,) in gateway.rows("SELECT measurement FROM dead_letters")] == ["passages_rolling"]
            assert 300 not in results(server, "5m") and len(results(server, "5m")) == 29
            server.refuses = lambda _line: False
            wishes.ask(tmp_path / "state", wishes.RESEND)
            await until(lambda: 300 in results(server, "5m"))
            assert gateway.rows("SELECT 1 FROM dead_letters") == []

    run(scenario())


def test_results_of_a_simulation_do_not_leave_this_machine(tmp_path, line):
    uplink = FakeUplink(is_local=False)

    async def scenario():
        async with Gateway(tmp_path, line, uplink=uplink, clock=Clock(NOW_S)) as gateway:
            line.say(hello(platform="virtual"), *records(1, 30))
            await acked(line, 30)
            await until(lambda: gateway.service._booking.windows.is_published)
            assert not uplink.lines(b"passages")

    run(scenario())
