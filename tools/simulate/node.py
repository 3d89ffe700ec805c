"""One node: the firmware's App on a flash that may fail, looking at a street and talking over a cable or on the air.

Theory of operation
    The App beats once a second and whenever a message has arrived; a second's ten radar frames are told in one go. What its
    detector reports is the truth that the books are held against, with its true moment. A power cut drops App and log with all
    they had in memory; the flash stays. Climate is read by the firmware's own task, stepped by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from random import Random
from types import coroutine
from typing import TYPE_CHECKING, Any

import streetwire
from node.app import App
from node.log import RecordLog
from node.minutes import AB
from node.panel import Panel
from node.supply import Supply
from tools.simulate.air import Air
from tools.simulate.flash import Flash, PowerCut
from tools.simulate.link import Cable
from tools.simulate.radio import NodeRadio
from tools.simulate.timeline import Timeline

if TYPE_CHECKING:
    from tools.simulate.books import NodeBook
    from tools.simulate.schedule import NodePlan

TICKS = 1 << 30
BEAT_MS = 1000
FRAME_MS = 100
PASSPORT = ("0.1.0", "pavement-radar", "radar,sht4x", "simulated")
POWER_ON, RESET = 1, 2


class _WatchedLog(RecordLog):
    """Tells the book what is about to be written; a cut may come before it is."""

    def __init__(self, flash: Flash, random_u32: Callable[[], int], book: NodeBook, timeline: Timeline) -> None:
        self._book, self._timeline = book, timeline
        self.acked: Callable[[], int] = lambda: 0
        super().__init__(flash, random_u32)

    def append(self, record: streetwire.Record) -> None:
        self._book.records.append((self._timeline.now_ms, self.incarnation, record))
        super().append(record)

    def _open_next_sector(self) -> None:
        before = self.first_held
        try:
            super()._open_next_sector()
        finally:  # a cut in the middle has erased it, too
            if before:
                self._book.give_up(self.incarnation, max(before, self.acked() + 1), self.first_held or self.next_seq)


class Node:
    """`plan` says what it is; `book` gets the truth. It is off until `power_on`."""

    def __init__(self, plan: NodePlan, timeline: Timeline, way: Cable | Air, book: NodeBook, rng: Random) -> None:
        self.number = plan.number
        self.plan = plan
        self.flash = Flash(plan.sectors, plan.sector_size)
        self.cable = way if isinstance(way, Cable) else None
        self.radio = NodeRadio(plan.number, timeline, way, rng, self._woken) if isinstance(way, Air) else None
        self.log: _WatchedLog | None = None
        self.app: App | None = None
        self.is_gone = False  # for good: another one has its place
        self.off_until_ms = 0
        self.is_street_empty = False
        self.frames_bad = self.faults = 0
        self.is_set_up = True
        self.is_saturated = False
        self.low_centi, self.high_centi, self.still_readings = -4000, 12500, 360
        self._timeline = timeline
        self._book = book
        self._rng = rng
        self._boots = 0
        self._inbox: list[streetwire.Message] = []

    @property
    def is_on(self) -> bool:
        return self.app is not None

    @property
    def is_delivered(self) -> bool:
        """On, and the gateway has acknowledged everything that it counted."""
        if self.app is None or self.log is None or self.app._sender.acked is None:
            return False
        minutes = self.app._minutes
        is_written = (minutes.total_ab, minutes.total_ba) == (minutes._told_ab, minutes._told_ba)
        return is_written and not self._is_any_missing_behind(self.app._sender.acked)

    def _is_any_missing_behind(self, seq: int) -> bool:
        # On the air nobody asks for the newest minutes before the next hour. What matters is whether they hold anybody or are
        # overwritten without a word, and that one of this boot has told how the last one ended.
        assert self.log is not None
        if self.radio is None:
            return self.log.next_after(seq) is not None
        told = (record.boot for _, owner, record in self._book.records if (owner, record.seq) == (self.log.incarnation, seq))
        if self.log.boot not in told or self.log.first_held > seq + 1:
            return True
        while (record := self.log.next_after(seq)) is not None:
            if record.d_ab + record.d_ba:
                return True
            seq = record.seq
        return False

    # -- power

    def power_on(self) -> None:
        """Boots. The supply may fail again while it does: then it stays off until somebody switches it on."""
        now_ms = self._timeline.now_ms
        if self.is_on or self.is_gone or now_ms < self.off_until_ms:
            return
        self._boots += 1
        self._book.light(self, now_ms)
        try:
            self.log = _WatchedLog(self.flash, lambda: self._rng.getrandbits(32), self._book, self._timeline)
        except PowerCut:
            self._book.torn += 1
            self._darken()
            self._timeline.after(5000, self.power_on)
            return
        self._inbox.clear()
        self._deframer = streetwire.Deframer()
        self._booted_ms = self._frames_ms = now_ms
        self._first_tick = (TICKS - self.plan.ticks_before_wrap_ms) % TICKS
        self._next_passage_ms = self.plan.street.next_passage_ms(now_ms, self._rng)
        ticks = (self._ticks, _ticks_diff, _ticks_add, _sleep_ms)
        cause = POWER_ON if self._boots == 1 else RESET
        reset = (cause, "power on" if cause == POWER_ON else "reset", False)
        panel = Panel(lambda is_on: None, lambda: 1, Supply(lambda: 0, 1000, 0))
        link = self if self.radio is None else self.radio.link(self.log.incarnation, (self._ticks, _ticks_diff))
        self.app = App(self.number, PASSPORT, reset, ticks, self._counter_of, self, None, panel, self.log, link, self)
        if self._boots == 1 and self.plan.first_total:
            self.app._minutes.total_ab = self.app._minutes._told_ab = self.plan.first_total
            self.app._minutes.total_ba = self.app._minutes._told_ba = self.plan.first_total
        sender = self.app._sender
        self.log.acked = lambda: sender.acked or 0
        if self.cable is not None:
            self.cable.to_node = self._hear
        self._beat_on(self._boots)
        if self.plan.has_climate:
            self._step(self._boots, self.app._climate.run(_sleep_ms))

    def power_off(self, off_ms: int) -> None:
        """Now, whatever it is doing; it comes back after a while."""
        self.off_until_ms = max(self.off_until_ms, self._timeline.now_ms + off_ms)
        self._timeline.at(self.off_until_ms, self.power_on)
        if self.is_on:
            self._darken()

    def unplug(self) -> None:
        """By somebody who means it: it is off, and nobody waits for it."""
        self.is_gone = True
        if self.is_on:
            self._book.cut(self._timeline.now_ms)
            self._darken()

    def _darken(self) -> None:
        self.app = self.log = None
        if self.radio is not None:
            self.radio.power_off()
        self.flash.bytes_until_cut = None
        self._book.darken(self, self._timeline.now_ms)

    # -- the beat

    def _beat_on(self, boot: int) -> None:
        if self.app is None or boot != self._boots:
            return
        self.beat()
        self._timeline.after(BEAT_MS, self._beat_on, boot)

    def beat(self) -> None:
        """What the firmware does ten times a second."""
        assert self.app is not None
        try:
            self.app.beat()
        except PowerCut:
            self._book.cut(self._timeline.now_ms)
            self._book.torn += 1
            self._darken()
            self._timeline.after(5000, self.power_on)

    def _step(self, boot: int, task: Any) -> None:
        if self.app is None or boot != self._boots:
            task.close()
            return
        self._timeline.after(task.send(None), self._step, boot, task)

    def _ticks(self) -> int:
        return (self._first_tick + self._timeline.now_ms - self._booted_ms) % TICKS

    # -- what the App is given: what counts, climate, link, watchdog

    poll_ms, quiet_samples, most_samples, sample_bytes = BEAT_MS, 5, 100, 30
    rejected_bytes = 0
    is_blocked = False

    def set_up(self) -> None:
        self.is_set_up = True

    def forget(self) -> None:
        self.is_set_up = False

    def poll(self, now_ticks: int) -> int:
        now_ms = self._timeline.now_ms
        frames = now_ms // FRAME_MS - self._frames_ms // FRAME_MS
        self._frames_ms = now_ms
        if self._next_passage_ms <= now_ms:
            self._pass()
        return frames

    def _counter_of(self, on_passage: Callable[[int, int], None]) -> Node:
        self._on_passage = on_passage
        return self

    def feed(self) -> None:
        """The watchdog is content."""

    def _pass(self) -> None:
        street, rng, now_ms = self.plan.street, self._rng, self._timeline.now_ms
        while self._next_passage_ms <= now_ms:
            direction = street.direction(rng)
            if not self.is_street_empty:
                self._book.passed(self._next_passage_ms, direction == AB)
                self._on_passage(0, direction)
            self._next_passage_ms = street.next_passage_ms(self._next_passage_ms, rng)

    async def read(self, sleep_ms: Callable[[int], Any]) -> tuple[int, int]:
        await sleep_ms(10)
        return 2000 + self._rng.randrange(50), 5000 + self._rng.randrange(50)

    def receive(self) -> list[streetwire.Message]:
        messages, self._inbox = self._inbox, []
        return messages

    def send(self, message: streetwire.Message) -> bool:
        assert self.cable is not None  # else the App has the radio's link
        self.cable.up(streetwire.encode_frame(message.encode()))
        return True

    def _hear(self, data: bytes) -> None:
        for payload in self._deframer.feed(data):
            try:
                self._inbox.append(streetwire.decode(payload))
            except streetwire.WireError:
                self.frames_bad += 1
        if self._inbox:
            self._woken()

    def _woken(self) -> None:
        if self.app is not None:
            self.beat()


def _ticks_diff(a: int, b: int) -> int:
    return (a - b + TICKS // 2) % TICKS - TICKS // 2


def _ticks_add(ticks: int, ms: int) -> int:
    return (ticks + ms) % TICKS


@coroutine
def _sleep_ms(ms: int) -> Generator[int, None, None]:
    yield ms
