# The line-crossing detector: who counts, in which direction, when; and who does not.

import gc

from dialect import Chance

from node.passage.radar import AB, BA, COAST, TRACKS, LineCrossing

NEAR = 600
PAVEMENT = 3000


class Line:
    """A detector and what it said. `feed` takes one report's targets as (x, y) pairs, 100 ms after the one before."""

    def __init__(self):
        self.passages = []
        self.detector = LineCrossing(NEAR, PAVEMENT, self._on_passage)
        self.ticks = 0
        self._targets = [0] * 9

    def _on_passage(self, ticks, direction):
        self.passages.append((ticks, direction))

    def feed(self, *targets, speed=None):
        # A living body's speed is never twice the same.
        speed = 8 * (self.ticks // 100 % 3) if speed is None else speed
        for i, target in enumerate(targets):
            self._targets[3 * i : 3 * i + 3] = [target[0], target[1], speed]
        self.ticks += 100
        self.detector.feed(self.ticks, self._targets, len(targets))

    def targets(self, targets):
        for i, target in enumerate(targets):
            self._targets[3 * i : 3 * i + 3] = target
        self.ticks += 100
        self.detector.feed(self.ticks, self._targets, len(targets))

    def directions(self):
        return [direction for _, direction in self.passages]


def path(x_from, x_to, speed_mm=130, y=1800):
    """Positions of a walk in a straight line, one per report."""
    step = speed_mm if x_to > x_from else -speed_mm
    return [(x, y) for x in range(x_from, x_to, step)]


def walked(*paths):
    """All of them walk at the same time from the first report on; gone when their path ends. None is a missed report."""
    line = Line()
    for i in range(max([len(one) for one in paths])):
        line.feed(*[one[i] for one in paths if i < len(one) and one[i] is not None])
    for _ in range(COAST + 2):
        line.feed()
    return line


def test_a_straight_crossing_counts_once_in_its_direction():
    for y in (700, 1800, 3500):  # at 700 mm the 55 degrees leave two metres: seven reports of the fastest here
        for speed_mm in (40, 80, 130, 170, 320):
            assert walked(path(-2000, 2000, speed_mm, y)).directions() == [AB], (y, speed_mm)
            assert walked(path(2000, -2000, speed_mm, y)).directions() == [BA], (y, speed_mm)
    assert (AB, BA) == (1, -1)


def test_the_moment_of_a_passage_is_when_the_line_was_crossed_and_not_when_it_was_decided():
    for speed_mm in (60, 130, 250):
        line = walked(path(-2000, 2000, speed_mm))
        crossed = 100 * (2000 // speed_mm + 1)
        assert abs(line.passages[0][0] - crossed) <= 200, speed_mm


def test_a_walk_along_a_slant_counts():
    assert walked([(x, 1800 + x // 2) for x in range(-1900, 1900, 120)]).directions() == [AB]


def test_turning_back_inside_the_band_is_no_passage():
    for x in (-100, 0, 100, 200):
        assert walked(path(-1500, x) + path(x, -1500)).directions() == []
        assert walked(path(1500, -x) + path(-x, 1500)).directions() == []


def test_turning_back_behind_the_band_is_two_passages():
    for x in (500, 1200):
        assert walked(path(-1500, x) + path(x, -1500)).directions() == [AB, BA]


def jitter(chance, mm, n=300):
    """Somebody stands on the line, seen anywhere within mm of it."""
    return [(chance.below(2 * mm) - mm, 1800 + chance.below(100)) for _ in range(n)]


def test_standing_on_the_line_with_jitter_counts_nobody():
    chance = Chance(71)
    for _ in range(20):
        assert walked(path(-1500, 0) + jitter(chance, 180) + path(0, -1500)).directions() == []
        line = Line()
        for target in jitter(chance, 150):
            line.feed(target)
        assert line.passages == []


def test_standing_on_the_line_for_a_while_then_going_on_counts_once():
    chance = Chance(72)
    assert walked(path(-1500, 0) + jitter(chance, 150) + path(0, 1500)).directions() == [AB]


def standing(x, y=1800):
    return [(x, y)] * 20


def test_who_comes_near_and_stays_there_is_not_counted():
    assert walked(path(-3000, -300) + standing(-300)).directions() == []
    assert walked(path(3000, 300) + standing(300)).directions() == []
    assert walked([(-1000, y) for y in range(700, 3500, 100)]).directions() == []


def test_who_appears_inside_the_band_counts_only_after_walking_through_it():
    assert walked(path(-200, 1500)).directions() == [AB]
    assert walked(path(200, -1500)).directions() == [BA]
    assert walked(path(-120, 1500, speed_mm=40)).directions() == [AB]
    assert walked(path(-20, 1500, speed_mm=40)).directions() == []  # so near the line nobody knows from where
    assert walked(path(100, 1500)).directions() == []
    assert walked(path(-100, -1500)).directions() == []
    assert walked(standing(100) + [None] * 3 + path(600, 1500)).directions() == []


def test_a_ghost_of_a_few_reports_is_not_counted():
    for n in range(1, 4):
        assert walked([(-400 + 800 * i // max(1, n - 1), 1800) for i in range(n)]).directions() == []
    chance = Chance(73)
    line = Line()
    for _ in range(3000):
        if chance.below(20) == 0:
            line.feed((chance.below(4000) - 2000, 700 + chance.below(2500)))
        else:
            line.feed()
    assert line.passages == []


def test_two_towards_each_other_count_once_each():
    for y in (2000, 2800):
        for first, second in ((1500, y), (y, 1500)):
            both = walked(path(-2000, 2000, y=first), path(2000, -2000, y=second))
            assert sorted(both.directions()) == [BA, AB]


def test_two_in_single_file_count_twice():
    ahead = path(-1500, 2500)
    behind = path(-2700, 2500)
    assert walked(ahead, behind).directions() == [AB, AB]


def test_slots_that_are_renumbered_change_nothing():
    a = path(-2000, 2000, y=1300)
    b = path(2000, -2000, y=1900)
    c = path(-1700, 2000, y=2500)
    chance = Chance(74)
    line = Line()
    for i in range(40):
        targets = [one[i] for one in (a, b, c) if i < len(one)]
        for k in range(len(targets) - 1, 0, -1):
            other = chance.below(k + 1)
            targets[k], targets[other] = targets[other], targets[k]
        line.feed(*targets)
    assert sorted(line.directions()) == [BA, AB, AB]


def test_each_report_goes_to_the_nearest_track_whatever_its_slot():
    line = Line()
    ahead = path(-1150, 2000)
    behind = path(-2000, 1150)
    for i in range(len(ahead)):
        line.feed(*((ahead[i], behind[i]) if i < 12 else (behind[i], ahead[i])))  # one is behind the line, one before it
    assert line.directions() == [AB, AB]


def test_a_leaving_target_renumbers_those_behind_it():
    line = Line()
    leaving = path(-2500, -1500)
    walking = path(-1800, 1800, y=2600)
    for i in range(len(walking)):
        line.feed(*([leaving[i]] if i < len(leaving) else []), walking[i])
    assert line.directions() == [AB]


def test_a_few_missed_reports_are_coasted_through():
    walk = path(-2000, 2000)
    for missing in (1, 3, 6, 9):
        for at in (10, 14, 18):
            gaps = walk[:at] + [None] * missing + walk[at + missing :]
            assert walked(gaps).directions() == [AB], (missing, at)


def test_reports_missed_again_and_again_are_coasted_through():
    slow = path(-1550, 2000, speed_mm=50)  # the eleventh is missed right behind the line
    assert walked([None if i % 3 == 2 else slow[i] for i in range(len(slow))]).directions() == [AB]


def test_a_track_that_is_lost_for_longer_is_forgotten():
    line = Line()
    for target in path(-2000, -600):
        line.feed(target)
    assert line.detector.active == 1
    for _ in range(COAST):
        line.feed()
        assert line.detector.active == 1
    line.feed()
    assert line.detector.active == 0


def test_a_missed_report_at_the_line_itself_counts_while_coasting():
    line = Line()
    for target in path(-2000, -100):
        line.feed(target)
    for _ in range(COAST):
        line.feed()
    assert line.directions() == [AB]


def test_who_walks_beside_the_pavement_is_not_counted():
    for y in (0, 250, 399, 3801, 5000, -1800):
        assert walked(path(-2000, 2000, y=y)).directions() == [], y
    for y in (400, 3800):
        assert walked(path(-2000, 2000, y=y)).directions() == [AB], y


def test_reports_beyond_55_degrees_are_ignored():
    line = Line()
    line.feed((1429, 1000))
    line.feed((-1429, 1000))
    assert line.detector.active == 0
    line.feed((1428, 1000))
    line.feed((-1428, 1000))
    assert line.detector.active == 2
    # The module shows who is just outside on the opposite side: no passage may come from that.
    mirrored = [(-2400, 1500), (2400, 1500)] * 4
    assert walked(mirrored + path(-2000, -700, y=1500) + standing(-700, y=1500)).directions() == []


def test_two_abreast_that_read_as_one_and_split_near_the_line_count_twice():
    for sign, direction in ((1, AB), (-1, BA)):
        one = path(-2000 * sign, 1500 * sign, y=1500)
        hidden = path(-2000 * sign, 1500 * sign, y=2100)
        for at in (14, 16):  # appears in the band, 180 mm before the line or 80 mm behind it
            assert walked(one, [None] * at + hidden[at:]).directions() == [direction, direction]


def test_who_appears_beside_a_walker_for_a_moment_only_was_not_hidden():
    one = path(-2000, 1500, y=1500)
    for x_from in (-180, 210):
        ghost = [(x, 2100) for x in range(x_from, x_from + 600, 130)]
        assert walked(one, [None] * ((x_from + 2000) // 130) + ghost).directions() == [AB]


def test_who_appears_beside_one_who_stands_was_not_hidden():
    for x, x_to in ((100, 1500), (-100, -1500)):
        other = [None] * 10 + path(x, x_to, y=2000)
        for beside in (-300, 300):
            assert walked(standing(beside, y=1500), other).directions() == []


def test_saturation_is_said_while_all_slots_are_taken_for_seconds():
    line = Line()
    three = [(-1000, 1000), (0, 2000), (1000, 3000)]
    for _ in range(30):
        line.feed(*three)
        assert not line.detector.is_saturated
    line.feed(*three)
    assert line.detector.is_saturated
    for _ in range(200):
        line.feed(*three)
    for _ in range(9):
        line.feed(*three[:2])
        assert line.detector.is_saturated
    line.feed(*three[:2])
    assert not line.detector.is_saturated
    for _ in range(100):
        line.feed(*three[:2])
        assert not line.detector.is_saturated


def test_any_reports_leave_a_bounded_and_working_detector():
    chance = Chance(75)
    line = Line()
    for _ in range(2000):
        line.feed(*[(chance.below(65535) - 32767, chance.below(8000) - 2000) for _ in range(chance.below(4))])
        assert 0 <= line.detector.active <= TRACKS
    for _ in range(COAST + 2):
        line.feed()
    assert line.detector.active == 0
    line.passages.clear()
    for target in path(-2000, 2000):
        line.feed(target)
    assert line.directions() == [AB]


def test_a_report_costs_no_memory():
    told = [0]

    def on_passage(ticks, direction):
        told[0] += 1

    detector = LineCrossing(NEAR, PAVEMENT, on_passage)
    targets = [0] * 9
    there = list(range(-2000, 2000, 130))
    feed = detector.feed
    feed(0, targets, 0)
    alive = gc.mem_alloc if hasattr(gc, "mem_alloc") else lambda: 0
    gc.collect()
    gc.disable()
    before = alive()
    for turn in range(20):
        for i in range(len(there)):
            targets[0] = there[i]
            targets[1] = 1500
            targets[3] = -there[i]
            targets[4] = 2600
            targets[6] = there[i]
            targets[7] = 2200
            feed(turn, targets, 1 + i % 3)
    after = alive()
    gc.enable()
    assert told[0] >= 40
    assert after == before


def test_who_stands_at_the_line_and_seems_to_wander_is_not_counted():
    # What a module says of a couple that stands there: a third of a metre to both sides, for a second or two each way.
    wander = []
    for reach in (350, -300, 420, -450, 380):
        wander += [(x, 2200) for x in range(-reach, reach, 60 if reach > 0 else -60)]
    assert walked(path(-1500, -300) + wander).directions() == []


def test_the_run_on_of_a_short_echo_is_not_counted():
    # Two reports of rain, and the module's own steps after it, each shorter than the last.
    line = Line()
    x, step = -700, 220
    for i in range(12):
        line.feed((x, 2000), speed=-16 if i else 8)
        x, step = x + step, step * 9 // 10
    for _ in range(COAST + 2):
        line.feed()
    assert line.passages == []


def abreast(x_from, x_to, apart_from, speeds=(None, None)):
    """Two walk side by side; the radar says two only from `apart_from` on."""
    line = Line()
    for x, y in path(x_from, x_to, y=1500):
        onward = x if x_to > x_from else -x
        if onward < apart_from:
            line.feed((x, y))
        else:
            line.feed((x, y), (x - 100, y + 600))
    for _ in range(COAST + 2):
        line.feed()
    return line


def test_who_was_hidden_by_a_companion_until_behind_the_line_crossed_with_him():
    for apart_from in (-900, 0, 900, 2000):
        line = abreast(-3000, 3500, apart_from)
        assert line.directions() == [AB, AB], apart_from
        assert abs(line.passages[0][0] - line.passages[1][0]) <= 300, line.passages
        assert abreast(3000, -3500, apart_from).directions() == [BA, BA], apart_from


def test_who_comes_the_other_way_was_hidden_by_nobody():
    line = Line()
    for i, (x, y) in enumerate(path(-3000, 3500, y=1500)):
        if x < 900:
            line.feed((x, y), speed=80)
        else:  # a cyclist towards him
            line.targets(((x, y, 80 - 8 * (i % 2)), (x + 200 - 40 * i % 7, y + 500, -104 - 8 * (i % 2))))
    assert line.directions() == [AB]


def test_who_is_lost_beside_a_companion_and_found_again_is_not_counted_twice():
    line = Line()
    for x, y in path(-3000, 4200, y=2900):  # the fan is wide enough to find her again
        if 700 < x < 2600:
            line.feed((x, y))
        else:
            line.feed((x, y), (x - 100, y + 600))
    assert line.directions() == [AB, AB]


def test_more_people_than_it_tells_apart_are_said_to_be_too_many():
    def street(gap_reports, crossings):
        line = Line()
        for _ in range(crossings):
            for place in path(-2000, 2000):
                line.feed(place)
            for _ in range(gap_reports):
                line.feed()
        return line

    assert not street(30, 60).detector.is_saturated  # every six seconds: 600 an hour
    assert street(1, 160).detector.is_saturated  # every three: 1100


def test_something_right_before_the_box_blocks_it():
    line = Line()
    for i in range(100):
        line.feed((30, 120))
        assert line.detector.is_blocked == (i >= 80), i
    for _ in range(40):
        line.feed()
    assert not line.detector.is_blocked
    for _ in range(300):
        line.feed((400, 700))  # somebody who stands near it does not
    assert not line.detector.is_blocked


def test_who_was_there_before_a_silence_is_not_who_is_there_after_it():
    line = Line()
    for place in path(-1500, 0):
        line.feed(place)
    line.detector.forget()
    assert line.detector.active == 0
    for place in path(0, 1500):
        line.feed(place)
    assert line.passages == []


def test_another_part_of_the_same_body_is_nobody_else():
    line = Line()
    for x, y in path(-3000, 3500, y=1500):
        line.feed(*([(x, y), (x - 100, y + 200)] if 300 < x < 2000 else [(x, y)]))
    assert line.directions() == [AB]


def test_who_stands_at_the_line_and_is_lost_is_known_again_when_going_on():
    chance = Chance(93)
    for x, onward, back in ((200, [AB], []), (-200, [AB], [])):
        for on_to, expected in ((2500, onward), (-2500, back)):
            line = Line()
            for place in path(-2500, x):
                line.feed(place)
            for _ in range(30):
                line.feed((x + chance.below(120) - 60, 1800))
            for _ in range(400):
                line.feed()
            for place in path(x, on_to)[2:]:
                line.feed(place)
            for _ in range(COAST + 2):
                line.feed()
            assert line.directions() == expected, (x, on_to)


def test_who_was_lost_at_the_line_is_not_waited_for_for_ever():
    line = Line()
    for place in path(-2500, 0) + [(0, 1800)] * 30:
        line.feed(place)
    for _ in range(590):
        line.feed()
    assert line.detector.active == 1
    for _ in range(20):
        line.feed()
    assert line.detector.active == 0
