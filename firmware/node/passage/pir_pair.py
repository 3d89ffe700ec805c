# Who passes, from two infrared switches that look a little to the left and to the right: an index of how busy it is.
#
# Theory of operation
#   pair      a rise of one channel and then a rise of the other within pair_ms is one passage; channel 0 first is AB. Its
#             moment is in the middle. Two rises of one channel: the later one counts.
#   dead      a switch stays high for its hold time, and longer while anything warm moves: whoever comes then makes no rise.
#             dead_ms states it. So groups count as one, and the detector is an index: it needs a study to become a count.
#   ignored   who begins to pass in the dead time is not counted, and the rise of the other channel is not the first of anybody.
#   settle    after a passage no other begins within dead_ms: the hold of an AM312 ends on its own and rises again
#             before the same person has left its view.
# Samples are the levels of both channels, at every edge and once a beat, so that time passes without edges, too.
#
# Rules of this file: no allocation per sample, integers only, time differences only through ticks_diff; what may last for
# days is counted in time passed, never kept as a tick.

from node.passage.idle import ELAPSED_MAX_MS, MinuteShare

AB = 1
BA = -1

BLOCKED_MS = 120000  # high for so long: stuck, or the sun on it. People who stand and talk do not move all the time
TOGETHER_MS = 20  # nobody is in both fields of view at once: mains hum, or the sun
UNPAIRED_MAX = 20  # rises in a row without a partner: the other switch is dead or covered


class PirPair:
    """`on_passage(ticks, direction)` is called for every passage.

    hold_ms: how long a switch stays high (AM312 2 s, HC-SR501 3 s and more). pair_ms: from one field of view into the other at
    0.5 m/s, 1 m apart. saturated_permille: high for most of the last minute.
    """

    def __init__(self, on_passage, ticks_diff, ticks_add, hold_ms=2000, pair_ms=2000, saturated_permille=500):
        self._on_passage = on_passage
        self._ticks_diff = ticks_diff
        self._ticks_add = ticks_add
        self._pair_ms = pair_ms
        self._saturated_permille = saturated_permille
        self.dead_ms = hold_ms
        self._levels = [0, 0]
        self._high_ms = [0, 0]
        self._first = -1  # the channel that rose and waits for the other
        self._risen = 0
        self._waited_ms = 0
        self._dead_left_ms = 0
        self._ignored = -1  # the channel whose rise fell into the dead time: its partner is nobody's first
        self._ignored_ms = 0
        self._unpaired = 0
        self._is_timed = False
        self._ticks = 0
        self._share = MinuteShare()

    @property
    def is_saturated(self):
        """High for most of the last minute: most of those who passed made no rise."""
        return self._share.permille > self._saturated_permille

    @property
    def is_blocked(self):
        """A switch that is stuck high, or one that has not answered the other for long."""
        return max(self._high_ms[0], self._high_ms[1]) >= BLOCKED_MS or self._unpaired >= UNPAIRED_MAX

    def feed(self, ticks, level_0, level_1):
        """The levels of both channels, 0 or 1, from this moment on."""
        self._pass_time(ticks)
        is_risen_0 = level_0 and not self._levels[0]
        is_risen_1 = level_1 and not self._levels[1]
        self._levels[0] = level_0
        self._levels[1] = level_1
        if is_risen_0 and is_risen_1:  # nobody can tell the direction
            self._first = -1
        elif is_risen_0:
            self._rise(0, ticks)
        elif is_risen_1:
            self._rise(1, ticks)

    def _pass_time(self, ticks):
        elapsed_ms = max(self._ticks_diff(ticks, self._ticks), 0) if self._is_timed else 0
        self._is_timed = True
        self._ticks = ticks
        for channel in range(2):
            self._high_ms[channel] = min(self._high_ms[channel] + elapsed_ms, BLOCKED_MS) if self._levels[channel] else 0
        self._dead_left_ms = max(self._dead_left_ms - elapsed_ms, 0)
        self._waited_ms += elapsed_ms
        self._ignored_ms += elapsed_ms
        if self._waited_ms > self._pair_ms:
            self._first = -1
            self._waited_ms = 0
        self._share.add(min(elapsed_ms, ELAPSED_MAX_MS), self._levels[0] or self._levels[1])

    def _rise(self, channel, ticks):
        if self._first == 1 - channel:
            self._first = -1
            self._unpaired = 0
            self._dead_left_ms = self.dead_ms
            lag_ms = self._ticks_diff(ticks, self._risen)
            if lag_ms < TOGETHER_MS:
                return
            self._on_passage(self._ticks_add(self._risen, lag_ms // 2), BA if channel == 0 else AB)
            return
        if self._ignored == 1 - channel and self._ignored_ms <= self._pair_ms:
            self._ignored = -1
            return
        self._unpaired = min(self._unpaired + 1, UNPAIRED_MAX)
        if self._dead_left_ms:
            self._ignored = channel
            self._ignored_ms = 0
        else:
            self._first = channel
            self._risen = ticks
            self._waited_ms = 0
