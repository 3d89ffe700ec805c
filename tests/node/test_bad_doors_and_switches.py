# Whatever a door's bus and the switches' pins say while nobody comes: nobody is told, no poll fails, and health says so.

from attack import FLAGGED_MS, Watched
from dialect import Chance

from node.counters.door import Door
from node.counters.switches import Switches

IDLE_MM = 2400
COMPLETE, PHASE = 9, 4  # the device's codes of a valid range and of none
_CONTENT = {0x010F: b"\xea\xcc", 0x00E5: b"\x01", 0x0031: b"\x00", 0x0006: b"\x80\x00"}


def result(mm, status=COMPLETE):
    raw = mm * 2048 // 2011
    return bytes([status]) + bytes(12) + bytes([raw >> 8 & 255, raw & 255]) + bytes(2)


class Bus:
    """A VL53L1X that is always ready. `answer(register, content)` is what arrives of it and may raise; `result_of(zone)`."""

    def __init__(self):
        self.answer = lambda register, content: content
        self.result_of = lambda zone: result(IDLE_MM)
        self._register = 0
        self._zone = 0

    def writeto(self, address, data):
        self.answer(0, b"")
        self._register = data[0] << 8 | data[1]
        if self._register == 0x007F:
            self._zone = int(data[2] == 231)
        return len(data)

    def readfrom_into(self, address, buffer):
        content = self.result_of(self._zone) if self._register == 0x0089 else _CONTENT.get(self._register, b"")
        buffer[:] = self.answer(self._register, content + bytes(len(buffer) - len(content)))


def no_change(ms):
    pass


def door_flags(spoil, learnt_s, seconds=12):
    """A door that `spoil(bus)` makes wrong after so long; what its health says after that."""
    bus = Bus()
    if not learnt_s:
        spoil(bus)
    door = Watched(Door, (bus, 0x29)).run(learnt_s, no_change)
    assert door.forget() == []
    if learnt_s:
        spoil(bus)
    door.run(seconds, no_change)
    assert door.told == []
    assert door.first_flags()[0] <= FLAGGED_MS
    return door.last_flags()


def both_ways(spoil, name):
    for learnt_s in (0, 15):
        assert name in door_flags(spoil, learnt_s), learnt_s


def answering(answer):
    def spoil(bus):
        bus.answer = answer

    return spoil


def measuring(result_of):
    def spoil(bus):
        bus.result_of = result_of

    return spoil


def nobody(register, content):
    raise OSError(19)


def test_a_good_door_with_nobody_under_it_is_covered():
    door = Watched(Door, (Bus(), 0x29)).run(15, no_change)
    assert door.flags == door.told == []
    assert sum(door.covered) == 15


def test_a_bus_on_which_nobody_answers_is_silent():
    both_ways(answering(nobody), "counter_silent")


def test_a_bus_that_is_stuck_is_flagged():
    both_ways(answering(lambda register, content: bytes(len(content))), "counter_silent")
    both_ways(answering(lambda register, content: b"\xff" * len(content)), "counter_silent")


def test_a_bus_of_noise_is_flagged():
    chance = Chance(5)
    noise = answering(lambda register, content: chance.bytes(len(content)))
    assert door_flags(noise, 0)[0] in ("counter_silent", "counter_garbled")
    both_ways(measuring(lambda zone: result(chance.below(9000), chance.below(32))), "counter_garbled")


def test_another_parts_number_is_never_set_up():
    other = lambda register, content: b"\xee\xaa" if register == 0x010F else content  # noqa: E731
    assert door_flags(answering(other), 0) == ["counter_silent"]


def test_a_part_that_never_boots_or_never_ends_a_measurement_is_silent():
    asleep = lambda register, content: b"\x00" if register == 0x00E5 else content  # noqa: E731
    assert door_flags(answering(asleep), 0) == ["counter_silent"]
    both_ways(answering(lambda register, content: b"\x01" if register == 0x0031 else content), "counter_silent")


def test_a_zone_that_never_sees_is_blocked():
    both_ways(measuring(lambda zone: result(IDLE_MM, PHASE if zone else COMPLETE)), "blocked")
    both_ways(measuring(lambda zone: result(IDLE_MM, PHASE)), "blocked")


def test_ranges_and_codes_that_the_part_cannot_have_are_flagged():
    for wrong in (result(0), result(9000), b"\x09" + b"\xff" * 16, result(IDLE_MM, 31)):
        assert door_flags(measuring(lambda zone: wrong), 0, 13)[0][:8] == "counter_"  # noqa: B023  called at once
        assert door_flags(measuring(lambda zone: wrong), 15)[0][:8] == "counter_"  # noqa: B023  called at once


def test_something_near_that_stays_is_blocked():
    for mm in (100, 1000):
        assert "blocked" in door_flags(measuring(lambda zone: result(mm if zone else IDLE_MM)), 15)  # noqa: B023  called at once
        assert "blocked" in door_flags(measuring(lambda zone: result(mm)), 15)  # noqa: B023  called at once


class Switch:
    def __init__(self):
        self.level = 0

    def irq(self, handler, trigger):
        self._handler = handler

    def value(self):
        return self.level

    def set(self, level):
        if level != self.level:
            self.level = level
            self._handler(self)


def switched(change, seconds):
    """`change(ms, pins)` ten times between two polls."""
    pins = (Switch(), Switch())
    return Watched(Switches, (pins, 3)).run(seconds, lambda ms: [change(ms + i, pins) for i in range(-100, 0, 10)])


def test_switches_at_rest_are_covered():
    switches = switched(lambda ms, pins: None, 20)
    assert switches.flags == switches.told == []
    assert sum(switches.covered) == 20


def test_mains_hum_on_one_wire_or_both_is_garbled_and_tells_nobody():
    def one(ms, pins):
        pins[0].set(ms // 10 % 2)

    def both(ms, pins):
        pins[0].set(ms // 10 % 2)
        pins[1].set(ms // 10 % 2)

    def opposed(ms, pins):
        pins[0].set(ms // 10 % 2)
        pins[1].set(1 - ms // 10 % 2)

    for hum in (one, both, opposed):
        switches = switched(hum, 20)
        assert switches.told == []
        assert switches.first_flags()[0] <= FLAGGED_MS
        assert switches.last_flags() == ["counter_garbled"]
        assert sum(switches.covered) == 0


def test_noise_of_hundreds_of_edges_a_second_is_garbled_and_tells_nobody():
    for a_step in (3, 10, 40):
        chance = Chance(a_step)

        def noise(ms, pins):
            for _ in range(a_step):  # noqa: B023  called at once
                pins[chance.below(2)].set(chance.below(2))  # noqa: B023  called at once

        switches = switched(noise, 20)
        assert switches.told == []
        assert switches.first_flags()[0] <= FLAGGED_MS
        assert "counter_garbled" in switches.last_flags()


def test_one_of_two_dead_tells_nobody_and_is_blocked_in_the_end():
    def one(ms, pins):
        pins[0].set(int(ms % 8000 < 2000))

    switches = switched(one, 200)
    assert switches.told == []
    assert switches.last_flags() == ["blocked"]


def test_one_stuck_high_tells_nobody_and_is_blocked_in_the_end():
    def high(ms, pins):
        pins[0].set(1)

    switches = switched(high, 130)
    assert switches.told == []
    assert "blocked" in switches.last_flags()
