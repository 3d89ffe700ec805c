# What two sides have seen of late: runs, which say from when to when something was there, and how far away.
#
# Rules of this file
#   - No allocation per run: RUNS slots a side, side 0 below RUNS and side 1 above, integers only. When all are taken the
#     oldest is given up.
#   - Time differences only through ticks_diff. A run that was open for longer than LONGEST_MS is nobody who walks.

RUNS = 12  # a side: while somebody stands in one beam, the other's runs wait
LONGEST_MS = 90000
SLACK_MS = 100  # between what touches: some readings


class Runs:
    """`begin`, `end` and `drop` are told of each side; whoever decides looks at the slots."""

    def __init__(self, ticks_diff):
        self._ticks_diff = ticks_diff
        self._is_open = [False, False]
        self._opened = [0, 0]
        self._pending = 0
        self._is_changed = False  # since somebody has looked at the pairs
        self._used = [False] * (2 * RUNS)
        self._start = [0] * (2 * RUNS)
        self._end = [0] * (2 * RUNS)
        self._range = [0] * (2 * RUNS)

    def begin(self, side, ticks):
        self._is_open[side] = True
        self._opened[side] = ticks

    def drop(self, side):
        """What was open on this side was nobody."""
        self._is_open[side] = False

    def end(self, side, ticks, range_mm):
        self._is_open[side] = False
        if self._ticks_diff(ticks, self._opened[side]) > LONGEST_MS:
            return
        slot = self._free_slot(side)
        self._used[slot] = True
        self._pending += 1
        self._start[slot] = self._opened[side]
        self._end[slot] = ticks
        self._range[slot] = range_mm
        self._is_changed = True

    def _free_slot(self, side):
        first = side * RUNS
        for slot in range(first, first + RUNS):
            if not self._used[slot]:
                return slot
        oldest = self._oldest(first, first + RUNS)
        self._free(oldest)
        return oldest

    def _oldest(self, first, beyond):
        oldest = -1
        for slot in range(first, beyond):
            if self._used[slot] and (oldest < 0 or self._ticks_diff(self._end[slot], self._end[oldest]) < 0):
                oldest = slot
        return oldest

    def _free(self, slot):
        self._used[slot] = False
        self._pending -= 1
        self._is_changed = True

    def _touch(self, one, other):
        return (
            self._ticks_diff(self._start[one], self._end[other]) <= SLACK_MS
            and self._ticks_diff(self._start[other], self._end[one]) <= SLACK_MS
        )

    def _ratio(self, one, other):
        one_ms = self._duration(one)
        other_ms = self._duration(other)
        return max(one_ms, other_ms) // max(min(one_ms, other_ms), 1)

    def _duration(self, slot):
        return self._ticks_diff(self._end[slot], self._start[slot])
