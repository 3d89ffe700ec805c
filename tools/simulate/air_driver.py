"""The gateway's own driver for nodes without a cable, on a radio that is the simulated air."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakError

import streetwire
from gateway.drivers.base import Emit, Opened, Radio, say_nothing
from gateway.drivers.ble import SERVICE_DATA, BleDriver
from gateway.model import Advertised, Received
from tools.simulate.air import DELAY_MS, Air, Connection
from tools.simulate.driver import step_alive

MTU = 247
RSSI_DBM = -60
CONNECT_S = 2.0


class AirDriver(BleDriver):
    """`said` is told what a node is about to hear, `believed` which adverts the gateway takes. A frame said is a `step` at which
    the gateway may end; once it `is_dead` nothing more is said."""

    def __init__(
        self, *how: Any, said: Callable[[streetwire.Message], None], believed: Callable[[Advertised], None],
        is_dead: Callable[[], bool], step: Callable[[], None], **more: Any,
    ) -> None:  # fmt: skip
        super().__init__(*how, **more)
        self._said = said
        self._believes = believed
        self._is_dead = is_dead
        self._step = step

    async def run(self, emit: Emit, opened: Opened = say_nothing) -> None:
        async def watched(received: Received | Advertised) -> None:
            if isinstance(received, Advertised):
                self._believes(received)
            await emit(received)

        await super().run(watched, opened)

    async def send(self, message: streetwire.Message) -> bool:
        await step_alive(self._step, self._is_dead)
        self._said(message)
        return await super().send(message)


def radio_of(air: Air) -> Radio:
    """What bleak takes for the machine's radio."""

    async def power_cycle(_adapter: str) -> None:
        """Nothing here hangs."""

    return Radio(type("AirScanner", (_Scanner,), {"air": air}), type("AirClient", (_Client,), {"air": air}), power_cycle)


class _Scanner(BaseBleakScanner):
    air: Air

    def __init__(self, detection_callback: Any, service_uuids: Any, scanning_mode: str, **_others: Any) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        if self.air.is_adapter_gone:
            raise BleakError("no adapter")
        self.seen_devices = {}
        self.air.scanner = self._hear

    async def stop(self) -> None:
        self.air.scanner = None

    def _hear(self, address: str, data: bytes) -> None:
        told = AdvertisementData(None, {}, {SERVICE_DATA: data}, [], None, RSSI_DBM, ())
        self.call_detection_callbacks(BLEDevice(address, None, {}), told)


class _Client(BaseBleakClient):
    air: Air

    def __init__(self, device: Any, **others: Any) -> None:
        super().__init__(device, disconnected_callback=others["disconnected_callback"], timeout=others["timeout"])
        self._connection: Connection | None = None
        self._notify: Callable[[bytearray], None] | None = None

    @property
    def mtu_size(self) -> int:
        return MTU

    @property
    def name(self) -> str:
        return str(self.address)

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair: bool, **_others: Any) -> None:
        await asyncio.sleep(CONNECT_S)
        self._connection = self.air.connect(self.address, self._take, self._gone)
        if self._connection is None:
            raise BleakError("no answer")
        characteristic = SimpleNamespace(max_write_without_response_size=MTU - 3, properties=["notify", "write"])
        self.services: Any = SimpleNamespace(get_characteristic=lambda _uuid: characteristic)

    async def disconnect(self) -> None:
        if self._connection is not None:
            self._connection.end()

    async def start_notify(self, characteristic: Any, callback: Callable[[bytearray], None], **_others: Any) -> None:
        self._notify = callback

    async def write_gatt_char(self, characteristic: Any, data: Any, response: bool) -> None:
        if self._connection is None:
            raise BleakError("not connected")
        self._connection.down(bytes(data))
        await asyncio.sleep(2 * DELAY_MS / 1000)  # until the node's stack has confirmed it

    def _take(self, chunk: bytes) -> None:
        if self._notify is not None:
            self._notify(bytearray(chunk))

    def _gone(self) -> None:
        self._connection = None
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError  # nobody pairs: keys are proven above

    async def unpair(self) -> None:
        raise NotImplementedError

    async def read_gatt_char(self, characteristic: Any, **kwargs: Any) -> bytearray:
        raise NotImplementedError

    async def read_gatt_descriptor(self, descriptor: Any, **kwargs: Any) -> bytearray:
        raise NotImplementedError

    async def write_gatt_descriptor(self, descriptor: Any, data: Any) -> None:
        raise NotImplementedError

    async def stop_notify(self, characteristic: Any) -> None:
        raise NotImplementedError
