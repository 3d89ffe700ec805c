# Who crosses the line, from a radar that sees up to three targets ten times a second.
#
# Theory of operation
#   gate       a target counts only on the pavement (its band of y) and within 55 degrees of straight ahead: just outside 60
#              the module reports people on the opposite side.
#   associate  each target goes to the nearest predicted track within gate_mm, nearest pairs first; what is left opens a
#              track. A track without a target coasts on its speed for COAST frames and is dropped then.
#   smooth     alpha-beta filter per axis, in mm and mm per frame times 16.
#   decide     a track is on the left below -band_mm, on the right above +band_mm, and keeps its side in between. When the
#              side changes, the track has been seen MIN_HITS times and has come MIN_PATH_MM, that is one passage; its moment
#              is when the smoothed x last passed zero. Turning back inside the band changes no side.
#   stand      who stands at the line seems to wander by a third of a metre, and a couple by more. So a side changes only when
#              x is well ahead of its own mean, which is somebody who gets on, or when that mean has settled beyond the band. The
#              module loses who stands still; his track waits for him where he was.
#   ghost      the module lets a lost echo run on, with its last speed, for most of a second. Who appears near the line has to
#              say something new in a few reports to count.
#   unhide     two who walk abreast read as one, often until well behind the line. A target that appears close beside a track
#              that walks, at about its speed, was hidden by it: it comes from the same side, and if that track has crossed,
#              both crossed then. It has to be seen more often to count. Who was counted, lost beside a track and found again
#              there is not counted twice: each track remembers how many such walk with it.
#   saturated  the module has three slots and says nothing of a fourth body. So either no slot has been free for most of the
#              last seconds, or more people pass than it can tell apart.
#
# Rules of this file
#   - No allocation per frame: fixed lists of TRACKS, integers only.
#   - Time comes in as the report's tick and goes out as the tick of the crossing.

from node.passage.flow import Flow

TRACKS = 8
BAND_MM = 400
GATE_MM = 800
COAST = 10
STANDING = 600  # reports: so long people stand and talk
STANDS_MM = 300  # from where he has been of late
STANDS_HITS = 20  # reports: whoever was seen less was perhaps nobody
MIN_HITS = 4
BESIDE_MM = 1000  # from whom a newcomer may have been hidden, and before the line where that matters
OWN_MM = 300  # nearer is the same body: another part of it, or its own echo found anew
BEYOND_MM = 4000  # behind the line: so far the two may have read as one
HIDDEN_HITS = 6
HOST_HITS = 8  # who hides others has been seen for a while
ALIKE_CM_S = 80  # speeds of two who walk together: an arm's swing and half a metre of perspective apart
WALKING_MM = 30  # per frame: only who walks hides others and carries them along, or goes on unseen
MIN_PATH_MM = 300
CLEAR_MM = 50  # who appears inside the band, and so far from the line, has come from there
MIN_LIVELY = 3  # reports with a speed of their own
NEAR_LINE_MM = 1300  # where the run-on of a short echo ends beyond the line
CLIPPED_CM_S = 184  # from here on the module's speed stands still at its highest
PASSING_MM = 650  # ahead of the mean: a second of a walk
SETTLED_MM = 500
MEAN_FRAMES = 12  # that x's mean remembers
_ALPHA = 12  # of 16
_BETA = 3  # of 16
_SPEED_SCALE = 16
_MEAN_SCALE = 16
_TAN_55 = 1428  # thousandths
_FRAME_MS = 100
_FULL, _FULL_MOST = 30, 40  # reports, of the last seconds
_DARK_MM = 250  # nobody walks so near: something covers the box
_DARK_FRAMES, _DARK_MOST = 80, 100

AB = 1
BA = -1


class LineCrossing:
    """`on_passage(ticks, direction)` is called for every passage. The band of y is the pavement as the box sees it.

    band_mm: a passage is a transit of 500 on both sides, and units read short by up to a fifth. gate_mm: from
    one report to the next a cyclist comes 500 mm, and 300 are noise. saturated_per_h: of what is counted; at this flow about
    every seventh walks unseen beside another, and above it nobody has shown how many.
    """

    def __init__(self, near_mm, pavement_mm, on_passage, band_mm=BAND_MM, gate_mm=GATE_MM, saturated_per_h=1050):
        self._y_min = max(300, near_mm - 200)
        self._y_max = near_mm + pavement_mm + 200
        self._on_passage = on_passage
        self._band_mm = band_mm
        self._gate_mm2 = gate_mm * gate_mm
        self._flow = Flow(saturated_per_h)
        self._before = 0  # the tick of the report before this one
        self._dark = 0
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
        self._speed = [0] * TRACKS
        self._lively = [0] * TRACKS  # reports that said something new
        self._mean_x = [0] * TRACKS  # x as a mean that forgets
        self._beside = [0] * TRACKS  # how many walk with this one unseen, and have been counted
        self._full = 0  # how many of the recent frames had all slots taken, decaying
        self.active = 0

    @property
    def is_saturated(self):
        """The radar has had no free slot for most of the last seconds, or more people pass than it tells apart."""
        return self._full > _FULL or self._flow.is_above

    @property
    def is_blocked(self):
        """Something has been right in front of the box for most of the last ten seconds."""
        return self._dark > _DARK_FRAMES

    def feed(self, ticks, targets, n_targets):
        """One report: `targets` holds x, y, speed for each of n_targets."""
        self._full += 1 if n_targets >= 3 else -1
        self._full = min(max(self._full, 0), _FULL_MOST)
        self._flow.pass_time(_FRAME_MS)
        self._dark = min(max(self._dark + (1 if _is_dark(targets, n_targets) else -1), 0), _DARK_MOST)
        if n_targets or self.active:
            self._follow(ticks, targets, n_targets)
        self._before = ticks

    def _follow(self, ticks, targets, n_targets):
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
        self._coast()

    def forget(self):
        """Nothing has been heard for a while: who was there is not who will be."""
        for t in range(TRACKS):
            self._hits[t] = 0
        self.active = 0

    def _is_on_pavement(self, x, y):
        return self._y_min <= y <= self._y_max and abs(x) * 1000 <= y * _TAN_55

    def _match_nearest(self, ticks, targets, n_targets, left):
        best = self._gate_mm2
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
            self._correct(best_track, targets[3 * best_target], targets[3 * best_target + 1], targets[3 * best_target + 2])
        else:
            self._open(ticks, targets[3 * best_target], targets[3 * best_target + 1], targets[3 * best_target + 2])
        return best_target

    def _open(self, ticks, x, y, speed):
        host = self._host(x, y, speed)
        for t in range(TRACKS):
            if not self._hits[t]:
                self._hits[t] = 1
                self._misses[t] = 0
                self._x[t] = x
                self._y[t] = y
                self._vx[t] = 0
                self._vy[t] = 0
                self._speed[t] = speed
                self._first_x[t] = x
                self._side[t] = self._side_of(x)
                self._needed[t] = MIN_HITS
                self._is_left[t] = x < 0
                self._crossed_at[t] = ticks
                self._beside[t] = 0
                self._mean_x[t] = x * _MEAN_SCALE
                self._lively[t] = 0 if host < 0 and abs(x) < NEAR_LINE_MM else MIN_LIVELY
                self._taken[t] = True
                self.active += 1
                if host >= 0:
                    self._unhide(t, host)
                return

    def _host(self, x, y, speed, but=-1):
        # The nearest walker that a target which appears here may have been hidden by, or -1.
        nearest = BESIDE_MM * BESIDE_MM
        host = -1
        for t in range(TRACKS):
            is_alike = self._hits[t] >= HOST_HITS and self._is_walking(t) and abs(self._speed[t] - speed) <= ALIKE_CM_S
            if is_alike and t != but:
                distance = (self._x[t] - x) * (self._x[t] - x) + (self._y[t] - y) * (self._y[t] - y)
                if OWN_MM * OWN_MM <= distance < nearest:
                    nearest = distance
                    host = t
        return host

    def _unhide(self, t, host):
        onward = 1 if self._vx[host] > 0 else -1
        beyond = self._x[t] * onward
        has_crossed = self._side[host] == onward
        if has_crossed and self._beside[host]:  # lost beside it, and found again
            self._beside[host] -= 1
            self._side[t] = onward
        elif -BESIDE_MM <= beyond <= BEYOND_MM:
            self._side[t] = -onward
            self._needed[t] = HIDDEN_HITS
            self._first_x[t] = min(beyond, self._band_mm - MIN_PATH_MM) * onward
            if has_crossed:
                self._crossed_at[t] = self._crossed_at[host]
                self._is_left[t] = self._is_left[host]

    def _has_gone(self, t, side):
        # Who stands seems to wander by a third of a metre: he has gone when he gets on, or has settled beyond the band.
        mean_x = self._mean_x[t] * side
        return self._x[t] * side * _MEAN_SCALE - mean_x >= PASSING_MM * _MEAN_SCALE or mean_x >= SETTLED_MM * _MEAN_SCALE

    def _is_standing(self, t):
        # The module loses who stands still: near the line he is waited for, where he was.
        is_settled = abs(self._x[t] * _MEAN_SCALE - self._mean_x[t]) < STANDS_MM * _MEAN_SCALE
        return is_settled and self._hits[t] >= STANDS_HITS and abs(self._x[t]) <= NEAR_LINE_MM

    def _is_walking(self, t):
        return abs(self._vx[t]) >= WALKING_MM * _SPEED_SCALE

    def _correct(self, t, x, y, speed):
        was = self._x[t]
        dx = x - was
        dy = y - self._y[t]
        is_second = self._hits[t] == 1
        self._x[t] = was + dx * _ALPHA // 16
        self._y[t] += dy * _ALPHA // 16
        if is_second:  # two reports give the first idea of the speed
            self._vx[t] = dx * _SPEED_SCALE * _ALPHA // 16
            self._vy[t] = dy * _SPEED_SCALE * _ALPHA // 16
        else:
            self._vx[t] += dx * _SPEED_SCALE * _BETA // 16
            self._vy[t] += dy * _SPEED_SCALE * _BETA // 16
        self._hits[t] = min(self._hits[t] + 1, 1000)
        self._misses[t] = 0
        if speed != self._speed[t] or abs(speed) >= CLIPPED_CM_S:
            self._lively[t] += 1
        self._speed[t] = speed
        self._taken[t] = True
        self._decide(t)

    def _decide(self, t):
        x = self._x[t]
        if (x < 0) != self._is_left[t]:
            self._is_left[t] = x < 0
            self._crossed_at[t] = self._before
        self._mean_x[t] += (x * _MEAN_SCALE - self._mean_x[t]) // MEAN_FRAMES
        side = self._side_of(x)
        if not side or side == self._side[t] or not self._has_gone(t, side):
            return
        if self._needed[t] > MIN_HITS and self._hits[t] < self._needed[t]:
            return  # whether somebody was hidden is not decided yet
        if not self._side[t]:  # appeared inside the band: its side is where it came from
            self._side[t] = -side if self._first_x[t] * side <= -CLEAR_MM else side
            if self._side[t] == side:
                self._first_x[t] = x
                return
        if self._hits[t] >= MIN_HITS and self._lively[t] >= MIN_LIVELY and abs(x - self._first_x[t]) >= MIN_PATH_MM:
            self._flow.add()
            self._on_passage(self._crossed_at[t], AB if side > 0 else BA)
        self._side[t] = side
        self._first_x[t] = x

    def _coast(self):
        for t in range(TRACKS):
            if not self._hits[t] or self._taken[t]:
                continue
            self._misses[t] += 1
            if self._is_standing(t) and self._misses[t] <= STANDING:
                self._vx[t] = 0
                self._vy[t] = 0
            elif self._misses[t] > COAST or self._misses[t] > self._hits[t]:
                self._drop(t)
            elif self._is_walking(t):
                self._decide(t)

    def _drop(self, t):
        if self._hits[t] >= HIDDEN_HITS and self._is_walking(t) and self._side[t] * self._vx[t] > 0:  # has been counted
            host = self._host(self._x[t], self._y[t], self._speed[t], t)
            if host >= 0 and self._vx[host] * self._side[t] > 0:
                self._beside[host] += 1 + self._beside[t]
        self._hits[t] = 0
        self.active -= 1

    def _side_of(self, x):
        return 1 if x > self._band_mm else -1 if x < -self._band_mm else 0


def _is_dark(targets, n_targets):
    for i in range(n_targets):
        if targets[3 * i + 1] < _DARK_MM and abs(targets[3 * i]) < _DARK_MM:
            return True
    return False
