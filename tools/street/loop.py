"""An asyncio event loop on the street's clock, for the gateway's process and for nodes under CPython.

Theory of operation
    The loop's selector polls the real descriptors. When nothing is ready and the loop would wait, it reports how long it
    would, and waits for real input or for the street to move the clock. Blocking work that asyncio would hand to a thread
    runs at once instead, so that an idle loop means an idle process. The one exception is a serial read, which waits by
    nature; the street accounts for its bytes.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import socket
from collections.abc import Callable
from typing import Any, Protocol


class LoopClock(Protocol):
    """What moves the loop's time: the street, over some descriptor."""

    @property
    def now_ms(self) -> int: ...

    def fileno(self) -> int:
        """Readable when the street has something to say."""
        ...

    def idle(self, timeout_s: float | None) -> bool:
        """Nothing to do for `timeout_s`. True if the time is there already, False if the loop has to wait for input."""
        ...

    def take_word(self) -> None:
        """The descriptor is readable: hear the street."""
        ...


class JumpingClock:
    """A street of one process: time moves only when the loop would wait, and then at once to where it would wait for."""

    def __init__(self) -> None:
        self.now_ms = 0
        self._never_ready, self._keep_open = socket.socketpair()

    def fileno(self) -> int:
        return self._never_ready.fileno()

    def idle(self, timeout_s: float | None) -> bool:
        assert timeout_s is not None, "everybody waits for ever"
        self.now_ms += max(1, math.ceil(timeout_s * 1000 - 1e-6))
        return True

    def take_word(self) -> None:
        """Never: nothing is written to the silent end."""

    def close(self) -> None:
        self._never_ready.close()
        self._keep_open.close()


class StreetSelector(selectors.DefaultSelector):
    """Descriptors for real, time from the clock."""

    def __init__(self, clock: LoopClock) -> None:
        super().__init__()
        self._clock = clock
        self.register(clock.fileno(), selectors.EVENT_READ)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return self._without_clock(ready)  # none is left where the street has given the time: `timeout` is of the time before
        if self._clock.idle(timeout):
            return []
        return self._without_clock(super().select(None))

    def _without_clock(self, ready: list[tuple[selectors.SelectorKey, int]]) -> list[tuple[selectors.SelectorKey, int]]:
        others = [item for item in ready if item[0].fd != self._clock.fileno()]
        if len(others) < len(ready):
            self._clock.take_word()
        return others


class StreetLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: LoopClock) -> None:
        super().__init__(StreetSelector(clock))
        self._street_clock = clock
        # Rounding a deadline up by half a millisecond keeps a timer from firing one step too early, for ever.
        self._clock_resolution = 0.0005

    def time(self) -> float:
        return self._street_clock.now_ms / 1000

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        if getattr(func, "__name__", "") == "read" and "serial" in type(getattr(func, "__self__", None)).__module__:
            return super().run_in_executor(executor, func, *args)
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # whatever a thread would have handed over
            future.set_exception(error)
        return future
