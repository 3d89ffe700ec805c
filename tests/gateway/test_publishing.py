"""gateway.publishing: a gateway's store is taken away and it is started again; wishes are granted while it runs."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from gateway import audits, publishing, wishes
from gateway.errors import StoreDamaged
from gateway.store import AUDITED
from gateway.uplink.influx_v1 import InfluxV1
from tests.gateway.gateways import Clock, Gateway, acked
from tests.gateway.parts import T0, hello, records
from tests.gateway.ptys import run, until
from tests.gateway.readback import MemoryServer, away
from tests.real_parts import needs

pytestmark = needs("pty")


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(publishing, "WISHES_S", 0.02)
    monkeypatch.setattr(publishing, "GLANCE_S", 0.1)
    monkeypatch.setattr("gateway.auditing.RETRY_S", 0.02)


def gateway_on(folder, line, server, at_s: float = T0 + 7200) -> Gateway:
    gateway = Gateway(folder, line, uplink=server, clock=Clock(at_s))
    gateway.service._publishing.auditing._uplink = server
    return gateway


async def heard_and_sent(gateway: Gateway, line, *messages) -> None:
    line.say(*messages)
    last = messages[-1].record.seq
    await acked(line, last)
    await until(lambda: gateway.rows("SELECT count(*) FROM outbox WHERE state = 0") == [(0,)])


def drop_store(folder) -> None:
    for path in (folder / "state").glob("store.db*"):
        path.unlink()


@pytest.fixture(params=["memory", pytest.param("influxd", marks=needs("influxd"))])
def server(request):
    if request.param == "memory":
        yield MemoryServer()
        return
    real = InfluxV1(request.getfixturevalue("influxd").url, request.getfixturevalue("database"))
    with contextlib.closing(real):
        yield real


def counts(server) -> dict[int, object]:
    return {row.time_s: row.fields["count_ab"] for row in server.read("passages", T0, T0 + 86_400)}


def test_a_gateway_that_lost_its_store_goes_on_as_if_nothing_had_happened(tmp_path, line, server):
    async def scenario():
        first = gateway_on(tmp_path, line, server)
        async with first:
            await heard_and_sent(first, line, hello(), *records(1, 12))
        before = counts(server)
        assert before == {T0 + 60 * n: 2 for n in range(12)}
        drop_store(tmp_path)
        line.heard.clear()
        second = gateway_on(tmp_path, line, server)
        async with second:
            await heard_and_sent(second, line, hello(uptime_s=800, next_seq=15), *records(9, 14, previous=0))
            assert counts(server) == before | {T0 + 720: 2, T0 + 780: 2}
            told = second.rows("SELECT measurement, fields FROM facts WHERE measurement IN ('losses', 'gaps')")
            assert told == []

    run(scenario())


def test_a_new_store_accepts_nothing_while_the_server_is_away_until_its_patience_ends(tmp_path, line, monkeypatch):
    monkeypatch.setattr(publishing, "PATIENCE_S", 0.5)
    server = MemoryServer()
    server.before = away()

    async def scenario():
        gateway = gateway_on(tmp_path, line, server)
        async with gateway:
            began = asyncio.get_running_loop().time()
            line.say(hello(), *records(1, 3))
            await acked(line, 3)
            assert asyncio.get_running_loop().time() - began > 0.3
            assert server.batches == 0, "nothing is published before the server has been read"
            assert "nothing listens at memory:" in gateway.service.now().trouble.line("en"), "and whoever looks on is told why"
            server.before = lambda _question: None
            await until(lambda: len(server.counts()) == 3)
            assert gateway.service.now().trouble is None

    run(scenario())


def test_a_store_that_was_damaged_while_it_ran_accepts_nothing_before_the_server_was_asked(tmp_path, line):
    server = MemoryServer()

    async def scenario():
        gateway = gateway_on(tmp_path, line, server)
        async with gateway:
            await heard_and_sent(gateway, line, hello(), *records(1, 3))
            server.before = away()
            await gateway.in_store(lambda store: store.read("UPDATE bins SET ab = 99 WHERE start = ?", (T0,)))
            with pytest.raises(StoreDamaged):  # whoever looks
                await gateway.in_store(lambda store: store.count_bins_since(0))
            line.say(*records(1, 4))
            asked = len(server.questions)
            await until(lambda: len(server.questions) > asked)  # it was made anew
            line.say(*records(1, 4))
            await until(lambda: len(server.questions) > asked + 4)
            assert gateway.rows("SELECT max(watermark) FROM streams") == [(0,)]
            server.before = lambda _question: None
            await acked(line, 4)
            await until(lambda: counts(server) == {T0 + 60 * n: 2 for n in range(4)})

    run(scenario())


def test_a_new_store_of_an_empty_server_accepts_at_once(tmp_path, line):
    async def scenario():
        gateway = gateway_on(tmp_path, line, MemoryServer())
        async with gateway:
            began = asyncio.get_running_loop().time()
            await heard_and_sent(gateway, line, hello(), *records(1, 3))
            assert asyncio.get_running_loop().time() - began < 2

    run(scenario())


def test_a_server_that_only_takes_is_sent_to(tmp_path, line):
    server = MemoryServer()
    server.before = away("uplink-forbidden")

    async def scenario():
        gateway = gateway_on(tmp_path, line, server)
        async with gateway:
            await heard_and_sent(gateway, line, hello(), *records(1, 3))
            wishes.ask(tmp_path / "state", wishes.AUDIT)
            await until(lambda: audits.newest(tmp_path / "state") is not None)
            assert audits.newest(tmp_path / "state")["exit_code"] == 7

    run(scenario())


def test_a_wish_for_an_audit_is_granted_and_repairs(tmp_path, line):
    server = MemoryServer()

    async def scenario():
        gateway = gateway_on(tmp_path, line, server)
        async with gateway:
            await heard_and_sent(gateway, line, hello(), *records(1, 12))
            server.lose(next(place for place in server.points if place[0] == "passages"))
            wishes.ask(tmp_path / "state", wishes.AUDIT)
            await until(lambda: len(server.counts()) == 12)
            await until(lambda: gateway.service.now().audited is not None)  # it is told after it is mended
            assert gateway.service.now().audited.missing == 1
            assert audits.newest(tmp_path / "state")["missing"] == 1
            await until(lambda: gateway.rows("SELECT count(*) FROM outbox WHERE state = 0") == [(0,)])
            wishes.ask(tmp_path / "state", wishes.AUDIT)
            await until(lambda: gateway.rows("SELECT DISTINCT state FROM bins") == [(AUDITED,)])

    run(scenario())


def test_a_wish_is_answered_also_while_the_server_is_away_from_the_start(tmp_path, line):
    server = MemoryServer()

    async def scenario():
        first = gateway_on(tmp_path, line, server)
        async with first:
            await heard_and_sent(first, line, hello(), *records(1, 3))
        server.before = away()
        second = gateway_on(tmp_path, line, server)
        async with second:
            wishes.ask(tmp_path / "state", wishes.AUDIT)
            await until(lambda: (audits.newest(tmp_path / "state") or {}).get("exit_code") == 9)

    run(scenario())


def test_dead_letters_are_sent_once_more_on_a_wish(tmp_path, line):
    server = MemoryServer()
    # a minute, not the rolling result that ends with the minute before: whether that is sent in between is a matter of moments
    server.refuses = lambda sent: sent.startswith(b"passages,") and sent.endswith(str(T0 + 60).encode())

    async def scenario():
        gateway = gateway_on(tmp_path, line, server)
        async with gateway:
            await heard_and_sent(gateway, line, hello(), *records(1, 3))
            assert gateway.rows("SELECT count(*) FROM dead_letters") == [(1,)]
            server.refuses = lambda _line: False
            wishes.ask(tmp_path / "state", wishes.RESEND)
            await until(lambda: len(server.counts()) == 3)

    run(scenario())


def test_without_the_time_nothing_is_read_back_and_with_it_all_is(tmp_path, line):
    server = MemoryServer()

    async def scenario():
        first = gateway_on(tmp_path, line, server)
        async with first:
            await heard_and_sent(first, line, hello(), *records(1, 6))
        drop_store(tmp_path)
        asked = len(server.questions)
        clock = Clock(100)
        second = Gateway(tmp_path, line, uplink=server, clock=clock)
        second.service._publishing.auditing._uplink = server
        async with second:
            await asyncio.sleep(0.1)
            assert len(server.questions) == asked
            clock.set(T0 + 9000)
            await until(lambda: second.rows("SELECT count(*) FROM bins") == [(6,)])

    run(scenario())


def test_what_waits_is_sent_before_it_stops(tmp_path, line):
    server = MemoryServer()

    async def scenario():
        gateway = Gateway(tmp_path, line, uplink=server, clock=Clock(T0 + 7200), wait_s=60)
        gateway.service._publishing.auditing._uplink = server
        async with gateway:
            await until(gateway.service._publishing.sending.may_publish.is_set)
            line.say(hello(), *records(1, 3))
            await acked(line, 3)
        assert len(server.counts()) == 3

    run(scenario())
