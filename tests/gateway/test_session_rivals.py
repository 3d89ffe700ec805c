"""gateway.session: two nodes with one number, and one site with two nodes: nobody's people are counted as another's."""

from __future__ import annotations

import pytest

from gateway.model import Accept, Gap, Loss, Note, Salvage, node_name
from tests.gateway.parts import LINK, NAME, NEW, OTHER, T0, Desk, acked, hello, live, minute, of_kind

ELSEWHERE = "serial:other"
SAID = "two nodes with one number"


def is_refused(effects) -> bool:
    return acked(effects) is None and not of_kind(effects, Accept) and not of_kind(effects, Salvage)


def notes(effects) -> list[str]:
    return [note.event for note in of_kind(effects, Note)]


# -- another log on another link


def test_another_log_on_another_link_is_refused_while_the_first_is_at_work(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    effects = desk.hear(hello(incarnation=NEW), T0 + 62, ELSEWHERE)
    assert notes(effects) == [SAID]
    assert is_refused(effects)
    for message in (minute(1, T0, 9, incarnation=NEW), live(1, 70, 9, incarnation=NEW), hello(incarnation=NEW)):
        assert is_refused(desk.hear(message, T0 + 70, ELSEWHERE))
    assert desk.session.dropped == {SAID: 4}
    assert desk.counts() == {T0: (3, 0)}
    assert acked(desk.hear(minute(2, T0 + 60, total=(3, 0)), T0 + 121)) == 2


def test_when_the_first_has_been_silent_for_two_minutes_the_other_takes_over(desk):
    desk.hear(live(1, 10), T0 + 10)
    assert is_refused(desk.hear(hello(incarnation=NEW), T0 + 129, ELSEWHERE))
    assert acked(desk.hear(hello(incarnation=NEW), T0 + 130, ELSEWHERE)) == 0
    assert acked(desk.hear(minute(1, T0 + 60, 2, incarnation=NEW), T0 + 131, ELSEWHERE)) == 1
    assert is_refused(desk.hear(live(1, 140), T0 + 140))  # and now it is the first that has to wait


@pytest.mark.parametrize("step_s", [-3600, 3600])
def test_the_two_minutes_are_of_the_steady_clock(desk, step_s):
    desk.hear(live(1, 10), T0 + 10, steady_s=100)
    assert is_refused(desk.hear(hello(incarnation=NEW), T0 + step_s, ELSEWHERE, steady_s=219))
    assert acked(desk.hear(hello(incarnation=NEW), T0 + step_s, ELSEWHERE, steady_s=220)) == 0


def test_a_wiped_node_on_its_own_link_is_no_rival(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    assert acked(desk.hear(hello(incarnation=NEW), T0 + 62, LINK)) == 0


def test_a_node_that_is_plugged_into_another_port_is_no_rival_of_itself(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    assert acked(desk.hear(minute(2, T0 + 60, 1, total=(4, 0)), T0 + 121, ELSEWHERE)) == 2


def test_one_that_comes_back_after_another_took_over_is_not_counted_twice(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    desk.hear(live(1, 90, 8, covered_s=30), T0 + 90)
    desk.hear(hello(incarnation=NEW), T0 + 300, ELSEWHERE)
    took_over = desk.hear(minute(1, T0 + 300, 2, incarnation=NEW), T0 + 361, ELSEWHERE)
    assert [(found.bin_start, found.ab) for found in of_kind(took_over, Salvage)] == [(T0 + 60, 5)]
    # The first was only unplugged: the people that were salvaged are in its next record.
    for _ in range(2):
        assert is_refused(desk.hear(minute(2, T0 + 60, 6, total=(9, 0)), T0 + 600))
        desk.restart()
    assert desk.counts() == {T0: (3, 0), T0 + 60: (5, 0), T0 + 300: (2, 0)}


# -- a copy of the log: the same incarnation


def test_a_number_that_comes_twice_with_two_meanings_is_refused(desk):
    for n in range(1, 4):
        desk.hear(minute(n, T0 + 60 * n, n, total=(n * (n + 1) // 2, 0)), T0 + 300)
    effects = desk.hear(minute(2, T0 + 120, 7, total=(8, 0)), T0 + 301, ELSEWHERE)
    assert notes(effects) == [SAID]
    assert is_refused(effects)
    assert acked(desk.hear(minute(2, T0 + 120, 2, total=(3, 0)), T0 + 302)) == 3  # the first one's, again
    assert desk.session.dropped == {"duplicate": 2, SAID: 1}


def test_boots_that_go_back_are_refused(desk):
    desk.hear(minute(1, T0, 3, boot=5), T0 + 61)
    effects = desk.hear(minute(2, T0 + 60, 3, boot=4), T0 + 121)
    assert notes(effects) == [SAID]
    assert is_refused(effects)
    assert acked(desk.hear(minute(2, T0 + 60, 3, boot=6), T0 + 122)) == 2


@pytest.mark.parametrize(("first", "refused", "next_one"), [(0xFFFF, 0xFFFE, 0), (0, 0xFFFF, 1)])
def test_boots_that_go_back_across_the_wrap_are_refused(first, refused, next_one):
    desk = Desk()
    desk.hear(hello(boot=first), T0)
    desk.hear(minute(1, T0, 3, boot=first), T0 + 61)
    assert is_refused(desk.hear(minute(2, T0 + 60, 3, boot=refused), T0 + 121))
    assert acked(desk.hear(minute(2, T0 + 60, 3, boot=next_one), T0 + 122)) == 2


def test_totals_that_go_back_are_refused_and_change_nothing(desk):
    desk.hear(minute(1, T0, 30), T0 + 61)
    effects = desk.hear(minute(2, T0 + 60, 2, total=(31, 0)), T0 + 121)
    assert notes(effects) == [SAID]
    assert is_refused(effects)
    assert acked(desk.hear(minute(2, T0 + 60, 2, total=(32, 0)), T0 + 122)) == 2
    assert desk.counts() == {T0: (30, 0), T0 + 60: (2, 0)}


def test_what_a_refusal_rests_on_is_known_after_a_restart_of_the_gateway(desk):
    desk.hear(minute(1, T0, 30, boot=5), T0 + 61)
    desk.restart()
    assert is_refused(desk.hear(minute(2, T0 + 60, 2, boot=5, total=(31, 0)), T0 + 121))
    assert is_refused(desk.hear(minute(2, T0 + 60, 2, boot=4, total=(2, 0)), T0 + 122))


def test_what_is_remembered_of_accepted_records_is_bounded(desk):
    for n in range(1, 100):
        desk.hear(minute(n, T0 + 60 * n, total=(0, 0)), T0 + 9000)
    (stream,) = desk.session._streams.values()
    assert list(stream.recent) == list(range(68, 100))


def test_a_silence_goes_on_while_only_a_refused_node_speaks(desk):
    desk.hear(minute(1, T0, 30, boot=5), T0 + 61)
    desk.commit(desk.session.check_silence(T0 + 1000))
    desk.hear(minute(2, T0 + 60, 2, boot=4), T0 + 1100)
    assert len(desk.store.silences()) == 1


# -- other hardware at the same site


def test_other_hardware_at_the_same_site_is_a_series_of_its_own(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    desk.hear(live(1, 90, 8, covered_s=30), T0 + 90)
    desk.hear(hello(boot=9, node=OTHER), T0 + 100)
    effects = desk.hear(minute(77, T0 + 120, 4, previous=0, boot=9, node=OTHER), T0 + 181)
    assert not of_kind(effects, (Salvage, Loss, Gap))
    bins = {(bin_.series.site, bin_.series.node, bin_.start_s): bin_.ab for bin_ in desk.store.count_bins_since(0)}
    assert bins == {("bahnhof", NAME, T0): 3, ("bahnhof", node_name(OTHER), T0 + 120): 4}
    assert [gap.node for gap in of_kind(desk.session.check_silence(T0 + 1080), Gap)] == [desk.store.streams()[1].node]
