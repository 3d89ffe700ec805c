"""What time it is, and whether this machine knows. A leaf.

A Raspberry Pi has no clock that runs while it is off: until the network has told it the time, it goes on from where it was
switched off, and that looks like a time. With `[gateway] clock = "ntp"` the gateway asks the kernel whether its clock has been
set by NTP, and until then says a time near 1970: nothing is accepted, nodes keep what they have, and their records get
their minutes once the time is known. Once told is enough: a clock that was right does not go wrong by more than seconds.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # Linux's, made anew at each start of the machine
_TIME_ERROR = 5  # adjtimex: the clock is not synchronised
_SET_MS = 60_000  # a clock that moves by more against a steady one was set
_TIMEX_BYTES = 256  # more than the kernel's struct timex; all zero asks and changes nothing


def steady_ms() -> int:
    """A clock that nobody sets."""
    return time.monotonic_ns() // 1_000_000


def run_of_machine() -> int:
    """Tells this run of the machine, in which the steady clock goes on, from every other; 0 where it cannot be told."""
    try:
        return int(_BOOT_ID.read_text(encoding="ascii").replace("-", "")[:15], 16)
    except (OSError, ValueError):
        return 0


def utc_ms() -> int:
    return time.time_ns() // 1_000_000


def is_synchronised() -> bool:
    """Whether the kernel says that NTP has set its clock. True where it cannot be asked (anything but Linux)."""
    if not sys.platform.startswith("linux"):
        return True
    return ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)) not in (-1, _TIME_ERROR)


class SynchronisedClock:
    """UTC in milliseconds once the machine has been told it; before that, how long the machine runs."""

    def __init__(
        self, is_right: Callable[[], bool] = is_synchronised, utc: Callable[[], int] = utc_ms, steady: Callable[[], int] = steady_ms
    ) -> None:
        self._is_right = is_right
        self._utc = utc
        self._steady = steady
        self._was_right = False

    def __call__(self) -> int:
        self._was_right = self._was_right or self._is_right()
        return self._utc() if self._was_right else self._steady()


class ClockWatch:
    """Notices when the wall clock is set, by a clock that nobody sets. Ask it every minute or so."""

    def __init__(self, wall: Callable[[], int], steady: Callable[[], int]) -> None:
        self._wall = wall
        self._steady = steady
        self._ahead_ms = wall() - steady()
        self._set_at_ms = steady()

    def unset_for_ms(self) -> int:
        """For how long the wall clock has gone by itself, as far as this process knows."""
        ahead_ms, now_ms = self._wall() - self._steady(), self._steady()
        if abs(ahead_ms - self._ahead_ms) > _SET_MS:
            self._set_at_ms = now_ms
        self._ahead_ms = ahead_ms
        return now_ms - self._set_at_ms
