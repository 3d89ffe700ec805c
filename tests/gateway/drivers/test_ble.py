"""gateway.drivers.ble: radios that hang, raise whatever they like, or hold a connection that does nothing."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakError

import streetwire
from gateway.drivers import ble
from gateway.drivers.base import Radio
from gateway.drivers.ble import BleDriver
from tests.air.jumping import now_s, run
from tests.gateway.parts import INCARNATION, T0, live
from tests.gateway.radio.radio_node import KEY, RadioNode


class Bench:
    """A radio in memory: `starts` are what starting a scanner does, one after the other; `on_write` is what a write does."""

    def __init__(self) -> None:
        self.starts: list = []
        self.hears_passively = True
        self.scanners: list[BenchScanner] = []
        self.clients: list[BenchClient] = []
        self.node = RadioNode()
        self.on_connect = nothing
        self.on_write = nothing

    def driver(self, power_cycle=None, keys=(KEY,), scan="passive") -> BleDriver:
        radio = Radio(type("S", (BenchScanner,), {"bench": self}), type("C", (BenchClient,), {"bench": self}), power_cycle)
        return BleDriver(
            "hci0", lambda: T0 * 1000 + now_ms(), now_ms, keys={key.address: key for key in keys}, scan=scan,
            jitter=lambda: 0.5, randomness=bytes, radio=radio,
        )  # fmt: skip

    def air(self, data: bytes) -> None:
        self.scanners[-1].hear(KEY.address, data)


def now_ms() -> int:
    return int(now_s() * 1000)


async def nothing() -> None:
    pass


async def for_ever() -> None:
    await asyncio.Event().wait()


def raising(error: BaseException):
    async def fail() -> None:
        raise error

    return fail


class BenchScanner(BaseBleakScanner):
    bench: Bench

    def __init__(self, detection_callback, service_uuids, scanning_mode, **_others) -> None:
        super().__init__(detection_callback, service_uuids)
        self.mode = scanning_mode
        if scanning_mode == "passive" and not self.bench.hears_passively:
            raise BleakError("this system does not support passive scanning")  # as bleak does on macOS

    async def start(self) -> None:
        self.seen_devices = {}
        if self.bench.starts:
            await self.bench.starts.pop(0)()
        self.bench.scanners.append(self)

    async def stop(self) -> None:
        pass

    def hear(self, address: str, data: bytes) -> None:
        told = AdvertisementData(None, {}, {ble.SERVICE_DATA: data}, [], None, -60, ())
        self.call_detection_callbacks(BLEDevice(address, None, {}), told)


class BenchClient(BaseBleakClient):
    bench: Bench

    def __init__(self, device, **others) -> None:
        super().__init__(device, disconnected_callback=others["disconnected_callback"], timeout=others["timeout"])
        self.connected = False
        self.bench.clients.append(self)

    mtu_size = 23
    name = "node"

    @property
    def is_connected(self) -> bool:
        return self.connected

    async def connect(self, pair, **_others) -> None:
        await self.bench.on_connect()
        self.connected = True
        self.bench.node.connected()
        characteristic = SimpleNamespace(max_write_without_response_size=244, properties=["notify", "write"])
        self.services = SimpleNamespace(get_characteristic=lambda _uuid: characteristic)

    async def disconnect(self) -> None:
        self.connected = False
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def start_notify(self, characteristic, callback, **_others) -> None:
        self.notify = callback

    async def write_gatt_char(self, characteristic, data, response) -> None:
        await self.bench.on_write()
        said = self.bench.node.hear(bytes(data))
        if said:
            self.notify(bytearray(said))

    async def pair(self, *args, **kwargs) -> None: ...
    async def unpair(self) -> None: ...
    async def read_gatt_char(self, characteristic, **kwargs): ...
    async def read_gatt_descriptor(self, descriptor, **kwargs): ...
    async def write_gatt_descriptor(self, descriptor, data): ...
    async def stop_notify(self, characteristic): ...


async def emit_nothing(_received) -> None:
    pass


def during(bench: Bench, driver: BleDriver, play, opened=None):
    """What `play` gives, with the driver at work; an end of the driver is a failure."""

    async def scenario():
        at_work = asyncio.create_task(driver.run(emit_nothing, *([opened] if opened else [])))
        playing = asyncio.create_task(play())
        await asyncio.wait([at_work, playing], return_when=asyncio.FIRST_COMPLETED)
        if at_work.done():
            playing.cancel()
            await at_work
        at_work.cancel()
        await asyncio.gather(at_work, return_exceptions=True)
        return await playing

    return scenario()


ODD = [AssertionError(), KeyError("/org/bluez/hci0"), AttributeError("call"), RuntimeError("socket"), ValueError("odd")]


@pytest.mark.parametrize("error", ODD, ids=lambda error: type(error).__name__)
def test_whatever_a_system_raises_when_a_scan_begins_the_driver_tries_again(error):
    async def scenario():
        bench = Bench()
        bench.starts = [raising(error), raising(error)]

        async def play():
            await asyncio.sleep(100)
            return len(bench.scanners)

        return await during(bench, bench.driver(), play)

    assert run(scenario()) >= 1


@pytest.mark.parametrize(("scan", "modes"), [("auto", {"active"}), ("passive", set())])
def test_a_system_without_passive_scanning_is_asked_for_the_other(scan, modes):
    async def scenario():
        bench = Bench()
        bench.hears_passively = False

        async def play():
            await asyncio.sleep(50)
            return {scanner.mode for scanner in bench.scanners}

        return await during(bench, bench.driver(scan=scan), play)

    assert run(scenario()) == modes


def test_a_scan_that_never_begins_is_given_up_and_tried_again():
    async def scenario():
        bench = Bench()
        bench.starts = [for_ever]

        async def play():
            await asyncio.sleep(100)
            return len(bench.scanners)

        return await during(bench, bench.driver(), play)

    assert run(scenario()) >= 1


@pytest.mark.parametrize("error", ODD, ids=lambda error: type(error).__name__)
def test_whatever_a_system_raises_when_connecting_the_node_is_tried_again(error):
    async def scenario():
        bench = Bench()
        bench.on_connect = raising(error)

        async def play():
            for _ in range(20):
                await asyncio.sleep(2)
                bench.air(bench.node.advert())
            return len(bench.clients)

        return await during(bench, bench.driver(), play)

    assert run(scenario()) >= 2


def test_a_write_that_never_ends_does_not_keep_who_sends_waiting():
    async def scenario():
        bench = Bench()
        driver = bench.driver()
        took_s: list[float] = []

        async def opened(_link, _who):
            bench.on_write = for_ever
            began_s = now_s()
            is_sent = await driver.send(streetwire.Ack(KEY.number, INCARNATION, 1))
            took_s.append(now_s() - began_s)
            assert not is_sent

        async def play():
            await asyncio.sleep(2)
            bench.air(bench.node.advert())
            await asyncio.sleep(20)
            return took_s, bench.clients[0].connected

        return await during(bench, driver, play, opened)

    took_s, is_connected = run(scenario())
    assert took_s
    assert took_s[0] <= 5
    assert not is_connected


@pytest.mark.parametrize("chunk", [b"\x00", b"\x01"], ids=["nothing but delimiters", "a frame that never ends"])
def test_who_proves_nothing_is_hung_up_on_however_it_trickles(chunk):
    async def scenario():
        bench = Bench()

        async def play():
            await asyncio.sleep(2)
            bench.air(bench.node.advert())
            await asyncio.sleep(2)
            (client,) = bench.clients
            for _ in range(15):
                client.notify(bytearray(chunk))
                await asyncio.sleep(1)
            return client.connected

        bench.node.hear = lambda _chunk: b""
        return await during(bench, bench.driver(), play)

    assert run(scenario()) is False


def test_a_node_that_breaks_off_behind_each_hello_is_left_alone_for_longer_and_longer():
    async def scenario():
        bench = Bench()
        driver = bench.driver()

        async def opened(_link, _who):
            await driver.send(streetwire.Command(KEY.number, INCARNATION, streetwire.RESEND_FROM, 501))
            await driver.send(streetwire.Ack(KEY.number, INCARNATION, 500))  # of its hello: nothing new came
            await bench.clients[-1].disconnect()

        async def play():
            for _ in range(450):
                await asyncio.sleep(2)
                bench.air(bench.node.advert())
            return len(bench.clients)

        return await during(bench, driver, play, opened)

    assert run(scenario()) < 15


def test_a_long_conversation_is_a_sign_of_life():
    async def scenario():
        bench = Bench()
        cycled = []

        async def power_cycle(adapter):
            cycled.append(adapter)

        driver = bench.driver(power_cycle)

        async def play():
            await asyncio.sleep(2)
            bench.air(bench.node.advert())
            for _ in range(100):
                await asyncio.sleep(2)
                client = bench.clients[-1]
                if client.connected:
                    client.notify(bytearray(bench.node.say(live())))
            return len(bench.clients), cycled, driver.stats.restarts

        return await during(bench, driver, play)

    assert run(scenario()) == (1, [], 0)


def test_while_no_node_has_a_key_nobody_listens():
    async def scenario():
        bench = Bench()

        async def play():
            await asyncio.sleep(100)
            return len(bench.scanners)

        return await during(bench, bench.driver(keys=()), play)

    assert run(scenario()) == 0
