"""The newest state of the gateway for any number of viewers: made once, at most once in a while, and only while somebody looks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import structlog

from gateway.view import View

MAX_VIEWERS = 64
PING_S = 15.0  # a comment, so that both ends notice when the other is gone

_log = structlog.get_logger("gateway")


class Feed:
    """`look` makes a view. `states` gives each viewer the newest state that he has not seen; one that is slow misses some in
    between and never holds up another. He needs a `place`."""

    def __init__(self, look: Callable[[], Awaitable[View]], every_s: float) -> None:
        self._look = look
        self._every_s = every_s
        self._text = b""
        self._now_s = 0
        self._made_at = -float("inf")
        self._number = 0
        self._viewers = 0
        self._is_closed = False
        self._making = asyncio.Lock()
        self._newer = asyncio.Condition()
        self._wanted = asyncio.Event()

    @contextmanager
    def place(self) -> Iterator[bool]:
        """A viewer's place for as long as he stays; False where every one is taken."""
        if self._viewers >= MAX_VIEWERS:
            yield False
            return
        self._viewers += 1
        self._wanted.set()
        try:
            yield True
        finally:
            self._viewers -= 1
            if not self._viewers:
                self._wanted.clear()

    async def now_s(self) -> int:
        """The gateway's time, no older than the pace of the feed."""
        await self.newest()
        return self._now_s

    async def newest(self) -> bytes:
        """The state as JSON, no older than the pace of the feed. StoreError where it cannot be made."""
        async with self._making:
            if self._is_old:
                view = await self._look()
                self._now_s = view["gateway"]["now_s"]
                self._text = json.dumps(view, ensure_ascii=False, separators=(",", ":")).encode()
                self._made_at = time.monotonic()
                self._number += 1
            return self._text

    async def run(self) -> None:
        """Makes states while there are viewers."""
        while True:
            await self._wanted.wait()
            began = time.monotonic()
            try:
                await self.newest()
            except Exception as error:  # whatever it is, the next look may succeed
                _log.error("page not fed", problem=str(error))
            async with self._newer:
                self._newer.notify_all()
            # Where reading takes long (an old Pi, a long outbox), looking costs a twentieth of one core and no more.
            await asyncio.sleep(max(self._every_s, 20 * (time.monotonic() - began)))

    @property
    def _is_old(self) -> bool:
        return time.monotonic() - self._made_at >= self._every_s

    def close(self) -> None:
        """Every viewer's states end."""
        self._is_closed = True

    async def states(self) -> AsyncIterator[bytes]:
        """One viewer's states as JSON, `b""` where nothing is new for a while."""
        seen = self._number if self._is_old else self._number - 1
        while not self._is_closed:
            if await self._wait_for_newer(seen):
                seen = self._number
                yield self._text
            else:
                yield b""

    async def _wait_for_newer(self, seen: int) -> bool:
        try:
            async with asyncio.timeout(PING_S), self._newer:
                await self._newer.wait_for(lambda: self._number > seen)
        except TimeoutError:
            return False
        return True
