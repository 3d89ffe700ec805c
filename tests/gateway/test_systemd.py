"""What systemd hears, on a real datagram socket."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from gateway.systemd import Systemd
from tests.gateway.gateways import Gateway
from tests.gateway.ptys import run, until

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="systemd is on Linux only")


@pytest.fixture
def listener(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        yield listener


def heard(listener: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(listener.recv(4096).decode())
        except BlockingIOError:
            return found


def environment(listener: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": listener.getsockname(), **more}


def test_each_message_is_one_datagram(listener):
    systemd = Systemd(environment(listener))
    systemd.ready()
    systemd.status("two\nlines")
    systemd.alive()
    systemd.stopping()
    assert heard(listener) == ["READY=1", "STATUS=two lines", "WATCHDOG=1", "STOPPING=1"]


@pytest.mark.skipif(not os.path.exists("/proc"), reason="abstract sockets are Linux's")  # noqa: PTH110
def test_an_abstract_socket_too(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0trottoir-test-" + tmp_path.name)
        Systemd({"NOTIFY_SOCKET": "@trottoir-test-" + tmp_path.name}).ready()
        assert listener.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 30.0), ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, 0.0), ({"WATCHDOG_USEC": "soon"}, 0.0), ({}, 0.0),
    ],
)  # fmt: skip
def test_half_of_the_watchdogs_time_is_the_pace_of_the_signs_of_life(listener, variables, seconds):
    assert Systemd(environment(listener, **variables)).watchdog_s == seconds


def test_without_systemd_nothing_happens(tmp_path):
    for variables in ({}, {"WATCHDOG_USEC": "60000000"}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        systemd = Systemd(variables)
        systemd.ready()
        systemd.alive()
    assert Systemd({"WATCHDOG_USEC": "60000000"}).watchdog_s == 0.0


def test_the_service_says_when_it_is_ready_that_it_lives_and_that_it_stops(tmp_path, listener):
    async def scenario():
        async with Gateway(tmp_path, systemd=Systemd(environment(listener, WATCHDOG_USEC="40000"))):
            found: list[str] = []
            await until(lambda: found.extend(heard(listener)) or found.count("WATCHDOG=1") >= 3)
            assert found[0] == "READY=1"
        assert heard(listener)[-1] == "STOPPING=1"

    run(scenario())


def test_a_gateway_whose_disk_hangs_gives_no_sign_of_life(tmp_path, listener):
    async def scenario():
        async with Gateway(tmp_path, systemd=Systemd(environment(listener, WATCHDOG_USEC="40000"))) as gateway:
            await until(lambda: "WATCHDOG=1" in heard(listener))
            async with gateway.held_disk():
                await asyncio.sleep(0.1)
                heard(listener)
                await asyncio.sleep(0.2)
                assert heard(listener) == []
            await until(lambda: "WATCHDOG=1" in heard(listener))

    run(scenario())
