"""gateway.service: from the wire to the disk to the server, and the order in which that happens."""

from __future__ import annotations

import asyncio
import threading

import pytest

import streetwire
from gateway import service as room
from gateway.delivery import Backoff
from gateway.model import Q_SIMULATED
from gateway.store import DEAD, SENT, SUPPRESSED
from gateway.uplink.base import Answer, Outcome
from tests.gateway.gateways import Clock, FakeUplink, Gateway, acked, watermarks
from tests.gateway.parts import INCARNATION, NAME, NODE, OTHER, T0, hello, live, minute
from tests.gateway.ptys import Line, run, until
from tests.gateway.test_store_faults import fill_disk, free_disk
from tests.real_parts import needs

pytestmark = needs("pty")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(room, "DISK_PAUSE_S", 0.02)
    monkeypatch.setattr(Backoff, "LIMITS_S", dict.fromkeys(Backoff.LIMITS_S, 0.02))


@pytest.fixture
def line(tmp_path):
    line = Line(tmp_path / "port")
    yield line
    line.unplug()


# -- from the wire to the disk


def test_a_record_is_committed_then_acknowledged_then_sent(tmp_path, line):
    async def scenario():
        async with Gateway(tmp_path, line) as gateway:
            line.say(hello(), minute(1, T0, 3, 4))
            await acked(line, 1)
            assert gateway.records() == [1]
            await until(lambda: gateway.stored() == {T0: 7})
            await until(lambda: gateway.rows(f"SELECT count(*) FROM outbox WHERE state = {SENT}") == [(1,)])

    run(scenario())


def test_nothing_is_acknowledged_before_its_commit(tmp_path, line):
    async def scenario():
        async with Gateway(tmp_path, line) as gateway:
            line.say(hello())
            await acked(line, 0)
            with gateway.held_disk():
                line.say(minute(1, T0, 3), live(uptime_s=70))
                await asyncio.sleep(0.15)
                assert set(watermarks(line)) == {0}
            await acked(line, 1)

    run(scenario())


def test_a_full_disk_acknowledges_nothing_and_heals_without_a_restart(tmp_path, line):
    async def scenario():
        async with Gateway(tmp_path, line) as gateway:
            line.say(hello())
            await acked(line, 0)
            await gateway.in_store(fill_disk)
            refused = await first_refused(gateway, line)
            for _ in range(5):  # the node goes on asking
                line.say(minute(refused, T0 + 60 * refused), minute(refused + 1, T0 + 60 * refused + 60))
                await asyncio.sleep(0.03)
            assert max(watermarks(line)) == refused - 1 == gateway.records()[-1]
            await gateway.in_store(free_disk)
            line.say(minute(refused, T0 + 60 * refused), minute(refused + 1, T0 + 60 * refused + 60))
            await acked(line, refused + 1)
            assert gateway.records() == list(range(1, refused + 2))
            assert not gateway.task.done()

    async def first_refused(gateway, line):
        gateway.clock.set(T0 + 1_000_000)
        for seq in range(1, 500):
            line.say(minute(seq, T0 + 60 * seq))
            try:
                async with asyncio.timeout(0.3):
                    while seq not in watermarks(line):
                        await asyncio.sleep(0.001)
            except TimeoutError:
                return seq
        raise AssertionError("the disk never got full")

    run(scenario())


def test_a_burst_is_acknowledged_up_to_its_end(tmp_path, line):
    async def scenario():
        async with Gateway(tmp_path, line, clock=Clock(T0 + 9000)) as gateway:
            line.say(hello(), *(minute(n, T0 + 60 * n, n, total=(n * (n + 1) // 2, 0)) for n in range(1, 41)))
            await acked(line, 40)
            assert gateway.records() == list(range(1, 41))
            assert watermarks(line) == sorted(watermarks(line))
            await until(lambda: sum(gateway.stored().values()) == 820)

    run(scenario())


def test_the_time_is_that_of_the_sending(tmp_path, line):
    async def scenario():
        async with Gateway(tmp_path, line) as gateway:
            with gateway.held_disk():
                line.say(hello())
                await asyncio.sleep(0.2)
                before_ms = gateway.clock()
            await until(lambda: line.heard_of(streetwire.TIME))
            (time,) = line.heard_of(streetwire.TIME)
            assert (time.node, time.incarnation) == (NODE, INCARNATION)
            assert before_ms <= time.unix_ms <= gateway.clock()

    run(scenario())


def test_answers_go_to_the_link_that_asked(tmp_path, line):
    other = Line(tmp_path / "other")

    async def scenario():
        async with Gateway(tmp_path, line, other):
            line.say(hello(), minute(1, T0))
            other.say(hello(node=OTHER), minute(1, T0, previous=0, node=OTHER))
            await acked(line, 1)
            await acked(other, 1)
            assert {m.node for m in line.listen()} == {NODE}
            assert {m.node for m in other.listen()} == {OTHER}

    run(scenario())
    other.unplug()


def test_between_wire_and_disk_lies_a_bounded_queue(tmp_path, line, monkeypatch):
    monkeypatch.setattr(room, "QUEUE", 8)
    monkeypatch.setattr(room, "BATCH", 4)

    async def scenario():
        async with Gateway(tmp_path, line, clock=Clock(T0 + 9000)) as gateway:
            with gateway.held_disk():
                line.say(hello(), *(minute(n, T0 + 60 * n) for n in range(1, 61)))
                await asyncio.sleep(0.2)
                assert gateway.service._queue.qsize() == 8
            await acked(line, 60)

    run(scenario())


# -- restart and stop


def test_a_restart_goes_on_where_the_gateway_was(tmp_path, line):
    async def scenario():
        async with Gateway(tmp_path, line) as gateway:
            line.say(hello(), minute(1, T0, 3, total=(3, 0)))
            await acked(line, 1)
        line.listen().clear()
        async with Gateway(tmp_path, line, clock=Clock(T0 + 125)) as gateway:
            line.say(live(uptime_s=70, ab=3))  # the node has noticed nothing
            await acked(line, 1)
            await until(lambda: line.heard_of(streetwire.TIME))
            assert gateway.service._pipeline.live()[0].windows[900][:2] == (3, 0)
            line.say(minute(1, T0, 3, total=(3, 0)), minute(2, T0 + 60, 2, total=(5, 0)))
            await acked(line, 2)
            await until(lambda: gateway.stored() == {T0: 3, T0 + 60: 2})

    run(scenario())


def test_what_waited_before_a_restart_is_sent_though_no_node_speaks(tmp_path, line):
    async def scenario():
        async with Gateway(tmp_path, line, enabled=False):
            line.say(hello(), minute(1, T0, 3))
            await acked(line, 1)
        async with Gateway(tmp_path) as gateway:
            await until(lambda: gateway.stored() == {T0: 3})

    run(scenario())


def test_a_stop_takes_in_and_sends_what_is_there(tmp_path, line):
    async def scenario():
        async with Gateway(tmp_path, line, wait_s=300) as gateway:
            line.say(hello(), minute(1, T0, 3))
            await acked(line, 1)
            assert gateway.stored() == {}
        assert gateway.stored() == {T0: 3}
        assert gateway.rows("SELECT state FROM outbox") == [(SENT,)]

    run(scenario())


def test_a_stop_while_the_disk_is_slow_acknowledges_only_what_is_committed(tmp_path, line):
    async def scenario():
        async with Gateway(tmp_path, line, clock=Clock(T0 + 9000)) as gateway:
            line.say(hello())
            await acked(line, 0)
            with gateway.held_disk() as release:
                line.say(minute(1, T0, 1, total=(1, 0)))
                await until(lambda: gateway.service._session._streams[NODE, INCARNATION].watermark == 1)
                line.say(minute(2, T0 + 60, 1, total=(2, 0)))
                await until(gateway.service._queue.qsize)
                asyncio.get_running_loop().call_later(0.1, release.set)
                await gateway.stop()
        async with Gateway(tmp_path, line, clock=Clock(T0 + 9000)) as gateway:
            line.say(minute(1, T0, 1, total=(1, 0)), minute(2, T0 + 60, 1, total=(2, 0)))
            await acked(line, 2)
            assert gateway.records() == [1, 2]

    run(scenario())


def test_a_stop_gives_the_port_back_and_closes_the_uplink(tmp_path, line):
    uplink = FakeUplink()

    async def scenario():
        async with Gateway(tmp_path, line, uplink=uplink) as gateway:
            pass
        assert uplink.is_closed
        assert not [driver for driver in gateway.service.drivers.values() if driver.stats.is_open]

    run(scenario())


def test_a_driver_that_fails_ends_the_gateway_with_its_error(tmp_path, line):
    async def scenario():
        gateway = Gateway(tmp_path, line)

        async def broken(_emit):
            await asyncio.sleep(0.05)
            raise ZeroDivisionError

        for driver in gateway.service.drivers.values():
            driver.run = broken
        with pytest.raises(ZeroDivisionError):
            await gateway.service.run()

    run(scenario())


# -- sending


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
        assert [b"count=%di" % n in line for n, line in zip((3, 7), uplink.lines(b"passages"), strict=True)] == [True, True]
        assert len(uplink.table) == 1

    run(scenario())


def test_trouble_with_the_server_loses_nothing_and_ends_by_itself(tmp_path, line):
    answers = [Answer(Outcome.RETRY, "away"), Answer(Outcome.HOLD, "HTTP 404"), Answer(Outcome.RETRY, "away", 0.01)]
    uplink = FakeUplink(lambda _lines: answers.pop(0) if answers else Answer(Outcome.STORED))

    async def scenario():
        async with Gateway(tmp_path, line, uplink=uplink) as gateway:
            line.say(hello(), minute(1, T0, 3))
            await until(lambda: uplink.table)
            await until(lambda: gateway.rows("SELECT state FROM outbox") == [(SENT,)])
        assert len(uplink.sent) == 4

    run(scenario())


def test_a_refused_line_becomes_a_dead_letter_and_all_others_arrive(tmp_path, line):
    def answer(lines):
        return Answer(Outcome.REFUSED, "400 bad") if any(b"count=5i" in line for line in lines) else Answer(Outcome.STORED)

    uplink = FakeUplink(answer)

    async def scenario():
        async with Gateway(tmp_path, line, uplink=uplink, clock=Clock(T0 + 9000), wait_s=0.1) as gateway:
            line.say(hello(), *(minute(n, T0 + 60 * n, n, total=(n * (n + 1) // 2, 0)) for n in range(1, 10)))
            await until(lambda: len(uplink.table) == 8)
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
            assert gateway.rows("SELECT count(*) FROM outbox WHERE state = 0") == [(0,)]

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
            states = dict(gateway.rows("SELECT tags LIKE '%a3f1c2%', min(state) FROM outbox GROUP BY 1"))
            assert states == {0: SENT, 1: SUPPRESSED}
        assert not uplink.lines(NAME.encode())

    run(scenario())


def test_simulated_data_say_so_where_they_may_go(tmp_path, line):
    uplink = FakeUplink(is_local=True)

    async def scenario():
        async with Gateway(tmp_path, line, uplink=uplink):
            simulated_and_real(line)
            await until(lambda: uplink.lines(b"passages") and uplink.lines(b"climate"))
        for sent in uplink.lines(b"passages") + uplink.lines(b"climate"):
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
