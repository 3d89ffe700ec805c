"""gateway.proofs: what is missing is proved from totals, and bounded by time; to the person."""

from __future__ import annotations

import pytest

from gateway import proofs
from gateway.model import Moment
from tests.gateway.parts import A_MINUTE, RATE, T0, Desk, acked, climb, gaps, hello, live, losses, minute, salvaged

# -- records that are gone: exact, from totals


def test_totals_that_fit_prove_that_nothing_is_missing(desk):
    assert losses(desk.hear(minute(1, T0, 3, 2, total=(3, 2)), T0 + 61)) == []
    assert losses(desk.hear(minute(9, T0 + 60, 1, 0, previous=1, total=(4, 2)), T0 + 121)) == []


def test_a_hole_in_the_totals_is_exactly_as_many_people_as_they_say(desk):
    desk.hear(minute(1, T0, 3, 2, total=(3, 2)), T0 + 61)
    assert losses(desk.hear(minute(9, T0 + 600, 1, 1, previous=0, total=(14, 5)), T0 + 661)) == [("given_up", 12, 12)]


def test_a_hole_before_the_first_record_of_a_boot_is_found_too(desk):
    assert losses(desk.hear(minute(9, T0 + 600, 1, previous=0, total=(14, 5)), T0 + 661)) == [("given_up", 18, 18)]


@pytest.mark.parametrize("missing", [(1, 0), (0, 1), (0, 7), (7, 0), (3, 4)])
def test_a_hole_in_one_direction_is_a_hole(missing):
    desk = Desk()
    desk.hear(hello(boot=5), T0)
    first = desk.hear(minute(9, T0 + 600, 1, 1, previous=0, boot=5, total=(1 + missing[0], 1 + missing[1])), T0 + 661)
    assert losses(first) == [("given_up", sum(missing), sum(missing))]


def test_a_hole_is_told_once_and_survives_a_restart_of_the_gateway(desk):
    desk.hear(minute(1, T0, 3, total=(3, 0)), T0 + 61)
    desk.restart()
    holed = minute(5, T0 + 300, 1, previous=0, total=(10, 0))
    assert losses(desk.hear(holed, T0 + 361)) == [("given_up", 6, 6)]
    assert losses(desk.hear(holed, T0 + 362)) == []
    assert losses(desk.hear(minute(6, T0 + 360, 1, total=(11, 0)), T0 + 421)) == []


def test_totals_wrap_at_28_bits(desk):
    climb(desk, 2**27 - 1, 2**28 - 2)
    assert losses(desk.hear(minute(3, T0 + 60, 5, 3, total=(3, 3)), T0 + 121)) == []
    assert losses(desk.hear(minute(9, T0 + 600, 1, 0, previous=3, total=(6, 3)), T0 + 661)) == [("given_up", 2, 2)]


def test_a_hole_across_the_wrap(desk):
    climb(desk, 2**27 - 1, 2**28 - 3)
    assert losses(desk.hear(minute(9, T0 + 600, 1, previous=0, total=(5, 0)), T0 + 661)) == [("given_up", 7, 7)]


def test_totals_that_go_back_are_no_hole_but_another_node(desk):
    desk.hear(minute(1, T0, 3, 2, total=(300, 200)), T0 + 61)
    for backwards in ((299, 201), (301, 199), (5, 5)):
        assert acked(desk.hear(minute(2, T0 + 60, 0, 0, total=backwards), T0 + 121)) is None
    assert acked(desk.hear(minute(2, T0 + 60, 0, 0, total=(300, 200)), T0 + 121)) == 2


@pytest.mark.parametrize(("seq", "total"), [(1, (0, 0)), (99, (2**27 + 5, 0)), (99, (0, 2**28 - 1))])
def test_totals_that_make_no_sense_prove_nothing_of_a_node_that_is_new_here_and_are_refused_of_one_that_is_known(desk, seq, total):
    absurd = minute(seq, T0, 5, 0, previous=0, total=total)
    first = desk.hear(absurd, T0 + 61)
    assert (acked(first), losses(first), desk.counts()) == (seq, [], {T0: (5, 0)})
    following = minute(seq + 1, T0 + 60, 5, 0, boot=2, total=total)
    assert acked(desk.hear(following, T0 + 121)) is None
    assert desk.counts() == {T0: (5, 0)}


def test_losses_of_an_hour_add_up_in_one_row_whose_revision_rises(desk):
    for n in range(1, 4):
        desk.hear(minute(10 * n, T0 + 60 * n, 1, previous=0, total=(5 * n, 0)), T0 + 400)
    assert desk.facts("losses") == {T0: {"people": 12, "bound": 12, "rev": 2}}


# -- people of whom nothing tells: bounded by time


def cut(desk, *, live_s=90, began_s=None) -> list[tuple[str, int, int]]:
    """A record that ends at uptime 60, a live message later in that boot, then a new boot; the losses."""
    desk.hear(minute(1, T0, 3), T0 + 61)
    if live_s:
        desk.hear(live(1, live_s, 3), T0 + live_s)
    if began_s:
        desk.hear(hello(boot=2), T0 + began_s)
    return losses(desk.hear(minute(256, T0 + 600, previous=1, boot=2), T0 + 661))


@pytest.mark.parametrize(("live_s", "seconds"), [(0, 62), (60, 62), (61, 61), (90, 32), (121, 1)])
def test_at_most_the_rest_of_the_open_minute_was_counted_unseen(desk, live_s, seconds):
    assert cut(desk, live_s=live_s) == [("power_cut", -1, RATE * seconds // 60)]


@pytest.mark.parametrize(("began_s", "seconds"), [(90, 2), (100, 12), (100.001, 13), (119, 31), (120, 32), (500, 32)])
def test_no_longer_than_until_the_next_boot_began(desk, began_s, seconds):
    assert cut(desk, began_s=began_s) == [("power_cut", -1, RATE * seconds // 60)]


def test_a_minute_that_its_flash_did_not_take_hides_no_more_than_lies_between_two_live_messages(desk):
    assert cut(desk, live_s=150) == [("power_cut", -1, RATE * 18 // 60)]


def test_a_bound_is_rounded_up():
    assert proofs.Place("s", 0, 7, lambda _: "s").people_in(32) == 4  # 3.73
    assert proofs.Place("s", 0, 60, lambda _: "s").people_in(32) == 32


def test_a_boot_of_which_nothing_was_heard_can_have_hidden_one_minute(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    first = desk.hear(minute(768, T0 + 600, previous=1, boot=4), T0 + 661)  # boots 2 and 3 never spoke
    assert losses(first) == [("power_cut", -1, 3 * A_MINUTE)]


def test_boots_of_which_nothing_was_heard_hide_no_more_than_the_time_they_had(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    desk.hear(hello(boot=4), T0 + 90)
    first = desk.hear(minute(768, T0 + 600, previous=1, boot=4), T0 + 661)
    assert losses(first) == [("power_cut", -1, RATE * 32 // 60)]  # 90 s, less the 60 s of the record, and the margin


def test_boots_of_which_nothing_was_heard_begin_no_earlier_than_the_one_before_them_was_heard(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    desk.hear(live(1, 90, 3), T0 + 90)
    desk.hear(hello(boot=4), T0 + 95)
    first = desk.hear(minute(768, T0 + 600, previous=1, boot=4), T0 + 661)
    assert losses(first) == [("power_cut", -1, RATE * 7 // 60)]


def test_without_a_tie_of_both_boots_no_time_shortens_a_bound():
    eight, five = Moment(8000, 0), Moment(5000, 0)
    assert [proofs._until(began, epoch, 1, 61) for began, epoch in ((None, None), (None, five), (five, None))] == [61] * 3
    assert proofs._until(eight, five, 1, 61) == 4


def test_a_clock_that_was_set_back_while_nobody_listened_shortens_no_bound():
    for machine, seconds in ((5, 37), (6, 62), (0, 62)):  # the same run of the machine, another, and nobody knows
        desk = Desk()
        desk.store.keep_ties(5)
        desk.hear(hello(), T0, steady_s=1000)
        desk.hear(minute(1, T0, 3), T0 + 61, steady_s=1061)
        desk.store.keep_ties(machine)
        desk.restart()  # the node counts for 30 s more and is off for 5; then the clock is 20 s behind
        steady_s = 1095 if machine == 5 else 1080  # a machine that was started again has another
        desk.hear(hello(boot=2), T0 + 75, steady_s=steady_s)
        first = desk.hear(minute(256, T0 + 60, previous=1, boot=2), T0 + 136, steady_s=steady_s + 61)
        assert losses(first) == [("power_cut", -1, RATE * seconds // 60)]


def test_each_of_several_quick_resets_hides_what_lies_before_the_next(desk):
    desk.hear(minute(1, T0, 3), T0 + 60)
    for boot, at_s in ((2, 70), (3, 85)):
        desk.hear(hello(boot=boot), T0 + at_s)
        desk.hear(live(boot, 10), T0 + at_s + 10)
    desk.hear(hello(boot=4), T0 + 100)
    first = desk.hear(minute(512, T0 + 60, previous=1, boot=4), T0 + 121)
    # 60 to 70, 80 to 85, 95 to 100, each with its margin of 2 s
    assert losses(first) == [("power_cut", -1, RATE * seconds // 60) for seconds in (12, 7, 7)]


def test_each_of_several_boots_is_flagged_in_the_hour_in_which_it_ended(desk):
    desk.hear(minute(1, T0 + 3480, 3), T0 + 3541)
    desk.hear(live(1, 3590, 9, covered_s=50), T0 + 3590)
    desk.hear(hello(boot=2), T0 + 3605)
    desk.hear(live(2, 15, 5, covered_s=15), T0 + 3620)
    desk.hear(minute(512, T0 + 3660, previous=1, boot=3), T0 + 3721)
    hours = {hour - T0: fields["bound"] for hour, fields in desk.facts("losses").items()}
    assert hours == {0: RATE * 17 // 60, 3600: RATE * 47 // 60}


def test_a_node_whose_first_boot_delivered_nothing_was_dark_until_the_next_did(desk):
    first = desk.hear(minute(1, T0 + 7200, boot=2), T0 + 7261)
    assert gaps(first) == [("dark", 0, 7200, RATE * 120)]


def test_a_boot_that_began_after_a_long_darkness_hides_one_minute_and_no_more(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    desk.hear(hello(boot=2), T0 + 86_400)
    desk.hear(live(2, 10, covered_s=10), T0 + 86_410)
    desk.hear(hello(boot=3), T0 + 90_000)
    first = desk.hear(minute(512, T0 + 90_000, previous=1, boot=3), T0 + 90_061)
    assert losses(first) == [("power_cut", -1, RATE * 62 // 60), ("power_cut", -1, RATE * 52 // 60)]


def test_a_cut_before_the_first_record_ever_is_bounded_and_salvaged(desk):
    desk.hear(live(1, 20, 5, covered_s=20), T0 + 20)
    desk.hear(hello(boot=2), T0 + 30)
    first = desk.hear(minute(1, T0, boot=2), T0 + 61)
    assert salvaged(first) == [(0, 5, 0, 20)]
    assert losses(first) == [("power_cut", -1, RATE * 12 // 60)]


def test_within_a_boot_nothing_is_hidden(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    assert losses(desk.hear(minute(2, T0 + 60, 1, total=(4, 0)), T0 + 121)) == []
    assert losses(desk.hear(minute(3, T0 + 7200, 1, total=(5, 0)), T0 + 7261)) == []


def test_ties_that_contradict_each_other_shorten_nothing(desk):
    # The gateway was restarted, and its clock an hour behind: boot 2 seems to begin before boot 1.
    desk.hear(minute(1, T0, 3), T0 + 61)
    desk.hear(live(1, 90, 3), T0 + 90)
    desk.restart()
    desk.hear(hello(boot=2), T0 - 3500)
    assert losses(desk.hear(minute(256, T0 - 3600, previous=1, boot=2), T0 - 3400)) == [("power_cut", -1, RATE * 32 // 60)]


def test_a_power_cut_is_known_across_the_wrap_of_the_boot_number(desk):
    desk.hear(hello(boot=0xFFFF), T0)
    desk.hear(minute(1, T0, boot=0xFFFF), T0 + 61)
    desk.hear(live(0xFFFF, 90, 4, 0), T0 + 90)
    first = desk.hear(minute(256, T0 + 120, previous=1, boot=0), T0 + 181)
    assert (salvaged(first), losses(first)) == ([(60, 4, 0, 0)], [("power_cut", -1, RATE * 32 // 60)])
    desk.hear(live(0, 90, 1, 1), T0 + 210)
    first = desk.hear(minute(512, T0 + 240, previous=256, boot=2), T0 + 301)  # boot 1 never spoke
    assert (salvaged(first), losses(first)) == ([(180, 1, 1, 0)], [("power_cut", -1, RATE * 32 // 60), ("power_cut", -1, A_MINUTE)])


def test_the_first_record_ever_may_be_of_any_boot():
    for boot in (0, 1, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF):
        desk = Desk()
        desk.hear(hello(boot=boot), T0)
        assert acked(desk.hear(minute(1, T0, 2, boot=boot), T0 + 61)) == 1
        assert desk.facts("losses") == {}


def test_the_first_record_that_comes_says_how_many_boots_were_never_heard_since_the_first_that_was(desk):
    desk.hear(live(1, 20, 5), T0 + 20)
    first = desk.hear(minute(1, T0 + 600, previous=0, boot=4), T0 + 661)  # boots 2 and 3 never spoke
    assert losses(first) == [("power_cut", -1, RATE * (42 + 62 + 62) // 60)]


def test_a_store_that_is_new_does_not_answer_for_boots_before_it():
    desk = Desk()
    desk.hear(hello(boot=500), T0)
    assert losses(desk.hear(minute(1, T0, 3, boot=500), T0 + 61)) == []


def test_boots_that_were_forgotten_for_their_number_count_as_never_heard():
    desk = Desk()
    for boot in range(1, 13):
        desk.hear(hello(boot=boot), T0 + 100 * boot)
    first = desk.hear(minute(1, T0 + 1200, 3, boot=12), T0 + 1261)
    # Known are 1 and 6 to 12; each but the last may have hidden a minute, as may the four that are forgotten.
    assert sum(bound for _, _, bound in losses(first)) == 11 * A_MINUTE


def test_where_records_were_given_up_the_first_and_the_last_minute_of_a_boot_lie_in_no_gap(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    desk.hear(hello(boot=3, first_held=512, next_seq=600), T0 + 4000)
    effects = desk.hear(minute(512, T0 + 3960, previous=1, boot=3), T0 + 4021)
    assert losses(effects) == [("power_cut", -1, 4 * A_MINUTE)]  # boot 1, and boot 2, of which nothing was heard


@pytest.mark.parametrize("boot", [1, 0x7FFF, 0x8000, 0x9000, 0xFFFE, 0xFFFF])
def test_a_cut_before_the_first_record_ever_is_known_whatever_the_number_of_the_boot(boot):
    desk = Desk()
    desk.hear(hello(boot=boot), T0)
    first = desk.hear(minute(1, T0 + 600, 3, boot=(boot + 1) % 0xFFFF + 1), T0 + 661)  # the boot between never spoke
    assert losses(first) == [("power_cut", -1, 2 * A_MINUTE)]


def test_a_new_store_does_not_take_for_given_up_what_it_never_asked_for():
    desk = Desk()
    desk.hear(hello(boot=3, first_held=512), T0)
    desk.hear(hello(boot=4, first_held=512), T0 + 500)
    first = desk.hear(minute(768, T0 + 540, previous=0, boot=4), T0 + 601)
    assert losses(first) == [("power_cut", -1, A_MINUTE)]
