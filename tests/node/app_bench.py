"""The node's App between stand-ins, in time that jumps: what it is given to see and hear, and every byte that it says."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from dialect import ticks_add, ticks_diff
from ramflash import RamFlash

import streetwire
from node.app import App
from node.log import RecordLog
from node.passage.radar import AB, BA
from tools.street.loop import StreetLoop

NODE = 0xC30001
INCARNATION = 0x5EED1234
PASSPORT = ("0.1.0", "pavement-radar", "radar,sht4x", "bench")
MINUTE = 1_700_000_040  # a whole minute, UTC
__all__ = ["AB", "BA", "Bench"]


class _Clock:
    """Jumps to the next deadline whenever there is nothing to do."""

    def __init__(self) -> None:
        self.now_ms = 0
        self._silent, self._keep_open = socket.socketpair()

    def fileno(self) -> int:
        return self._silent.fileno()

    def idle(self, timeout_s: float | None) -> bool:
        self.now_ms += max(1, round((timeout_s or 0) * 1000))
        return True

    def take_word(self) -> None: ...

    def close(self) -> None:
        self._silent.close()
        self._keep_open.close()


class Bench:
    """`passages` are (t_ms, direction); `hears` are (t_ms, message); `climate` are readings, of which the last stays.
    After `run`, `said` holds (t_ms, payload)."""

    def __init__(self, passages=(), hears=(), climate=((2150, 4850),), flash=None) -> None:
        self.flash = flash or RamFlash(blocks=8)
        self.log = RecordLog(self.flash, lambda: INCARNATION)
        self.said: list[tuple[int, bytes]] = []
        self.hears = sorted(hears, key=lambda pair: pair[0])
        self.reports_missing: list[tuple[int, int]] = []  # [(from_ms, until_ms), ...] without radar reports
        self.port_is_full: list[tuple[int, int]] = []
        self.feeds = self.polls = self.set_ups = 0
        self.is_saturated = False
        self.is_set_up = True
        self.frames_bad = self.faults = 0
        self.before_send = lambda message: None
        self.stalls: list[tuple[int, int]] = []  # [(at_ms, for_ms), ...]: the beat stands still
        self._passages = sorted(passages)
        self._climate = list(climate)
        self._clock = _Clock()
        self._last_report_ms = 0
        ticks = (lambda: ticks_add(2**30 - 90_000, self.now_ms), ticks_diff, ticks_add, self._sleep_ms)
        self.app = App(NODE, PASSPORT, 1, ticks, self, self._detector_of, self, self.log, self, self)

    @property
    def now_ms(self) -> int:
        return self._clock.now_ms

    def run(self, until_ms: int) -> Bench:
        with contextlib.suppress(TimeoutError), asyncio.Runner(loop_factory=lambda: StreetLoop(self._clock)) as runner:
            runner.run(asyncio.wait_for(self.app.run(), until_ms / 1000))
        self._clock.close()
        return self

    async def _sleep_ms(self, ms: int) -> None:
        await asyncio.sleep(ms / 1000)

    # -- what was said

    def messages(self, kind):
        return [message for _, message in self.told(kind)]

    def told(self, kind):
        decoded = [(t_ms, streetwire.decode(payload)) for t_ms, payload in self.said]
        return [(t_ms, message) for t_ms, message in decoded if isinstance(message, kind)]

    def records(self):
        """By number, whatever was sent again."""
        return list({m.record.seq: m.record for m in self.messages(streetwire.RecordMessage)}.values())

    def on_flash(self):
        found = []
        record = self.log.next_after(0)
        while record is not None:
            found.append(record)
            record = self.log.next_after(record.seq)
        return found

    # -- radar, detector, climate, link, watchdog as the App sees them

    targets = (0,) * 9
    n_targets = 0

    def set_up(self) -> None:
        self.set_ups += 1

    def poll(self, now_ticks, on_frame, add) -> int:
        self.polls += 1
        for at_ms, for_ms in self.stalls:
            if self.now_ms == at_ms:
                self._clock.now_ms += for_ms
        frames = 0
        while self._last_report_ms + 100 <= self.now_ms:
            self._last_report_ms += 100
            if not _inside(self._last_report_ms, self.reports_missing):
                frames += 1
                on_frame(add(now_ticks, self._last_report_ms - self.now_ms))
        return frames

    def _detector_of(self, on_passage):
        self._on_passage = on_passage
        return self

    def feed(self, *report) -> None:
        if not report:  # the watchdog
            self.feeds += 1
            return
        while self._passages and self._passages[0][0] <= self.now_ms:
            self._on_passage(report[0], self._passages.pop(0)[1])

    async def read(self, sleep_ms):
        await sleep_ms(10)
        return self._climate.pop(0) if len(self._climate) > 1 else self._climate[0]

    def receive(self):
        due = [message for t_ms, message in self.hears if t_ms <= self.now_ms]
        self.hears = self.hears[len(due) :]
        return due

    def send(self, message) -> bool:
        if _inside(self.now_ms, self.port_is_full):
            return False
        self.before_send(message)
        self.said.append((self.now_ms, message.encode()))
        return True


def _inside(t_ms: int, spans: list[tuple[int, int]]) -> bool:
    return any(start <= t_ms < end for start, end in spans)
