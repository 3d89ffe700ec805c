"""The gateway's end of the street's air, in its own process: its adapter, and the radios of all nodes that are not on a cable.

What a node says to its radio (`shims/board/streetradio.py`) is done by a `Peripheral`; what happens to that goes
back as events. Both cross with the street's words about the time, so nothing is ever under way while time moves.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from dataclasses import dataclass, field
from random import Random
from typing import Any

from gateway.drivers.base import Radio
from tools.air.backend import Adapter
from tools.air.link import Air
from tools.air.peripheral import IRQ_CENTRAL_CONNECT, IRQ_CENTRAL_DISCONNECT, IRQ_GATTS_WRITE, IRQ_MTU_EXCHANGED, UUID, Peripheral
from tools.street.aerial import ACTIVE, ADVERTISE, HANG_UP, NOTIFY, ROOM, SERVICES, Message

GATEWAY = "B8:27:EB:00:00:01"
DISTANCE_M = 12.0  # of every node from the gateway
ADVERT_LOSS = 0.3  # of all adverts: what a scanner misses that shares its antenna with Wi-Fi
_BUFFER = 4096  # of a characteristic here: the node's own buffer is on the other side
_NO_LIMIT = 1 << 16  # nor do notifications wait for room here: there they did


@dataclass
class _Board:
    """One node's radio: the handles of its values by number, and what the node knows of its room."""

    radio: Peripheral
    handles: list[int] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    taken: int = 0
    told_room: tuple[int, int] = (0, 0)

    def on_event(self, kind: int, data: tuple[Any, ...]) -> None:
        """MicroPython's events -> those of the stream."""
        if kind == IRQ_CENTRAL_CONNECT:
            self.taken, self.told_room = 0, (0, 0)
        if kind in (IRQ_CENTRAL_CONNECT, IRQ_CENTRAL_DISCONNECT):
            self.events.append(struct.pack("<BB", kind, data[0]))
        elif kind == IRQ_GATTS_WRITE:
            written = self.radio.gatts_read(data[1])
            self.events.append(struct.pack("<BBB", kind, data[0], self.handles.index(data[1]) + 1) + written)
        elif kind == IRQ_MTU_EXCHANGED:
            self.events.append(struct.pack("<BBH", kind, *data))

    def note_room(self) -> None:
        room = (self.taken, self.radio.under_way)
        if room != self.told_room:
            self.told_room = room
            self.events.append(struct.pack("<BIH", ROOM, *room))


class Radios:
    """`adapter` is powered on by `start`. Nodes are known by the texts of their addresses."""

    def __init__(self, seed: str) -> None:
        self._air = Air(Random(seed), ADVERT_LOSS)
        self._adapter = Adapter(self._air, GATEWAY)
        self._boards: dict[str, _Board] = {}
        self._said: asyncio.Queue[tuple[str, Message]] = asyncio.Queue()

    async def start(self) -> Radio:
        await self._adapter.power_on()
        return Radio(self._adapter.scanner_backend, self._adapter.client_backend, self._power_cycle)

    async def run(self) -> None:
        """Does what nodes say, in order."""
        while True:
            address, message = await self._said.get()
            board = self._boards.get(address) or await self._put_up(address)
            self._do(board, *message)

    def say(self, address: str, message: Message) -> None:
        self._said.put_nowait((address, message))

    def take_events(self) -> list[tuple[str, bytes]]:
        """What has happened to nodes since the last call."""
        taken = []
        for address, board in self._boards.items():
            board.note_room()
            taken += [(address, event) for event in board.events]
            board.events.clear()
        return taken

    async def _put_up(self, address: str) -> _Board:
        board = _Board(Peripheral(self._air, bytes.fromhex(address.replace(":", "")), max_under_way=_NO_LIMIT))
        self._boards[address] = board
        self._air.place(address, DISTANCE_M)
        await board.radio.power_on()
        board.radio.irq(board.on_event)
        return board

    async def _power_cycle(self, _adapter: str) -> None:
        await self._adapter.restart()

    @staticmethod
    def _do(board: _Board, kind: int, content: bytes) -> None:
        radio = board.radio
        if kind == ACTIVE:
            radio.active(bool(content[0]))
        elif kind == SERVICES:
            services = [_service(line) for line in content.decode().splitlines()]
            board.handles = [handle for handles in radio.gatts_register_services(services) for handle in handles]
            for handle in board.handles:
                radio.gatts_set_buffer(handle, _BUFFER, True)
        elif kind == ADVERTISE:
            interval_us, connectable = struct.unpack_from("<IB", content)
            radio.gap_advertise(interval_us or None, content[5:], connectable=bool(connectable))
        elif kind == NOTIFY:
            board.taken += 1
            with contextlib.suppress(OSError):  # the connection has gone meanwhile
                radio.gatts_notify(content[0], board.handles[content[1] - 1], content[2:])
        elif kind == HANG_UP:
            radio.gap_disconnect(content[0])


def _service(line: str) -> tuple[UUID, list[tuple[UUID, int]]]:
    """`SERVICE CHARACTERISTIC=FLAGS ...` as bluetooth has it."""
    service, *rows = line.split()
    return UUID(service), [(UUID(uuid), int(flags)) for uuid, flags in (row.split("=") for row in rows)]
