# What the node knows of time: uptime from the tick counter, UTC from what the gateway last said.
#
# Rules of this file: ticks come in as arguments (they wrap at 2**30 ms on an ESP32: twelve days), and nothing here reads a
# clock. `ticks_diff` is passed in, since only the interpreter knows where its ticks wrap.

MINUTE_MS = 60000
DAY_S = 86400
STEP_MS = 2000  # the gateway's clock moved by more than this: the open minute is closed as it was


class NodeClock:
    def __init__(self, ticks_ms, ticks_diff):
        self._ticks_diff = ticks_diff
        self._last_ticks = ticks_ms
        self.uptime_ms = 0
        self._offset_ms = None  # UTC minus uptime
        self._heard_at_ms = 0

    def advance(self, ticks_ms):
        """Call at least once per wrap of the tick counter."""
        self.uptime_ms += self._ticks_diff(ticks_ms, self._last_ticks)
        self._last_ticks = ticks_ms

    @property
    def uptime_s(self):
        return self.uptime_ms // 1000

    @property
    def is_set(self):
        return self._offset_ms is not None

    @property
    def is_drifting(self):
        """A day without hearing the time: an ESP32's crystal may be off by seconds by now."""
        return self._offset_ms is not None and self.uptime_ms - self._heard_at_ms > DAY_S * 1000

    def would_step(self, unix_ms):
        """True if adopting this time would move UTC by more than STEP_MS, or give the first time of this boot."""
        return self._offset_ms is None or abs(unix_ms - self.uptime_ms - self._offset_ms) > STEP_MS

    def set_utc(self, unix_ms):
        self._offset_ms = unix_ms - self.uptime_ms
        self._heard_at_ms = self.uptime_ms

    def minute_start_s(self):
        """UTC seconds of the minute that is now, 0 while the time is unknown."""
        if self._offset_ms is None:
            return 0
        return (self.uptime_ms + self._offset_ms) // MINUTE_MS * 60

    def minute_ends_at_ms(self):
        """The uptime at which the minute that is now will be over: UTC minutes, or 60 s of uptime without time."""
        offset = self._offset_ms or 0
        return ((self.uptime_ms + offset) // MINUTE_MS + 1) * MINUTE_MS - offset
