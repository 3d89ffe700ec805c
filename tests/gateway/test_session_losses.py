"""gateway.session: what is missing is proved from totals, and time without records is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.model import Gap, Loss
from tests.gateway.parts import INCARNATION, NODE, OTHER, RATE, T0, Desk, hello, live, minute, of_kind, rules

HIDDEN = RATE * 18 // 60  # what can pass between the last live message and a power cut


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


# -- records that the node had to give up


def test_totals_that_fit_prove_that_nothing_is_missing(desk):
    assert losses(desk.hear(minute(1, T0, 3, 2, total=(3, 2)), T0 + 61)) == []
    assert losses(desk.hear(minute(9, T0 + 60, 1, 0, previous=1, total=(4, 2)), T0 + 121)) == []


def test_a_hole_in_the_totals_is_exactly_as_many_people_as_they_say(desk):
    desk.hear(minute(1, T0, 3, 2, total=(3, 2)), T0 + 61)
    assert losses(desk.hear(minute(9, T0 + 600, 1, 1, previous=0, total=(14, 5)), T0 + 661)) == [("given_up", 12, 12)]


def test_a_hole_before_the_first_record_of_a_boot_is_found_too(desk):
    assert losses(desk.hear(minute(9, T0 + 600, 1, previous=0, total=(14, 5)), T0 + 661)) == [("given_up", 18, 18)]


@pytest.mark.parametrize("missing", [(1, 0), (0, 1), (0, 7), (7, 0), (3, 4)])
def test_a_hole_in_one_direction_is_a_hole(desk, missing):
    first = desk.hear(minute(9, T0 + 600, 1, 1, previous=0, boot=5, total=(1 + missing[0], 1 + missing[1])), T0 + 661)
    assert losses(first) == [("given_up", sum(missing), sum(missing))]


def test_a_boot_that_nobody_witnessed_began_at_nobody(desk):
    assert losses(desk.hear(minute(1, T0, 2, 3, boot=5), T0 + 61)) == []


def test_totals_that_went_back_prove_nothing(desk):
    desk.hear(minute(1, T0, 3, 2, total=(300, 200)), T0 + 61)
    assert losses(desk.hear(minute(2, T0 + 60, 1, 0, total=(5, 5)), T0 + 121)) == []


def test_a_hole_is_told_once_and_survives_a_restart_of_the_gateway(desk):
    desk.hear(minute(1, T0, 3, total=(3, 0)), T0 + 61)
    desk.restart()
    holed = minute(5, T0 + 300, 1, previous=0, total=(10, 0))
    assert losses(desk.hear(holed, T0 + 361)) == [("given_up", 6, 6)]
    assert losses(desk.hear(holed, T0 + 362)) == []
    assert losses(desk.hear(minute(6, T0 + 360, 1, total=(11, 0)), T0 + 421)) == []


def test_totals_wrap_at_28_bits(desk):
    top = 2**28
    desk.hear(minute(1, T0, 5, 0, total=(top - 2, top - 1)), T0 + 61)
    assert losses(desk.hear(minute(2, T0 + 60, 5, 3, total=(3, 2)), T0 + 121)) == []
    assert losses(desk.hear(minute(9, T0 + 600, 1, 0, previous=2, total=(6, 2)), T0 + 661)) == [("given_up", 2, 2)]


def test_a_hole_across_the_wrap(desk):
    desk.hear(minute(1, T0, 0, 0, total=(2**28 - 3, 0)), T0 + 61)
    assert losses(desk.hear(minute(9, T0 + 600, 1, previous=0, total=(5, 0)), T0 + 661)) == [("given_up", 7, 7)]


# -- people that went with the power


def test_live_totals_prove_what_a_power_cut_took(desk):
    desk.hear(minute(1, T0, 3, 2, total=(3, 2)), T0 + 61)
    desk.hear(live(1, 90, 7, 3), T0 + 90)
    first = desk.hear(minute(256, T0 + 60, 0, 0, previous=1, boot=2, total=(0, 0)), T0 + 121)
    assert losses(first) == [("power_cut", 5, 5 + HIDDEN)]
    assert losses(desk.hear(minute(257, T0 + 120, 0, 0, boot=2, total=(0, 0)), T0 + 181)) == []


def test_what_a_power_cut_took_belongs_to_the_minute_that_was_open(desk):
    desk.hear(minute(1, T0 + 3540, 3, total=(3, 0)), T0 + 3600)
    desk.hear(live(1, 90, 7, 0), T0 + 3630)
    (loss,) = of_kind(desk.hear(minute(256, T0 + 7200, previous=1, boot=2), T0 + 7261), Loss)
    assert loss.at_s == T0 + 3600
    desk.hear(hello(incarnation=5), T0 + 9000)
    desk.hear(live(1, 90, 7, 0, incarnation=5), T0 + 9000)
    (loss,) = of_kind(desk.hear(minute(1, T0 + 9000, boot=2, incarnation=5), T0 + 9061), Loss)
    assert loss.at_s == T0 + 9000


def test_live_totals_older_than_the_record_prove_nothing(desk):
    desk.hear(live(1, 50, 3, 2), T0 + 50)
    desk.hear(minute(1, T0, 4, 2, total=(4, 2)), T0 + 61)
    assert losses(desk.hear(minute(256, T0 + 60, previous=1, boot=2), T0 + 121)) == []


def test_live_totals_within_a_boot_are_no_loss(desk):
    desk.hear(minute(1, T0, 3, 2, total=(3, 2)), T0 + 61)
    desk.hear(live(1, 90, 7, 3), T0 + 90)
    assert losses(desk.hear(minute(2, T0 + 60, 4, 1, total=(7, 3)), T0 + 121)) == []


def test_live_totals_wrap_too(desk):
    desk.hear(minute(1, T0, 0, 0, total=(2**28 - 2, 0)), T0 + 61)
    desk.hear(live(1, 90, 1, 0), T0 + 90)
    assert losses(desk.hear(minute(256, T0 + 60, previous=1, boot=2), T0 + 121)) == [("power_cut", 3, 3 + HIDDEN)]


def test_a_power_cut_is_known_across_the_wrap_of_the_boot_number(desk):
    desk.hear(hello(boot=0xFFFF), T0 + 1)
    desk.hear(minute(1, T0, boot=0xFFFF), T0 + 61)
    desk.hear(live(0xFFFF, 90, 4, 0), T0 + 90)
    assert losses(desk.hear(minute(256, T0 + 60, previous=1, boot=0), T0 + 121)) == [("power_cut", 4, 4 + HIDDEN)]
    desk.hear(live(0, 90, 1, 1), T0 + 190)
    assert losses(desk.hear(minute(512, T0 + 180, previous=256, boot=1), T0 + 241)) == [("power_cut", 2, 2 + HIDDEN)]


def test_a_boot_that_closed_no_record_is_not_forgotten(desk):
    desk.hear(minute(1, T0, 3, total=(3, 0)), T0 + 61)
    for boot, people in ((2, 5), (3, 2)):
        desk.hear(hello(boot=boot, next_seq=256), T0 + 90)
        desk.hear(live(boot, 20, people, 0), T0 + 95)
    first = desk.hear(minute(512, T0 + 60, previous=1, boot=4), T0 + 121)
    assert losses(first) == [("power_cut", 7, 7 + 2 * HIDDEN)]
    desk.restart()
    assert losses(desk.hear(minute(768, T0 + 120, previous=512, boot=5), T0 + 181)) == []


def test_a_cut_before_the_first_record_ever_is_not_forgotten(desk):
    desk.hear(live(1, 20, 5, 0), T0 + 20)
    desk.hear(hello(boot=2), T0 + 30)
    assert losses(desk.hear(minute(1, T0, boot=2), T0 + 61)) == [("power_cut", 5, 5 + HIDDEN)]


def test_boots_of_which_records_may_come_are_no_loss_yet(desk):
    # Boots 2 and 3 were heard live while boot 1's records were still on their way.
    desk.hear(minute(1, T0, 3, total=(3, 0)), T0 + 61)
    for boot in (2, 3):
        desk.hear(live(boot, 20, 4, 0), T0 + 95)
    assert losses(desk.hear(minute(2, T0 + 60, 1, total=(4, 0)), T0 + 121)) == []
    assert losses(desk.hear(minute(256, T0 + 120, 4, previous=2, boot=2, total=(4, 0)), T0 + 181)) == []
    assert losses(desk.hear(minute(512, T0 + 180, 4, previous=256, boot=3, total=(4, 0)), T0 + 241)) == []


def test_live_totals_told_before_a_restart_of_the_gateway_are_kept_with_the_next_record(desk):
    desk.hear(minute(1, T0, 3, total=(3, 0)), T0 + 61)
    desk.hear(live(1, 90, 7, 0), T0 + 90)
    desk.hear(live(1, 390, 9, 0), T0 + 390)  # status is due: boots are committed with it
    desk.restart()
    assert losses(desk.hear(minute(256, T0 + 600, previous=1, boot=2), T0 + 661)) == [("power_cut", 6, 6 + HIDDEN)]


def test_losses_of_an_hour_add_up_in_one_row_whose_revision_rises(desk):
    for n in range(1, 4):
        desk.hear(minute(10 * n, T0 + 60 * n, 1, previous=0, total=(5 * n, 0)), T0 + 400)
    assert desk.facts("losses") == {T0: {"people": 12, "bound": 12, "rev": 2}}


# -- time without records


def test_minutes_missing_between_boots_are_dark_and_bounded_by_the_sites_greatest_rate(desk):
    desk.hear(minute(1, T0, boot=1), T0 + 61)
    effects = desk.hear(minute(256, T0 + 360, previous=1, boot=2), T0 + 421)
    assert gaps(effects) == [("dark", 60, 360, RATE * 300 // 60)]


def test_minutes_missing_within_a_boot_hold_exactly_what_the_totals_say(desk):
    desk.hear(minute(1, T0, 3, total=(3, 0)), T0 + 61)
    effects = desk.hear(minute(9, T0 + 360, 1, previous=1, total=(4, 0)), T0 + 421)
    assert gaps(effects) == [("dark", 60, 360, 0)]
    assert losses(effects) == []


def test_minute_after_minute_there_is_no_gap(desk):
    desk.hear(minute(1, T0), T0 + 61)
    assert gaps(desk.hear(minute(2, T0 + 60), T0 + 121)) == []
    assert gaps(desk.hear(minute(3, T0 + 60, covered_s=5), T0 + 122)) == []
    assert gaps(desk.hear(minute(4, T0), T0 + 123)) == []


def test_the_first_record_ever_has_no_gap_before_it(desk):
    assert gaps(desk.hear(minute(1, T0), T0 + 61)) == []


def test_a_wiped_node_leaves_a_gap_behind_its_old_log(desk):
    desk.hear(minute(40, T0, previous=0), T0 + 61)
    desk.hear(hello(incarnation=INCARNATION + 1), T0 + 400)
    effects = desk.hear(minute(1, T0 + 420, incarnation=INCARNATION + 1), T0 + 481)
    assert gaps(effects) == [("dark", 60, 420, RATE * 360 // 60)]


# -- silence


def silence(desk, at_s) -> list[tuple[str, int, int, int]]:
    return gaps(desk.commit(desk.session.check_silence(at_s)))


def test_a_silent_node_is_said_after_a_quarter_of_an_hour_and_only_once(desk):
    desk.hear(minute(1, T0), T0 + 61)
    assert silence(desk, T0 + 60 + 900) == []
    assert silence(desk, T0 + 60 + 901) == [("silent", 60, 961, -1)]
    assert silence(desk, T0 + 60 + 960) == []


def test_a_silence_is_remembered_across_a_restart_of_the_gateway(desk):
    desk.hear(minute(1, T0), T0 + 61)
    silence(desk, T0 + 1000)
    desk.restart()
    assert silence(desk, T0 + 1060) == []


def test_when_the_record_that_follows_arrives_the_silence_is_resolved(desk):
    desk.hear(minute(1, T0), T0 + 61)
    silence(desk, T0 + 1000)
    effects = desk.hear(minute(2, T0 + 60), T0 + 2000)
    assert [(g.reason, g.start_s, g.until_s, g.bound, g.resolved_s) for g in of_kind(effects, Gap)] == [
        ("silent", T0 + 60, T0 + 60, 0, T0 + 2000)
    ]
    assert desk.facts("gaps") == {T0 + 60: {"until": T0 + 60, "bound": 0, "resolved": T0 + 2000}}
    assert desk.store.silences() == []
    assert silence(desk, T0 + 2060) != []  # and the next one is a new one


def test_a_node_that_was_dark_meanwhile_keeps_its_gap_with_a_bound(desk):
    desk.hear(minute(1, T0, boot=1), T0 + 61)
    silence(desk, T0 + 1000)
    effects = desk.hear(minute(256, T0 + 1800, previous=1, boot=2), T0 + 1861)
    assert gaps(effects) == [("silent", 60, 1800, RATE * 1740 // 60)]
    assert desk.facts("gaps") == {T0 + 60: {"until": T0 + 1800, "bound": RATE * 1740 // 60, "resolved": 0}}


def test_a_silence_is_closed_where_it_was_opened_though_the_node_has_moved():
    desk = Desk(rules_=rules(site_of=lambda _name, at_s: "jahnplatz" if at_s >= T0 + 1500 else "bahnhof"))
    desk.hear(hello(), T0)
    desk.hear(minute(1, T0, boot=1), T0 + 61)
    silence(desk, T0 + 1000)
    only_the_new_site_is_configured = {"jahnplatz": RATE}
    desk.rules = replace(desk.rules, greatest_rate=only_the_new_site_is_configured.__getitem__)
    desk.restart()
    effects = desk.hear(minute(256, T0 + 1800, previous=1, boot=2), T0 + 1861)
    assert [(gap.site, gap.reason) for gap in of_kind(effects, Gap)] == [("bahnhof", "silent")]


def test_the_silence_of_a_wiped_node_ends_with_its_new_log(desk):
    desk.hear(minute(40, T0, previous=0), T0 + 61)
    silence(desk, T0 + 1000)
    desk.hear(hello(incarnation=INCARNATION + 1), T0 + 1100)
    effects = desk.hear(minute(1, T0 + 1140, incarnation=INCARNATION + 1), T0 + 1201)
    assert gaps(effects) == [("silent", 60, 1140, RATE * 1080 // 60)]
    assert silence(desk, T0 + 1260) == []


@pytest.mark.parametrize("new", [INCARNATION - 1, INCARNATION + 1])
def test_the_newest_log_of_a_node_decides_whether_it_is_silent(desk, new):
    desk.hear(minute(40, T0, previous=0), T0 + 61)
    desk.hear(hello(incarnation=new), T0 + 400)
    desk.hear(minute(1, T0 + 840, incarnation=new), T0 + 901)
    desk.restart()  # streams come back in any order
    assert silence(desk, T0 + 1500) == []
    assert [start_s for _, start_s, _, _ in silence(desk, T0 + 1900)] == [900]


def test_no_silence_begins_before_a_node_was_heard(desk):
    assert [gap for gap in of_kind(desk.session.check_silence(T0 + 9000), Gap) if gap.start_s < T0] == []


def test_every_node_has_a_silence_of_its_own(desk):
    desk.hear(hello(node=OTHER), T0)
    desk.hear(minute(1, T0), T0 + 61)
    desk.hear(minute(1, T0 + 600, node=OTHER), T0 + 661)
    assert [gap.node for gap in of_kind(desk.commit(desk.session.check_silence(T0 + 1000)), Gap)] == [NODE]
    assert [gap.node for gap in of_kind(desk.commit(desk.session.check_silence(T0 + 1600)), Gap)] == [OTHER]


def test_a_clock_that_leaps_does_not_lose_a_silence(desk):
    desk.hear(minute(1, T0), T0 + 61)
    assert silence(desk, T0 + 10 * 86_400) != []
    assert silence(desk, T0 + 120) == []
    assert [g.resolved_s for g in of_kind(desk.hear(minute(2, T0 + 60), T0 + 125), Gap)] == [T0 + 125]
