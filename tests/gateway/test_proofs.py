"""gateway.proofs: what is missing is proved from totals, salvaged from live totals, and bounded by time; to the person."""

from __future__ import annotations

import pytest

from gateway import proofs
from gateway.model import Q_NODE_RESET, Q_SIMULATED, Gap, Loss, Salvage
from tests.gateway.parts import INCARNATION, RATE, T0, Desk, acked, hello, live, minute, of_kind, rules

A_MINUTE = RATE * 62 // 60  # the most that an open minute can hide


@pytest.fixture
def desk():
    desk = Desk()
    desk.hear(hello(), T0)
    return desk


def losses(effects) -> list[tuple[str, int, int]]:
    return [(loss.reason, loss.people, loss.bound) for loss in of_kind(effects, Loss)]


def gaps(effects) -> list[tuple[str, int, int, int]]:
    """(reason, from, until, bound)."""
    return [(gap.reason, gap.start_s - T0, gap.until_s - T0, gap.bound) for gap in of_kind(effects, Gap)]


def salvaged(effects) -> list[tuple[int, int, int, int]]:
    """(bin, ab, ba, seconds watched)."""
    return [(found.bin_start - T0, found.ab, found.ba, found.covered_s) for found in of_kind(effects, Salvage)]


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


def climb(desk, *totals: int) -> None:
    """Records whose totals climb so high; between them, most people are gone."""
    for seq, total in enumerate(totals, 1):
        desk.hear(minute(seq, T0, 0, total=(total, 0)), T0 + 61)


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


def test_losses_of_an_hour_add_up_in_one_row_whose_revision_rises(desk):
    for n in range(1, 4):
        desk.hear(minute(10 * n, T0 + 60 * n, 1, previous=0, total=(5 * n, 0)), T0 + 400)
    assert desk.facts("losses") == {T0: {"people": 12, "bound": 12, "rev": 2}}


# -- people that only live totals told of: salvaged


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
    assert silent_about_it.covered()[T0] == (0, Q_NODE_RESET)


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
    desk.hear(live(1, 20, 5), T0 + 20)
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


@pytest.mark.parametrize(("began_s", "seconds"), [(90, 2), (100, 12), (119, 31), (120, 32), (500, 32)])
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


def test_each_of_several_quick_resets_hides_what_lies_before_the_next(desk):
    desk.hear(minute(1, T0, 3), T0 + 60)
    for boot, at_s in ((2, 70), (3, 85)):
        desk.hear(hello(boot=boot), T0 + at_s)
        desk.hear(live(boot, 10), T0 + at_s + 10)
    desk.hear(hello(boot=4), T0 + 100)
    first = desk.hear(minute(512, T0 + 60, previous=1, boot=4), T0 + 121)
    # 60 to 70, 80 to 85, 95 to 100, each with its margin of 2 s
    assert losses(first) == [("power_cut", -1, RATE * (12 + 7 + 7) // 60)]


def test_a_boot_that_began_after_a_long_darkness_hides_one_minute_and_no_more(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    desk.hear(hello(boot=2), T0 + 86_400)
    desk.hear(live(2, 10, covered_s=10), T0 + 86_410)
    desk.hear(hello(boot=3), T0 + 90_000)
    first = desk.hear(minute(512, T0 + 90_000, previous=1, boot=3), T0 + 90_061)
    assert losses(first) == [("power_cut", -1, RATE * (62 + 52) // 60)]


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
    assert (salvaged(first), losses(first)) == ([(180, 1, 1, 0)], [("power_cut", -1, RATE * (32 + 62) // 60)])


def test_the_first_record_ever_may_be_of_any_boot():
    for boot in (0, 1, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF):
        desk = Desk()
        desk.hear(hello(boot=boot), T0)
        assert acked(desk.hear(minute(1, T0, 2, boot=boot), T0 + 61)) == 1
        assert desk.facts("losses") == {}


# -- minutes without a record


def test_minutes_missing_between_boots_are_dark_and_bounded_by_the_sites_greatest_rate(desk):
    desk.hear(minute(1, T0, boot=1), T0 + 61)
    effects = desk.hear(minute(256, T0 + 360, previous=1, boot=2), T0 + 421)
    assert gaps(effects) == [("dark", 60, 360, RATE * 300 // 60)]


def test_minutes_missing_within_a_boot_were_given_up_and_hold_exactly_what_the_totals_say(desk):
    desk.hear(minute(1, T0, 3, total=(3, 0)), T0 + 61)
    effects = desk.hear(minute(9, T0 + 360, 1, previous=1, total=(9, 0)), T0 + 421)
    assert gaps(effects) == [("given_up", 60, 360, 0)]
    assert losses(effects) == [("given_up", 5, 5)]


def test_a_full_ring_across_boots_is_given_up_and_bounded(desk):
    desk.hear(minute(1, T0, 3, boot=1), T0 + 61)
    desk.hear(hello(boot=3, first_held=512, next_seq=600), T0 + 4000)
    effects = desk.hear(minute(512, T0 + 3600, previous=1, boot=3), T0 + 4001)
    assert gaps(effects) == [("given_up", 60, 3600, RATE * 3540 // 60)]


def test_nothing_is_given_up_where_the_node_still_holds_what_follows(desk):
    desk.hear(minute(1, T0, 3, boot=1), T0 + 61)
    desk.hear(hello(boot=3, first_held=2, next_seq=600), T0 + 4000)
    assert gaps(desk.hear(minute(512, T0 + 3600, previous=1, boot=3), T0 + 4001))[0][0] == "dark"


def test_a_new_store_takes_a_node_with_a_long_history_for_no_loss_of_minutes():
    desk = Desk()
    desk.hear(hello(boot=3, first_held=512, next_seq=600), T0)
    assert gaps(desk.hear(minute(512, T0, previous=0, boot=3), T0 + 61)) == []


def test_minute_after_minute_there_is_no_gap(desk):
    desk.hear(minute(1, T0), T0 + 61)
    assert gaps(desk.hear(minute(2, T0 + 60), T0 + 121)) == []
    assert gaps(desk.hear(minute(3, T0 + 60, covered_s=5), T0 + 122)) == []
    assert gaps(desk.hear(minute(4, T0), T0 + 123)) == []


def test_a_salvaged_minute_is_no_gap_but_those_beside_it_are(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    desk.hear(hello(boot=2), T0 + 200)
    desk.hear(live(2, 40, 5, covered_s=40), T0 + 240)
    effects = desk.hear(minute(256, T0 + 600, previous=1, boot=3), T0 + 661)
    assert salvaged(effects) == [(180, 5, 0, 40)]
    assert gaps(effects) == [("dark", 60, 180, RATE * 2), ("dark", 240, 600, RATE * 6)]


# -- a node whose log was wiped

NEW = INCARNATION + 1


def test_a_wiped_node_leaves_a_gap_and_the_last_minute_of_its_old_log(desk):
    desk.hear(minute(40, T0, 3, previous=0), T0 + 61)
    desk.hear(live(1, 90, 8, 1, covered_s=30), T0 + 90)
    desk.hear(hello(incarnation=NEW), T0 + 400)
    effects = desk.hear(minute(1, T0 + 420, 2, incarnation=NEW), T0 + 481)
    assert salvaged(effects) == [(60, 5, 1, 30)]
    assert losses(effects) == [("wiped", -1, A_MINUTE)]
    assert gaps(effects) == [("wiped", 120, 420, RATE * 5)]
    assert desk.counts() == {T0: (3, 0), T0 + 60: (5, 1), T0 + 420: (2, 0)}
    after = desk.hear(minute(2, T0 + 480, incarnation=NEW, total=(2, 0)), T0 + 541)
    assert (salvaged(after), losses(after), gaps(after)) == ([], [], [])


def test_records_that_went_with_the_old_log_were_told_and_their_minutes_are_a_gap(desk):
    desk.hear(minute(40, T0, 3, previous=0), T0 + 61)
    desk.hear(live(1, 630, 50, 1, covered_s=30), T0 + 630)  # ten minutes later: none of their records has come
    desk.hear(hello(incarnation=NEW), T0 + 900)
    effects = desk.hear(minute(1, T0 + 900, incarnation=NEW), T0 + 961)
    assert salvaged(effects) == [(600, 47, 1, 30)]
    assert gaps(effects) == [("wiped", 60, 600, 0), ("wiped", 660, 900, RATE * 4)]


def test_a_boot_of_the_old_log_without_a_record_is_salvaged_too(desk):
    desk.hear(minute(40, T0, 3, previous=0), T0 + 61)
    desk.hear(live(2, 30, 5, covered_s=30), T0 + 100)
    desk.hear(hello(incarnation=NEW), T0 + 400)
    effects = desk.hear(minute(1, T0 + 420, incarnation=NEW), T0 + 481)
    assert salvaged(effects) == [(60, 5, 0, 30)]
    assert losses(effects) == [("wiped", -1, 2 * A_MINUTE)]


def test_the_books_of_a_wiped_node_are_closed_once_whenever_the_gateway_restarts(desk):
    desk.hear(minute(40, T0, 3, previous=0), T0 + 61)
    desk.hear(live(1, 390, 8, 1, covered_s=30), T0 + 390)  # status is due: boots are committed with it
    for n in range(3):
        desk.restart()
        desk.hear(hello(incarnation=NEW), T0 + 500 + n)
        desk.hear(minute(n + 1, T0 + 540 + 60 * n, incarnation=NEW), T0 + 601 + 60 * n)
    assert sum(ab + ba for ab, ba in desk.counts().values()) == 9
