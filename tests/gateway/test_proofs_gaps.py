"""gateway.proofs: minutes without a record, whatever was the reason; and the books of a log that was wiped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.model import BootState, Loss, Stream
from gateway.session import Session
from tests.gateway.parts import (
    A_MINUTE,
    INCARNATION,
    NEW,
    NODE,
    RATE,
    T0,
    Desk,
    acked,
    gaps,
    hello,
    live,
    losses,
    minute,
    of_kind,
    rules,
    salvaged,
)


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


def test_people_salvaged_into_a_minute_that_has_been_leave_no_gap_behind_it(desk):
    desk.hear(minute(1, T0 + 600, 3), T0 + 620)
    desk.hear(live(1, 90, 8), T0 + 90)  # by the gateway's clock; the node's own was ahead
    effects = desk.hear(minute(256, T0 + 660, previous=1, boot=2), T0 + 661)
    assert (salvaged(effects), gaps(effects)) == ([(60, 5, 0, 0)], [])


# -- a boot without time right behind the last bin: how long it was dark only its arrival bounds


def test_a_boot_of_unknown_time_leaves_a_gap_without_a_length_that_its_arrival_bounds(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    assert gaps(desk.hear(minute(256, 0, previous=1, boot=2), T0 + 3600)) == [("dark", 60, 60, RATE * 60)]
    assert gaps(desk.hear(minute(257, 0, boot=2, uptime_end_s=120), T0 + 3601)) == []


def test_a_boot_of_unknown_time_that_the_ring_has_outlived_was_given_up(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    desk.hear(hello(boot=3, first_held=512, next_seq=600), T0 + 3600)
    assert gaps(desk.hear(minute(512, 0, previous=1, boot=2), T0 + 3600)) == [("given_up", 60, 60, RATE * 60)]


def test_a_boot_whose_time_is_known_leaves_no_gap_where_none_was(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    assert gaps(desk.hear(minute(256, T0 + 60, previous=1, boot=2), T0 + 3600)) == []
    desk.hear(hello(boot=3), T0 + 120)
    assert gaps(desk.hear(minute(512, 0, previous=256, boot=3), T0 + 3600)) == []


def test_the_very_first_record_of_a_node_leaves_no_gap_whatever_its_time(desk):
    assert gaps(desk.hear(minute(1, 0), T0 + 3600)) == []


# -- a node whose log was wiped


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
    assert losses(effects) == [("wiped", -1, A_MINUTE), ("wiped", -1, A_MINUTE)]


def test_the_boots_of_a_new_log_are_not_those_of_the_old_one(desk):
    desk.hear(minute(40, T0, 3, previous=0), T0 + 61)
    desk.hear(hello(incarnation=NEW), T0 + 600)
    desk.hear(live(1, 30, 5, covered_s=30, incarnation=NEW), T0 + 630)
    effects = desk.hear(minute(1, T0 + 900, boot=2, incarnation=NEW), T0 + 961)
    assert salvaged(effects) == [(600, 5, 0, 30)]
    assert gaps(effects) == [("wiped", 60, 600, RATE * 9), ("wiped", 660, 900, RATE * 4)]


def test_the_books_of_a_wiped_node_are_closed_once_whenever_the_gateway_restarts(desk):
    desk.hear(minute(40, T0, 3, previous=0), T0 + 61)
    desk.hear(live(1, 390, 8, 1, covered_s=30), T0 + 390)  # status is due: boots are committed with it
    for n in range(3):
        desk.restart()
        desk.hear(hello(incarnation=NEW), T0 + 500 + n)
        desk.hear(minute(n + 1, T0 + 540 + 60 * n, incarnation=NEW), T0 + 601 + 60 * n)
    assert sum(ab + ba for ab, ba in desk.counts().values()) == 9


@pytest.mark.parametrize(("forgets", "step_s"), [(False, -864_000), (False, 864_000), (True, -864_000)])
def test_a_log_that_was_wiped_before_the_clock_was_set_is_still_a_predecessor(desk, forgets, step_s):
    desk.hear(live(1, 30, 5, covered_s=30), T0 + 30, steady_s=30)
    if forgets:
        desk.restart()
    desk.hear(hello(incarnation=NEW), T0 + 600 + step_s, steady_s=600)
    effects = desk.hear(minute(1, T0 + 600 + step_s, incarnation=NEW), T0 + 661 + step_s, steady_s=661)
    assert losses(effects) == [("wiped", -1, A_MINUTE)]


@pytest.mark.parametrize("step_s", [4500, -4500])
def test_a_rival_is_no_predecessor_though_the_clock_was_set_between(desk, step_s):
    desk.hear(live(1, 300, 5, covered_s=30), T0 + 300, steady_s=300)
    desk.hear(hello(uptime_s=500, incarnation=NEW), T0 + 500 + step_s, steady_s=500)
    effects = desk.hear(minute(1, T0 + step_s // 60 * 60, uptime_end_s=60, incarnation=NEW), T0 + 501 + step_s, steady_s=501)
    assert losses(effects) == []


# -- records up to which another store has kept the books
def test_a_log_that_was_wiped_before_it_delivered_leaves_a_gap_from_when_it_was_first_heard():
    desk = Desk()
    desk.hear(hello(uptime_s=300), T0 + 30)
    desk.hear(hello(incarnation=NEW), T0 + 600)
    effects = desk.hear(minute(1, T0 + 600, incarnation=NEW), T0 + 661)
    assert gaps(effects) == [("wiped", 0, 600, RATE * 10)]
    assert losses(effects) == [("wiped", -1, A_MINUTE)]


def test_of_several_logs_the_gap_begins_with_the_end_of_the_last(desk):
    desk.hear(minute(40, T0, 3, previous=0), T0 + 61)
    for incarnation, start_s in ((NEW, T0 + 600), (NEW + 1, T0 + 1200)):
        desk.hear(hello(incarnation=incarnation), start_s)
        effects = desk.hear(minute(1, start_s, incarnation=incarnation), start_s + 61)
    assert gaps(effects) == [("wiped", 660, 1200, RATE * 9)]
    assert losses(effects) == [("wiped", -1, A_MINUTE)], "the books of the first are closed"


@pytest.mark.parametrize(("last_s", "is_over"), [(30, True), (62, True), (63, False), (90, False)])
def test_a_log_that_was_still_at_work_when_the_minute_had_ended_is_a_rival_and_no_predecessor(desk, last_s, is_over):
    desk.hear(live(1, last_s, 5), T0 + last_s)
    desk.hear(hello(uptime_s=300, incarnation=NEW), T0 + 300)
    effects = desk.hear(minute(1, T0, uptime_end_s=60, incarnation=NEW), T0 + 301)
    assert [ab for _, ab, _, _ in salvaged(effects)] == ([5] if is_over else [])
    assert losses(effects) == ([("wiped", -1, A_MINUTE)] if is_over else [])


def adopted(seq: int, **known: int) -> Desk:
    """A store that has taken over what the server has up to this record; the node has been counting in boot 3."""
    desk = Desk()
    desk.session = Session(rules(), [Stream(NODE, INCARNATION, adopted=seq, last_bin=T0 + 600, **known)])
    desk.hear(hello(boot=3), T0)
    return desk


def test_of_records_whose_books_another_store_kept_nothing_is_missing():
    desk = adopted(10)
    desk.hear(live(2, 30, 5), T0 + 90)
    for seq, bin_start in ((9, T0 + 540), (10, T0 + 600)):
        effects = desk.hear(minute(seq, bin_start, 1, previous=0, boot=3, total=(400 + 10 * seq, 0)), T0 + 700)
        assert (losses(effects), gaps(effects), salvaged(effects)) == ([], [], [])


def test_totals_begin_where_the_books_of_the_other_store_end():
    desk = adopted(10)
    assert losses(desk.hear(minute(11, T0 + 660, 1, 1, previous=0, boot=3, total=(400, 300)), T0 + 721)) == []
    assert losses(desk.hear(minute(20, T0 + 720, 1, previous=11, boot=3, total=(411, 300)), T0 + 781)) == [("given_up", 10, 10)]


def test_what_follows_the_books_of_the_other_store_is_proved_though_its_clock_was_ahead():
    desk = adopted(10)
    desk.hear(minute(10, T0 + 600, 1, previous=0, boot=3, total=(400, 0)), T0 + 700)
    effects = desk.hear(minute(20, T0 + 120, 1, previous=0, boot=3, total=(411, 0)), T0 + 781)
    assert losses(effects) == [("given_up", 10, 10)]


def test_what_a_node_gave_up_behind_the_books_of_the_other_store_is_bounded_by_all_that_this_one_lacks():
    known = {3: BootState(NODE, INCARNATION, 3, total_ab=100, end_uptime_s=300)}
    for seq, flagged in ((11, []), (12, [("given_up", -1, 30)])):
        desk = adopted(10, watermark=5, last_boot=3, boots=dict(known))
        effects = desk.hear(minute(seq, T0 + 1200, 1, previous=0, boot=3, total=(131, 0)), T0 + 1261)
        assert losses(effects) == flagged


def test_of_a_boot_whose_totals_are_not_known_no_more_is_missing_than_can_have_passed():
    for people, flagged in ((90, [("given_up", -1, 89)]), (90_000, [("given_up", -1, RATE * 661 // 60)])):
        desk = adopted(10)
        assert losses(desk.hear(minute(20, T0 + 1200, 1, previous=0, boot=3, total=(people, 0)), T0 + 1261)) == flagged


def test_a_record_whose_hour_has_not_come_is_taken_where_another_store_has_taken_it():
    desk = adopted(10)
    assert acked(desk.hear(minute(10, T0 + 7200, 1, previous=0, boot=3), T0 + 700)) == 10
    assert desk.hear(minute(11, T0 + 7260, 1, previous=10, boot=3), T0 + 700) != []
    assert acked(desk.hear(minute(10, T0 + 7200, 1, previous=0, boot=3), T0 + 701)) == 10


def test_people_told_live_of_a_boot_whose_records_another_store_has_are_bounded_not_salvaged():
    desk = adopted(10)
    desk.hear(live(3, 30, 5, covered_s=30), T0 + 30)
    effects = desk.hear(minute(256, T0 + 900, previous=0, boot=4), T0 + 961)
    assert (salvaged(effects), losses(effects)) == ([], [("power_cut", -1, A_MINUTE)])


def test_a_hole_is_behind_the_last_record_that_came(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    (loss,) = of_kind(desk.hear(minute(9, T0 + 36_000, 1, previous=0, total=(14, 0)), T0 + 36_061), Loss)
    assert loss.at_s == T0


def test_what_an_ended_boot_may_have_hidden_is_in_the_minute_of_its_last_message(desk):
    desk.hear(hello(boot=1), T0)
    desk.hear(live(1, 7290, 5, covered_s=30), T0 + 7290)
    (loss,) = of_kind(desk.hear(minute(9, T0 + 36_000, previous=0, boot=2), T0 + 36_061), Loss)
    assert loss.at_s == T0 + 7260


def test_what_an_ended_boot_may_have_hidden_is_never_later_than_the_record_that_says_so(desk):
    desk.hear(minute(1, T0 + 36_000, 3), T0 + 36_061)
    (loss,) = of_kind(desk.hear(minute(9, T0, previous=0, boot=2), T0 + 36_161), Loss)  # the node's clock was set back
    assert loss.at_s == T0


def test_where_nobody_can_pass_nothing_is_lost():
    desk = Desk(rules_=replace(rules(), greatest_rate=lambda _site: 0))
    desk.hear(hello(), T0)
    desk.hear(minute(1, T0), T0 + 61)
    assert losses(desk.hear(minute(256, T0 + 600, previous=1, boot=2), T0 + 661)) == []
