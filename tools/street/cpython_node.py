"""The same firmware sources under CPython, where MicroPython's wheel does not exist: `python -m tools.street.cpython_node`.

What the firmware expects of MicroPython and CPython lacks is added here, below it: tick functions, `asyncio.sleep_ms`,
`micropython`, `cryptolib`, and a poll that tells the clock when the node may be about to write. The board's shims are the same.
"""

from __future__ import annotations

import asyncio
import os
import random
import runpy
import select
import sys
import time
import types
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from streetclock import NEVER, clock  # pyright: ignore[reportMissingImports]

from tools.street.loop import StreetLoop

TICKS_MASK = 0x3FFFFFFF
TICKS_HALF = 0x20000000


class NodeLoopClock:
    """The loop's view of the node's clock. It reads its grants itself, so there is no descriptor to watch but a silent one."""

    def __init__(self) -> None:
        self._silent, self._keep_open = os.pipe()

    @property
    def now_ms(self) -> int:
        return clock.now_ms

    def fileno(self) -> int:
        return self._silent

    def idle(self, timeout_s: float | None) -> bool:
        clock.sleep(-1 if timeout_s is None else max(1, round(timeout_s * 1000)))
        return True

    def take_word(self) -> None:
        """Never: nothing is written to the silent pipe."""


class Poll:
    """select.poll, and whoever asks whether a port takes bytes is about to write."""

    def __init__(self) -> None:
        self._poll = _real_poll()

    def register(self, stream: Any, events: int) -> None:
        self._poll.register(stream.fileno(), events)

    def poll(self, timeout: int) -> list[tuple[int, int]]:
        ready = self._poll.poll(timeout)
        if any(events & select.POLLOUT for _, events in ready):
            clock.spoke = True
        return ready


class Aes:
    """cryptolib.aes, of single blocks."""

    def __init__(self, key: bytes, _mode: int) -> None:
        self._encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305  CCM is made of such blocks

    def encrypt(self, block: bytes) -> bytes:
        return self._encryptor.update(bytes(block))


_real_poll = select.poll


def _add_dialect() -> None:
    first = int(os.environ.get("STREET_FIRST_TICK", "0"))
    additions: dict[str, Any] = {
        "ticks_ms": lambda: (clock.now_ms + first) & TICKS_MASK,
        "ticks_add": lambda ticks, delta: (ticks + delta) & TICKS_MASK,
        "ticks_diff": lambda end, start: ((end - start + TICKS_HALF) & TICKS_MASK) - TICKS_HALF,
    }
    for name, function in additions.items():
        setattr(time, name, function)
    setattr(os, "urandom", random.Random(int(os.environ.get("STREET_SEED", "1"))).randbytes)  # noqa: B010
    setattr(asyncio, "sleep_ms", lambda ms: asyncio.sleep(ms / 1000))  # noqa: B010  the name is the dialect's
    setattr(select, "poll", Poll)  # noqa: B010
    micropython = types.ModuleType("micropython")
    setattr(micropython, "kbd_intr", lambda character: None)  # noqa: B010
    sys.modules["micropython"] = micropython
    cryptolib = types.ModuleType("cryptolib")
    setattr(cryptolib, "aes", Aes)  # noqa: B010
    sys.modules["cryptolib"] = cryptolib
    termios = types.ModuleType("termios")
    setattr(termios, "setraw", lambda descriptor: None)  # noqa: B010  the street has made the pty raw already
    sys.modules["termios"] = termios


def main() -> None:
    assert NEVER  # the shims are on the path
    loop = StreetLoop(NodeLoopClock())
    _add_dialect()
    sys.stdin = open(0, "rb", buffering=0)  # noqa: SIM115  the console for as long as the process lives
    sys.stdout = open(1, "wb", buffering=0)  # noqa: SIM115
    sys.stdin.buffer = sys.stdin  # type: ignore[misc]
    sys.stdout.buffer = sys.stdout  # type: ignore[misc]
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        setattr(asyncio, "run", runner.run)  # noqa: B010
        runpy.run_path("main.py", run_name="__main__")


if __name__ == "__main__":
    main()
