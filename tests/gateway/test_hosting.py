"""gateway.hosting: what the page of a running gateway shows, and that it is a guest."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest
import urllib3

import streetwire
from tests.gateway.gateways import Clock, Gateway, acked, in_all_rooms
from tests.gateway.parts import NAME, T0, hello, live, minute
from tests.gateway.ptys import run, until
from tests.real_parts import needs

pytestmark = needs("pty")
ANY = "127.0.0.1:0"


@pytest.fixture
def said(monkeypatch):
    """Events that the service logs."""
    events: list[tuple[str, dict]] = []

    class Log:
        def __getattr__(self, _level):
            return lambda event, **data: events.append((event, data))

    in_all_rooms(monkeypatch, "_log", Log())
    return events


async def state_of(gateway: Gateway) -> dict:
    await until(lambda: gateway.service.page_url)  # the page comes after the ports
    url = gateway.service.page_url + "state"
    answer = await asyncio.to_thread(lambda: urllib3.PoolManager(retries=False, timeout=5).request("GET", url))
    assert answer.status == 200
    return json.loads(answer.data)


async def shown(gateway: Gateway, is_so) -> dict:
    """The state of the first node once it is so."""
    async with asyncio.timeout(10):
        while True:
            node = next(node for node in (await state_of(gateway))["nodes"] if node["node"] == NAME)
            if is_so(node):
                return node
            await asyncio.sleep(0.1)


def test_a_running_gateway_shows_what_it_hears(tmp_path, line):
    objects = [(streetwire.ID_OF["resets"], 4), (streetwire.ID_OF["sensor_faults"], 2)]

    async def scenario():
        async with Gateway(tmp_path, line, clock=Clock(T0 + 75), page=ANY) as gateway:
            line.say(hello(), minute(1, T0, 3, climate=(2150, 96, 6)))
            await acked(line, 1)
            line.say(live(uptime_s=70, ab=5, ba=1, objects=objects))
            node = await shown(gateway, lambda node: node["open"] is not None)
            assert node["minute"] == {"from_s": T0, "ab": 3, "ba": 0, "coverage": 1.0}
            assert (node["open"]["ab"], node["open"]["ba"], node["open"]["from_s"]) == (2, 1, T0 + 60)
            assert (node["climate"]["temperature_c"], node["climate"]["humidity_pct"]) == (21.5, 48.0)
            health = node["health"]
            assert (health["state"], health["resets"], health["sensor_faults"]) == ("good", 4, 2)
            assert (health["uptime_s"], health["firmware"]) == (70, "0.1.0")
            gateway.clock.set(T0 + 121)
            line.say(minute(2, T0 + 60, 2, 1, total=(5, 1)))
            await acked(line, 2)
            node = await shown(gateway, lambda node: node["minute"]["from_s"] == T0 + 60)
            assert (node["open"]["ab"], node["open"]["ba"]) == (0, 0)  # they are in the record now, and counted once

    run(scenario())


def test_the_running_minute_of_a_new_boot_begins_at_nothing(tmp_path, line):
    async def scenario():
        async with Gateway(tmp_path, line, clock=Clock(T0 + 75), page=ANY) as gateway:
            line.say(hello(), minute(1, T0, 30))
            await acked(line, 1)
            line.say(hello(boot=2, uptime_s=1, next_seq=65), live(boot=2, uptime_s=10, ab=1))
            node = await shown(gateway, lambda node: node["open"] is not None)
            assert (node["open"]["ab"], node["open"]["ba"]) == (1, 0)

    run(scenario())


def test_an_address_that_is_taken_is_said_once_and_the_page_comes_when_it_can(tmp_path, line, said):
    async def scenario():
        other = socket.create_server(("127.0.0.1", 0))
        port = other.getsockname()[1]
        async with Gateway(tmp_path, line, clock=Clock(T0 + 59), page=f"127.0.0.1:{port}") as gateway:
            line.say(hello(), minute(1, T0 - 60, 3))
            await acked(line, 1)
            assert gateway.service.page_url == ""
            await until(lambda: [event for event, _ in said].count("minute") == 1)
            gateway.clock.set(T0 + 119.9)
            other.close()
            gateway.service._hosting.open()
            assert (await state_of(gateway))["gateway"]["id"] == "gateway"
        events = [event for event, _ in said]
        assert (events.count("page not open"), events.count("page open")) == (1, 1)
        (about,) = [data for event, data in said if event == "page not open"]
        assert str(port) in about["address"]
        assert "counting goes on" in about["action"]

    run(scenario())


def test_with_the_page_off_there_is_none(tmp_path):
    async def scenario():
        async with Gateway(tmp_path, page="off") as gateway:
            assert gateway.service.page_url == ""

    run(scenario())


def test_a_page_that_fails_does_not_stop_the_counting_and_is_opened_again(tmp_path, line, monkeypatch):
    from gateway.page import server

    def broken(*_args, **_kwargs):
        raise RuntimeError("no web server today")

    async def scenario():
        with monkeypatch.context() as today:
            today.setattr(server.uvicorn, "Server", broken)
            gateway = await Gateway(tmp_path, line, page=ANY).__aenter__()
            line.say(hello(), minute(1, T0, 3))
            await acked(line, 1)
            await until(lambda: gateway.service._hosting._page is not None and gateway.service.page_url == "")
        gateway.service._hosting.open()  # as on every minute
        assert await state_of(gateway)
        await gateway.stop()

    run(scenario())
