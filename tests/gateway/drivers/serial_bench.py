"""A serial driver at work on a test's line."""

from __future__ import annotations

import asyncio
from pathlib import Path

import streetwire
from gateway.drivers.table import open_driver
from tests.gateway.parts import INCARNATION, NODE, T0, live
from tests.gateway.ptys import end, until

ACK = streetwire.Ack(NODE, INCARNATION, 7)
PAYLOADS = [live(uptime_s=n, ab=n).encode() for n in range(40)]


class Running:
    """A driver at work: what it emitted is in `payloads`."""

    def __init__(self, path: Path) -> None:
        self.driver = open_driver(f"serial:{path}", lambda: T0 * 1000)
        self.received = []

    async def __aenter__(self):
        self.task = asyncio.create_task(self.driver.run(self.emit))
        return self

    async def __aexit__(self, *_):
        await end(self.task)

    async def emit(self, received):
        self.received.append(received)

    @property
    def payloads(self):
        return [received.payload for received in self.received]

    async def is_open(self):
        await until(lambda: self.driver.stats.is_open)


def frames(*payloads: bytes) -> bytes:
    return b"".join(streetwire.encode_frame(payload) for payload in payloads)
