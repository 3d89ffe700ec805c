# Two sensors side by side, each of which says from when to when something was in front of it: who crossed, and which way.
#
# Theory of operation
#   run       from when to when a side was occupied, and at which range. Side 0 before side 1 is AB.
#   twins     what comes into both sides at once and leaves both at once is something wide, and nobody who walks.
#   pair      a run of one side and one of the other are the same body if range and duration are alike and both its coming and
#             its going lag by what walking over the separation takes. Coming and going must lag the same way: who turned
#             back comes first and goes last. The best pairs are taken first, one to one.
#   stood     a run that is much longer than its partner is somebody who stood there: who has left behind or come from the other
#             side, as the partner says, has crossed when walking there. Only if nothing that is alike fits.
#   three     one run of a side beside two of the other. Its beginning belongs to the first of the two, its end to the last: if
#             they lag the same way, two people came in line and were seen as one here; if not, one turned back.
#   unhide    a farther run without a partner that touches a paired one is the edge of somebody behind: who walks abreast
#             walks the same way. It has to last longer than a body's own edge takes to pass through a beam.
#   headway   what follows closer than people can walk is the same party: a pram and who pushes it. From the side it is in the
#             same lane, from above it is clearly lower, whereas two heads are two people however close.
#   wait      nothing is decided while a better partner may still come. The moment told is the one of the crossing.
#
# Rules of this file: no allocation, integers only; how runs are kept is node/passage/runs.

from node.passage.runs import LONGEST_MS, RUNS, SLACK_MS, Runs

AB = 1
BA = -1

BODY_MS = 1000  # who stands longer than a body takes to pass has crossed when leaving
_LONGER = 4  # times as long is another body, something that hid a part of it, or somebody who stood
_NO_COST = 1 << 29
_STOOD_COST = 1 << 20  # above that of any two that are alike
_SHADOWS_MS = 80
_SIBLING = 2  # times as long at most is the other of two in line, or the way back of who turned
HIDDEN_MS = 60  # two readings at 33 a second, and one more where they are dense


class RunPairs(Runs):
    """`on_passage(ticks, direction)` is called for every passage.

    separation_mm: between the two sides, where people walk. slowest_mm_s, fastest_mm_s: a toddler and a bicycle.
    range_mm: how much the range of one body may differ between the sides. headway_mm: see above; pedestrians in single file
    keep 0.7 m or more between body and body, a pram is held at 0.3 m.
    """

    def __init__(
        self, separation_mm, on_passage, ticks_diff, ticks_add,
        slowest_mm_s=300, fastest_mm_s=6000, range_mm=400, headway_mm=350, is_from_above=False,
    ):  # fmt: skip
        super().__init__(ticks_diff)
        self._on_passage = on_passage
        self._ticks_add = ticks_add
        self._separation_mm = separation_mm
        self._min_lag_ms = separation_mm * 1000 // fastest_mm_s
        self._max_lag_ms = separation_mm * 1000 // slowest_mm_s
        self._range_mm = range_mm
        self._headway_mm = headway_mm
        self._is_from_above = is_from_above
        self._last_direction = 0  # of the last passage, for the headway
        self._last_start = 0
        self._last_end = 0
        self._last_range = 0
        self._best_0 = -1
        self._best_1 = -1

    def settle(self, now):
        """Decides what can be decided, as far as both sides have been read."""
        while self._pending:
            oldest = self._oldest(0, 2 * RUNS)
            if not self._is_ripe(oldest, now):
                return
            twin = self._twin(oldest)
            if twin >= 0:  # something wide came into both at once: nobody who walks
                self._free(twin)
                self._free(oldest)
                continue
            if self._is_changed:
                self._find_best_pair()
            if self._best_0 < 0:
                self._free(oldest)
            elif self._is_ripe(self._best_0, now) and self._is_ripe(self._best_1, now):
                self._take(self._best_0, self._best_1)
            else:
                return

    def _is_ripe(self, slot, now):
        # No run that ends later can belong to it any more.
        end = self._end[slot]
        if self._ticks_diff(now, end) < self._max_lag_ms + SLACK_MS:
            return False
        for side in range(2):
            if self._is_open[side] and self._ticks_diff(now, self._opened[side]) <= LONGEST_MS:
                if self._ticks_diff(self._opened[side], end) <= self._max_lag_ms:
                    return False
        return True

    # -- pairs

    def _twin(self, slot):
        # The run that began and ended with this one on the other side, or -1.
        for other in range(2 * RUNS):
            if self._used[other] and (other < RUNS) != (slot < RUNS) and self._apart(slot, other) <= self._range_mm:
                coming = abs(self._ticks_diff(self._start[other], self._start[slot]))
                going = abs(self._ticks_diff(self._end[other], self._end[slot]))
                if max(coming, going) < self._min_lag_ms:
                    return other
        return -1

    def _find_best_pair(self):
        best = _NO_COST
        self._best_0 = -1
        self._is_changed = False
        for i in range(RUNS):
            for j in range(RUNS, 2 * RUNS):
                if self._used[i] and self._used[j]:
                    cost = self._cost(i, j)
                    if 0 <= cost < best:
                        best, self._best_0, self._best_1 = cost, i, j

    def _cost(self, i, j):
        # How unlike two runs are, in mm, or -1 where they cannot be the same body.
        apart = self._apart(i, j)
        coming = self._ticks_diff(self._start[j], self._start[i])
        going = self._ticks_diff(self._end[j], self._end[i])
        lag = abs(coming + going) // 2
        if apart > self._range_mm or lag < self._min_lag_ms or min(abs(coming), abs(going)) > self._max_lag_ms:
            return -1
        if _are_opposed(coming, going) and min(abs(coming), abs(going)) > self._min_lag_ms:
            return -1
        one = self._duration(i)
        other = self._duration(j)
        if self._is_from_above and not one and not other:  # a single reading in either zone is noise
            return -1
        if not self._range[i] and not self._range[j] and abs(coming - going) > _SHADOWS_MS:
            return -1  # two shadows are one body only if they are the same to a reading or two
        if self._are_unlike(i, j):  # only if nothing else fits: who stood in one of the two
            has_passed = min(abs(coming), abs(going)) >= self._min_lag_ms and not _are_opposed(coming, going)
            return _STOOD_COST + apart if has_passed else -1
        return apart + abs(one - other) + lag // 2  # a ms is about a mm; most people do not creep

    def _apart(self, one, other):
        # How far apart two ranges are. An unknown one is worth half of what two may differ.
        if not self._range[one] or not self._range[other]:
            return self._range_mm // 2
        return abs(self._range[one] - self._range[other])

    def _are_unlike(self, i, j):
        one = self._duration(i)
        other = self._duration(j)
        return max(one, other) > _LONGER * min(one, other) + SLACK_MS

    def _take(self, i, j):
        third = self._third(i, j)
        if third < 0:
            coming = self._ticks_diff(self._start[j], self._start[i])
            going = self._ticks_diff(self._end[j], self._end[i])
            direction = AB if coming + going > 0 else BA
            if self._are_unlike(i, j):
                self._tell_stood(i, j, direction, min(abs(coming), abs(going)))
            else:
                self._tell(i, j, direction, abs(coming + going) // 2)
                self._unhide(i, j, direction)
        elif third < RUNS:
            self._take_three(i, third, j, AB)
        else:
            self._take_three(j, third, i, BA)
        if third >= 0:
            self._free(third)
        self._free(i)
        self._free(j)

    def _third(self, i, j):
        # Another run that stood beside one of the two and has no partner of its own.
        for k in range(2 * RUNS):
            if self._used[k] and k != i and k != j:
                beside = j if k < RUNS else i
                sibling = i if k < RUNS else j
                is_alike = self._range[k] and self._apart(k, beside) <= self._range_mm and self._ratio(k, sibling) <= _SIBLING
                if is_alike and self._touch(k, beside) and not self._has_other(k, i, j):
                    return k
        return -1

    def _unhide(self, i, j, direction):
        is_found = False
        for k in range(2 * RUNS):
            if self._used[k] and k != i and k != j and self._duration(k) >= HIDDEN_MS:
                same_side = i if k < RUNS else j
                is_behind = self._range[k] - self._range[same_side] > self._range_mm
                if is_behind and self._touch(k, same_side) and not self._has_other(k, i, j):
                    self._free(k)
                    is_found = True
        if is_found:
            self._on_passage(self._moment(i, j), direction)

    def _has_other(self, k, i, j):
        for other in range(2 * RUNS):
            if self._used[other] and other != i and other != j and (other < RUNS) != (k < RUNS):
                if self._cost(min(k, other), max(k, other)) >= 0:
                    return True
        return False

    def _take_three(self, one, two, between, direction):
        # `direction` is the one in which `between` comes after the other two.
        if self._ticks_diff(self._start[one], self._start[two]) > 0:
            one, two = two, one
        coming = self._ticks_diff(self._start[between], self._start[one])
        going = self._ticks_diff(self._end[between], self._end[two])
        if _are_opposed(coming, going):
            return  # turned back
        if coming + going < 0:
            direction = -direction
        lag = abs(coming + going) // 2
        self._tell(one, one, direction, lag)
        self._tell(two, two, direction, lag)

    # -- passages

    def _tell(self, i, j, direction, lag_ms):
        end = self._ticks_add(self._end[i], self._ticks_diff(self._end[j], self._end[i]) // 2)
        range_mm = (self._range[i] + self._range[j]) // 2
        start = self._ticks_add(end, -(self._duration(i) + self._duration(j)) // 2)
        gap_ms = max(self._ticks_diff(start, self._last_end), self._ticks_diff(self._last_start, end))
        is_same_party = (
            direction == self._last_direction
            and (abs(range_mm - self._last_range) <= self._range_mm) != self._is_from_above
            and gap_ms < LONGEST_MS
            and gap_ms * self._separation_mm < self._headway_mm * max(lag_ms, 1)
        )
        self._last_direction = direction
        self._last_start = start
        self._last_end = end
        self._last_range = range_mm
        if not is_same_party:
            self._on_passage(self._moment(i, j), direction)

    def _tell_stood(self, i, j, direction, lag_ms):
        # The shorter run is when it walked, and the line is half a lag away from it.
        short = i if self._duration(i) < self._duration(j) else j
        is_first = (short == i) == (direction == AB)
        half_ms = (lag_ms if is_first else -lag_ms) // 2
        self._on_passage(self._ticks_add(self._end[short], half_ms - self._duration(short) // 2), direction)

    def _moment(self, i, j):
        # Half a body before the end, so that who stood on the line has crossed it when leaving.
        duration = min((self._duration(i) + self._duration(j)) // 2, BODY_MS)
        return self._ticks_add(self._end[i], self._ticks_diff(self._end[j], self._end[i]) // 2 - duration // 2)


def _are_opposed(one, other):
    return one < 0 < other or other < 0 < one
