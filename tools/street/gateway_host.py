"""The gateway, unmodified, in a process of its own on the street's clock: `python -m tools.street.gateway_host CONFIG FD`.

Only the clock differs from `trottoir run`: the loop's time, the UTC that the service is given, and its jitter come from the
street. Over FD it says, whenever it has nothing to do, until when, how many bytes each port has taken, and what has happened at the
radios of nodes; the street answers with the time, and what nodes have said to their radios.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway import config, logs
from gateway.errors import TrottoirError
from gateway.service import Service
from tools.street.loop import StreetLoop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.drivers.base import Driver
    from tools.street.radios import Radios


PAGE_EVERY_S = 0.25  # the street runs fast, and so does its page


class HostClock:
    """The gateway's end of the street's clock. `now_ms` counts from the street's start."""

    def __init__(self, channel: socket.socket, start_ms: int, now_ms: int) -> None:
        self._channel = channel
        self._start_ms = start_ms
        self._received = b""
        self._last_report = b""
        self._words = 0  # how often the street has given the time
        self.now_ms = now_ms
        self.drivers: Mapping[str, Driver] = {}
        self.radios: Radios | None = None  # where nodes have no cable

    def utc_ms(self) -> int:
        return self._start_ms + self.now_ms

    def fileno(self) -> int:
        return self._channel.fileno()

    def idle(self, timeout_s: float | None) -> bool:
        deadline = None if timeout_s is None else self.now_ms + math.ceil(timeout_s * 1000 - 1e-6)
        if deadline is not None and deadline <= self.now_ms:
            return True
        ports = {link: [driver.stats.is_open, driver.stats.opens, driver.stats.rx_bytes] for link, driver in self.drivers.items()}
        happened = [(address, event.hex()) for address, event in self.radios.take_events()] if self.radios else []
        told = {"words": self._words, "deadline": deadline, "ports": ports, "radios": happened}
        report = json.dumps(told).encode() + b"\n"
        if happened or report != self._last_report:  # a viewer of the page has woken the loop: the street has nothing to learn
            self._channel.sendall(report)
            self._last_report = report
        return False

    def take_word(self) -> None:
        data = self._channel.recv(4096)
        if not data:  # the street is over
            raise SystemExit(0)
        self._received += data
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            word = json.loads(line)
            self.now_ms = word["now_ms"]
            for address, kind, content in word["said"]:
                assert self.radios is not None
                self.radios.say(address, (kind, bytes.fromhex(content)))
            self._words += 1


async def _serve(clock: HostClock, path: Path, seed: int) -> None:
    settings = config.load(path, {})
    around: dict[str, Any] = {}
    if settings.ble.enabled:
        from tools.street.radios import Radios  # with all of Bumble

        clock.radios = Radios(f"{seed}/air/{clock.now_ms}")
        nonces = random.Random(f"{seed}/nonces/{clock.now_ms}")  # none may be said twice
        around = {"radio": await clock.radios.start(), "randomness": nonces.randbytes}
    service = Service(settings, clock.utc_ms, random.Random(seed).random, page_every_s=PAGE_EVERY_S, **around)
    clock.drivers = service.drivers
    service.stop_on_signals()
    async with asyncio.TaskGroup() as tasks:
        work = [tasks.create_task(clock.radios.run())] if clock.radios else []
        await service.run()
        for task in work:
            task.cancel()


def main() -> int:
    path, descriptor, start_ms, now_ms, seed = sys.argv[1:]
    logs.set_up("json")
    clock = HostClock(socket.socket(fileno=int(descriptor)), int(start_ms), int(now_ms))
    try:
        with asyncio.Runner(loop_factory=lambda: StreetLoop(clock)) as runner:
            runner.run(_serve(clock, Path(path), int(seed)))
    except TrottoirError as error:
        print(error.line(), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
