"""gateway.service: what keeps it from starting, what it goes on with after a restart, what a stop still does."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import threading

import pytest

import streetwire
from gateway.delivery import Backoff
from gateway.errors import EXIT_DEVICE, EXIT_ENVIRONMENT, ConfigError, DeviceError, StoreError
from gateway.store import SENT
from tests.gateway.gateways import Clock, FakeUplink, Gateway, acked, in_all_rooms
from tests.gateway.parts import INCARNATION, NODE, T0, hello, live, minute
from tests.gateway.ptys import Line, run, until
from tests.real_parts import needs

pytestmark = needs("pty")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    in_all_rooms(monkeypatch, "DISK_PAUSE_S", 0.02)
    monkeypatch.setattr(Backoff, "LIMITS_S", dict.fromkeys(Backoff.LIMITS_S, 0.02))


# -- what keeps it from starting


def test_a_busy_port_is_said_before_anything_has_begun(tmp_path, line):
    async def scenario():
        holder = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(DeviceError) as caught:
            await Gateway(tmp_path, line).service.run()
        os.close(holder)
        assert (caught.value.is_busy, caught.value.exit_code) == (True, EXIT_DEVICE)

    run(scenario())


def test_a_port_that_is_not_there_keeps_nobody_from_starting(tmp_path, line):
    missing = Line(tmp_path / "missing")
    missing.unplug()

    async def scenario():
        gateway = Gateway(tmp_path, line, missing)
        task = asyncio.create_task(gateway.service.run())
        await until(lambda: gateway.service.drivers[f"serial:{line.path}"].stats.is_open)
        line.say(hello(), minute(1, T0), live(uptime_s=70))
        await acked(line, 1)
        gateway.service.stop()
        await task

    run(scenario())


def test_a_state_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "state").write_text("a file stands in the way")
    with pytest.raises(ConfigError) as caught:
        Gateway(tmp_path)
    assert caught.value.exit_code == EXIT_ENVIRONMENT
    assert caught.value.line() == f"gateway.state_dir: {tmp_path / 'state'}: File exists"


def test_a_store_that_cannot_be_opened_is_one_clear_line(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with pytest.raises(StoreError) as caught:
        Gateway(tmp_path)
    assert caught.value.exit_code == EXIT_ENVIRONMENT
    assert "\n" not in caught.value.line()
    assert str(tmp_path) in caught.value.line()


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
            assert gateway.service.now().windows[0].windows[900][:2] == (3, 0)
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
            async with gateway.held_disk() as release:
                line.say(minute(1, T0, 1, total=(1, 0)))
                await until(lambda: gateway.service._booking._session._streams[NODE, INCARNATION].watermark == 1)
                line.say(minute(2, T0 + 60, 1, total=(2, 0)))
                await until(gateway.service._intake._queue.qsize)
                asyncio.get_running_loop().call_later(0.1, release.set)
                await gateway.stop()
        async with Gateway(tmp_path, line, clock=Clock(T0 + 9000)) as gateway:
            line.say(minute(1, T0, 1, total=(1, 0)), minute(2, T0 + 60, 1, total=(2, 0)))
            await acked(line, 2)
            assert gateway.records() == [1, 2]

    run(scenario())


def test_a_stop_gives_everything_back(tmp_path, line):
    uplink = FakeUplink()
    others = set(threading.enumerate())  # of tests whose server was never going to answer

    async def scenario():
        async with Gateway(tmp_path, line, uplink=uplink) as gateway:
            pass
        assert uplink.is_closed
        assert not [driver for driver in gateway.service.drivers.values() if driver.stats.is_open]
        await until(lambda: not any(thread.name.startswith(("store", "uplink")) for thread in set(threading.enumerate()) - others))
        assert not (tmp_path / "state" / "store.db-wal").exists(), "the store was not closed"

    run(scenario())


def test_a_driver_that_fails_ends_the_gateway_with_its_error(tmp_path, line):
    async def scenario():
        gateway = Gateway(tmp_path, line)

        async def broken(_emit, _opened):
            await asyncio.sleep(0.05)
            raise ZeroDivisionError

        for driver in gateway.service.drivers.values():
            driver.run = broken
        with pytest.raises(ZeroDivisionError):
            await gateway.service.run()

    run(scenario())
