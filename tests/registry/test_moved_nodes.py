"""What is owed by a node that was retired, moved or replaced: each site is told of the minutes that it lacks, as long as the node
stood there, bounded by the people that can pass there, until they are delivered after all."""

from __future__ import annotations

import pytest

from gateway.model import Gap, Loss
from tests.gateway.parts import RATE, T0, hello, live, losses, minute, of_kind, salvaged
from tests.registry.technician import OLD, SWAP, Street
from tools.registry import steps

QUIET, BUSY = RATE, RATE * 10
BACK = SWAP + 1200  # when the node begins at its second site


@pytest.fixture
def street(tmp_path):
    return Street(tmp_path / "store.db")


def silent(street: Street, at_s: int) -> list[tuple[str, int, int, int, int]]:
    """(site, from, until, bound, resolved) of what is said at this moment; times after T0."""
    street.desk.now_s = at_s
    found = of_kind(street.desk.commit(street.desk.session.check_silence(at_s)), Gap)
    return [(gap.site, gap.start_s - T0, gap.until_s - T0, gap.bound, max(0, gap.resolved_s - T0)) for gap in found]


def move(street: Street) -> None:
    """Away from the station at SWAP, to the square at BACK."""
    street.change(steps.retire, OLD, SWAP)
    street.change(steps.add, OLD, "jahnplatz", "", BACK, BACK - 30, False)


def test_a_silence_that_began_with_the_end_of_the_stay_is_none(street):
    street.old(1)
    assert silent(street, T0 + 1100) == [("bahnhof", 60, 1100, -1, 0)]
    street.change(steps.retire, OLD, T0 + 60)  # the first minute that was not counted
    assert silent(street, T0 + 1160) == [("bahnhof", 60, 60, 0, 1160)]
    assert street.desk.store.silences() == []
    assert silent(street, T0 + 90_000) == []


def test_a_node_that_never_comes_to_its_second_site_is_missed_there(street):
    for seq in range(1, 11):
        street.old(seq)
    move(street)
    assert silent(street, BACK + 900) == []
    assert silent(street, BACK + 960) == [("jahnplatz", 1800, 2760, -1, 0)]
    street.desk.restart()
    assert silent(street, BACK + 1020) == []
    assert street.desk.session.nodes_now()[0].silent_since_s == BACK


def test_a_new_one_that_never_comes_to_the_pole_is_missed_there(street):
    street.old(1)
    street.change(steps.replace, OLD, "tr-0000b2", SWAP)
    street.introduce_new(SWAP - 400)  # on the desk
    assert ("bahnhof", 600, 1700, -1, 0) in silent(street, SWAP + 1100)


def test_minutes_that_are_owed_to_one_site_do_not_hide_those_that_are_owed_to_the_next(street):
    street.old(1)
    assert silent(street, SWAP + 560) == [("bahnhof", 60, 1160, -1, 0)]
    move(street)
    assert silent(street, BACK - 60) == [("bahnhof", 60, 600, RATE * 9, 0)]
    assert street.desk.session.nodes_now()[0].silent_since_s == 0
    assert silent(street, BACK + 960) == [("jahnplatz", 1800, 2760, -1, 0)]
    assert silent(street, BACK + 1020) == []


@pytest.mark.parametrize("is_restarted", [False, True])
def test_all_of_them_are_resolved_when_it_delivers_and_none_reaches_beyond_its_stay(street, is_restarted):
    street.old(1)
    move(street)
    silent(street, BACK + 960)
    if is_restarted:
        street.desk.restart()
    effects = street.desk.hear(minute(256, BACK + 1200, 2, previous=1, boot=2), BACK + 1261)
    found = [(gap.site, gap.reason, gap.start_s - T0, gap.until_s - T0, gap.bound) for gap in of_kind(effects, Gap)]
    assert found == [
        ("bahnhof", "silent", 60, 600, 0),
        ("jahnplatz", "silent", 1800, 3000, 0),
        ("bahnhof", "dark", 60, 600, RATE * 9),
        ("jahnplatz", "dark", 1800, 3000, RATE * 20),
    ]
    assert street.desk.store.silences() == []


def test_a_retired_node_resolves_what_it_owed_after_a_restart_too(street):
    street.old(1)
    street.change(steps.retire, OLD, SWAP)
    silent(street, SWAP + 1000)
    street.desk.restart()
    for seq in range(2, 11):
        street.old(seq, heard_s=SWAP + 2000)
    assert street.desk.facts("gaps") == {T0 + 60: {"until": T0 + 60, "bound": 0, "resolved": SWAP + 2000}}
    assert silent(street, SWAP + 90_000) == []


def test_a_clock_that_was_set_back_before_the_change_ends_no_silence(street):
    street.old(1)
    silent(street, SWAP + 500)
    street.change(steps.retire, OLD, SWAP)
    assert silent(street, SWAP - 60) == []
    assert silent(street, SWAP + 560) == [("bahnhof", 60, 600, RATE * 9, 0)]


# -- each site's own greatest rate


@pytest.fixture
def uneven(street):
    """The station is ten times as busy as the square."""
    street.text = street.text.replace(f"greatest_per_minute = {RATE}", f"greatest_per_minute = {BUSY}")
    street.text = street.text.replace("[sites.jahnplatz]", f"[sites.jahnplatz]\ngreatest_per_minute = {QUIET}")
    street.desk.rules = street.rules
    street.desk.restart()
    return street


def test_what_is_missing_from_a_site_is_bounded_by_the_people_that_can_pass_there(uneven):
    uneven.old(1)
    move(uneven)
    effects = uneven.desk.hear(minute(256, BACK + 600, 2, previous=1, boot=2), BACK + 661)
    dark = [(gap.site, gap.bound) for gap in of_kind(effects, Gap)]
    assert dark == [("bahnhof", BUSY * 9), ("jahnplatz", QUIET * 10)]
    assert [(loss.site, loss.bound) for loss in of_kind(effects, Loss)] == [("bahnhof", BUSY * 62 // 60)]


def test_people_that_only_a_live_message_told_of_are_salvaged_by_the_rate_of_where_they_passed(uneven):
    for seq in range(1, 10):
        uneven.old(seq)
    uneven.desk.hear(live(1, 570, uneven.old_total + 1400, 0, covered_s=30), T0 + 571)  # more than can pass at the square
    move(uneven)
    effects = uneven.desk.hear(minute(256, BACK, 1, previous=9, boot=2, uptime_end_s=60), BACK + 61)
    assert salvaged(effects) == [(540, 1400, 0, 30)]


def test_people_whose_records_are_gone_are_lost_at_the_site_where_their_minutes_were(street):
    for seq in range(1, 11):  # all that were counted at the first site
        street.old(seq)
    move(street)
    street.desk.hear(hello(1, 1900, 31, first_held=31), BACK + 100)
    effects = street.desk.hear(minute(32, BACK + 60, 2, previous=10, total=(40, 0), uptime_end_s=1920), BACK + 121)
    assert [(loss.site, loss.at_s - T0, loss.people) for loss in of_kind(effects, Loss)] == [("jahnplatz", 1800, 8)]
    assert losses(effects) == [("given_up", 8, 8)]
