"""What every driver promises. A leaf: it imports no driver."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import streetwire
from gateway.model import Received

Emit = Callable[[Received], Awaitable[None]]
Clock = Callable[[], int]  # milliseconds: of UTC, or of a clock that nobody sets
Opened = Callable[[str], Awaitable[None]]  # told the link each time that it has been opened


async def say_nothing(link: str) -> None:
    """For links on which nobody has to be called."""


@dataclass(slots=True)
class LinkStats:
    """Of one link since the start; bytes since it was last opened."""

    opens: int = 0
    is_open: bool = False
    rx_bytes: int = 0
    tx_bytes: int = 0
    bad_frames: int = 0


class Driver(Protocol):
    """Opened by a spec such as `serial:/dev/ttyUSB0`. `link` names it in everything received."""

    link: str
    stats: LinkStats

    async def run(self, emit: Emit, opened: Opened = say_nothing) -> None:
        """Reads until cancelled, opening the link again whenever it is lost. `emit` may wait: that is back-pressure. `opened`
        may already send; nothing is read until it returns."""
        ...

    async def send(self, message: streetwire.Message) -> bool:
        """True once the frame was handed over, False where the link is closed: the node will ask again."""
        ...
