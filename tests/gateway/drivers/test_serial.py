"""The serial driver on real ptys: cut reads, garbage, unplugging, busy ports, back-pressure, and an orderly end."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import gc
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import serial
from aioserial import AioSerial

import streetwire
from gateway.drivers import serial as room
from gateway.drivers.serial import SerialDriver
from gateway.drivers.table import DRIVERS, open_driver
from gateway.errors import EXIT_DEVICE, EXIT_PERMISSION, ConfigError, DeviceError, PermissionDenied
from tests.gateway.parts import INCARNATION, NODE, T0, live
from tests.gateway.ptys import Line, end, run, until
from tests.real_parts import needs

pytestmark = needs("pty")
ROOT = Path(__file__).resolve().parents[3]
ACK = streetwire.Ack(NODE, INCARNATION, 7)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(room, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(room, "MAX_PAUSE_S", 0.05)
    monkeypatch.setattr(room, "WRITE_TIMEOUT_S", 0.2)


@pytest.fixture
def line(tmp_path):
    line = Line(tmp_path / "port")
    yield line
    line.unplug()


@pytest.fixture
def said(monkeypatch):
    """(event, data) of everything that the driver logs."""
    lines = []

    class Log:
        def __getattr__(self, _level):
            return lambda event, **data: lines.append((event, data))

    monkeypatch.setattr(room, "_log", Log())
    return lines


class Running:
    """A driver at work: what it emitted is in `payloads`."""

    def __init__(self, path: Path) -> None:
        self.driver = open_driver(f"serial:{path}", lambda: T0 * 1000)
        self.received = []

    async def __aenter__(self):
        self.task = asyncio.create_task(self.driver.run(self.emit))
        return self

    async def __aexit__(self, *_):
        await end(self.task)

    async def emit(self, received):
        self.received.append(received)

    @property
    def payloads(self):
        return [received.payload for received in self.received]

    async def is_open(self):
        await until(lambda: self.driver.stats.is_open)


def frames(*payloads: bytes) -> bytes:
    return b"".join(streetwire.encode_frame(payload) for payload in payloads)


PAYLOADS = [live(uptime_s=n, ab=n).encode() for n in range(40)]


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
        monkeypatch.setattr(driver, "_open", Broken)
        task = asyncio.create_task(driver.run(None))
        await asyncio.sleep(0.3)
        await end(task)

    run(scenario())
    assert 2 <= len(opened) <= 20
    assert len(said) <= 40


# -- busy, forbidden


def blame_of(path: Path) -> DeviceError:
    with pytest.raises(DeviceError) as caught:
        SerialDriver(str(path), lambda: 0).probe()
    return caught.value


def test_a_port_that_another_program_holds_is_busy_in_one_clear_line(line):
    holder = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    error = blame_of(line.path)
    assert error.is_busy
    assert error.exit_code == EXIT_DEVICE
    assert error.line() == f"port {line.path} is busy. Close the program that has it open."
    os.close(holder)
    SerialDriver(str(line.path), lambda: 0).probe()


def test_two_drivers_never_share_a_port(line):
    async def scenario():
        async with Running(line.path) as running:
            await running.is_open()
            assert blame_of(line.path).is_busy

    run(scenario())


def test_a_port_that_becomes_free_is_taken_without_a_restart(line, said):
    async def scenario():
        holder = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        async with Running(line.path) as running:
            await until(lambda: said)
            assert "is busy" in said[0][1]["problem"]
            os.close(holder)
            await running.is_open()

    run(scenario())


def test_a_missing_port_is_no_reason_not_to_start(tmp_path):
    SerialDriver(str(tmp_path / "none"), lambda: 0).probe()


def test_a_port_that_we_may_not_open_says_what_to_do(line, monkeypatch):
    def forbidden(_self):
        raise serial.SerialException(errno.EACCES, "Permission denied")

    monkeypatch.setattr(AioSerial, "open", forbidden)
    with pytest.raises(PermissionDenied) as caught:
        SerialDriver(str(line.path), lambda: 0).probe()
    assert caught.value.exit_code == EXIT_PERMISSION
    assert "dialout" in caught.value.line()


def test_the_reset_lines_stay_low_and_the_port_is_ours_alone(line, monkeypatch):
    opened = []
    original = AioSerial.open
    monkeypatch.setattr(AioSerial, "open", lambda self: (opened.append((self.dtr, self.rts, self.exclusive)), original(self)))
    SerialDriver(str(line.path), lambda: 0).probe()
    assert opened == [(False, False, True)]


# -- writing


def test_a_message_arrives_as_a_frame(line):
    async def scenario():
        async with Running(line.path) as running:
            await running.is_open()
            assert await running.driver.send(ACK) is True
            await until(lambda: line.listen() == [ACK])
            assert running.driver.stats.tx_bytes == len(streetwire.encode_frame(ACK.encode()))

    run(scenario())


def test_a_write_to_a_port_that_is_not_open_is_false(tmp_path):
    driver = SerialDriver(str(tmp_path / "none"), lambda: 0)
    assert asyncio.run(driver.send(ACK)) is False


def test_a_node_that_takes_nothing_costs_a_moment_and_the_frame(line):
    async def scenario():
        async with Running(line.path) as running:
            await running.is_open()
            async with asyncio.timeout(5):
                while await running.driver.send(streetwire.Log(NODE, INCARNATION, 6, 0, "x" * 160)):
                    pass
            line.listen()
            line.write(frames(b"still read"))
            await until(lambda: running.payloads == [b"still read"])

    run(scenario())


@pytest.mark.parametrize(
    "error", [serial.SerialException("gone"), OSError(5, "I/O"), serial.SerialTimeoutException("slow"), TypeError("fd")]
)
def test_whatever_a_vanishing_port_does_to_a_write_the_answer_is_false(monkeypatch, error):
    class Vanishing:
        async def write_async(self, _data):
            raise error

    driver = SerialDriver("/dev/vanishing", lambda: 0)
    monkeypatch.setattr(driver, "_port", Vanishing())
    assert asyncio.run(driver.send(ACK)) is False
    assert driver.stats.tx_bytes == 0


# -- the end


def test_cancelling_closes_the_port_and_leaves_no_thread_that_works(line):
    async def scenario():
        async with Running(line.path) as running:
            await running.is_open()
        assert not running.driver.stats.is_open
        assert await running.driver.send(ACK) is False

    def is_free():
        try:
            SerialDriver(str(line.path), lambda: 0).probe()
        except DeviceError:  # the thread that was reading is about to wake up
            return False
        return True

    def no_threads_are_left():
        gc.collect()  # a port's executors end with it
        return threading.active_count() <= before

    gc.collect()
    before = threading.active_count()
    for _ in range(5):
        run(scenario())
        run(until(is_free))
    run(until(no_threads_are_left))


@pytest.mark.parametrize(
    "error", [TypeError("fd"), OSError(errno.EBADF, "bad"), TimeoutError("thread"), serial.SerialException("x")]
)
def test_a_cancellation_is_never_taken_for_a_lost_port(monkeypatch, error):
    class Stubborn:
        """As aioserial behaves when it cannot stop its own thread."""

        in_waiting = 0

        async def wait(self, _):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise error from None

        read_async = write_async = wait

        def close(self):
            pass

    async def scenario():
        driver = SerialDriver("/dev/stubborn", lambda: 0)
        monkeypatch.setattr(driver, "_open", Stubborn)
        reading = asyncio.create_task(driver.run(None))
        await until(lambda: driver.stats.is_open)
        sending = asyncio.create_task(driver.send(ACK))
        await asyncio.sleep(0.01)
        for task in (sending, reading):
            task.cancel()
            assert await asyncio.wait([task], timeout=1) == ({task}, set()), "it goes on"
            assert task.cancelled()

    run(scenario())


def test_an_interpreter_with_a_driver_at_work_can_exit(line):
    script = f"""
import asyncio, sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "firmware")!r}]
from gateway.drivers.serial import SerialDriver
async def emit(_): pass
async def main():
    driver = SerialDriver({str(line.path)!r}, lambda: 0)
    task = asyncio.create_task(driver.run(emit))
    while not driver.stats.is_open:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
asyncio.run(main())
print("out")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=15)
    assert (done.returncode, done.stdout.splitlines()[-1:], "Traceback" in done.stderr) == (0, ["out"], False), done.stderr


# -- the table


def test_every_driver_of_the_table_opens_by_its_scheme():
    for scheme in DRIVERS:
        driver = open_driver(f"{scheme}:/dev/x", lambda: 0)
        assert driver.link == f"{scheme}:/dev/x"
        assert not driver.stats.is_open


@pytest.mark.parametrize("spec", ["/dev/ttyUSB0", "usb:/dev/x", "", ":"])
def test_a_spec_that_is_none_names_what_is_known(spec):
    with pytest.raises(ConfigError, match="serial:"):
        open_driver(spec, lambda: 0)
