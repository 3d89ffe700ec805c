"""gateway.intake: from the wire to the disk and back to the node, and the order in which that happens."""

from __future__ import annotations

import asyncio

import pytest

import streetwire
from gateway import intake
from gateway.delivery import Backoff
from gateway.model import Accept, Received
from gateway.store import SENT
from tests.gateway.gateways import Clock, Gateway, acked, in_all_rooms, watermarks
from tests.gateway.parts import INCARNATION, NODE, OTHER, T0, hello, live, minute
from tests.gateway.ptys import Line, run, until
from tests.gateway.test_store_faults import fill_disk, free_disk
from tests.real_parts import needs

pytestmark = needs("pty")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    in_all_rooms(monkeypatch, "DISK_PAUSE_S", 0.02)
    monkeypatch.setattr(Backoff, "LIMITS_S", dict.fromkeys(Backoff.LIMITS_S, 0.02))


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
            async with gateway.held_disk():
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
            async with gateway.held_disk():
                line.say(hello())
                await asyncio.sleep(0.2)
                before_ms = gateway.clock()
            await until(lambda: line.heard_of(streetwire.TIME))
            (time,) = line.heard_of(streetwire.TIME)
            assert (time.node, time.incarnation) == (NODE, INCARNATION)
            assert before_ms <= time.unix_ms <= gateway.clock()

    run(scenario())


def test_a_node_heard_before_the_gateway_had_the_time_is_tied_by_the_steady_clock(tmp_path, line):
    async def scenario():
        utc = Clock(0)
        async with Gateway(tmp_path, line, clock=utc, steady=Clock(0)) as gateway:
            line.say(hello(uptime_s=90))
            await until(lambda: gateway.service._booking._session.dropped == {"gateway has no time": 1})
            utc.set(T0 + 150)
            line.say(hello(boot=2), minute(1, 0, 4, uptime_end_s=60))
            await acked(line, 1)
            assert gateway.rows("SELECT start, ab FROM bins") == [(T0 + 60, 4)]

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
    monkeypatch.setattr(intake, "QUEUE", 8)
    monkeypatch.setattr(intake, "BATCH", 4)

    async def scenario():
        async with Gateway(tmp_path, line, clock=Clock(T0 + 9000)) as gateway:
            async with gateway.held_disk():
                line.say(hello(), *(minute(n, T0 + 60 * n) for n in range(1, 61)))
                await asyncio.sleep(0.2)
                assert gateway.service._intake._queue.qsize() == 8
            await acked(line, 60)

    run(scenario())


def test_a_gateway_that_opens_a_port_calls_the_nodes_that_it_knows(tmp_path, line):
    async def scenario():
        async with Gateway(tmp_path, line):
            line.say(hello(), minute(1, T0, 3))
            await acked(line, 1)
        line.listen().clear()
        async with Gateway(tmp_path, line):  # and no node has said anything
            await until(lambda: len(line.heard_of(streetwire.COMMAND)) == 2)
        assert line.heard_of(streetwire.COMMAND) == [
            streetwire.Command(NODE, INCARNATION, streetwire.SAY_HELLO, 0),
            streetwire.Command(NODE, INCARNATION, streetwire.RESEND_FROM, 2),
        ]

    run(scenario())


# -- company: one commit for many


class Books:
    """Booking that accepts every record at once; `commits` holds how many payloads came together."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.commits: list[int] = []

    async def book(self, decide):
        before = len(self.desk.heard)
        effects = decide(self.desk)
        self.commits.append(len(self.desk.heard) - before)
        return effects


class Desk:
    """A session that accepts each payload as a record of the minute that it names."""

    def __init__(self) -> None:
        self.heard: list[Received] = []

    def hear(self, received):
        self.heard.append(received)
        record = streetwire.decode(received.payload).record
        return [Accept(NODE, INCARNATION, record, "bahnhof", record.bin_start, "radar", "", 0, received.received_ms)]


async def taken(bin_start: int, came_s: int, *before: int) -> list[int]:
    """Sizes of the commits where one record comes (with others of minutes `before`), and more as soon as that is booked; fifty in
    all."""
    books = Books()
    taking = intake.Intake({}, books, Clock(came_s))
    taking.may_accept.set()
    task = None
    for node, start in enumerate([*before, *[bin_start] * (50 - len(before))], 1):
        await taking.put(Received(minute(1, start, 1, node=node).encode(), "serial:test", came_s * 1000))
        if node > len(before):
            task = task or asyncio.create_task(taking.run())
            await until(lambda: books.commits)
    try:
        await until(lambda: sum(books.commits) == 50)
    finally:
        assert task is not None
        task.cancel()
    return books.commits


def test_fifty_nodes_that_close_their_minute_cost_two_commits(monkeypatch):
    monkeypatch.setattr(intake, "COMPANY_S", 0.05)
    assert asyncio.run(taken(T0, T0 + 61)) == [1, 49]


def test_a_backlog_waits_for_nobody_though_a_fresh_record_is_in_it(monkeypatch):
    monkeypatch.setattr(intake, "COMPANY_S", 3600)
    assert sum(asyncio.run(taken(T0, T0 + 61, T0 - 3600))) == 50


def test_a_backlog_waits_for_no_company(monkeypatch):
    monkeypatch.setattr(intake, "COMPANY_S", 3600)
    assert sum(asyncio.run(taken(T0, T0 + intake.FRESH_S))) == 50
