"""A city on the air in one process: nodes without sensors, and the whole gateway that hears them, in time that jumps.

Theory of operation
    A node is the firmware's link, vault, session and sender above a radio of `tools.air`; in place of the App, which counts and
    keeps, stands what a `City` says that the node has counted. It tells live totals at every ten seconds of UTC, as all nodes do
    at once, beats ten times a second while it is connected, as the App does, and once a second else, to cost less.
    The gateway is its service on bleak, with a store on a real disk and points into files.
    Time jumps to whatever comes next, so processor time over simulated time is the share of a core that this takes.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

import streetwire
from gateway import config
from gateway.drivers.base import Radio
from gateway.model import PERIOD_S, node_name
from gateway.radio.keys import KEY_SIZE, KeyStore, NodeKey
from gateway.service import Service
from node.links.ble import BleLink
from node.sender import Sender
from node.session import Session
from node.vault import COUNTER, KEY, Vault
from tools.air.backend import Adapter
from tools.air.board import Bluetooth, Nvs
from tools.air.link import Air
from tools.air.peripheral import Peripheral
from tools.bench_city import INCARNATION, NODE, SITES, City, site_of
from tools.street.loop import JumpingClock

ADAPTER = "B8:27:EB:00:00:01"
RADIUS_M = 10.0  # of the ring on which the nodes stand around the gateway: far within reach
TICK_MS, BEAT_S, IDLE_BEAT_S = 10_000, 0.1, 1.0
FRAMES_PER_BEAT = 4  # records, as the App sends them
CLIMATE = [(streetwire.ID_OF["temperature_c"], 1850), (streetwire.ID_OF["humidity_pct"], 5500)]
TOML = """
[gateway]
state_dir = "{folder}/state"
page = "off"
[serial]
[ble]
enabled = true
scan = "passive"
[uplink]
enabled = true
api = "file"
folder = "{folder}/points"
"""


class UtcClock:
    """UTC in milliseconds, `start_s` at the loop's zero."""

    def __init__(self, loop_clock: JumpingClock, start_s: int) -> None:
        self._loop_clock = loop_clock
        self._start_ms = start_s * 1000

    def __call__(self) -> int:
        return self._start_ms + self._loop_clock.now_ms


class MinutesGoneBy:
    """What a sender asks of the node's log: a record for every minute since the city began."""

    def __init__(self, city: City, index: int, clock: UtcClock) -> None:
        self._city, self._index, self._clock = city, index, clock

    @property
    def next_seq(self) -> int:
        return 1 + (self._clock() // 1000 - self._city.start_s) // PERIOD_S

    def next_after(self, seq: int) -> streetwire.Record | None:
        if seq + 1 >= self.next_seq:
            return None
        return streetwire.decode(self._city.record(self._index, seq).payload).record


class AirNode:
    """`run` for ever, once its radio is on."""

    def __init__(self, city: City, index: int, key: NodeKey, air: Air, clock: UtcClock) -> None:
        self._city, self._index, self._key, self._clock = city, index, key, clock
        self._log = MinutesGoneBy(city, index, clock)
        self._sender = Sender(self._log)
        self._radio = Peripheral(air, key.address_bytes)
        self._random_bytes = Random(f"session/{index}").randbytes  # noqa: S311  repeatable
        self._next_tick_ms = 0

    async def run(self) -> None:
        await self._radio.power_on()
        self._link = self._linked()
        while True:
            self._beat()
            await asyncio.sleep(BEAT_S if self._radio.is_connected else IDLE_BEAT_S)

    def _linked(self) -> BleLink:
        nvs = Nvs()
        nvs.set_blob(KEY, self._key.key)
        nvs.set_blob(COUNTER, bytes(4))
        cipher = AESCCM(self._key.key, tag_length=4)

        def encrypt(nonce: bytes, plain: bytes) -> bytes:
            return cipher.encrypt(bytes(nonce), bytes(plain), None)

        def session() -> Session:
            return Session(self._key.number, INCARNATION + self._index, hashlib.sha256, self._key.key, self._random_bytes)

        ticks = (self._clock, lambda end, start: end - start)
        return BleLink(Bluetooth(self._radio), self._key.number, Vault(nvs), encrypt, session, ticks, _say_nothing)

    def _beat(self) -> None:
        now_ms = self._clock()
        for message in self._link.receive():
            self._on_message(message, now_ms)
        if now_ms >= self._next_tick_ms:
            self._next_tick_ms = now_ms // TICK_MS * TICK_MS + TICK_MS
            self._tell_live()
        if self._link.is_proven:
            self._send_what_is_due(now_ms)

    def _on_message(self, message: streetwire.Message, now_ms: int) -> None:
        if isinstance(message, streetwire.Ack):
            self._sender.on_ack(message.watermark, now_ms)
        elif isinstance(message, streetwire.Command) and message.verb == streetwire.RESEND_FROM:
            self._sender.resend_from(message.argument, now_ms)
        elif isinstance(message, streetwire.Command) and message.verb == streetwire.SAY_HELLO:
            self._say_hello()

    def _send_what_is_due(self, now_ms: int) -> None:
        if self._sender.is_hello_due(now_ms):
            self._say_hello()
        for _ in range(FRAMES_PER_BEAT):
            due = self._sender.next_record(now_ms)
            if due is None:
                return
            previous, record = due
            if not self._link.send(streetwire.RecordMessage(self._key.number, INCARNATION + self._index, previous, record)):
                return
            self._sender.sent(record)

    def _say_hello(self) -> None:
        hello = streetwire.decode(self._city.hellos()[self._index].payload)
        hello.uptime_s, hello.next_seq = self._uptime_s(), self._log.next_seq
        self._link.send(hello)

    def _tell_live(self) -> None:
        live = streetwire.decode(self._city.live(self._index, *divmod(self._uptime_s(), PERIOD_S)).payload)
        live.objects += CLIMATE
        self._link.send(live)

    def _uptime_s(self) -> int:
        return self._clock() // 1000 - self._city.start_s


def _say_nothing(_level: int, _text: str) -> None:
    """No technician is there."""


class AirCity:
    """A city's nodes around an adapter, whose gateway is started apart. `folder` is the gateway's."""

    def __init__(self, folder: Path, city: City, now_s: int, loop_clock: JumpingClock, interval_s: float) -> None:
        self.air = Air(Random("air"), interval_s=interval_s)  # noqa: S311  repeatable
        self.adapter = Adapter(self.air, ADAPTER)
        self.clock = UtcClock(loop_clock, now_s)
        self.service: Service | None = None
        self._folder = folder
        self._loop_clock = loop_clock
        self._names = [node_name(NODE + index) for index in range(city.nodes)]
        store = KeyStore(folder / "state" / "keys")
        keys = [self._key(store, index, name) for index, name in enumerate(self._names)]
        self._nodes = [AirNode(city, index, key, self.air, self.clock) for index, key in enumerate(keys)]
        self._tasks: list[asyncio.Task[None]] = []

    def _key(self, store: KeyStore, index: int, name: str) -> NodeKey:
        address = f"24:DC:C3:51:A0:{index:02X}"
        self.air.place(address, RADIUS_M)
        return store.make(name, address, lambda _size: hashlib.sha256(name.encode()).digest()[:KEY_SIZE])

    async def put_up(self) -> None:
        """The nodes, and the gateway's radio."""
        await self.adapter.power_on()
        self._tasks += [asyncio.create_task(node.run()) for node in self._nodes]

    async def listen_only(self) -> None:
        """The adapter scans, and whatever it hears is for nobody."""
        await self.adapter.scan()

    async def start_gateway(self) -> Service:
        tables = [f"[sites.site-{number}]" for number in range(SITES)]
        tables += [f'[nodes.{name}]\nsite = "{site_of(name)}"' for name in self._names]
        parsed = config.parse(TOML.format(folder=self._folder) + "\n".join(tables), "bench", {})
        radio = Radio(self.adapter.scanner_backend, self.adapter.client_backend)
        chance = Random("gateway")  # noqa: S311  repeatable
        self.service = Service(
            parsed, self.clock, chance.random, steady=lambda: self._loop_clock.now_ms, radio=radio, randomness=chance.randbytes
        )
        self._running = asyncio.create_task(self.service.run())
        return self.service

    async def close(self) -> None:
        if self.service is not None:
            self.service.stop()
            await self._running
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
