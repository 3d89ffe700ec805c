"""A street without cables in one process, in time that jumps: real firmware above a node's radio, Bumble's packets in the air,
bleak, and the whole gateway. Nodes run under CPython here; the demo runs them in MicroPython.

`Street` is built within the loop of `play`; nodes are put up and taken down, the gateway is started, stopped and killed as a test
wishes, and whoever looks on asks the gateway's store or what the server holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

import streetwire
from gateway import config
from gateway.drivers.base import Radio
from gateway.model import node_name
from gateway.radio.keys import KeyStore, NodeKey
from gateway.service import Service
from tests.gateway.readback import MemoryServer
from tools.air.backend import Adapter
from tools.air.board import Bluetooth, Nvs
from tools.air.link import Air
from tools.air.peripheral import Peripheral
from tools.street.loop import JumpingClock, StreetLoop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "node"))
from app_bench import Bench
from ramflash import RamFlash

from node.links.ble import BleLink
from node.session import Session
from node.vault import COUNTER, KEY, Vault

T0_S = 1_800_000_000  # a full hour, UTC: the street's zero
GATEWAY = "B8:27:EB:00:00:01"
FIRST = 0xC30000
TOML = """
[gateway]
state_dir = "{state}"
keep_received_days = 40
page = "off"
[serial]
[ble]
enabled = true
scan = "passive"
[uplink]
enabled = true
api = "file"
folder = "{points}"
[sites.street]
{nodes}
"""


class Node:
    """A board with flash, NVS and a radio; `switch_on` and `power_cut` as often as one likes. `walk` lets people pass."""

    def __init__(self, street: Street, index: int, key: NodeKey, seed: int) -> None:
        self.number = FIRST + index
        self.name = node_name(self.number)
        self.key = key
        self.flash = RamFlash(blocks=32, block_size=4096)  # more than a day
        self.nvs = Nvs()
        self.nvs.set_blob(KEY, key.key)
        self.nvs.set_blob(COUNTER, bytes(4))
        self.nvs.commit()
        self.incarnation = 0x5EED0000 + index
        self.counters: list[int] = []  # of every advert that was ever encrypted
        self.mtu = 256
        self.bench: Bench | None = None
        self.truth = [0, 0]  # ab, ba: what its sensor has told, and no power cut has swallowed within a beat
        self._street = street
        self._rng = Random(seed)
        self.radio: Peripheral | None = None
        self._task: asyncio.Task[None] | None = None

    async def switch_on(self) -> None:
        street = self._street
        self.take_away()
        self.radio = Peripheral(street.air, self.key.address_bytes)
        await self.radio.power_on()
        self.radio.config(mtu=self.mtu)
        self.bench = Bench(
            flash=self.flash, node=self.number, incarnation=self.incarnation, clock=street.clock, link_of=self._link_of
        )
        self._task = asyncio.create_task(self.bench.app.run())

    async def power_cut(self) -> None:
        assert self._task is not None and self.radio is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.radio.active(False)
        self.nvs.power_cut()
        self.bench = None

    def take_away(self) -> None:
        """Its radio, while it is off."""
        if self.radio is not None:
            self._street.air.remove_controller(self.radio.radio)
        self.radio = None

    def walk(self, ab: int = 1, ba: int = 0) -> None:
        """So many pass now."""
        assert self.bench is not None
        for direction, people in ((1, ab), (-1, ba)):
            for _ in range(people):
                self.bench._on_passage(0, direction)
        self.truth[0] += ab
        self.truth[1] += ba

    def _link_of(self, bench: Bench) -> BleLink:
        cipher = AESCCM(self.key.key, tag_length=4)

        def encrypt(nonce: bytes, plain: bytes) -> bytes:
            self.counters.append(int.from_bytes(nonce[-4:], "little"))
            return cipher.encrypt(bytes(nonce), bytes(plain), None)

        def session() -> Session:
            return Session(self.number, bench.log.incarnation, hashlib.sha256, self.key.key, self._rng.randbytes)

        ticks = (lambda: bench.now_ms, lambda end, start: end - start)
        assert self.radio is not None
        return BleLink(Bluetooth(self.radio), self.number, Vault(self.nvs), encrypt, session, ticks, bench.say)


class Street:
    """`folder` is the gateway's. Nodes stand ten metres from it unless placed elsewhere."""

    def __init__(self, folder: Path, clock: JumpingClock, nodes: int = 1, loss: float = 0.0, seed: int = 1) -> None:
        self.folder = folder
        self.clock = clock
        self.air = Air(Random(f"{seed}/air"), advert_loss=loss)
        self.adapter = Adapter(self.air, GATEWAY)
        self.server = MemoryServer()
        self.service: Service | None = None
        self.power_cycles = 0
        self._seed = seed
        self._rng = Random(f"{seed}/gateway")
        self._running: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        keys = KeyStore(folder / "state" / "keys")
        (folder / "state").mkdir(parents=True, exist_ok=True)
        self.nodes = [self._node(index, keys) for index in range(nodes)]

    def _node(self, index: int, keys: KeyStore) -> Node:
        address = f"24:DC:C3:C3:00:{index + 2:02X}"
        key = keys.make(node_name(FIRST + index), address, Random(f"{self._seed}/key/{index}").randbytes)
        self.air.place(address, 10.0, float(index))
        return Node(self, index, key, seed=index)

    # -- the gateway

    @property
    def now_s(self) -> float:
        return T0_S + self.clock.now_ms / 1000

    def service_clock(self) -> int:
        """UTC in milliseconds."""
        return T0_S * 1000 + self.clock.now_ms

    async def start_gateway(self, **settings: Any) -> Service:
        tables = "\n".join(f'[nodes.{node.name}]\nsite = "street"' for node in self.nodes)
        text = TOML.format(state=self.folder / "state", points=self.folder / "points", nodes=tables)
        parsed = config.parse(text, "test", {})
        radio = Radio(self.adapter.scanner_backend, self.adapter.client_backend, self._power_cycle)
        self.service = Service(
            parsed, self.service_clock, self._rng.random, steady=lambda: self.clock.now_ms, radio=radio,
            randomness=self._rng.randbytes, **settings,
        )  # fmt: skip
        publishing = self.service._publishing
        assert publishing is not None
        publishing.sending._uplink = publishing.auditing._uplink = self.server  # type: ignore[assignment]
        start = self.service._start

        def started() -> list[asyncio.Task[None]]:
            self._tasks = start()
            return self._tasks

        self.service._start = started
        self._running = asyncio.create_task(self.service.run())
        await asyncio.sleep(0.1)
        return self.service

    async def stop_gateway(self) -> None:
        assert self.service is not None and self._running is not None
        self.service.stop()
        await self._running
        self.service = None

    async def kill_gateway(self) -> None:
        """As a power cut does it: nothing is put in order, and its radio falls silent."""
        assert self.service is not None and self._running is not None
        self.air.switch_off(GATEWAY)
        for task in (*self._tasks, self._running):
            task.cancel()
        await asyncio.gather(*self._tasks, self._running, return_exceptions=True)
        self.service._store.close()
        self.service._ownership.release()
        self.service = None
        self.air.switch_on(GATEWAY)

    async def _power_cycle(self, _adapter: str) -> None:
        self.power_cycles += 1
        await self.adapter.restart()

    # -- who looks on

    @property
    def driver(self) -> Any:
        assert self.service is not None
        return self.service.drivers["ble:hci0"]

    def rows(self, query: str) -> list[tuple]:
        assert self.service is not None
        return self.service._store.read(query)

    def booked(self, node: Node) -> dict[int, tuple[int, int]]:
        """Bins of the store: start after the street's zero -> (ab, ba)."""
        query = f"SELECT start, ab, ba FROM bins JOIN series ON id = series WHERE node = '{node.name}' ORDER BY start"
        return {start - T0_S: (ab, ba) for start, ab, ba in self.rows(query)}

    def known(self, node: Node) -> tuple[int, int]:
        """People of a node that the gateway knows of: in bins, and told by adverts since."""
        assert self.service is not None
        booked = self.booked(node).values()
        (now,) = [row for row in self.service._booking.nodes_now() if row.node == node.name]
        return sum(ab for ab, _ in booked) + now.open_ab, sum(ba for _, ba in booked) + now.open_ba

    def flagged(self) -> list[tuple]:
        return self.rows("SELECT measurement, tags, fields FROM facts WHERE measurement IN ('gaps', 'losses')")

    @property
    def connections(self) -> int:
        """That were opened since the gateway was started."""
        return self.driver.stats.conversations

    async def until(self, is_so: Callable[[], object], within_s: float, every_s: float = 0.05) -> None:
        """In the street's time. Who asks the store need not ask so often."""
        async with asyncio.timeout(within_s):
            while not is_so():
                await asyncio.sleep(every_s)

    async def close(self) -> None:
        for node in self.nodes:
            if node.bench is not None:
                await node.power_cut()
        if self.service is not None:
            await self.stop_gateway()


def play(folder: Path, scenario: Callable[[Street], Coroutine[Any, Any, None]], **street: Any) -> None:
    """Runs a scenario on a street, in the street's own time, and clears it away."""
    clock = JumpingClock()

    async def run() -> None:
        there = Street(folder, clock, **street)
        await there.adapter.power_on()
        try:
            await scenario(there)
        finally:
            with contextlib.suppress(Exception):
                await there.close()

    with asyncio.Runner(loop_factory=lambda: StreetLoop(clock)) as runner:
        runner.run(run())
    clock.close()


assert streetwire.VERSION  # one name for the wire
