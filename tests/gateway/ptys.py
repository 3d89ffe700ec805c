"""A serial line without hardware: a pty whose far end the test holds, and that can be unplugged and plugged in again."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import streetwire

PATIENCE_S = 5.0


def run(coroutine: Coroutine[Any, Any, None], within_s: float = 20.0) -> None:
    """One test, in a loop of its own."""
    asyncio.run(asyncio.wait_for(coroutine, within_s))


async def until(is_so: Callable[[], object], what: str = "") -> None:
    """Waits for something that must happen soon."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0.005)


async def end(task: asyncio.Task) -> None:
    """Cancels and waits until it has ended."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Line:
    """`path` stays the same when the line is unplugged and plugged in again, as under /dev/serial/by-path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[streetwire.Message] = []
        self._deframer = streetwire.Deframer()
        self._master = self._slave = -1
        self.plug()

    def plug(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        if self._master >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._master)
            os.close(self._slave)
            self._master = self._slave = -1

    def write(self, data: bytes) -> int:
        """How many bytes the line took; 0 when it is full."""
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def say(self, *messages: streetwire.Message) -> None:
        for message in messages:
            frame = streetwire.encode_frame(message.encode())
            assert self.write(frame) == len(frame)

    def listen(self) -> list[streetwire.Message]:
        """Everything that the gateway has said so far."""
        while True:
            try:
                data = os.read(self._master, 4096)
            except OSError:  # nothing there now
                return self.heard
            self.heard += [streetwire.decode(payload) for payload in self._deframer.feed(data)]

    def heard_of(self, kind: int) -> list[streetwire.Message]:
        return [message for message in self.listen() if message.kind == kind]
