# Who crosses, from two narrow beams across the pavement, side by side at the height of a chest.
#
# Theory of operation
#   idle      per beam the range of the empty scene (node/passage/idle): the wall opposite, or a van that has parked.
#   run       a reading that is clearly nearer than idle, and on the pavement, is somebody. Short gaps are bridged: an arm
#             swings out of the beam. A run ends where the range makes a step that lasts: somebody else, nearer or farther.
#   edge      while a body's edge moves through a beam, the range slides from the scene to the body. A short run whose range
#             slides is such an edge and nobody.
#   shadow    dark clothes give no echo from 2.5 m on, but they hide the wall: where a wall is always seen, no echo for a
#             while is somebody, at the far side of the pavement.
#   pair      runs of both beams are matched (node/passage/run_pairs); beam 0 is A, beam 1 is B.
# The nearer of two abreast hides the farther where they overlap: no tuning helps, and is_saturated says when that is often.
# A beam has to end on something within the part's range; without it the detector counts, and says that it is blocked.
#
# Rules of this file: no allocation per reading, integers only, time differences only through ticks_diff. The beams are read
# one after the other, so that each has a time of its own.

from node.passage.flow import Flow
from node.passage.idle import IdleRange, MinuteShare, Timed
from node.passage.run_pairs import AB, BA, RunPairs  # noqa: F401  the directions are this detector's, too

FAR_MM = 8000  # what no echo counts as: the part's range
BLOCKED_MS = 9000  # near or without a reading for so long: nobody can be counted, and it is said within ten seconds
SETTLE_MS = 50  # who passed is not decided at every reading: nobody waits for it
NARROWED_MM = 400  # a wall may stand at the pavement's edge, and what stands nearer hides who walks behind it
ROOM_MM = 600  # a walker's width: with less before the scene there is nobody to be counted
STEP_READINGS = 2  # that a step lasts: one reading alone may be half on one body and half on another
EDGE_MS = 50  # an edge takes less, but for the slowest: a beam is 7 to 12 cm wide
FLAT_MM = 200  # a body's own depth
FOLLOW_MS = 120  # a body's own range changes within this, an edge's faster
WEAK_MS = 60  # weak readings come alone, shadows last
WEAK_PERMILLE = 10  # of a minute: four dark walkers. With more the wall is too dim to tell of anybody by its absence
SHADOW_MS = 80


class LidarPair:
    """`on_passage(ticks, direction)` is called for every passage. The band of ranges is the pavement as the box sees it.

    nearer_by_mm: more than the part's noise and an open window, less than from a walker to the wall behind.
    bridge_ms: an arm's gap; at 1.3 m/s it is 9 cm. step_mm: people abreast are 0.5 m and more apart, a body with its arms less.
    saturated_permille: of a minute with somebody in a beam: who stands there hides others. saturated_per_h: of what is counted;
    at this flow about every seventh walks unseen beside another.
    """

    def __init__(
        self, near_mm, pavement_mm, separation_mm, on_passage, ticks_diff, ticks_add,
        nearer_by_mm=350, bridge_ms=70, step_mm=350, saturated_permille=300, saturated_per_h=1050,
    ):  # fmt: skip
        self._nearest_mm = max(300, near_mm - 200)
        self._farthest_mm = near_mm + pavement_mm + 200
        self._ticks_diff = ticks_diff
        self._nearer_by_mm = nearer_by_mm
        self._bridge_ms = bridge_ms
        self._step_mm = step_mm
        self._saturated_permille = saturated_permille
        self._on_passage = on_passage
        self._flow = Flow(saturated_per_h)
        self._pairs = RunPairs(separation_mm, self._count, ticks_diff, ticks_add)
        self._beams = (_Beam(), _Beam())
        self._share = MinuteShare()
        self._unsettled_ms = 0

    @property
    def is_saturated(self):
        """Bodies hide one another too often, or something stands on the pavement: whoever else passed was not seen."""
        is_narrowed = self._is_narrowed(self._beams[0]) or self._is_narrowed(self._beams[1])
        return is_narrowed or self._share.permille > self._saturated_permille or self._flow.is_above

    @property
    def is_blocked(self):
        """A beam ends on something near, has no echo, or its scene leaves no room for a walker."""
        return self._is_beam_blocked(self._beams[0]) or self._is_beam_blocked(self._beams[1])

    def feed(self, beam, ticks, mm):
        """One reading of beam 0 (A) or 1 (B), each beam's oldest first; 0 mm is no reliable echo."""
        this = self._beams[beam]
        elapsed_ms = this.time(ticks, self._ticks_diff)
        this.silent_ms = 0 if mm else min(this.silent_ms + elapsed_ms, BLOCKED_MS)
        is_shadow = not mm and this.idle.is_known and this.idle.mm < FAR_MM - self._nearer_by_mm
        is_nearer = is_shadow or (this.idle.is_known and 0 < mm < this.idle.mm - self._nearer_by_mm)
        this.idle.learn(mm or FAR_MM, elapsed_ms, is_nearer)
        this.weak.add(elapsed_ms, is_shadow and this.silent_ms >= WEAK_MS)
        if is_shadow and this.weak.permille <= WEAK_PERMILLE:
            self._extend(beam, this, ticks, this.near_range_mm if this.is_open else self._farthest_mm)
            this.shadows += 1
        elif is_nearer and self._nearest_mm <= mm <= self._farthest_mm:
            self._extend(beam, this, ticks, mm)
        elif this.is_open and (this.is_shadow or self._ticks_diff(ticks, this.last) >= self._bridge_ms):
            self._close(beam, this)
        if not beam:
            self._share.add(elapsed_ms, this.is_open or self._beams[1].is_open)
            self._flow.pass_time(elapsed_ms)
            self._unsettled_ms += elapsed_ms
            if self._unsettled_ms >= SETTLE_MS:
                self._unsettled_ms = 0
                self._settle()

    def _count(self, ticks, direction):
        self._flow.add()
        self._on_passage(ticks, direction)

    def _extend(self, beam, this, ticks, mm):
        if this.is_open and self._ticks_diff(ticks, this.last) >= self._bridge_ms:
            self._close(beam, this)
        if this.is_shadow:  # its first echo tells how far away it is
            this.find(mm)
        elif this.is_open and abs(mm - this.near_range_mm) > self._step_mm:
            if not this.step_readings:
                this.step_ticks = ticks
            this.step_readings += 1
            if this.step_readings < STEP_READINGS:
                return
            self._close(beam, this)
            self._pairs.begin(beam, this.step_ticks)
            this.begin(this.step_ticks, mm)
        elif not this.is_open:
            self._pairs.begin(beam, ticks)
            this.begin(ticks, mm)
        this.extend(ticks, mm, self._ticks_diff(ticks, this.last) if this.is_open else 0)

    def _close(self, beam, this):
        if this.is_body(self._ticks_diff(this.last, this.first)):
            self._pairs.end(beam, this.last, 0 if this.is_shadow else this.sum_mm // this.readings)
        else:
            self._pairs.drop(beam)
        this.readings = 0

    def _settle(self):
        one = self._beams[0].ticks
        other = self._beams[1].ticks
        self._pairs.settle(one if self._ticks_diff(one, other) < 0 else other)

    def _is_narrowed(self, beam):
        return beam.idle.is_known and beam.idle.mm < self._farthest_mm - NARROWED_MM

    def _is_beam_blocked(self, beam):
        has_room = beam.idle.mm - self._nearer_by_mm > self._nearest_mm + ROOM_MM or not beam.idle.is_known
        return beam.idle.near_ms >= BLOCKED_MS or beam.silent_ms >= BLOCKED_MS or not has_room


class _Beam(Timed):
    # What one beam sees; the run that is open has `readings`.

    def __init__(self):
        super().__init__()
        self.idle = IdleRange()
        self.weak = MinuteShare()
        self.silent_ms = 0
        self.readings = 0
        self.shadows = 0  # of the readings
        self.sum_mm = 0
        self.near_range_mm = 0  # of the last readings
        self.low_mm = 0
        self.high_mm = 0
        self.first = 0
        self.last = 0
        self.step_readings = 0
        self.step_ticks = 0

    @property
    def is_open(self):
        return self.readings > 0

    @property
    def is_shadow(self):
        return 0 < self.readings == self.shadows  # weak readings come alone: the scene between two of them ends this

    def begin(self, ticks, mm):
        self.readings = 0
        self.shadows = 0
        self.sum_mm = 0
        self.near_range_mm = mm
        self.low_mm = mm
        self.high_mm = mm
        self.first = ticks

    def find(self, mm):
        self.sum_mm = mm * self.readings
        self.near_range_mm = mm
        self.low_mm = mm
        self.high_mm = mm

    def extend(self, ticks, mm, elapsed_ms):
        self.step_readings = 0
        self.last = ticks
        self.readings += 1
        self.sum_mm += mm
        self.near_range_mm += (mm - self.near_range_mm) * min(elapsed_ms, FOLLOW_MS) // FOLLOW_MS
        self.low_mm = min(self.low_mm, mm)
        self.high_mm = max(self.high_mm, mm)

    def is_body(self, duration_ms):
        # One reading alone is a drop of rain, or a bird.
        if self.is_shadow:
            return duration_ms >= SHADOW_MS
        return self.readings > 1 and (duration_ms >= EDGE_MS or self.high_mm - self.low_mm <= FLAT_MM)
