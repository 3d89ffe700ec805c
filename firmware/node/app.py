# The node at work: sense, count, close minutes, keep them, tell the gateway.
#
# Theory of operation
#   beat      every 100 ms: read what counts, hear the gateway, close the minute when it is over, send what is due, show how
#             it is. Everything that counts happens here, in one task and in this order. A part that keeps one result only is
#             read in between, too.
#   tick      every 10 s: running totals and health. Ticks stand on the tens of seconds of the open minute, so that a record,
#             which tells totals too, ends at a tick. Nothing finer ever leaves the node.
#   step      the first time of a boot, or one that is more than two seconds off: the open minute ends as it was, at the first
#             tens of seconds of the new time that are no sooner than a tick. At once only while nothing has been counted yet.
#   health    is what counts at work (node/watch), the air (node/climate), supply, LED and button (node/panel): bits that every
#             live message tells, and one line for the technician whenever something changes. What a technician asks, and
#             which firmware runs, is behind node/hatch.
# A minute's record is on flash before it is sent (node/log); what is sent and when it is sent again is node/sender's.
# The watchdog is fed by the beat alone: should the beat stand still, the board starts anew and the log has everything but
# the open minute. Nothing that arrives can make a beat long: bytes, frames and lines are taken in rations.

import asyncio

import streetwire
from node.climate import Climate
from node.clock import MINUTE_MS, STEP_MS, NodeClock
from node.hatch import Hatch
from node.minutes import Minutes
from node.sender import Sender
from node.vitals import Vitals
from node.watch import Watch

BEAT_MS = 100
LIVE_MS = 10000
SECOND_MS = 1000
LATEST_MS = 3900000000000  # August 2093: a later time is nonsense, and four years on no record could hold its minute
MAX_LINES = 8
LINES_AT_ONCE = 60
MAX_FRAMES_PER_BEAT = 4  # so that a long backlog does not delay the next look at what counts


class App:
    """Everything the node's outside world consists of is passed in; see main.py for what each is on a board.

    `reset` is (the board's number of why it started, that in words, whether it was a brown-out); `counter_of(on_passage)`
    gives what counts (node/counters), `probe` may be None; `upkeep_of` as in node/hatch.
    """

    def __init__(
        self, identity, passport, reset, ticks, counter_of, climate, probe, panel, log, link, watchdog, upkeep_of=None
    ):  # fmt: skip
        self._node = identity
        self._reset_cause, self._reset_words, is_brown_out = reset
        self._passport = passport  # firmware, kit, sensors, platform
        self._ticks_ms, self._ticks_diff, self._ticks_add, self._sleep_ms = ticks
        self._panel = panel
        self._log = log
        self._link = link
        self._watchdog = watchdog
        self._clock = NodeClock(self._ticks_ms(), self._ticks_diff)
        self._minutes = Minutes()
        self._sender = Sender(log)
        self._watch = Watch(counter_of(self._on_passage), self._passport[2].split(",")[0], self.say)
        self._climate = Climate(climate, "climate", self.say, self._minutes)
        self._probe = Climate(probe, "probe", self.say) if probe else None
        self._readers = [self._climate, self._probe] if self._probe else [self._climate]
        self._vitals = Vitals(link, log, self._minutes, self._climate, self._probe, panel)
        self._second_ends_ms = SECOND_MS
        self._minute_ends_ms = self._clock.minute_ends_at_ms()
        self._bin_start = 0
        self._live_due_ms = LIVE_MS
        self._told_live_ms = 0
        self._step_offset_ms = None  # UTC minus uptime as heard, while the step to it has to wait
        self._heard_ms = None  # when the gateway last said something
        self._records_from_ms = 0  # records wait until then
        self._standing_health = streetwire.HEALTH["brown_out"] if is_brown_out else 0
        self._lines_left = LINES_AT_ONCE  # that may be said now; one more each minute
        self._lines_minute = 0
        self._left_out = 0
        self._lines = []  # for the gateway's log, oldest first; bounded in say()
        self._hatch = Hatch(
            panel, link, self._watch, self._climate, self._probe, log, self._clock, self._minutes, self._send, self.say, upkeep_of
        )  # fmt: skip

    async def run(self):
        self._watch.set_up()
        self.say(6, "boot %d after %s, next record %d" % (self._log.boot, self._reset_words, self._log.next_seq))
        tasks = [asyncio.create_task(reader.run(self._sleep_ms)) for reader in self._readers]
        try:
            await self._keep_beating()
        finally:
            for task in tasks:
                task.cancel()

    def say(self, level, text):
        """One line for the technician, sent when the link takes it; the oldest are dropped beyond eight. What comes and goes
        all the time is told once a minute, with how many lines were left out."""
        minute = self._clock.uptime_s // 60
        self._lines_left = min(self._lines_left + minute - self._lines_minute, LINES_AT_ONCE)
        self._lines_minute = minute
        if not self._lines_left:
            self._left_out += 1
            return
        self._lines_left -= 1
        if self._left_out:
            text = "%s (%d lines left out)" % (text, self._left_out)
            self._left_out = 0
        self._lines.append((level, self._clock.uptime_s, text))
        if len(self._lines) > MAX_LINES:
            self._lines.pop(0)

    @property
    def health(self):
        """Bits as in streetwire.HEALTH."""
        probe = self._probe.health if self._probe else 0
        return self._standing_health | self._watch.health | self._climate.health | probe | self._panel.health

    # -- the beat

    async def _keep_beating(self):
        beat_ends_ms = 0
        while True:
            self.beat()
            # Beats stand on a grid of uptime, so that a slow one does not shift those that follow.
            beat_ends_ms = max(beat_ends_ms + BEAT_MS, self._clock.uptime_ms)
            await self._sleep_until(beat_ends_ms)

    async def _sleep_until(self, uptime_ms):
        left_ms = uptime_ms - self._clock.uptime_ms
        while left_ms > self._watch.poll_ms:
            await self._sleep_ms(self._watch.poll_ms)
            self._clock.advance(self._ticks_ms())
            self._watch.poll(self._ticks_ms())
            left_ms = uptime_ms - self._clock.uptime_ms
        await self._sleep_ms(max(left_ms, 0))

    def beat(self):
        """One beat, in the order above."""
        self._clock.advance(self._ticks_ms())
        self._watchdog.feed()
        self._watch.poll(self._ticks_ms())
        if self._clock.uptime_ms >= self._second_ends_ms:
            self._end_second()
        for message in self._link.receive():
            self._on_message(message)
        is_tick = self._clock.uptime_ms >= self._live_due_ms
        is_over = self._clock.uptime_ms >= self._minute_ends_ms
        if is_over:
            self._close_minute()
        if is_tick and self._step_offset_ms is not None:
            self._step(self._step_offset_ms)
        if is_tick or is_over:
            self._told_live_ms = self._clock.uptime_ms
            self._set_next_tick()
            self._panel.measure()
            self._tell_live()
        if is_tick and self._hatch.is_restart_due:
            self._restart()
        self._send_what_is_due()
        self._hatch.beat(self._clock.uptime_ms, self.health, self._heard_ms, self._sender.acked is not None)

    def _on_passage(self, ticks, direction):
        self._minutes.add_passage(direction)
        self._panel.on_passage(self._clock.uptime_ms)

    def _end_second(self):
        is_covered = self._watch.end_second()
        self._minutes.add_second(is_covered, self._watch.is_saturated, self._watch.is_blocked)
        self._second_ends_ms += SECOND_MS
        if self._second_ends_ms <= self._clock.uptime_ms:  # a stall of more than a second was not watched
            self._second_ends_ms = self._clock.uptime_ms + SECOND_MS

    # -- minutes

    def _close_minute(self):
        record = self._minutes.close(self._bin_start, self._clock.uptime_s, self._clock.is_drifting)
        self._begin_minute()
        self._standing_health &= ~streetwire.HEALTH["log_failed"]
        try:
            self._log.append(record)
        except OSError as error:
            self._standing_health |= streetwire.HEALTH["log_failed"]
            self.say(3, str(error))

    def _restart(self):
        if not self._minutes.is_empty:
            self._close_minute()
        self._hatch.restart()

    def _begin_minute(self):
        self._bin_start = self._clock.minute_start_s()
        self._minute_ends_ms = self._clock.minute_ends_at_ms()

    def _set_next_tick(self):
        # The next ten seconds of the open minute, or of the time to step to, and never sooner than a small correction of the
        # clock explains.
        earliest_ms = self._told_live_ms + LIVE_MS - STEP_MS - BEAT_MS
        on_grid_ms = self._minute_ends_ms if self._step_offset_ms is None else -self._step_offset_ms
        self._live_due_ms = on_grid_ms - (on_grid_ms - earliest_ms) // LIVE_MS * LIVE_MS

    def _set_time(self, unix_ms):
        if self._clock.would_step(unix_ms):
            self._step_offset_ms = unix_ms - self._clock.uptime_ms
            self._set_next_tick()
            if self._minutes.is_empty and not self._would_end_before_tick(unix_ms):
                self._step(self._step_offset_ms)
            return
        self._step_offset_ms = None
        self._clock.set_utc(unix_ms)
        self._minute_ends_ms = self._end_of_open_minute(unix_ms)
        self._set_next_tick()

    def _would_end_before_tick(self, unix_ms):
        return unix_ms % MINUTE_MS + self._live_due_ms - self._clock.uptime_ms > MINUTE_MS

    def _step(self, offset_ms):
        if not self._minutes.is_empty:  # what was counted so far keeps the minute it was counted in
            self._close_minute()
        self._clock.set_utc(self._clock.uptime_ms + offset_ms)
        self._step_offset_ms = None
        self._begin_minute()

    def _end_of_open_minute(self, unix_ms):
        # A small correction moves the end of the minute that is open, never which minute that is.
        return self._clock.uptime_ms + (self._bin_start + 60) * 1000 - unix_ms

    # -- the gateway

    def _on_message(self, message):
        if message.node != self._node or message.incarnation != self._log.incarnation:
            return  # meant for whoever was plugged in here before
        now = self._clock.uptime_ms
        self._heard_ms = now
        self._records_from_ms = now
        if message.kind == streetwire.ACK:
            self._sender.on_ack(message.watermark, now)
        elif message.kind == streetwire.TIME and message.unix_ms < LATEST_MS:
            self._set_time(message.unix_ms)
        elif message.kind == streetwire.COMMAND:
            self._on_command(message.verb, message.argument, now)
        elif message.kind == streetwire.UPDATE:
            self._hatch.on_update(message, self.health, now)

    def _on_command(self, verb, argument, now):
        if verb == streetwire.SAY_HELLO:
            self._say_hello()
        elif verb == streetwire.RESEND_FROM:
            self._sender.resend_from(argument, now)
        else:
            self._hatch.on_command(verb, argument, now, self.health)

    def _send(self, kind, *fields):
        return self._link.send(kind(self._node, self._log.incarnation, *fields))

    def _send_what_is_due(self):
        now = self._clock.uptime_ms
        if self._sender.is_hello_due(now):
            self._say_hello()
        if now >= self._records_from_ms:
            self._send_records(now)
        while self._lines:
            if not self._send(streetwire.Log, *self._lines[0]):
                break
            self._lines.pop(0)

    def _send_records(self, now):
        for _ in range(MAX_FRAMES_PER_BEAT):
            due = self._sender.next_record(now)
            if due is None:
                break
            previous, record = due
            if not self._send(streetwire.RecordMessage, previous, record):
                self._records_from_ms = now + SECOND_MS  # nobody is there, and the log need not be searched ten times a second
                break
            self._sender.sent(record)

    def _say_hello(self):
        self._send(
            streetwire.Hello, self._log.boot, self._clock.uptime_s, self._log.first_held, self._log.next_seq, self._reset_cause,
            *self._passport,
        )  # fmt: skip
        self._hatch.on_hello()

    def _tell_live(self):
        for reader in self._readers:
            reader.tick()
        objects = self._vitals.objects(self.health)
        self._send(streetwire.Live, self._log.boot, self._clock.uptime_s, self._minutes.total_ab, self._minutes.total_ba, objects)
