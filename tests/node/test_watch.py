# Is what counts at work: what seconds are like, what is told of them, and when the part is set up again.

import streetwire
from node.sensors.refused import REJECTED_MASK
from node.watch import SET_UP_S, SURE_S, Watch


class Counter:
    poll_ms = 100
    quiet_samples = 5
    most_samples = 100
    sample_bytes = 30
    is_saturated = False
    is_blocked = False

    def __init__(self, is_set_up=True):
        self.rejected_bytes = 0
        self.is_set_up = is_set_up
        self.set_ups = 0
        self.samples = 10

    def set_up(self):
        self.set_ups += 1

    def forget(self):
        self.is_set_up = False

    def poll(self, now_ticks):
        return self.samples


class Bench:
    def __init__(self, counter=None):
        self.counter = counter or Counter()
        self.lines = []
        self.watch = Watch(self.counter, "radar", lambda level, text: self.lines.append((level, text)))

    def second(self, samples=10, rejected=0):
        self.counter.samples = samples
        self.counter.rejected_bytes += rejected
        self.watch.poll(0)
        return self.watch.end_second()


def test_a_second_is_covered_from_so_many_samples_on():
    bench = Bench()
    assert [bench.second(samples) for samples in (10, 5, 4, 0, 10)] == [True, True, False, False, True]


def test_a_second_with_more_bytes_refused_than_taken_is_not_covered():
    bench = Bench()
    assert bench.second(10, 300)
    assert not bench.second(10, 301)
    assert not bench.second(0, 1)


def test_a_second_with_more_samples_than_a_part_can_tell_is_garbled():
    bench = Bench()
    assert bench.second(100)
    assert not bench.second(101)
    for _ in range(SURE_S):
        bench.second(101)
    assert bench.lines == [(4, "radar: garbled")]


def test_a_count_of_refused_bytes_may_begin_anew():
    counter = Counter()
    counter.rejected_bytes = REJECTED_MASK - 100
    bench = Bench(counter)
    bench.second()
    counter.rejected_bytes = 20
    assert bench.second()
    counter.rejected_bytes = REJECTED_MASK
    bench.second()
    counter.rejected_bytes = 301
    assert not bench.second()


def test_a_state_is_told_once_it_is_sure_and_only_then():
    bench = Bench()
    for _ in range(SURE_S - 1):
        bench.second(0)
    bench.second()
    assert bench.lines == []
    for _ in range(100):
        bench.second(0)
    assert bench.lines == [(4, "radar: silent")]
    assert bench.watch.health == streetwire.HEALTH["counter_silent"]
    for _ in range(100):
        bench.second(1, 500)
    for _ in range(100):
        bench.second()
    assert bench.lines[1:] == [(4, "radar: garbled"), (6, "radar: good")]
    assert bench.watch.health == 0


def test_a_part_that_comes_and_goes_is_flagged_and_does_not_flood_the_log():
    for period, bad in ((3, 2), (4, 2), (4, 3), (8, 5)):
        bench = Bench()
        for i in range(1000):
            bench.second(0 if i % period < bad else 10)
        assert bench.lines == ([(4, "radar: silent")] if bad * 2 > period else []), (period, bad)
        for _ in range(20):
            bench.second()
        assert bench.watch.health == 0


def test_what_a_silent_part_said_last_is_no_news():
    counter = Counter()
    bench = Bench(counter)
    counter.is_saturated = counter.is_blocked = True
    bench.second()
    assert bench.watch.is_saturated
    assert bench.watch.is_blocked
    for _ in range(SURE_S):
        bench.second(0)
    assert not bench.watch.is_saturated
    assert not bench.watch.is_blocked
    assert bench.watch.health == streetwire.HEALTH["counter_silent"]


def test_what_is_not_set_up_is_set_up_again_but_not_more_often_than_that():
    bench = Bench(Counter(is_set_up=False))
    bench.watch.set_up()
    for _ in range(3 * SET_UP_S):
        bench.second()
    assert bench.counter.set_ups == 1 + 3


def test_what_was_silent_for_a_second_is_set_up_again_at_once():
    bench = Bench()
    bench.watch.set_up()
    for _ in range(SET_UP_S):
        bench.second()
    assert bench.counter.set_ups == 1
    bench.second(0)
    assert bench.counter.set_ups == 2


def test_what_the_detector_says_is_health_and_blocked_is_not_covered():
    bench = Bench()
    bench.counter.is_saturated = True
    assert bench.second()
    bench.counter.is_blocked = True
    assert not bench.second()
    assert bench.watch.health == streetwire.HEALTH["saturated"] | streetwire.HEALTH["blocked"]
