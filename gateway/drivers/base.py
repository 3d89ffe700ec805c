"""What every driver promises. A leaf: it imports no driver."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import streetwire
from gateway.model import Advertised, Received

Emit = Callable[[Received | Advertised], Awaitable[None]]
Clock = Callable[[], int]  # milliseconds: of UTC, or of a clock that nobody sets
# Told the link each time that it has been opened, and who is behind it where that is known: node and incarnation.
Opened = Callable[[str, tuple[int, int] | None], Awaitable[None]]


PowerCycle = Callable[[str], Awaitable[None]]  # switches the adapter of that name off and on


@dataclass(frozen=True)
class Radio:
    """What stands for the machine's radio: classes for bleak's `backend` (None: the platform's), and what restarts an adapter."""

    scanner: type[Any] | None = None
    client: type[Any] | None = None
    power_cycle: PowerCycle | None = None


async def say_nothing(link: str, who: tuple[int, int] | None) -> None:
    """For links on which nobody has to be called."""


@dataclass(slots=True)
class LinkStats:
    """Of one link since the start; bytes since it was last opened."""

    opens: int = 0
    is_open: bool = False
    rx_bytes: int = 0
    tx_bytes: int = 0
    bad_frames: int = 0
    conversations: int = 0  # begun, on a link that is not open to a node all the time
    restarts: int | None = None  # of a radio that had fallen silent; None where the link has none


class Driver(Protocol):
    """Opened by a spec such as `serial:/dev/ttyUSB0`. `link` names it in everything received."""

    link: str
    stats: LinkStats

    async def run(self, emit: Emit, opened: Opened = say_nothing) -> None:
        """Reads until cancelled, opening the link again whenever it is lost. `emit` may wait: that is back-pressure. `opened`
        may already send; nothing is read until it returns."""
        ...

    def fetch(self, node: int) -> None:
        """Speaks to this node soon, where that is not done all the time."""
        ...

    async def send(self, message: streetwire.Message) -> bool:
        """True once the frame was handed over, False where the link is closed: the node will ask again."""
        ...
