# Two beams: golden streams for who passes, who does not, and what the detector says when it cannot tell.

from dialect import Chance, allocated, ticks_add, ticks_diff

from node.passage.lidar_pair import AB, BA, LidarPair

BEAT_MS = 20
IDLE_MM = 4000
SEPARATION_MM = 300
BODY_MM = 400
WRAP = 1 << 30


class Street:
    """Both beams in front of bodies that move along x, at `start` ticks; beam A at -150 mm, beam B at 150 mm."""

    def __init__(self, start=0, settled_ms=3000, idle_mm=IDLE_MM):
        self.start = start
        self.ms = 0
        self.idle_mm = idle_mm
        self.passages = []
        self.detector = LidarPair(600, 3000, SEPARATION_MM, self._on_passage, ticks_diff, ticks_add)
        self.run(settled_ms)

    def _on_passage(self, ticks, direction):
        self.passages.append((ticks_diff(ticks, self.start), direction))

    def range_at(self, x, bodies):
        seen = [mm for place, mm, body in bodies if abs(place(self.ms) - x) <= body // 2]
        return min(seen) if seen else self.idle_mm

    def run(self, ms, *bodies, step=BEAT_MS):
        """bodies: (place(ms) -> x in mm, range, depth along x)."""
        until = self.ms + ms
        while self.ms < until:
            self.ms += step
            for beam, x in enumerate((-SEPARATION_MM // 2, SEPARATION_MM // 2)):
                self.feed(beam, self.range_at(x, bodies))

    def feed(self, beam, mm):
        self.detector.feed(beam, ticks_add(self.start, self.ms), mm)

    def walk(self, *walkers, ms=6000):
        """walkers: (mm/s, range, body, mm ahead of the line's crossing at 2 s). Empty for 3 s after."""
        begin = self.ms
        self.run(ms, *[(mover(begin + 2000, *one), one[1], one[2]) for one in walkers])
        self.run(3000)
        return self.directions()

    def directions(self):
        return [direction for _, direction in self.passages]


def mover(crossing_ms, mm_s, _mm, _body, ahead_mm=0):
    return lambda ms: (ms - crossing_ms) * mm_s // 1000 + ahead_mm


def walked(*walkers):
    return Street().walk(*walkers)


def standing(x):
    return lambda ms: x


def test_a_walk_counts_once_in_its_direction_at_its_moment():
    for mm_s in (400, 800, 1300, 2000, 3000):
        for mm in (700, 2000, 3500):
            for sign, direction in ((1, AB), (-1, BA)):
                street = Street()
                assert street.walk((sign * mm_s, mm, BODY_MM)) == [direction], (mm_s, mm)
                assert abs(street.passages[0][0] - 5000) <= 150, street.passages
    assert (AB, BA) == (1, -1)


def test_a_bicycle_counts():
    assert walked((5000, 2000, 900)) == [AB]
    assert walked((-5000, 2000, 900)) == [BA]


def test_who_turns_back_is_not_counted():
    for reach in (-100, 0, 50, 100, 250):  # where the middle of the body turns: in A only, in both, out of A again
        for mm_s in (600, 1300):
            for sign in (1, -1):
                street = Street()
                turn_ms = street.ms + 2000

                def place(ms, sign=sign, turn_ms=turn_ms, mm_s=mm_s, reach=reach):
                    return sign * (reach - abs(ms - turn_ms) * mm_s // 1000)

                street.run(5000, (place, 2000, BODY_MM))
                street.run(3000)
                assert street.passages == [], (reach, mm_s, sign)


def test_who_stands_at_the_line_is_not_counted_until_walking_on():
    street = Street()
    begin = street.ms
    street.run(2000, (lambda ms: min((ms - begin) * 1300 // 1000 - 1300, 0), 2000, BODY_MM))
    street.run(20000, (standing(0), 2000, BODY_MM))
    assert street.passages == []
    begin = street.ms
    street.run(2000, (lambda ms: (ms - begin) * 1300 // 1000, 2000, BODY_MM))
    street.run(3000)
    assert street.directions() == [AB]
    assert abs(street.passages[0][0] - begin) <= 500  # when leaving, not halfway through the stay


def test_standing_in_one_beam_counts_nobody():
    for x in (-250, 250):
        street = Street()
        street.run(15000, (standing(x), 1500, BODY_MM))
        street.run(3000)
        assert street.passages == []


def test_two_abreast_count_twice_where_both_are_seen():
    # Half a step apart: each beam sees the nearer, and a part of the farther before or after.
    assert walked((1300, 1200, BODY_MM), (1300, 1900, BODY_MM, -250)) == [AB, AB]
    assert walked((-1300, 1200, BODY_MM), (-1300, 1900, BODY_MM, -250)) == [BA, BA]


def test_of_two_exactly_abreast_the_nearer_hides_the_farther():
    assert walked((1300, 1200, BODY_MM), (1300, 1900, BODY_MM)) == [AB]


def shown(beam_a, beam_b):
    """Directions from what each beam sees: [(from ms, to ms, range), ...]."""
    street = Street()
    for ms in range(0, 4000, BEAT_MS):
        street.ms += BEAT_MS
        for beam, stretches in ((0, beam_a), (1, beam_b)):
            street.feed(beam, min([mm for first, end, mm in stretches if first <= ms < end] or [IDLE_MM]))
    street.run(3000)
    return street.directions()


def test_the_edge_of_somebody_behind_counts_in_the_direction_of_who_hides():
    for edge_a, edge_b in (([(300, 420, 2200)], []), ([], [(840, 960, 2200)]), ([(300, 400, 2200)], [(840, 940, 2200)])):
        assert shown([(400, 720, 1200)] + edge_a, [(540, 840, 1200)] + edge_b) == [AB, AB], (edge_a, edge_b)
        assert shown([(540, 840, 1200)] + edge_b, [(400, 720, 1200)] + edge_a) == [BA, BA], (edge_a, edge_b)


def test_neither_a_bodys_own_edge_nor_somebody_apart_is_hidden_behind_it():
    for edge in ((720, 780, 2200), (1000, 1300, 2200), (720, 780, 1500)):
        assert shown([(400, 720, 1200), edge], [(540, 840, 1200)]) == [AB], edge


def test_two_in_line_count_twice_and_a_pram_with_who_pushes_it_once():
    for sign, direction in ((1, AB), (-1, BA)):
        assert walked((sign * 1300, 2000, BODY_MM), (sign * 1300, 2000, BODY_MM, -sign * 1300)) == [direction, direction]
        assert walked((sign * 1300, 2000, 700), (sign * 1300, 2050, BODY_MM, -sign * 840)) == [direction]


def test_two_towards_each_other_count_once_each():
    assert sorted(walked((1300, 1200, BODY_MM), (-1300, 2400, BODY_MM))) == [BA, AB]
    assert sorted(walked((1300, 1200, BODY_MM), (-1300, 2400, BODY_MM, 500))) == [BA, AB]


def test_an_arms_gap_is_bridged():
    street = Street()
    begin = street.ms
    place = mover(begin + 2000, 1300, 0, 0)
    for _ in range(250):
        street.ms += BEAT_MS
        for beam, x in ((0, -150), (1, 150)):
            away = place(street.ms) - x
            street.feed(beam, 2000 if abs(away) <= 200 and not -60 < away < -10 else IDLE_MM)
    street.run(3000)
    assert street.directions() == [AB]


def test_one_reading_on_something_else_is_no_step():
    for at in (460, 560, 640):
        assert shown([(400, at, 1200), (at, at + BEAT_MS, 2000), (at + BEAT_MS, 720, 1200)], [(540, 860, 1200)]) == [AB], at
    street = Street()
    for ms in range(0, 3000, BEAT_MS):
        street.ms += BEAT_MS
        street.feed(0, 1200 if 400 <= ms < 720 else IDLE_MM)
        street.feed(1, IDLE_MM if not 540 <= ms < 860 else 2400 if ms // BEAT_MS % 4 == 0 else 1200)
    street.run(3000)
    assert street.directions() == [AB]


def test_a_beam_that_is_read_seconds_after_the_other_is_waited_for():
    for first in range(2):
        street = Street()
        begin = street.ms
        for beam in (first, 1 - first):
            for ms in range(0, 6000, BEAT_MS):
                street.ms = begin + ms
                street.feed(beam, 1500 if 1000 + 200 * beam <= ms < 1300 + 200 * beam else IDLE_MM)
        street.run(3000)
        assert street.directions() == [AB], first


def test_who_comes_after_a_silence_is_not_who_went_before_it():
    street = Street()
    for _ in range(2):
        begin = street.ms + 3000  # nothing is read for three seconds
        for ms in range(0, 520, BEAT_MS):
            street.ms = begin + ms
            street.feed(0, 1500 if ms < 320 else IDLE_MM)
            if ms >= 200:
                street.feed(1, 1500)
    street.run(3000)
    assert street.directions() == [AB, AB]


def test_single_readings_are_drops_of_rain():
    chance = Chance(92)
    street = Street()
    for _ in range(20000):
        street.ms += BEAT_MS
        for beam in range(2):
            street.feed(beam, 1000 + chance.below(2000) if chance.below(60) == 0 else IDLE_MM)
    assert len(street.passages) <= 2  # two drops in a row, twice: 400 s of a downpour


def test_beside_the_pavement_nobody_is_counted():
    for mm, idle_mm in ((350, IDLE_MM), (3900, 6000), (5000, 6000)):
        assert Street(idle_mm=idle_mm).walk((1300, mm, BODY_MM)) == [], mm


def test_a_van_that_parks_is_learnt_and_people_before_it_are_counted():
    street = Street()
    street.idle_mm = 2500
    street.run(11000)
    assert street.detector.is_blocked
    street.run(170000)
    assert not street.detector.is_blocked
    assert street.passages == []
    assert street.walk((1300, 1500, BODY_MM)) == [AB]
    street.idle_mm = IDLE_MM
    street.run(60000)
    assert street.passages[1:] == []
    assert street.walk((-1300, 3000, BODY_MM)) == [AB, BA]


def test_a_scene_without_room_for_a_walker_is_blocked():
    street = Street(idle_mm=700)
    assert street.detector.is_blocked


def test_a_beam_without_echo_is_blocked_within_ten_seconds_and_recovers():
    street = Street()
    for beam in range(2):
        street = Street()
        for _ in range(500):
            street.ms += BEAT_MS
            street.feed(beam, 0)
            street.feed(1 - beam, IDLE_MM)
        assert street.detector.is_blocked
        street.run(2000)
        assert not street.detector.is_blocked
        assert street.passages == []


def test_without_a_wall_people_are_still_counted():
    street = Street(idle_mm=0)

    def nearest(x, bodies):
        return min([mm for place, mm, body in bodies if abs(place(street.ms) - x) <= body // 2] or [0])

    street.range_at = nearest
    assert street.walk((1300, 2000, BODY_MM)) == [AB]


def test_saturation_is_said_where_walkers_hide_each_other():
    street = Street()
    for gap_ms, is_saturated in ((6000, False), (1500, True), (9000, False)):
        for _ in range(180000 // gap_ms):
            begin = street.ms
            street.run(gap_ms, (mover(begin + 700, 1300, 0, 0), 2000, BODY_MM))
        assert street.detector.is_saturated == is_saturated, gap_ms


def test_ticks_wrap():
    for before in range(0, 6000, 500):
        street = Street(start=WRAP - 3000 - before)
        assert street.walk((1300, 2000, BODY_MM)) == [AB], before
        assert abs(street.passages[0][0] - 5000) <= 150


def test_days_of_silence_change_nothing():
    street = Street()
    assert street.walk((1300, 2000, BODY_MM)) == [AB]
    street.start = ticks_add(street.start, 1 << 29)
    street.start = ticks_add(street.start, 1 << 28)
    street.run(3000)
    assert street.walk((1300, 2000, BODY_MM)) == [AB, AB]


def test_any_readings_leave_a_working_detector():
    chance = Chance(93)
    street = Street()
    for _ in range(5000):
        street.ms += chance.below(40)
        street.feed(chance.below(2), chance.below(65536) * 10 if chance.below(2) else chance.below(4000))
    street.run(200000)
    street.passages.clear()
    assert street.walk((1300, 2000, BODY_MM)) == [AB]


def test_twenty_thousand_readings_cost_no_memory():
    told = [0]

    def on_passage(ticks, direction):
        told[0] += 1

    detector = LidarPair(600, 3000, SEPARATION_MM, on_passage, ticks_diff, ticks_add)

    def pass_by(turns):
        for turn in range(turns):
            for i in range(100):
                ticks = turn * 2000 + i * BEAT_MS
                detector.feed(0, ticks, 1500 if 30 <= i < 50 else 2600 if 50 <= i < 55 else IDLE_MM)
                detector.feed(1, ticks, 1500 if 42 <= i < 62 else IDLE_MM)

    pass_by(2)
    assert allocated(lambda: pass_by(100)) == 0
    assert told[0] >= 190


def test_dark_clothes_count_by_what_they_hide():
    for gap in range(0, 6, 2):  # an echo now and then
        street = Street()
        for i, mm in enumerate([0] * 15 + [IDLE_MM] * 40):
            street.ms += BEAT_MS
            street.feed(0, 3200 if gap and i % gap == 1 and not mm else mm)
            street.feed(1, 0 if 11 <= i < 26 else IDLE_MM)
        street.run(3000)
        assert street.directions() == [AB], gap


def test_weak_readings_alone_are_nobody():
    chance = Chance(91)
    street = Street()
    for _ in range(20000):
        street.ms += BEAT_MS
        for beam in (0, 1):
            street.feed(beam, 0 if chance.below(100) < 8 else IDLE_MM)
    assert street.directions() == []


def test_without_a_wall_no_echo_is_nobody():
    street = Street(idle_mm=0)
    assert street.walk((1300, 2000, BODY_MM)) == [AB]
    street.run(60000)
    assert street.directions() == [AB]


def test_an_edge_that_slides_is_no_second_body():
    # 33 readings a second: the body's edges read 3600 and 3300 before it and behind it.
    for edge in ([3600, 3300], [3650, 3350, 3000]):
        street = Street()
        body = edge + [2500] * 7 + edge[::-1]
        for i in range(60):
            street.ms += 30
            for beam in (0, 1):
                at = i - 8 * beam
                street.feed(beam, body[at] if 0 <= at < len(body) else IDLE_MM)
        street.run(3000)
        assert street.directions() == [AB], edge


def test_who_is_seen_behind_a_walker_for_two_readings_counts():
    street = Street()
    near, far = [1300] * 9, [2250, 2280, 2260]
    for i in range(80):
        street.ms += 30
        for beam in (0, 1):
            at = i - 8 * beam
            seen = far + near if not beam else near
            street.feed(beam, seen[at] if 0 <= at < len(seen) else IDLE_MM)
    street.run(3000)
    assert street.directions() == [AB, AB]


def test_what_parks_on_the_pavement_and_is_learnt_hides_who_walks_behind_it_and_that_is_said():
    for mm, is_blocked in ((1000, True), (2500, False)):
        street = Street()
        street.run(200000, (standing(0), mm, 5000), step=100)
        assert street.detector.is_blocked == is_blocked, mm
        assert street.detector.is_saturated, mm
        street.run(4000)
        assert not street.detector.is_saturated, mm
        assert not street.detector.is_blocked, mm


def test_after_something_that_was_learnt_has_left_the_first_walker_counts():
    street = Street(idle_mm=7500)
    street.run(200000, (standing(0), 1000, 5000), step=100)
    street.run(4000)
    assert street.walk((1300, 2500, BODY_MM)) == [AB]


def test_a_wall_that_is_too_dim_tells_of_nobody_by_its_absence():
    chance = Chance(92)
    street = Street()
    dark_until = [0, 0]
    for _ in range(90000):  # half an hour of drop-outs, one every four seconds in each beam
        street.ms += BEAT_MS
        for beam in (0, 1):
            if chance.below(200) == 0:
                dark_until[beam] = street.ms + 80 + chance.below(170)
            street.feed(beam, 0 if street.ms < dark_until[beam] else IDLE_MM)
    assert len(street.passages) <= 5  # until it has been seen to be dim


def test_two_shadows_of_different_length_are_nobody():
    street = Street()
    for i in range(100):
        street.ms += BEAT_MS
        street.feed(0, 0 if 10 <= i < 18 else IDLE_MM)
        street.feed(1, 0 if 18 <= i < 33 else IDLE_MM)
    street.run(3000)
    assert street.directions() == []


def test_a_body_is_parted_at_any_rate_where_one_slides_behind_another():
    for beat_ms in (10, 20, 30):
        street = Street()
        slide = [1500] * (200 // beat_ms) + list(range(1600, 2300, 350 * beat_ms // 30)) + [2300] * (200 // beat_ms)
        lag = 220 // beat_ms
        for i in range(len(slide) + lag + 20):
            street.ms += beat_ms
            for beam in (0, 1):
                at = i - lag * beam
                street.feed(beam, slide[at] if 0 <= at < len(slide) else IDLE_MM)
        street.run(3000)
        assert street.directions() == [AB, AB], beat_ms


def test_a_body_whose_range_changes_as_it_passes_is_one():
    for drift_mm in (900, -900):  # a slow walk on a slant
        street = Street()
        body = [2200 + drift_mm * i // 40 for i in range(40)]
        for i in range(80):
            street.ms += BEAT_MS
            for beam in (0, 1):
                at = i - 12 * beam
                street.feed(beam, body[at] if 0 <= at < len(body) else IDLE_MM)
        street.run(3000)
        assert street.directions() == [AB], drift_mm
