# The node at work: sense, count, close minutes, keep them, tell the gateway.
#
# Theory of operation
#   beat      every 100 ms: read the radar, feed the detector, hear the gateway, close the minute when it is over, send
#             what is due. Everything that counts happens here, in one task and in this order.
#   tick      every 10 s: running totals and health. Ticks stand on the tens of seconds of the open minute, so that a record,
#             which tells totals too, ends at a tick. Nothing finer ever leaves the node.
#   step      the first time of a boot, or one that is more than two seconds off: the open minute ends as it was, at the first
#             tens of seconds of the new time that are no sooner than a tick. At once only while nothing has been counted yet.
#   climate   every 10 s: one reading, in a task of its own because the part takes its time.
# A minute's record is on flash before it is sent (node/log); what is sent and when it is sent again is node/sender's.
# The watchdog is fed by the beat alone: should the beat stand still, the board starts anew and the log has everything but
# the open minute.

import asyncio
import gc

import streetwire
from node.clock import MINUTE_MS, STEP_MS, NodeClock
from node.minutes import Minutes
from node.sender import Sender

BEAT_MS = 100
CLIMATE_MS = 10000
LIVE_MS = 10000
SECOND_MS = 1000
QUIET_FRAMES = 5  # of ten a second: with fewer the radar is not counted as watching
LATEST_MS = 3900000000000  # August 2093: a later time is nonsense, and four years on no record could hold its minute
MAX_FRAMES_PER_BEAT = 4  # so that a long backlog does not delay the next look at the radar


class App:
    """Everything the node's outside world consists of is passed in; see main.py for what each is on a board."""

    def __init__(self, identity, passport, reset_cause, ticks, radar, detector_of, climate, log, link, watchdog):
        self._node = identity
        self._reset_cause = reset_cause
        self._passport = passport  # firmware, kit, sensors, platform
        self._ticks_ms, self._ticks_diff, self._ticks_add, self._sleep_ms = ticks
        self._radar = radar
        self._detector = detector_of(self._on_passage)
        self._climate = climate
        self._log = log
        self._link = link
        self._watchdog = watchdog
        self._clock = NodeClock(self._ticks_ms(), self._ticks_diff)
        self._minutes = Minutes()
        self._sender = Sender(log)
        self._second_ends_ms = SECOND_MS
        self._frames_this_second = 0
        self._minute_ends_ms = self._clock.minute_ends_at_ms()
        self._bin_start = 0
        self._live_due_ms = LIVE_MS
        self._told_live_ms = 0
        self._step_offset_ms = None  # UTC minus uptime as heard, while the step to it has to wait
        self._last_climate = None
        self._lines = []  # for the gateway's log, oldest first; bounded in say()

    async def run(self):
        self._radar.set_up()
        self.say(6, "boot %d, next record %d" % (self._log.boot, self._log.next_seq))
        climate = asyncio.create_task(self._read_climate())
        try:
            await self._keep_beating()
        finally:
            climate.cancel()

    def say(self, level, text):
        """One line for the technician, sent when the link takes it; the oldest are dropped beyond eight."""
        self._lines.append((level, self._clock.uptime_s, text))
        if len(self._lines) > 8:
            self._lines.pop(0)

    # -- the beat

    async def _keep_beating(self):
        beat_ends_ms = 0
        while True:
            self.beat()
            # Beats stand on a grid of uptime, so that a slow one does not shift those that follow.
            beat_ends_ms = max(beat_ends_ms + BEAT_MS, self._clock.uptime_ms)
            await self._sleep_ms(beat_ends_ms - self._clock.uptime_ms)

    def beat(self):
        """Everything that counts, once."""
        self._clock.advance(self._ticks_ms())
        self._watchdog.feed()
        self._frames_this_second += self._radar.poll(self._ticks_ms(), self._on_frame, self._ticks_add)
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
            self._tell_live()
        self._send_what_is_due()

    def _on_frame(self, ticks):
        self._detector.feed(ticks, self._radar.targets, self._radar.n_targets)

    def _on_passage(self, ticks, direction):
        self._minutes.add_passage(direction)

    def _end_second(self):
        self._minutes.add_second(self._frames_this_second >= QUIET_FRAMES, self._detector.is_saturated)
        if not self._frames_this_second:  # switched off or unplugged: it forgets how it was set up
            self._radar.is_set_up = False
        self._frames_this_second = 0
        self._second_ends_ms += SECOND_MS
        if self._second_ends_ms <= self._clock.uptime_ms:  # a stall of more than a second was not watched
            self._second_ends_ms = self._clock.uptime_ms + SECOND_MS

    # -- minutes

    def _close_minute(self):
        record = self._minutes.close(self._bin_start, self._clock.uptime_s, self._clock.is_drifting)
        self._begin_minute()
        if not self._radar.is_set_up:
            self._radar.set_up()
        try:
            self._log.append(record)
        except OSError as error:
            self.say(3, str(error))

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
        if message.kind == streetwire.ACK:
            self._sender.on_ack(message.watermark, now)
        elif message.kind == streetwire.TIME and message.unix_ms < LATEST_MS:
            self._set_time(message.unix_ms)
        elif message.kind == streetwire.COMMAND and message.verb == streetwire.SAY_HELLO:
            self._say_hello()
        elif message.kind == streetwire.COMMAND and message.verb == streetwire.RESEND_FROM:
            self._sender.resend_from(message.argument, now)

    def _send_what_is_due(self):
        now = self._clock.uptime_ms
        if self._sender.is_hello_due(now):
            self._say_hello()
        for _ in range(MAX_FRAMES_PER_BEAT):
            due = self._sender.next_record(now)
            if due is None:
                break
            previous, record = due
            if not self._link.send(streetwire.RecordMessage(self._node, self._log.incarnation, previous, record)):
                break
            self._sender.sent(record)
        while self._lines:
            level, uptime_s, text = self._lines[0]
            if not self._link.send(streetwire.Log(self._node, self._log.incarnation, level, uptime_s, text)):
                break
            self._lines.pop(0)

    def _say_hello(self):
        self._link.send(
            streetwire.Hello(
                self._node, self._log.incarnation, self._log.boot, self._clock.uptime_s, self._log.first_held,
                self._log.next_seq, self._reset_cause, *self._passport,
            )  # fmt: skip
        )

    # -- climate and live totals

    async def _read_climate(self):
        while True:
            reading = await self._climate.read(self._sleep_ms)
            self._last_climate = reading
            if reading is not None:
                self._minutes.add_climate(reading[0], reading[1])
            await self._sleep_ms(CLIMATE_MS)

    def _tell_live(self):
        objects = [
            (streetwire.ID_OF["frames_lost"], self._link.frames_bad),
            (streetwire.ID_OF["resets"], self._log.boot),
            (streetwire.ID_OF["sensor_faults"], min(self._climate.faults, 0xFFFF)),
            (streetwire.ID_OF["covered_s"], self._minutes.covered_s),
        ]
        if hasattr(gc, "mem_free"):  # MicroPython only
            gc.collect()  # else it tells how long ago the last collection was, and that depends on who walked by when
            objects.append((streetwire.ID_OF["heap_free_b"], gc.mem_free()))
        if self._last_climate is not None:
            objects.append((streetwire.ID_OF["temperature_c"], self._last_climate[0]))
            objects.append((streetwire.ID_OF["humidity_pct"], self._last_climate[1]))
        self._link.send(
            streetwire.Live(
                self._node, self._log.incarnation, self._log.boot, self._clock.uptime_s,
                self._minutes.total_ab, self._minutes.total_ba, objects,
            )  # fmt: skip
        )
