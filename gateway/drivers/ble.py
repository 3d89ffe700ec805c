"""Nodes without a cable, by bleak: their adverts all the time, their records on a connection once an hour.

Theory of operation
    scanning  one scanner for as long as the gateway runs, passive where the system can: it asks nobody anything, and lets through
              only what carries BTHome's service data. What bleak would remember of it is forgotten at once, and an address without
              a key is dropped before anything is made of it (`radio.adverts`).
    watching  a scanner that says nothing is started again, then the adapter is switched off and on (`radio.watchdog`): stacks stop
              without an error. Each time is counted.
    rounds    who is spoken to, and when, is decided in `radio.rounds`; one node at a time. A connection is a `radio.conversation`:
              both prove that they hold the node's key, then the node says what it holds, as on a cable. When all of it is
              acknowledged and the time was told, the gateway hangs up. Silence ends it as well.
    lost      a connection that breaks anywhere loses nothing: what is not acknowledged is said again on the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

import structlog
from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

import streetwire
from gateway.drivers.base import Clock, Emit, LinkStats, Opened, Radio, say_nothing
from gateway.drivers.ble_scanner import Scanner
from gateway.drivers.ble_session import Speaking
from gateway.model import Advertised, Received
from gateway.radio.adverts import Listener
from gateway.radio.conversation import Conversation
from gateway.radio.keys import NodeKey
from gateway.radio.rounds import Rounds
from gateway.radio.watchdog import ADAPTER, Watchdog

SERVICE_DATA = "0000fcd2-0000-1000-8000-00805f9b34fb"
LOOK_S = 5.0  # how often it is looked whether the scanner is silent
AGAIN_S = 30.0  # an adapter that is not there is looked for again
CONNECT_S = 30.0  # it begins with an advert that is heard
HELLO_S = 10.0  # until the key is proven, whatever else is said
IDLE_S = 6.0  # without a frame: it has said all, or is gone
HANG_UP_S = 5.0

_log = structlog.get_logger("ble")


class BleDriver:
    """`rest` is the adapter (`hci0`), `keys` are by address, `scan` as in the configuration; `jitter` gives 0 to 1, `randomness` so
    many bytes."""

    def __init__(
        self, rest: str, clock: Clock, steady: Clock | None = None, *, keys: Mapping[str, NodeKey], scan: str,
        jitter: Callable[[], float], randomness: Callable[[int], bytes], radio: Radio | None = None,
    ) -> None:  # fmt: skip
        self.link = f"ble:{rest}"
        self.stats = LinkStats(restarts=0)
        self._adapter = rest
        self._clock = clock
        self._steady = steady or clock
        self._randomness = randomness
        self._radio = radio or Radio()
        self._keys = keys
        self._listener = Listener(keys)
        self._rounds = Rounds(jitter)
        self._watchdog = Watchdog(self._steady())
        self._devices: dict[int, tuple[NodeKey, BLEDevice]] = {}  # of nodes with a key that were heard
        self._believed: asyncio.Queue[Advertised] = asyncio.Queue(4 * max(1, len(keys)))
        self._scanner = Scanner(rest, scan, self._on_advert, self._radio.scanner)
        self._news = asyncio.Event()  # a node was heard or is wanted: another one may be due
        self._speaking: Speaking | None = None
        self._conversations_refused: dict[str, int] = {}
        self._opened: Opened = say_nothing

    # -- for the gateway

    async def run(self, emit: Emit, opened: Opened = say_nothing) -> None:
        self._opened = opened
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._hand_on(emit))
                tasks.create_task(self._keep_scanning())
                tasks.create_task(self._go_round(emit))
        finally:
            await self._scanner.stop()

    def fetch(self, node: int) -> None:
        self._rounds.want(node, self._steady())
        self._news.set()

    async def send(self, message: streetwire.Message) -> bool:
        speaking = self._speaking
        if speaking is None or speaking.is_over or not speaking.conversation.is_proven or message.node != speaking.key.number:
            return False
        try:
            await speaking.write(speaking.conversation.seal(message))
        except Exception:  # as in _speak
            return False  # the reader finds out as well, and hangs up
        speaking.told(message)
        return True

    @property
    def refused(self) -> dict[str, int]:
        """Adverts and conversations that were refused, by reason."""
        return self._listener.refused | self._conversations_refused

    # -- adverts

    async def _hand_on(self, emit: Emit) -> None:
        while True:
            await emit(await self._believed.get())

    def _on_advert(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        now_ms = self._steady()
        self._watchdog.heard(now_ms)
        data = advertisement.service_data.get(SERVICE_DATA)
        if data is None:
            return
        key = self._keys.get(device.address.upper())
        told = self._listener.hear(device.address, data, advertisement.rssi, self.link, self._clock(), now_ms)
        if key is not None:
            self._devices[key.number] = key, device
            self._rounds.heard(key.number, now_ms)
            self._news.set()
        if told is not None and not self._believed.full():  # the next one says the same and more
            self._believed.put_nowait(told)

    async def _keep_scanning(self) -> None:
        while True:
            if self._keys and not self._scanner.is_open:
                await self._scanner.start()
            step = self._watchdog.check(self._steady(), is_needed=bool(self._keys))
            if step:
                self.stats.restarts = sum(self._watchdog.restarts.values())
                _log.warning("nothing heard", link=self.link, restarts=step)
                await self._scanner.restart(self._radio.power_cycle if step == ADAPTER else None)
            for node, reason, count in self._listener.complaints(self._steady()):
                _log.warning("adverts refused", node=node, reason=reason, count=count)
            self.stats.is_open, self.stats.opens = self._scanner.is_open, self._scanner.starts
            await asyncio.sleep(LOOK_S if self._scanner.is_open else AGAIN_S)

    # -- the rounds

    async def _go_round(self, emit: Emit) -> None:
        while True:
            node = self._rounds.next(self._steady())
            if node is None:
                await self._until_somebody_may_be_due()
                continue
            speaking = await self._speak(*self._devices[node], emit)
            self._rounds.ended(node, self._steady(), is_done=speaking.is_done, has_brought=speaking.has_brought)

    async def _until_somebody_may_be_due(self) -> None:
        self._news.clear()
        now_ms = self._steady()
        due_ms = self._rounds.due_ms(now_ms)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if due_ms is None else max(0, due_ms - now_ms) / 1000):
                await self._news.wait()

    async def _speak(self, key: NodeKey, device: BLEDevice, emit: Emit) -> Speaking:
        """One connection, until the node has said all or it broke off."""
        speaking = Speaking(key, Conversation(key, self._randomness(streetwire.NONCE_SIZE)))
        speaking.client = client = BleakClient(
            device, disconnected_callback=lambda _client: speaking.end(), timeout=CONNECT_S,
            bluez={"adapter": self._adapter}, backend=self._radio.client,
        )  # fmt: skip
        self._speaking = speaking
        try:
            async with asyncio.timeout(CONNECT_S + HANG_UP_S):
                await client.connect()
                self.stats.conversations += 1
                await client.start_notify(streetwire.TO_GATEWAY_UUID, lambda _sender, data: speaking.take(bytes(data)))
                await speaking.write(speaking.conversation.begin())
            await self._converse(speaking, emit)
        except streetwire.WireError as error:
            reason = f"conversation: {error.reason}"
            self._conversations_refused[reason] = self._conversations_refused.get(reason, 0) + 1
            _log.warning("conversation refused", node=key.node, reason=error.reason)
        except Exception as error:  # whatever the system says: no radio ends the counting on cables
            _log.info("not reached", node=key.node, problem=str(error) or type(error).__name__)
        finally:
            self._speaking = None
            with contextlib.suppress(Exception):
                async with asyncio.timeout(HANG_UP_S):
                    await client.disconnect()
        return speaking

    async def _converse(self, speaking: Speaking, emit: Emit) -> None:
        conversation = speaking.conversation
        was_proven, began_ms = False, self._steady()
        while not (speaking.is_over or speaking.is_done):
            unproven_s = (self._steady() - began_ms) / 1000
            chunk = await speaking.next_chunk(IDLE_S if was_proven else HELLO_S - unproven_s)
            if chunk is None:  # silent: it has said all, where it has been heard at all
                speaking.is_silent = True
                return
            for payload in conversation.hear(chunk):
                self._watchdog.heard(self._steady())
                await emit(Received(payload, self.link, self._clock(), self._steady()))
            await speaking.write(conversation.to_send())
            if conversation.is_proven and not was_proven:
                was_proven = True
                self._listener.spoken_to(speaking.key.number, conversation.counter)
                await self._opened(self.link, (speaking.key.number, conversation.incarnation))
