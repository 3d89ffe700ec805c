# What a range sensor sees while nobody is there: learnt at the start, followed slowly, learnt anew when a van parks.
#
# Theory of operation
#   median    each reading moves the idle range by one step towards itself, so that it settles where as many readings are
#             farther as nearer; a passer-by moves it hardly at all, whatever the distance. At first the steps are large and
#             shrink as 1 / n (Robbins and Monro 1951), down to step_mm.
#   freeze    while something is nearer nothing is learnt, until it has been there for parked_ms: then it belongs to the scene.
#   thaw      when that has gone, the scene is farther for a while: it is learnt anew in large steps.
# Time is counted in what has passed between readings, never kept as a tick: a scene may stand for longer than ticks last.

SETTLE = 50  # readings before the idle range is trusted: 1 to 2 s of a beam, 6 s of a zone
_FIRST_STEP_MM = 4000  # half the range of the farthest part
_READINGS_MAX = 4000  # from there on the step is the smallest
_GONE_MS = 1000  # this long without anything nearer, or with the scene much farther: it has left
_FARTHER_MM = 350
_LONGEST_MS = 3600000
ELAPSED_MAX_MS = 250  # a longer silence is no time in which anything was seen


class IdleRange:
    """`mm` is the range of the empty scene once `is_known`; `near_ms` how long something has been nearer without a break.

    step_mm per reading: 2 mm at 33 readings a second follow a van two metres nearer in half a minute.
    parked_ms: longer than people stand and talk in one beam, short enough for "within minutes".
    """

    def __init__(self, step_mm=2, parked_ms=90000):
        self._step_mm = step_mm
        self._parked_ms = parked_ms
        self._readings = 0
        self._away_ms = 0
        self._farther_ms = 0
        self.near_ms = 0
        self.mm = 0

    @property
    def is_known(self):
        return self._readings >= SETTLE

    def learn(self, mm, elapsed_ms, is_near):
        """One reading, and whether it is something nearer than the empty scene."""
        self._time(elapsed_ms, is_near)
        self._thaw(mm, elapsed_ms)
        if is_near and self.near_ms < self._parked_ms:
            return
        if not self._readings:
            self.mm = mm
        step = max(self._step_mm, _FIRST_STEP_MM // (self._readings + 1))
        self.mm = min(max(mm, self.mm - step), self.mm + step)
        self._readings = min(self._readings + 1, _READINGS_MAX)

    def _thaw(self, mm, elapsed_ms):
        is_farther = mm > self.mm + _FARTHER_MM
        self._farther_ms = min(self._farther_ms + elapsed_ms, _GONE_MS) if is_farther else 0
        if self._farther_ms >= _GONE_MS:
            self._readings = min(self._readings, SETTLE)

    def _time(self, elapsed_ms, is_near):
        if is_near:
            self._away_ms = 0
            self.near_ms = min(self.near_ms + elapsed_ms, _LONGEST_MS)
        else:
            self._away_ms = min(self._away_ms + elapsed_ms, _LONGEST_MS)
            if self._away_ms >= _GONE_MS:
                self.near_ms = 0


class Timed:
    """Tells how long ago the last reading was; 0 for the first, never more than ELAPSED_MAX_MS."""

    def __init__(self):
        self.is_timed = False
        self.ticks = 0

    def time(self, ticks, ticks_diff):
        elapsed_ms = ticks_diff(ticks, self.ticks) if self.is_timed else 0
        self.is_timed = True
        self.ticks = ticks
        return min(max(elapsed_ms, 0), ELAPSED_MAX_MS)


class MinuteShare:
    """The share of about the last minute in which something was the case, in thousandths: a mean that forgets."""

    _SCALE = 64  # so that the mean of a minute of milliseconds loses nothing to rounding, and fits 30 bits when multiplied

    def __init__(self):
        self._busy = 0

    def add(self, elapsed_ms, is_busy):
        self._busy -= self._busy * elapsed_ms // 60000
        if is_busy:
            self._busy += elapsed_ms * self._SCALE

    @property
    def permille(self):
        return self._busy // (60 * self._SCALE)
