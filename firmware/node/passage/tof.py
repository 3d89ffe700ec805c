# Who goes through a door, from a sensor above it that looks into two zones in turn.
#
# Theory of operation
#   occupied  a valid range below threshold_permille of the zone's idle range, and above least_permille of it (a door's leaf, a
#             hand). The idle range follows slowly and learns anew (node/passage/idle).
#   path      who walks through occupies zone 0, both, zone 1, none: 0-1-3-2-0 in bits, or 0-2-3-1-0 back. The machine keeps
#             from when to when each zone was occupied, and asks in which order both were entered and left (run_pairs): a state
#             that was skipped, because the zones are read in turn, costs nobody.
#   in line   one zone entered again, or its range grown and shrunk again by a head's height, is the next one in line: the zone's
#             stay is split there. Two stays beside one are two people if coming and going lag the same way, else one turned.
# Zone 0 before zone 1 is AB.
#
# Rules of this file: no allocation per sample, integers only, time differences only through ticks_diff.

from node.passage.idle import IdleRange, MinuteShare, Timed
from node.passage.run_pairs import AB, BA, RunPairs  # noqa: F401  the directions are this detector's, too

VALID = 0  # the only status with which a range means something
BLOCKED_MS = 9000  # and some readings more: said within ten seconds
LEAST_IDLE_MM = 1500  # what is nearer all the time leaves no room for a head above it
LEAF_PERMILLE = 250  # of idle: so near are the leaf of a door and heads of two metres
LEAF_MM = 100  # the leaf is flat, and a head has shoulders
LEAF_READINGS = 3


class TwoZones:
    """`on_passage(ticks, direction)` is called for every passage.

    threshold_permille: of idle. 80 % is usual with two zones, and lets dogs in: under 2.4 m this is who is taller than 0.7 m.
    separation_mm: the middles of the zones, 13.5 degrees apart, 0.85 m below the sensor. split_mm: a head stands 250 to 300 mm
    above shoulders; noise is below 100. bridge_ms: some readings of a zone that are not valid, as dark hair gives, are no exit.
    saturated_permille: where somebody is below for a third of the time, those in line touch.
    """

    def __init__(
        self, on_passage, ticks_diff, ticks_add, separation_mm=200,
        threshold_permille=720, least_permille=100, split_mm=200, bridge_ms=300, saturated_permille=330,
    ):  # fmt: skip
        self._ticks_diff = ticks_diff
        self._threshold_permille = threshold_permille
        self._least_permille = least_permille
        self._split_mm = split_mm
        self._bridge_ms = bridge_ms
        self._saturated_permille = saturated_permille
        self._pairs = RunPairs(
            separation_mm, on_passage, ticks_diff, ticks_add, slowest_mm_s=150, range_mm=350, headway_mm=150, is_from_above=True
        )
        self._zones = (_Zone(), _Zone())
        self._share = MinuteShare()

    @property
    def is_saturated(self):
        """Somebody is below for much of the time: those in line touch."""
        return self._share.permille > self._saturated_permille

    @property
    def is_blocked(self):
        """Somebody or something stays under a zone, or a zone gives no valid range: sun, or a cover."""
        return self._is_zone_blocked(self._zones[0]) or self._is_zone_blocked(self._zones[1])

    def feed(self, ticks, zone, mm, status):
        """One reading of zone 0 or 1."""
        this = self._zones[zone]
        elapsed_ms = this.time(ticks, self._ticks_diff)
        if status == VALID:
            this.silent_ms = 0
            self._feed_valid(zone, this, ticks, mm, elapsed_ms)
        else:
            this.silent_ms = min(this.silent_ms + elapsed_ms, BLOCKED_MS)
            if this.is_occupied and self._ticks_diff(ticks, this.last) >= self._bridge_ms:
                self._leave(zone, this)
        if not zone:
            self._share.add(elapsed_ms, this.is_occupied or self._zones[1].is_occupied)
        self._pairs.settle(ticks)

    def _feed_valid(self, zone, this, ticks, mm, elapsed_ms):
        is_nearer = this.idle.is_known and mm * 1000 < this.idle.mm * self._threshold_permille
        is_least = mm * 1000 >= this.idle.mm * self._least_permille
        this.idle.learn(mm, elapsed_ms, is_nearer)
        if is_nearer and is_least:
            if this.is_occupied and this.farthest_mm - mm > self._split_mm:
                self._leave(zone, this)
            if not this.is_occupied:
                self._pairs.begin(zone, ticks)
                this.enter(mm)
            this.stay(ticks, mm, self._split_mm)
        elif this.is_occupied and not is_nearer:
            self._leave(zone, this)

    def _leave(self, zone, this):
        if this.is_leaf(this.idle.mm):
            self._pairs.drop(zone)
        else:
            self._pairs.end(zone, this.last, this.nearest_mm)
        this.is_occupied = False

    def _is_zone_blocked(self, zone):
        has_room = zone.idle.mm >= LEAST_IDLE_MM or not zone.idle.is_known
        return not has_room or zone.idle.near_ms >= BLOCKED_MS or zone.silent_ms >= BLOCKED_MS


class _Zone(Timed):
    def __init__(self):
        super().__init__()
        self.idle = IdleRange(4)  # mm a reading: at 8 readings a second half a metre in a quarter of a minute
        self.silent_ms = 0
        self.is_occupied = False
        self.last = 0
        self.nearest_mm = 0
        self.most_mm = 0
        self.readings = 0
        self.farthest_mm = 0  # behind the nearest, once it is as much farther as a head is high

    def enter(self, mm):
        self.is_occupied = True
        self.nearest_mm = mm
        self.farthest_mm = 0
        self.most_mm = mm
        self.readings = 0

    def stay(self, ticks, mm, split_mm):
        self.last = ticks
        self.readings += 1
        self.nearest_mm = min(self.nearest_mm, mm)
        self.most_mm = max(self.most_mm, mm)
        if mm - self.nearest_mm > split_mm:
            self.farthest_mm = max(self.farthest_mm, mm)

    def is_leaf(self, idle_mm):
        is_flat = self.readings >= LEAF_READINGS and self.most_mm - self.nearest_mm <= LEAF_MM
        return is_flat and self.most_mm * 1000 < idle_mm * LEAF_PERMILLE
