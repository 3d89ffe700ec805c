"""The gateway's end of a cable, as `gateway.drivers` promise it, on simulated time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import streetwire
from gateway.drivers.base import Emit, LinkStats
from gateway.model import Received
from tools.simulate.link import Cable
from tools.simulate.timeline import Killed


class Driver:
    """`receive` stamps a payload with the gateway's clocks, `said` is told what a node is about to hear. A frame said is a `step`
    at which the gateway may end; once it `is_dead` nothing more is said."""

    def __init__(
        self, link: str, cable: Cable, receive: Callable[[bytes, str], Received], said: Callable[[streetwire.Message], None],
        is_dead: Callable[[], bool], step: Callable[[], None],
    ) -> None:  # fmt: skip
        self.link = link
        self.stats = LinkStats(is_open=True)
        self._cable = cable
        self._receive = receive
        self._said = said
        self._is_dead = is_dead
        self._step = step
        self._deframer = streetwire.Deframer()
        self._arrived: asyncio.Queue[Received] = asyncio.Queue()

    async def run(self, emit: Emit, opened: Callable[[str], Awaitable[None]]) -> None:
        await opened(self.link)
        self._cable.to_gateway = self._hear
        while True:
            await emit(await self._arrived.get())

    def _hear(self, data: bytes) -> None:
        for payload in self._deframer.feed(data):
            self._arrived.put_nowait(self._receive(payload, self.link))

    async def send(self, message: streetwire.Message) -> bool:
        with suppress(Killed):
            self._step()
        if self._is_dead():
            await asyncio.Event().wait()  # for ever: this process is no more
        self._said(message)
        self._cable.down(streetwire.encode_frame(message.encode()))
        return True
