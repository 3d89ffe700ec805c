# What no part can be blamed for: scenes and readings that are nobody, told to the detectors as they come.

from attack import FLAGGED_MS, Watched
from dialect import Chance
from test_bad_doors_and_switches import IDLE_MM, Bus, no_change, result, switched
from test_bad_lidar import A_POLL, WALL, attacked, is_flagged, reading

from node.counters.door import Door


def test_what_is_so_wide_that_it_enters_both_beams_at_once_is_nobody():
    def wide(chance, ms):
        return reading(1500) * A_POLL if ms % 500 < 200 else WALL

    attacked(wide, wide, 60)


def test_a_range_beyond_the_lidars_reach_is_no_echo():
    far = lambda chance, ms: reading(655350) * A_POLL  # noqa: E731
    is_flagged("blocked", far, far)


def test_a_valid_outlier_now_and_then_is_nobody_at_a_door():
    chance, bus = Chance(2), Bus()
    door = Watched(Door, (bus, 0x29)).run(15, no_change)
    bus.result_of = lambda zone: result(300 + chance.below(2000) if chance.below(100) < 2 else IDLE_MM)
    assert len(door.run(60, no_change).told) <= 1


def test_a_door_zone_that_ends_on_something_near_from_the_start_is_blocked():
    for mm in (100, 600, 1000):
        bus = Bus()
        bus.result_of = lambda zone: result(mm if zone else IDLE_MM)  # noqa: B023  called at once
        door = Watched(Door, (bus, 0x29)).run(12, no_change)
        assert door.first_flags()[0] <= FLAGGED_MS
        assert door.last_flags() == ["blocked"]


def test_switches_that_rise_in_the_same_millisecond_are_nobody():
    def both(ms, pins):
        pins[0].set(int(ms % 8000 < 2000))
        pins[1].set(int(ms % 8000 < 2000))

    assert switched(both, 60).told == []
