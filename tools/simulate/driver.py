"""The gateway's end of a cable, as `gateway.drivers` promise it, on simulated time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import streetwire
from gateway.drivers.base import Emit, LinkStats, Opened
from gateway.model import Received
from tools.simulate.link import Cable
from tools.simulate.timeline import Killed


async def step_alive(step: Callable[[], None], is_dead: Callable[[], bool]) -> None:
    """Before a gateway says something: a moment at which it may end. Where it has ended nothing goes on."""
    with suppress(Killed):
        step()
    if is_dead():
        await asyncio.Event().wait()  # for ever: this process is no more


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

    async def run(self, emit: Emit, opened: Opened) -> None:
        await opened(self.link, None)
        self._cable.to_gateway = self._hear
        while True:
            await emit(await self._arrived.get())

    def _hear(self, data: bytes) -> None:
        for payload in self._deframer.feed(data):
            self._arrived.put_nowait(self._receive(payload, self.link))

    def fetch(self, node: int) -> None:
        """A cable is open all the time."""

    async def send(self, message: streetwire.Message) -> bool:
        await step_alive(self._step, self._is_dead)
        self._said(message)
        self._cable.down(streetwire.encode_frame(message.encode()))
        return True
