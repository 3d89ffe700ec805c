# A sensor above a door: golden streams for who goes through, who does not, and what the detector says when it cannot tell.

from dialect import Chance, allocated, ticks_add, ticks_diff

from node.passage.tof import AB, BA, VALID, TwoZones

TURN_MS = 35  # one zone
FLOOR_MM = 2500
WRAP = 1 << 30
HEAD_MM = 100  # half of what a head takes along x, and the zone's own width
SHOULDERS_MM = 250


class Door:
    """Both zones above people who move along x; the middle of zone 0 is at -100 mm, of zone 1 at 100 mm."""

    def __init__(self, start=0):
        self.start = start
        self.ms = 0
        self.zone = 0
        self.floor_mm = FLOOR_MM
        self.passages = []
        self.detector = TwoZones(self._on_passage, ticks_diff, ticks_add)
        self.run(10000)

    def _on_passage(self, ticks, direction):
        self.passages.append((ticks_diff(ticks, self.start), direction))

    def feed(self, mm, status=VALID):
        self.ms += TURN_MS
        self.detector.feed(ticks_add(self.start, self.ms), self.zone, mm, status)
        self.zone = 1 - self.zone

    def range_of(self, people):
        nearest = self.floor_mm
        for place, height_mm in people:
            away = abs(place(self.ms) - (100 if self.zone else -100))
            if away <= HEAD_MM:
                nearest = min(nearest, FLOOR_MM - height_mm)
            elif away <= SHOULDERS_MM:
                nearest = min(nearest, FLOOR_MM - height_mm + 280)
        return nearest

    def run(self, ms, *people):
        """people: (place(ms) -> x in mm, height)."""
        until = self.ms + ms
        while self.ms < until:
            self.feed(self.range_of(people))

    def walk(self, *walkers):
        """walkers: (mm/s, height, mm ahead of the one who is under the sensor at 3 s). Empty for 4 s after."""
        begin = self.ms + 3000
        self.run(6000, *[(mover(begin, *one), one[1]) for one in walkers])
        self.run(4000)
        return self.directions()

    def directions(self):
        return [direction for _, direction in self.passages]


def mover(begin, mm_s, _height_mm, ahead_mm=0):
    return lambda ms: (ms - begin) * mm_s // 1000 + ahead_mm


def test_who_walks_through_counts_once_at_the_moment():
    for mm_s in (300, 700, 1300, 2000):
        for height_mm in (1100, 1750, 2000):
            for sign, direction in ((1, AB), (-1, BA)):
                door = Door()
                assert door.walk((sign * mm_s, height_mm)) == [direction], (mm_s, height_mm)
                assert abs(door.passages[0][0] - 13000) <= 400
    assert (AB, BA) == (1, -1)


def test_who_runs_through_counts_though_states_are_skipped():
    for phase in range(0, 70, 5):
        for sign, direction in ((1, AB), (-1, BA)):
            door = Door()
            begin = door.ms + 2000 + phase
            door.run(4000, (mover(begin, sign * 3000, 0), 1750))
            door.run(4000)
            assert door.directions() == [direction], phase


def path(*states):
    """Directions from states of the path machine (bit 0: zone 0), each held for some readings: [(state, readings), ...]."""
    door = Door()
    for state, readings in states + ((0, 200),):
        for _ in range(readings):
            door.feed(700 if state >> door.zone & 1 else FLOOR_MM)
    return door.directions()


def test_the_paths_of_one_person():
    assert path((1, 6), (3, 6), (2, 6)) == [AB]
    assert path((2, 6), (3, 6), (1, 6)) == [BA]
    assert path((1, 6), (2, 6)) == [AB]  # both at once was missed
    assert path((1, 6), (0, 2), (2, 6)) == [AB]
    assert path((3, 6), (2, 6)) == [AB]  # zone 0 alone was missed
    assert path((1, 6), (3, 6)) == [AB]
    assert path((1, 6)) == path((2, 6)) == path((3, 1)) == []


def test_who_turns_back_is_not_counted():
    assert path((1, 6), (3, 6), (1, 6)) == []
    assert path((1, 6), (3, 6), (2, 6), (3, 6), (1, 6)) == []
    assert path((2, 6), (3, 6), (2, 6)) == []
    assert path((2, 6), (3, 6), (1, 6), (3, 6), (2, 6)) == []
    assert path((1, 6), (3, 6), (2, 40), (3, 6), (1, 6)) == []


def test_two_in_line_are_counted_by_the_zone_that_is_entered_again():
    assert path((1, 6), (3, 6), (2, 4), (3, 2), (1, 4), (3, 6), (2, 6)) == [AB, AB]
    assert path((2, 6), (3, 6), (1, 4), (3, 2), (2, 4), (3, 6), (1, 6)) == [BA, BA]
    assert path((1, 6), (3, 6), (2, 8), (3, 6), (2, 6)) == [AB, AB]
    assert path((2, 6), (3, 6), (1, 8), (3, 6), (1, 6)) == [BA, BA]
    assert path((1, 6), (3, 6), (1, 8), (3, 6), (2, 6)) == [AB, AB]


def test_two_in_line_are_counted_by_the_step_between_their_heads():
    for sign, direction in ((1, AB), (-1, BA)):
        door = Door()
        assert door.walk((sign * 1000, 1750), (sign * 1000, 1700, -sign * 520)) == [direction, direction]


def test_two_in_line_with_a_gap_are_two():
    assert Door().walk((1300, 1750), (1300, 1700, -1000)) == [AB, AB]
    assert Door().walk((1300, 1750), (1300, 1200, -900)) == [AB, AB]


def test_who_waits_under_the_sensor_counts_once_when_walking_on():
    assert path((1, 6), (3, 500), (2, 6)) == [AB]
    assert path((1, 6), (3, 500), (1, 6)) == []


def test_a_pram_with_who_pushes_it_counts_once():
    # The pram's hood is far below heads, and its hand grip leaves no gap.
    door = Door()
    begin = door.ms + 3000
    place = mover(begin, 900, 0)
    door.run(6000, (place, 1700), (lambda ms: place(ms) + 480, 1100))
    door.run(4000)
    assert door.directions() == [AB]


def test_a_door_leaf_close_to_the_sensor_is_nobody():
    door = Door()
    for _ in range(100):
        door.feed(200)
    door.run(4000)
    assert door.passages == []


def test_only_valid_readings_mean_a_range():
    for status in range(1, 8):
        door = Door()
        for state in (1, 3, 2):
            for _ in range(6):
                is_in = state >> door.zone & 1
                door.feed(700 if is_in else FLOOR_MM, status if is_in else VALID)
        door.run(4000)
        assert door.passages == [], status


def test_some_readings_that_are_not_valid_are_no_exit():
    for seed in range(30):
        chance = Chance(seed)
        door = Door()
        for state in (1, 3, 2, 0):
            for i in range(12 if state else 100):
                is_in = state >> door.zone & 1
                door.feed(700 if is_in else FLOOR_MM, 2 if is_in and i > 1 and chance.below(2) else VALID)
        assert door.directions() == [AB], seed


def test_a_zone_that_gives_no_valid_reading_any_more_is_left():
    door = Door()
    for state in (1, 3, 2):
        for _ in range(6):
            door.feed(700 if state >> door.zone & 1 else FLOOR_MM)
    for _ in range(100):
        door.feed(FLOOR_MM, 4 if door.zone else VALID)
    assert door.directions() == [AB]


def test_a_zone_without_valid_readings_is_blocked_within_ten_seconds_and_recovers():
    door = Door()
    for _ in range(2 * 10000 // (2 * TURN_MS) + 4):
        door.feed(0, 4 if door.zone else VALID)
    assert door.detector.is_blocked
    door.run(1000)
    for _ in range(30):
        door.feed(FLOOR_MM)
    assert not door.detector.is_blocked


def test_what_stays_below_is_blocked_and_then_learnt():
    door = Door()
    door.floor_mm = 1600  # a shelf
    door.run(11000)
    assert door.detector.is_blocked
    door.run(180000)
    assert not door.detector.is_blocked
    assert door.passages == []
    assert door.walk((1300, 1750)) == [AB]


def test_saturation_is_said_where_people_queue():
    door = Door()
    for gap_ms, is_saturated in ((8000, False), (1000, True), (8000, False)):
        for _ in range(200000 // gap_ms):
            begin = door.ms + 500
            door.run(gap_ms, (mover(begin, 1000, 0), 1750))
        assert door.detector.is_saturated == is_saturated, gap_ms


def test_ticks_wrap_and_days_pass():
    for before in range(0, 5000, 400):
        door = Door(start=WRAP - 10000 - before)
        assert door.walk((1300, 1750)) == [AB], before
        assert abs(door.passages[0][0] - 13000) <= 250
    door.start = ticks_add(door.start, 1 << 29)
    door.start = ticks_add(door.start, 1 << 28)
    door.run(2000)
    assert door.walk((-1300, 1750)) == [AB, BA]


def test_any_readings_leave_a_working_detector():
    chance = Chance(96)
    door = Door()
    for _ in range(4000):
        door.feed(chance.below(65536) if chance.below(2) else chance.below(3000), chance.below(4))
    door.run(300000)
    door.passages.clear()
    assert door.walk((1300, 1750)) == [AB]


def test_twenty_thousand_readings_cost_no_memory():
    told = [0]

    def on_passage(ticks, direction):
        told[0] += 1

    detector = TwoZones(on_passage, ticks_diff, ticks_add)

    def pass_by(turns):
        for turn in range(turns):
            for i in range(100):
                ticks = (turn * 100 + i) * TURN_MS
                zone = i & 1
                is_in = 20 <= i < 40 if not zone else 30 <= i < 50
                detector.feed(ticks, zone, 700 if is_in else FLOOR_MM, 0 if i % 7 else 2)

    pass_by(4)
    assert allocated(lambda: pass_by(200)) == 0
    assert told[0] >= 195


def test_a_leaf_that_swings_under_both_zones_is_nobody():
    door = Door()
    for zone_first in (0, 1):
        for i in range(100):
            door.ms += 30
            zone = i % 2
            is_under = 20 <= i - (20 if zone != zone_first else 0) < 50
            door.detector.feed(ticks_add(door.start, door.ms), zone, 400 + i % 3 * 10 if is_under else door.floor_mm, 0)
        door.run(3000)
    assert door.passages == []


def test_a_head_of_two_metres_is_no_leaf():
    door = Door()
    door.floor_mm = 2400
    door.run(6000)
    body = [560, 430, 400, 405, 440, 580]
    for i in range(60):
        door.ms += 30
        at = i // 2 - 5 * (i % 2) - 5
        door.detector.feed(ticks_add(door.start, door.ms), i % 2, body[at] if 0 <= at < len(body) else door.floor_mm, 0)
    door.run(3000)
    assert len(door.passages) == 1
