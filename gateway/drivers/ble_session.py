"""One connection to a node, over bleak: bytes both ways, and when it has said all."""

from __future__ import annotations

import asyncio

from bleak import BleakClient
from bleak.exc import BleakError

import streetwire
from gateway.radio.conversation import Conversation
from gateway.radio.keys import NodeKey

WRITE_S = 5.0  # who has gone out of reach keeps nobody else waiting
CHUNKS = 256  # notifications that wait; a node sends no more records ahead than it has under way


class Speaking:
    """A connection to one node. It `is_over` when it broke off or the peer says more than anybody can take."""

    def __init__(self, key: NodeKey, conversation: Conversation) -> None:
        self.key = key
        self.conversation = conversation
        self.client: BleakClient | None = None
        self.watermark = -1
        self.has_told_time = False
        self.is_silent = False
        self.is_over = False
        self._asked_from = 1
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(CHUNKS)
        self._writing = asyncio.Lock()  # the portions of one frame stay together

    @property
    def is_done(self) -> bool:
        """Whether all that the node spoke of is acknowledged. Numbers have gaps: then its silence tells."""
        return self.has_told_time and (self.is_silent or self.conversation.is_done(self.watermark))

    @property
    def has_brought(self) -> bool:
        """Whether a record has come that was not here before, and is acknowledged."""
        return self.watermark >= self._asked_from

    def take(self, chunk: bytes) -> None:
        """What the node has sent; an empty one makes who waits look again."""
        if self._chunks.full():
            self.is_over = True
        else:
            self._chunks.put_nowait(chunk)

    def told(self, message: streetwire.Message) -> None:
        """What the gateway has sent."""
        if isinstance(message, streetwire.Ack):
            self.watermark = message.watermark
        elif isinstance(message, streetwire.Time):
            self.has_told_time = True
        elif isinstance(message, streetwire.Command) and message.verb == streetwire.RESEND_FROM and self.watermark < 0:
            self._asked_from = message.argument
        self.take(b"")

    def end(self) -> None:
        self.is_over = True
        self.take(b"")

    async def next_chunk(self, within_s: float) -> bytes | None:
        """None where none came."""
        try:
            async with asyncio.timeout(within_s):
                return await self._chunks.get()
        except TimeoutError:
            return None

    async def write(self, frames: bytes) -> None:
        """In portions that the connection takes. What it does not take in time ends it: nobody knows how much has arrived."""
        try:
            async with asyncio.timeout(WRITE_S), self._writing:
                await self._write(frames)
        except BaseException:
            self.end()
            raise

    async def _write(self, frames: bytes) -> None:
        assert self.client is not None  # it was set before anything is written
        to_node = self.client.services.get_characteristic(streetwire.TO_NODE_UUID)
        if to_node is None:
            raise BleakError("it has no characteristic to write to")
        size = to_node.max_write_without_response_size
        for at in range(0, len(frames), size):
            await self.client.write_gatt_char(to_node, frames[at : at + size], response=True)
