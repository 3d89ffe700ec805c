"""A street's corner for tests, in time that jumps: a gateway's adapter and nodes with the service that they have."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bleak import BleakClient, BleakScanner
from bleak.args.bluez import OrPattern
from bleak.assigned_numbers import AdvertisementDataType
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

import streetwire
from tools.air.backend import Adapter
from tools.air.link import Air
from tools.air.peripheral import FLAG_NOTIFY, FLAG_WRITE, FLAG_WRITE_NO_RESPONSE, UUID, Peripheral
from tools.street.loop import JumpingClock, StreetLoop

Result = TypeVar("Result")

ADAPTER = "B8:27:EB:00:00:01"
ADVERT = b"\x02\x01\x06\x04\x16\xd2\xfc\x41"
BTHOME = "0000fcd2-0000-1000-8000-00805f9b34fb"
INTERVAL_US = 2_000_000
PATTERNS = [OrPattern(0, AdvertisementDataType.SERVICE_DATA_UUID16, b"\xd2\xfc")]


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    clock = JumpingClock()
    try:
        with asyncio.Runner(loop_factory=lambda: StreetLoop(clock)) as runner:
            return runner.run(coroutine)
    finally:
        clock.close()


def now_s() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Node:
    """A peripheral with the service of a node, and all that it was told."""

    peripheral: Peripheral
    to_node: int
    to_gateway: int
    events: list[tuple[int, tuple[Any, ...]]] = field(default_factory=list)

    def connection(self) -> int:
        return next(data[0] for event, data in reversed(self.events) if event == 1)

    def kinds(self) -> list[int]:
        return [event for event, _ in self.events]


@dataclass
class Corner:
    """An adapter and what it has heard, as (second, address, service data, rssi)."""

    air: Air
    adapter: Adapter
    heard: list[tuple[float, str, bytes, int]] = field(default_factory=list)
    devices: dict[str, BLEDevice] = field(default_factory=dict)

    async def node(self, number: int = 1, x_m: float = 5.0, interval_us: int = INTERVAL_US, data: bytes = ADVERT) -> Node:
        peripheral = Peripheral(self.air, bytes.fromhex(f"24dcc3{number:06x}"))
        await peripheral.power_on()
        peripheral.active(True)
        self.air.place(peripheral.address, x_m)
        characteristics = (
            (UUID(streetwire.TO_NODE_UUID), FLAG_WRITE | FLAG_WRITE_NO_RESPONSE),
            (UUID(streetwire.TO_GATEWAY_UUID), FLAG_NOTIFY),
        )
        handles = peripheral.gatts_register_services(((UUID(streetwire.SERVICE_UUID), characteristics),))
        node = Node(peripheral, *handles[0])
        peripheral.irq(lambda event, data: node.events.append((event, data)))
        peripheral.gatts_set_buffer(node.to_node, 512, True)
        peripheral.gap_advertise(interval_us, data)
        return node

    async def scan(self) -> BleakScanner:
        def on_advert(device: BLEDevice, data: AdvertisementData) -> None:
            self.devices[device.address] = device
            self.heard.append((now_s(), device.address, data.service_data[BTHOME], data.rssi))

        scanner = BleakScanner(
            on_advert, scanning_mode="passive", bluez={"or_patterns": PATTERNS}, backend=self.adapter.scanner_backend
        )
        await scanner.start()
        return scanner

    def client(self, node: Node, timeout_s: float = 20.0, gone: Callable[[BleakClient], None] | None = None) -> BleakClient:
        device = BLEDevice(node.peripheral.address, None, None)
        return BleakClient(device, gone, timeout=timeout_s, backend=self.adapter.client_backend)


async def corner(seed: int = 1, advert_loss: float = 0.0) -> Corner:
    air = Air(random.Random(seed), advert_loss)
    adapter = Adapter(air, ADAPTER)
    await adapter.power_on()
    return Corner(air, adapter)
