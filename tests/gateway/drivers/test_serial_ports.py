"""The serial driver on real ptys: busy and forbidden ports, writing, and an orderly end."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import serial
from aioserial import AioSerial

import streetwire
from gateway.drivers.serial import SerialDriver
from gateway.drivers.table import DRIVERS, open_driver
from gateway.errors import EXIT_DEVICE, EXIT_PERMISSION, ConfigError, DeviceError, PermissionDenied
from tests.gateway.drivers.serial_bench import ACK, Running, frames
from tests.gateway.parts import INCARNATION, NODE
from tests.gateway.ptys import run, until
from tests.real_parts import needs

pytestmark = needs("pty")
ROOT = Path(__file__).resolve().parents[3]


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
        monkeypatch.setattr("gateway.drivers.serial.open_port", lambda path: Stubborn())
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
    more = {"ble": {"keys": {}, "scan": "auto", "jitter": lambda: 0.0, "randomness": bytes}}
    for scheme in DRIVERS:
        driver = open_driver(f"{scheme}:/dev/x", lambda: 0, **more.get(scheme, {}))
        assert driver.link == f"{scheme}:/dev/x"
        assert not driver.stats.is_open


@pytest.mark.parametrize("spec", ["/dev/ttyUSB0", "usb:/dev/x", "", ":"])
def test_a_spec_that_is_none_names_what_is_known(spec):
    with pytest.raises(ConfigError, match="serial:"):
        open_driver(spec, lambda: 0)
