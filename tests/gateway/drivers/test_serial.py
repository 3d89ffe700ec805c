"""The serial driver on real ptys, reading: cut reads, garbage, back-pressure, unplugging, ports that are not there."""

from __future__ import annotations

import asyncio
import random

import pytest
import serial

import streetwire
from gateway.drivers import serial as room
from gateway.drivers.serial import SerialDriver
from gateway.drivers.table import open_driver
from tests.gateway.drivers.serial_bench import ACK, PAYLOADS, Running, frames
from tests.gateway.parts import INCARNATION, NODE, T0
from tests.gateway.ptys import Line, end, run, until
from tests.real_parts import needs

pytestmark = needs("pty")


# -- reading


@pytest.mark.parametrize("seed", range(3))
def test_reads_may_cut_frames_anywhere(line, seed):
    async def scenario():
        async with Running(line.path) as running:
            await running.is_open()
            data = frames(*PAYLOADS)
            cut = random.Random(seed)
            while data:
                size = cut.choice([1, 2, 3, 7, 30, 400])
                data = data[line.write(data[:size]) :]
                await asyncio.sleep(0)
            await until(lambda: len(running.received) == 40)
            assert running.payloads == PAYLOADS
            stats = running.driver.stats
            assert (stats.rx_bytes, stats.bad_frames, stats.opens) == (len(frames(*PAYLOADS)), 0, 1)

    run(scenario())


def test_what_was_received_names_its_link_and_its_moment(line):
    async def scenario():
        async with Running(line.path) as running:
            await running.is_open()
            line.write(frames(b"hallo"))
            await until(lambda: running.received)
            (received,) = running.received
            assert (received.payload, received.link, received.received_ms) == (b"hallo", f"serial:{line.path}", T0 * 1000)

    run(scenario())


@pytest.mark.parametrize(("clocks", "steady_ms"), [((lambda: T0 * 1000, lambda: 7), 7), ((lambda: T0 * 1000,), T0 * 1000)])
def test_the_moment_by_a_clock_that_nobody_sets_comes_along_and_is_utc_where_there_is_no_other(line, clocks, steady_ms):
    async def scenario():
        received = []

        async def emit(item):
            received.append(item)

        driver = open_driver(f"serial:{line.path}", *clocks)
        task = asyncio.create_task(driver.run(emit))
        await until(lambda: driver.stats.is_open)
        line.write(frames(b"hallo"))
        await until(lambda: received)
        assert (received[0].received_ms, received[0].steady_ms) == (T0 * 1000, steady_ms)
        await end(task)

    run(scenario())


def test_garbage_between_frames_costs_nothing_but_itself(line):
    async def scenario():
        async with Running(line.path) as running:
            await running.is_open()
            for n, noise in enumerate(
                [b"ets Jun  8 2016 00:22:57\r\nrst:0x1\r\n", b"\x00\x00\x05\x01", b"\xff" * 3000, b"\x03\x11\x13\x7f"]
            ):
                line.write(noise + frames(PAYLOADS[n]))
                await until(lambda n=n: len(running.received) == n + 1)
            assert running.payloads == PAYLOADS[:4]
            await until(lambda: running.driver.stats.bad_frames == 4)

    run(scenario())


def test_bytes_that_terminals_treat_specially_pass_both_ways(line):
    payload = bytes(range(1, 200))

    async def scenario():
        async with Running(line.path) as running:
            await running.is_open()
            line.write(frames(payload))
            await until(lambda: running.payloads == [payload])
            every_byte = streetwire.Log(NODE, INCARNATION, 6, 0, "".join(map(chr, range(1, 128))))
            assert await running.driver.send(every_byte)
            await until(lambda: line.listen() == [every_byte])
            assert running.payloads == [payload], "an echo"

    run(scenario())


def test_a_slow_gateway_stops_the_line_and_loses_nothing(line):
    async def scenario():
        gate = asyncio.Event()
        received = []

        async def emit(item):
            await gate.wait()
            received.append(item.payload)

        driver = SerialDriver(str(line.path), lambda: 0)
        task = asyncio.create_task(driver.run(emit))
        await until(lambda: driver.stats.is_open)
        sent = 0
        data = frames(*PAYLOADS)
        for _ in range(300):  # until nobody takes any more
            taken = line.write(data[sent % len(data) :])
            sent += taken
            await asyncio.sleep(0.001)
        assert taken == 0, "the driver went on reading while nobody took what it had read"
        assert received == []
        assert driver.stats.rx_bytes <= room.MAX_READ
        gate.set()
        while sent % len(data):
            sent += line.write(data[sent % len(data) :])
            await asyncio.sleep(0.001)
        await until(lambda: len(received) == sent // len(data) * 40)
        assert received == PAYLOADS * (sent // len(data))
        await end(task)

    run(scenario())


# -- plugging


def test_unplugged_and_plugged_in_again_under_the_same_name(line, said):
    async def scenario():
        async with Running(line.path) as running:
            for n in range(3):
                await running.is_open()
                line.write(frames(PAYLOADS[n]) + frames(b"cut")[:-3])
                await until(lambda n=n: len(running.received) == n + 1)
                line.unplug()
                await until(lambda: not running.driver.stats.is_open)
                assert await running.driver.send(ACK) is False
                line.plug()
            await running.is_open()
            line.write(frames(PAYLOADS[3]))
            await until(lambda: len(running.received) == 4)
            assert running.payloads == PAYLOADS[:4], "half a frame of before was glued to one of after"
            assert running.driver.stats.opens == 4
            assert running.driver.stats.rx_bytes == len(frames(PAYLOADS[3])), "bytes count from the opening"
            assert [event for event, _ in said].count("port lost") == 3

    run(scenario())


def test_a_missing_port_is_waited_for_and_said_once(tmp_path, said):
    async def scenario():
        async with Running(tmp_path / "port") as running:
            await until(lambda: said)
            await asyncio.sleep(0.3)
            assert [(event, data["problem"]) for event, data in said] == [
                ("port not open", f"port {tmp_path / 'port'} is not there. Plug the node in; it is waited for.")
            ]
            line = Line(tmp_path / "port")
            await running.is_open()
            line.write(frames(b"hallo"))
            await until(lambda: running.payloads == [b"hallo"])
            line.unplug()

    run(scenario())


def test_pauses_between_tries_grow_up_to_their_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "FIRST_PAUSE_S", 1.0)
    monkeypatch.setattr(room, "MAX_PAUSE_S", 15.0)
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == 7:
            raise asyncio.CancelledError

    monkeypatch.setattr(room.asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(SerialDriver(str(tmp_path / "none"), lambda: 0).run(None))
    assert pauses == [1, 2, 4, 8, 15, 15, 15]


def test_a_port_that_opens_but_gives_nothing_is_not_tried_without_pause(monkeypatch, said):
    opened = []

    class Broken:
        in_waiting = 0

        async def read_async(self, _size):
            await asyncio.sleep(0)
            raise serial.SerialException("device reports readiness to read but returned no data")

        def close(self):
            opened.append(self)

    async def scenario():
        driver = SerialDriver("/dev/broken", lambda: 0)
        monkeypatch.setattr("gateway.drivers.serial.open_port", lambda path: Broken())
        task = asyncio.create_task(driver.run(None))
        await asyncio.sleep(0.3)
        await end(task)

    run(scenario())
    assert 2 <= len(opened) <= 20
    assert len(said) <= 40
