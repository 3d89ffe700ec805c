# Who crosses the line, from a radar that sees up to three targets ten times a second.
#
# Theory of operation
#   gate       a target counts only on the pavement (its band of y) and within 55 degrees of straight ahead: just outside 60
#              the module reports people on the opposite side.
#   associate  each target goes to the nearest predicted track within GATE_MM, nearest pairs first; what is left opens a
#              track. A track without a target coasts on its speed for COAST frames and is dropped then.
#   smooth     alpha-beta filter per axis, in mm and mm per frame times 16.
#   decide     a track is on the left below -BAND_MM, on the right above +BAND_MM, and keeps its side in between. When the
#              side changes, the track has been seen MIN_HITS times and has come MIN_PATH_MM, that is one passage; its moment
#              is when the smoothed x last passed zero. Turning back inside the band changes no side.
#   unhide     two who walk abreast read as one until they are near. A target that appears close beside a track that moves
#              was hidden by it: it is taken to come from the same side, and has to be seen twice as often to count.
#
# Rules of this file
#   - No import, no allocation per frame: fixed lists of TRACKS, integers only.
#   - Time comes in as the report's tick and goes out as the tick of the crossing.

TRACKS = 8
BAND_MM = 250
GATE_MM = 900
COAST = 10
MIN_HITS = 4
BESIDE_MM = 1000  # from whom a newcomer may have been hidden, and from the line where that matters
HIDDEN_HITS = 8
WALKING_MM = 30  # per frame: only who walks hides others and carries them along, or goes on unseen
MIN_PATH_MM = 300
_ALPHA = 12  # of 16
_BETA = 3  # of 16
_SPEED_SCALE = 16
_TAN_55 = 1428  # thousandths

AB = 1
BA = -1


class LineCrossing:
    """`on_passage(ticks, direction)` is called for every passage. The band of y is the pavement as the box sees it."""

    def __init__(self, near_mm, pavement_mm, on_passage):
        self._y_min = max(300, near_mm - 200)
        self._y_max = near_mm + pavement_mm + 200
        self._on_passage = on_passage
        self._hits = [0] * TRACKS  # 0: the track is free
        self._misses = [0] * TRACKS
        self._x = [0] * TRACKS
        self._y = [0] * TRACKS
        self._vx = [0] * TRACKS
        self._vy = [0] * TRACKS
        self._side = [0] * TRACKS
        self._first_x = [0] * TRACKS
        self._is_left = [False] * TRACKS
        self._crossed_at = [0] * TRACKS
        self._needed = [MIN_HITS] * TRACKS
        self._taken = [False] * TRACKS
        self._full = 0  # how many of the recent frames had all slots taken, decaying
        self.active = 0

    @property
    def is_saturated(self):
        """The radar has had no free slot for most of the last seconds: whoever else passed was not seen."""
        return self._full > 30

    def feed(self, ticks, targets, n_targets):
        """One report: `targets` holds x, y, speed for each of n_targets."""
        self._full += 1 if n_targets >= 3 else -1
        self._full = min(max(self._full, 0), 40)
        if not n_targets and not self.active:
            return
        for t in range(TRACKS):
            self._taken[t] = False
            if self._hits[t]:
                self._x[t] += self._vx[t] // _SPEED_SCALE
                self._y[t] += self._vy[t] // _SPEED_SCALE
        left = 0  # bit per target that still wants a track
        for i in range(n_targets):
            if self._is_on_pavement(targets[3 * i], targets[3 * i + 1]):
                left |= 1 << i
        while left:
            left &= ~(1 << self._match_nearest(ticks, targets, n_targets, left))
        self._coast(ticks)

    def _is_on_pavement(self, x, y):
        return self._y_min <= y <= self._y_max and abs(x) * 1000 <= y * _TAN_55

    def _match_nearest(self, ticks, targets, n_targets, left):
        best = GATE_MM * GATE_MM
        best_track = -1
        best_target = -1
        for i in range(n_targets):
            if not left & 1 << i:
                continue
            if best_target < 0:
                best_target = i  # opens a track if no pair is near enough
            for t in range(TRACKS):
                if self._hits[t] and not self._taken[t]:
                    dx = targets[3 * i] - self._x[t]
                    dy = targets[3 * i + 1] - self._y[t]
                    distance = dx * dx + dy * dy
                    if distance < best:
                        best, best_track, best_target = distance, t, i
        if best_track >= 0:
            self._correct(best_track, ticks, targets[3 * best_target], targets[3 * best_target + 1])
        else:
            self._open(ticks, targets[3 * best_target], targets[3 * best_target + 1])
        return best_target

    def _open(self, ticks, x, y):
        for t in range(TRACKS):
            if not self._hits[t]:
                hidden_from = self._side_of_who_hid(x, y)
                self._hits[t] = 1
                self._misses[t] = 0
                self._x[t] = x
                self._y[t] = y
                self._vx[t] = 0
                self._vy[t] = 0
                self._first_x[t] = x
                self._side[t] = hidden_from or _side_of(x)
                self._needed[t] = HIDDEN_HITS if hidden_from else MIN_HITS
                self._is_left[t] = x < 0
                self._crossed_at[t] = ticks
                self._taken[t] = True
                self.active += 1
                return

    def _side_of_who_hid(self, x, y):
        # The side that the nearest walker beside this place comes from, 0 where nobody walks.
        nearest = BESIDE_MM * BESIDE_MM
        side = 0
        if abs(x) <= BESIDE_MM:
            for t in range(TRACKS):
                vx = self._vx[t]
                if self._hits[t] >= HIDDEN_HITS and abs(vx) >= WALKING_MM * _SPEED_SCALE:
                    distance = (self._x[t] - x) * (self._x[t] - x) + (self._y[t] - y) * (self._y[t] - y)
                    if distance < nearest:
                        nearest = distance
                        side = -1 if vx > 0 else 1
        return side

    def _correct(self, t, ticks, x, y):
        was = self._x[t]
        dx = x - was
        dy = y - self._y[t]
        first = self._hits[t] == 1
        self._x[t] = was + dx * _ALPHA // 16
        self._y[t] += dy * _ALPHA // 16
        if first:  # two reports give the first idea of the speed
            self._vx[t] = dx * _SPEED_SCALE * _ALPHA // 16
            self._vy[t] = dy * _SPEED_SCALE * _ALPHA // 16
        else:
            self._vx[t] += dx * _SPEED_SCALE * _BETA // 16
            self._vy[t] += dy * _SPEED_SCALE * _BETA // 16
        self._hits[t] = min(self._hits[t] + 1, 1000)
        self._misses[t] = 0
        self._taken[t] = True
        self._decide(t, ticks)

    def _decide(self, t, ticks):
        x = self._x[t]
        if (x < 0) != self._is_left[t]:
            self._is_left[t] = x < 0
            self._crossed_at[t] = ticks
        side = _side_of(x)
        if not side or side == self._side[t]:
            return
        if self._needed[t] > MIN_HITS and self._hits[t] < self._needed[t]:
            return  # whether somebody was hidden is not decided yet
        if not self._side[t]:  # appeared inside the band: its side is where it came from
            self._side[t] = -side if abs(self._first_x[t] - x) >= MIN_PATH_MM and self._first_x[t] * side < 0 else side
            if self._side[t] == side:
                self._first_x[t] = x
                return
        if self._hits[t] >= MIN_HITS and abs(x - self._first_x[t]) >= MIN_PATH_MM:
            self._on_passage(self._crossed_at[t], AB if side > 0 else BA)
        self._side[t] = side
        self._first_x[t] = x

    def _coast(self, ticks):
        for t in range(TRACKS):
            if not self._hits[t] or self._taken[t]:
                continue
            self._misses[t] += 1
            if self._misses[t] > COAST or self._misses[t] > self._hits[t]:
                self._hits[t] = 0
                self.active -= 1
            elif abs(self._vx[t]) >= WALKING_MM * _SPEED_SCALE:  # who stood on the line and is lost has not crossed it
                self._decide(t, ticks)


def _side_of(x):
    return 1 if x > BAND_MM else -1 if x < -BAND_MM else 0
