"""The node's App between stand-ins, in time that jumps: what it is given to see and hear, and every byte that it says."""

from __future__ import annotations

import asyncio
import contextlib

from dialect import ticks_add, ticks_diff
from ramflash import RamFlash

import streetwire
from node.app import App
from node.log import RecordLog
from node.panel import Panel
from node.passage.radar import AB, BA
from node.supply import Supply
from tools.street.loop import JumpingClock, StreetLoop

NODE = 0xC30001
INCARNATION = 0x5EED1234
PASSPORT = ("0.1.0", "pavement-radar", "radar,sht4x", "bench")
MINUTE = 1_700_000_040  # a whole minute, UTC
__all__ = ["AB", "BA", "Bench"]


class Bench:
    """`passages` are (t_ms, direction); `hears` are (t_ms, message); `climate` are readings, of which the last stays.
    After `run`, `said` holds (t_ms, payload). On a clock that others use as well, `app.run()` is awaited instead; `link_of(bench)`
    makes another link than the bench itself."""

    def __init__(
        self, passages=(), hears=(), climate=((2150, 4850),), flash=None, probe=None, is_brown_out=False, counter_of=None,
        node=NODE, incarnation=INCARNATION, clock=None, link_of=None,
    ) -> None:  # fmt: skip
        self.flash = flash or RamFlash(blocks=8)
        self.log = RecordLog(self.flash, lambda: incarnation)
        self.said: list[tuple[int, bytes]] = []
        self.hears = sorted(hears, key=lambda pair: pair[0])
        self.reports_missing: list[tuple[int, int]] = []  # [(from_ms, until_ms), ...] without radar reports
        self.port_is_full: list[tuple[int, int]] = []
        self.feeds = self.polls = self.set_ups = 0
        self.is_saturated = self.is_blocked = False
        self.is_set_up = False
        self.answers = True  # when it is set up
        self.garbage: list[tuple[int, int]] = []  # [(from_ms, until_ms), ...] with a hundred bytes a poll that are nothing
        self.rejected_bytes = 0
        self.presses: list[tuple[int, int]] = []  # of the button
        self.pin_uv = 0  # at the battery's pin; the divider halves
        self.lit: list[int] = []  # the uptimes of beats with the LED on
        self.frames_bad = self.faults = 0
        self.radio = "absent"
        self.before_send = lambda message: None
        self.stalls: list[tuple[int, int]] = []  # [(at_ms, for_ms), ...]: the beat stands still
        self._passages = sorted(passages)
        self._climate = list(climate)
        self._clock = clock or JumpingClock()
        self._last_report_ms = self.now_ms
        ticks = (lambda: ticks_add(2**30 - 90_000, self.now_ms), ticks_diff, ticks_add, self._sleep_ms)
        supply = Supply(lambda: self.pin_uv, 2000, 3400)
        panel = Panel(self._set_lamp, lambda: 0 if _inside(self.now_ms, self.presses) else 1, supply)
        reset = (1, "power on", is_brown_out)
        counter_of = counter_of or self._counter_of
        link = link_of(self) if link_of else self
        self.app = App(node, PASSPORT, reset, ticks, counter_of, self, probe, panel, self.log, link, self)

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

    def say(self, level, text) -> None:
        self.app.say(level, text)

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

    # -- what counts, climate, link, watchdog as the App sees them

    poll_ms, quiet_samples, most_samples, sample_bytes = 100, 5, 100, 30

    low_centi, high_centi, still_readings = -4000, 12500, 360
    fault = "no answer"

    def set_up(self) -> None:
        self.set_ups += 1
        self.is_set_up = self.answers and not _inside(self.now_ms, self.reports_missing)

    def forget(self) -> None:
        self.is_set_up = False

    def poll(self, now_ticks) -> int:
        self.polls += 1
        for at_ms, for_ms in self.stalls:
            if self.now_ms == at_ms:
                self._clock.now_ms += for_ms
        frames = 0
        while self._last_report_ms + 100 <= self.now_ms:
            self._last_report_ms += 100
            if not _inside(self._last_report_ms, self.reports_missing):
                frames += 1
        if _inside(self.now_ms, self.garbage):
            self.rejected_bytes += 100
        while frames and self._passages and self._passages[0][0] <= self.now_ms:
            self._on_passage(now_ticks, self._passages.pop(0)[1])
        return frames

    def _counter_of(self, on_passage):
        self._on_passage = on_passage
        return self

    def feed(self) -> None:
        self.feeds += 1

    def _set_lamp(self, is_on) -> None:
        if is_on:
            self.lit.append(self.now_ms)

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
