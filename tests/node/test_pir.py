# The switches' edges: queued by an interrupt, told in order with the tick of each, and right again after any loss.

from dialect import allocated, ticks_add

from node.sensors.pir import RING, STORM_EDGES, Pir

BOTH_EDGES = 3


class Pin:
    """A pin whose level a test sets; `is_quiet` sets it without an interrupt."""

    def __init__(self):
        self.level = 0
        self.handler = None
        self.trigger = 0

    def irq(self, handler, trigger):
        self.handler = handler
        self.trigger = trigger

    def value(self):
        return self.level

    def set(self, level, is_quiet=False):
        self.level = level
        if not is_quiet:
            self.handler(self)


class Switches:
    """The part with its pins, and what it told as [(ticks, level 0, level 1), ...]."""

    def __init__(self):
        self.pins = (Pin(), Pin())
        self.now = 0
        self.part = Pir(self.pins, BOTH_EDGES, lambda: self.now)
        self.part.set_up()
        self.told = []

    def edge(self, at, channel, level):
        self.now = at
        self.pins[channel].set(level)

    def poll(self, now):
        self.now = now
        return self.part.poll(now, self._on_sample, ticks_add)

    def _on_sample(self, ticks):
        self.told.append((ticks, self.part.levels[0], self.part.levels[1]))


def test_edges_are_told_in_order_with_their_ticks_and_then_the_levels_as_of_now():
    switches = Switches()
    switches.edge(100, 1, 1)
    switches.edge(130, 0, 1)
    switches.edge(150, 1, 0)
    assert switches.poll(200) == 4
    assert switches.told == [(100, 0, 1), (130, 1, 1), (150, 1, 0), (200, 1, 0)]
    assert [pin.trigger for pin in switches.pins] == [BOTH_EDGES, BOTH_EDGES]


def test_without_an_edge_the_levels_are_told_once():
    switches = Switches()
    assert switches.poll(100) == 1
    assert switches.poll(200) == 1
    assert switches.told == [(100, 0, 0), (200, 0, 0)]
    assert switches.part.frames == 2


def test_a_level_at_the_start_and_an_edge_that_was_lost_show_as_of_now():
    switches = Switches()
    switches.pins[0].set(1, is_quiet=True)
    switches.poll(100)
    assert switches.told == [(100, 1, 0)]


def rattle(switches, at, edges):
    for i in range(edges):
        switches.edge(at + i, i // 2 % 2, 1 - i % 2)


def test_more_edges_than_a_hold_time_allows_are_refused_until_it_has_been_calm_for_a_second():
    switches = Switches()
    rattle(switches, 0, STORM_EDGES + 1)
    assert switches.poll(100) == 0
    assert switches.part.rejected_bytes == STORM_EDGES + 1
    assert [switches.poll(100 * i) for i in range(2, 8)] == [0] * 6
    switches.edge(800, 0, 1)
    assert [switches.poll(100 * i) for i in range(9, 20)] == [0] * 10 + [1]
    assert switches.part.rejected_bytes == STORM_EDGES + 2
    assert switches.told == [(1900, 1, 0)]


def test_as_many_edges_as_a_hold_time_allows_are_told():
    switches = Switches()
    rattle(switches, 0, STORM_EDGES)
    assert switches.poll(100) == STORM_EDGES + 1
    assert switches.part.rejected_bytes == 0


def test_a_storm_longer_than_the_ring_is_counted_in_full():
    switches = Switches()
    rattle(switches, 0, 10 * RING)
    assert switches.poll(1000) == 0
    assert switches.part.rejected_bytes == 10 * RING
    assert switches.told == []


def test_the_ring_turns_round():
    switches = Switches()
    for i in range(5 * RING):
        switches.edge(10 * i, i % 2, i // 2 % 2)
        switches.poll(10 * i + 5)
    assert switches.part.rejected_bytes == 0
    assert [ticks for ticks, _, _ in switches.told[::2]] == [10 * i for i in range(5 * RING)]


def test_twenty_thousand_edges_cost_no_memory():
    switches = Switches()
    part = switches.part

    def on_sample(ticks):
        pass

    def flicker(times):
        for i in range(times):
            switches.edge(i, i & 1, i >> 1 & 1)
            part.poll(i, on_sample, ticks_add)

    flicker(10)
    assert allocated(lambda: flicker(20000)) == 0
