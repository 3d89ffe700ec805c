# Two switches: the order of their rises is the direction, their hold is dead time, and a stuck one is said.

from dialect import Chance, allocated, ticks_add, ticks_diff

from node.passage.pir_pair import AB, BA, PirPair

HOLD_MS = 2000
BEAT_MS = 100
WRAP = 1 << 30


class Door:
    """The detector with the levels of both switches; time in ms from `start` ticks."""

    def __init__(self, start=0):
        self.start = start
        self.ms = 0
        self.levels = [0, 0]
        self.passages = []
        self.detector = PirPair(self._on_passage, ticks_diff, ticks_add, hold_ms=HOLD_MS)
        self.until(100)

    def _on_passage(self, ticks, direction):
        self.passages.append((ticks_diff(ticks, self.start), direction))

    def until(self, ms):
        while self.ms + BEAT_MS < ms:
            self.ms += BEAT_MS
            self.feed()
        self.ms = ms
        self.feed()

    def feed(self):
        self.detector.feed(ticks_add(self.start, self.ms), self.levels[0], self.levels[1])

    def edge(self, ms, channel, level):
        self.until(ms)
        self.levels[channel] = level
        self.feed()

    def warm(self, *stretches):
        """[(channel, from ms, to ms), ...] after now; then quiet for five seconds."""
        base = self.ms
        edges = [(base + first, channel, 1) for channel, first, _ in stretches]
        edges += [(base + last, channel, 0) for channel, _, last in stretches]
        for ms, channel, level in sorted(edges):
            self.edge(ms, channel, level)
        self.until(self.ms + 5000)
        return [direction for _, direction in self.passages]


def test_the_order_of_the_rises_is_the_direction_and_the_moment_is_between_them():
    door = Door()
    assert door.warm((0, 0, 2000), (1, 600, 2600)) == [AB]
    assert door.passages == [(400, AB)]
    door = Door()
    assert door.warm((1, 0, 2000), (0, 600, 2600)) == [BA]
    assert (AB, BA) == (1, -1)


def test_rises_too_far_apart_are_two_who_turned_back():
    assert Door().warm((0, 0, 2000), (1, 2000, 4000)) == [AB]
    assert Door().warm((0, 0, 2000), (1, 2200, 4200)) == []
    assert Door().warm((0, 0, 2000), (1, 5000, 7000)) == []


def test_one_channel_alone_is_nobody():
    assert Door().warm((0, 0, 2000), (0, 4000, 6000)) == []


def test_rises_at_once_have_no_direction():
    door = Door()
    door.until(1000)
    door.levels = [1, 1]
    door.feed()
    door.edge(1200, 1, 0)
    door.edge(1500, 1, 1)
    door.levels = [0, 0]
    door.until(5000)
    assert door.passages == []


def test_each_rise_is_used_once():
    assert Door().warm((0, 0, 400), (1, 500, 2500), (0, 900, 2900)) == [AB]


def test_the_dead_time_is_stated_and_kept():
    door = Door()
    assert door.detector.dead_ms == HOLD_MS
    # The hold ends in between and rises again while the same person leaves the view.
    assert door.warm((0, 0, 700), (1, 500, 900), (0, 1500, 2300), (1, 1900, 2400)) == [AB]
    assert Door().warm((0, 0, 700), (1, 500, 900), (0, 2600, 3300), (1, 3000, 4400)) == [AB, AB]


def test_two_abreast_a_bicycle_and_a_pram_are_one_each():
    assert Door().warm((0, 0, 2200), (1, 500, 2900)) == [AB]  # the second pair of legs only makes the hold longer
    assert Door().warm((0, 0, 2000), (1, 120, 2120)) == [AB]
    assert Door().warm((1, 0, 2900), (0, 700, 3600)) == [BA]


def test_who_stands_and_moves_before_both_counts_at_most_once():
    assert len(Door().warm((0, 0, 60000), (1, 700, 60000))) == 1


def test_saturation_is_said_after_a_minute_mostly_high():
    door = Door()
    for is_saturated, high_ms in ((False, 500), (True, 2800), (False, 500)):
        for _ in range(60):
            base = door.ms
            door.edge(base + 200, 0, 1)
            door.edge(base + 200 + high_ms, 0, 0)
            door.until(base + 3200)
        assert door.detector.is_saturated == is_saturated, high_ms


def test_a_switch_that_is_stuck_high_is_blocked_until_it_falls():
    for channel in range(2):
        door = Door()
        door.edge(1000, channel, 1)
        door.until(120000)
        assert not door.detector.is_blocked
        door.until(121100)
        assert door.detector.is_blocked
        assert door.passages == []
        door.edge(130000, channel, 0)
        door.until(131000)
        assert not door.detector.is_blocked


def test_a_switch_that_never_answers_is_blocked_until_it_does():
    door = Door()
    for i in range(20):
        assert not door.detector.is_blocked
        door.edge(5000 * i + 1000, 0, 1)
        door.edge(5000 * i + 3000, 0, 0)
    assert door.detector.is_blocked
    door.until(door.ms + 5000)
    assert door.warm((0, 0, 2000), (1, 500, 2500)) == [AB]
    assert not door.detector.is_blocked


def test_ticks_wrap_and_days_pass():
    for before in (0, 100, 300, 500, 700):
        door = Door(start=WRAP - before)
        assert door.warm((0, 0, 2000), (1, 600, 2600)) == [AB], before
        assert door.passages == [(400, AB)]
    door.start = ticks_add(door.start, 1 << 29)
    door.start = ticks_add(door.start, 1 << 28)
    door.until(door.ms + 1000)
    assert door.warm((1, 0, 2000), (0, 600, 2600)) == [AB, BA]


def test_any_levels_leave_a_working_detector():
    chance = Chance(94)
    door = Door()
    for _ in range(5000):
        door.edge(door.ms + chance.below(300), chance.below(2), chance.below(2))
    door.levels = [0, 0]
    door.until(door.ms + 10000)
    door.passages.clear()
    assert door.warm((1, 0, 2000), (0, 600, 2600)) == [BA]


def test_twenty_thousand_samples_cost_no_memory():
    told = [0]

    def on_passage(ticks, direction):
        told[0] += 1

    detector = PirPair(on_passage, ticks_diff, ticks_add)

    def pass_by(samples):
        for i in range(samples):
            detector.feed(i * BEAT_MS, 1 if i % 60 < 20 else 0, 1 if 6 <= i % 60 < 26 else 0)

    pass_by(60)
    assert allocated(lambda: pass_by(20000)) == 0
    assert told[0] > 300


def test_in_line_two_and_a_half_seconds_apart_nobody_goes_the_wrong_way():
    for apart_ms in range(2000, 3200, 100):
        door = Door()
        stretches = []
        for i in range(12):
            stretches += [(0, i * apart_ms, i * apart_ms + 1900), (1, i * apart_ms + 700, i * apart_ms + 1950)]
        assert BA not in door.warm(*stretches), apart_ms
