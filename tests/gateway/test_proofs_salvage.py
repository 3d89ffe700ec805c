"""gateway.proofs: people of whom only live totals tell get into the minute in which they were told, once."""

from __future__ import annotations

import pytest

from gateway.model import Q_NODE_RESET, Q_SIMULATED, Q_TIME_UNKNOWN, Loss, Salvage
from tests.gateway.parts import RATE, T0, Desk, climb, hello, live, losses, minute, of_kind, rules, salvaged


def test_what_live_totals_told_of_an_ended_boot_goes_into_the_minute_in_which_they_told_it(desk):
    desk.hear(minute(1, T0, 3, 2), T0 + 61)
    desk.hear(live(1, 90, 7, 3, covered_s=30), T0 + 90)
    first = desk.hear(minute(256, T0 + 120, 1, previous=1, boot=2), T0 + 181)
    assert salvaged(first) == [(60, 4, 1, 30)]
    assert desk.counts() == {T0: (3, 2), T0 + 60: (4, 1), T0 + 120: (1, 0)}
    assert salvaged(desk.hear(minute(512, T0 + 180, previous=256, boot=3), T0 + 241)) == []


def test_a_reset_in_mid_minute_leaves_the_sum_of_both_halves_and_of_their_seconds_in_one_bin(desk):
    desk.hear(live(1, 20, 5, 1, covered_s=20), T0 + 20)
    desk.hear(hello(boot=2), T0 + 25)
    desk.hear(minute(256, T0, 7, 2, previous=0, boot=2, uptime_end_s=35, covered_s=35), T0 + 61)
    assert desk.counts() == {T0: (12, 3)}
    assert desk.covered() == {T0: (55, Q_NODE_RESET)}


def test_a_salvaged_minute_is_covered_for_as_long_as_was_told_and_never_for_more_than_a_minute(desk):
    desk.hear(live(1, 50, 5, covered_s=50), T0 + 50)
    desk.hear(hello(boot=2), T0 + 52)
    desk.hear(minute(256, T0, previous=0, boot=2, uptime_end_s=14, covered_s=14), T0 + 66)
    assert desk.covered() == {T0: (60, Q_NODE_RESET)}
    silent_about_it = Desk()
    silent_about_it.hear(hello(), T0)
    silent_about_it.hear(live(1, 50, 5), T0 + 50)
    silent_about_it.hear(minute(256, T0 + 60, previous=0, boot=2), T0 + 121)
    assert silent_about_it.covered()[T0] == (0, Q_NODE_RESET | Q_TIME_UNKNOWN)


def test_live_totals_older_than_the_record_salvage_nobody(desk):
    desk.hear(live(1, 50, 3, 2), T0 + 50)
    desk.hear(minute(1, T0, 4, 2), T0 + 61)
    assert salvaged(desk.hear(minute(256, T0 + 60, previous=1, boot=2), T0 + 121)) == []


def test_a_live_message_that_comes_late_or_twice_takes_nothing_back(desk):
    for uptime_s, people in ((10, 1), (30, 4), (20, 2), (30, 4), (10, 1)):
        desk.hear(live(1, uptime_s, people, covered_s=uptime_s), T0 + 30)
    first = desk.hear(minute(256, T0 + 60, previous=0, boot=2), T0 + 121)
    assert salvaged(first) == [(0, 4, 0, 30)]
    assert losses(first) == [("power_cut", -1, RATE * 32 // 60)]


def test_live_totals_within_a_boot_are_not_salvaged(desk):
    desk.hear(minute(1, T0, 3, 2), T0 + 61)
    desk.hear(live(1, 90, 7, 3), T0 + 90)
    effects = desk.hear(minute(2, T0 + 60, 4, 1, total=(7, 3)), T0 + 121)
    assert (salvaged(effects), losses(effects), desk.counts()) == ([], [], {T0: (3, 2), T0 + 60: (4, 1)})


def test_live_totals_wrap_too(desk):
    climb(desk, 2**27 - 1, 2**28 - 2)
    desk.hear(live(1, 90, 1, 0), T0 + 90)
    assert [people for _, *people, _ in salvaged(desk.hear(minute(256, T0 + 60, previous=2, boot=2), T0 + 121))] == [[3, 0]]


def test_live_totals_of_the_other_direction_wrap_as_well(desk):
    for seq, total in enumerate((2**27 - 1, 2**28 - 2), 1):
        desk.hear(minute(seq, T0, total=(0, total)), T0 + 61)
    desk.hear(live(1, 90, 0, 1), T0 + 90)
    assert [people for _, *people, _ in salvaged(desk.hear(minute(256, T0 + 60, previous=2, boot=2), T0 + 121))] == [[0, 3]]


def test_a_boot_of_which_no_live_message_came_tells_nobody_however_near_its_totals_are_to_the_wrap(desk):
    desk.hear(minute(1, T0, 3, total=(2**28 - 1, 2**28 - 2)), T0 + 61)
    assert salvaged(desk.hear(minute(256, T0 + 120, previous=1, boot=2), T0 + 181)) == []


def test_each_of_several_quick_resets_gives_what_it_told(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    for boot, at_s, people in ((2, 70, 5), (3, 85, 2), (4, 100, 1)):
        desk.hear(hello(boot=boot, next_seq=256), T0 + at_s)
        desk.hear(live(boot, 10, people, covered_s=10), T0 + at_s + 10)
    desk.hear(hello(boot=5), T0 + 115)
    first = desk.hear(minute(512, T0 + 60, 4, previous=1, boot=5, uptime_end_s=5, covered_s=5), T0 + 121)
    assert salvaged(first) == [(60, 5, 0, 10), (60, 2, 0, 10), (60, 1, 0, 10)]
    assert desk.counts()[T0 + 60] == (12, 0)
    assert desk.covered()[T0 + 60] == (35, Q_NODE_RESET)


def test_boots_of_which_records_may_come_are_not_ended(desk):
    # Boots 2 and 3 were heard live while boot 1's records were still on their way.
    desk.hear(minute(1, T0, 3), T0 + 61)
    for boot in (2, 3):
        desk.hear(live(boot, 20, 4, 0), T0 + 95)
    assert salvaged(desk.hear(minute(2, T0 + 60, 1, total=(4, 0)), T0 + 121)) == []
    for seq, boot in ((256, 2), (512, 3)):
        effects = desk.hear(minute(seq, T0 + 60 * boot, 4, previous=seq - 256 or 2, boot=boot, total=(4, 0)), T0 + 300)
        assert salvaged(effects) == []
    assert sum(ab for ab, _ in desk.counts().values()) == 12


def test_people_of_a_simulated_node_are_marked_when_they_are_salvaged():
    desk = Desk()
    desk.hear(hello(platform="unix"), T0)
    desk.hear(live(1, 20, 5, covered_s=20), T0 + 20)
    desk.hear(minute(256, T0 + 60, previous=0, boot=2), T0 + 121)
    assert desk.covered()[T0][1] == Q_NODE_RESET | Q_SIMULATED


def test_salvaged_people_belong_to_the_site_where_the_node_stood_then():
    desk = Desk(rules_=rules(site_of=lambda _name, at_s: "jahnplatz" if at_s >= T0 + 3600 else "bahnhof"))
    desk.hear(hello(), T0)
    desk.hear(live(1, 20, 5), T0 + 20)
    effects = desk.hear(minute(256, T0 + 7200, previous=0, boot=2), T0 + 7261)
    assert [(found.site, found.bin_start) for found in of_kind(effects, Salvage)] == [("bahnhof", T0)]
    assert [loss.site for loss in of_kind(effects, Loss)] == ["bahnhof"]


def test_a_salvaged_minute_is_never_later_than_the_record_of_the_boot_that_followed(desk):
    desk.hear(live(1, 20, 5), T0 + 20)
    first = desk.hear(minute(256, T0 - 120, previous=0, boot=2), T0 + 121)  # the node's own clock was behind
    assert salvaged(first) == [(-120, 5, 0, 0)]


# -- what is not believed


@pytest.mark.parametrize(("first_heard_s", "people"), [(0, [5]), (62, [5]), (63, []), (3600, [])])
def test_of_a_boot_without_a_record_only_what_was_heard_from_its_first_minute_on_is_salvaged(first_heard_s, people):
    desk = Desk()
    desk.hear(hello(uptime_s=first_heard_s), T0 + first_heard_s)
    desk.hear(live(1, first_heard_s + 10, 5), T0 + first_heard_s + 10)
    desk.hear(hello(), T0 + 7200)  # what is known of boots is committed with it
    desk.restart()
    assert [ab for _, ab, _, _ in salvaged(desk.hear(minute(256, T0 + 7200, previous=0, boot=2), T0 + 7261))] == people


def test_of_a_boot_that_was_heard_late_a_record_tells_how_many_are_in_records():
    desk = Desk()
    desk.hear(hello(uptime_s=3600), T0)
    desk.hear(minute(60, T0 - 60, 3, previous=0, total=(300, 0), uptime_end_s=3590), T0 + 1)
    desk.hear(live(1, 3620, 305, covered_s=30), T0 + 20)
    assert salvaged(desk.hear(minute(256, T0 + 120, previous=60, boot=2), T0 + 181)) == [(0, 5, 0, 30)]


@pytest.mark.parametrize(("people", "is_believed"), [(RATE * 82 // 60, True), (RATE * 82 // 60 + 1, False)])
def test_more_people_than_can_have_passed_are_not_salvaged(desk, people, is_believed):
    desk.hear(live(1, 20, people), T0 + 20)
    effects = desk.hear(minute(256, T0 + 120, previous=0, boot=2), T0 + 181)
    assert bool(salvaged(effects)) is is_believed
