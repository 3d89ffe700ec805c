"""gateway.moments: which minute a record belongs to, and what time it was at an uptime."""

from __future__ import annotations

import pytest

from gateway import model, moments
from gateway.model import Q_TIME_UNKNOWN, Received, Salvage
from gateway.moments import GRACE_S
from tests.gateway.parts import INCARNATION, LINK, T0, Desk, acked, hello, live, losses, minute, of_kind, placed


@pytest.fixture
def desk():
    desk = Desk()
    desk.hear(hello(uptime_s=0), T0 + 7)
    return desk


def test_the_minute_that_the_node_names_is_taken_as_it_is(desk):
    assert placed(desk.hear(minute(1, T0 - 86_400 * 20, uptime_end_s=99), T0 + 100)) == (T0 - 86_400 * 20, 0)


def test_the_first_minute_that_is_believed(desk):
    assert placed(desk.hear(minute(1, moments.EARLIEST_S), T0 + 100)) == (moments.EARLIEST_S, 0)


def test_a_minute_named_before_the_first_street_is_no_name(desk):
    start, q = placed(desk.hear(minute(1, moments.EARLIEST_S - 60, uptime_end_s=60), T0 + 100))
    assert (start, q) == (T0, model.Q_TIME_HELD)


def test_without_a_name_it_is_placed_by_uptime_against_what_the_gateway_witnessed(desk):
    # Uptime zero was at T0 + 7: minutes of uptime lie across UTC minutes, and each goes where its middle is.
    bins = [placed(desk.hear(minute(n, 0, uptime_end_s=60 * n), T0 + 400)) for n in (1, 2, 3)]
    assert bins == [(T0, model.Q_TIME_HELD), (T0 + 60, model.Q_TIME_HELD), (T0 + 120, model.Q_TIME_HELD)]


@pytest.mark.parametrize(("began_s", "bin_start"), [(29, T0), (30, T0 + 60)])
def test_the_middle_of_what_was_counted_decides(began_s, bin_start):
    desk = Desk()
    desk.hear(hello(uptime_s=0), T0 + began_s)
    assert placed(desk.hear(minute(1, 0, uptime_end_s=60), T0 + 400))[0] == bin_start
    desk.hear(hello(uptime_s=0, incarnation=INCARNATION + 1), T0 + began_s)
    late_part = minute(1, 0, uptime_end_s=60, covered_s=0, incarnation=INCARNATION + 1)
    assert placed(desk.hear(late_part, T0 + 400))[0] == T0 + 60


def test_live_messages_witness_a_boot_as_well():
    desk = Desk()
    desk.hear(hello(boot=9), T0)
    desk.hear(live(boot=1, uptime_s=100), T0 + 1000)
    assert placed(desk.hear(minute(1, 0, boot=1, uptime_end_s=70), T0 + 1001)) == (T0 + 900, model.Q_TIME_HELD)


def test_what_was_witnessed_survives_a_restart_of_the_gateway(desk):
    desk.restart()
    assert placed(desk.hear(minute(1, 0, uptime_end_s=60), T0 + 4000)) == (T0, model.Q_TIME_HELD)


def test_a_boot_that_nobody_witnessed_is_placed_behind_its_predecessor(desk):
    desk.hear(minute(1, T0 + 600, boot=1), T0 + 3600)
    bins = [placed(desk.hear(minute(n, 0, boot=2, uptime_end_s=60 * n), T0 + 3600)) for n in (2, 3)]
    unknown = model.Q_TIME_UNKNOWN
    assert bins == [(T0 + 660, unknown | model.Q_NODE_RESET), (T0 + 720, unknown)]


def test_unknown_time_never_leads_into_the_future(desk):
    desk.hear(minute(1, T0 + 600, boot=1), T0 + 661)
    bins = [placed(desk.hear(minute(n, 0, boot=2, uptime_end_s=60), T0 + 750))[0] for n in range(2, 6)]
    assert bins == [T0 + 660, T0 + 720, T0 + 720, T0 + 720]


def test_the_very_first_record_of_an_unknown_time_goes_to_the_minute_of_its_arrival(desk):
    assert placed(desk.hear(minute(1, 0, boot=5), T0 + 619)) == (T0 + 600, model.Q_TIME_UNKNOWN)


def test_a_long_uptime_is_placed_to_the_minute():
    desk = Desk()
    desk.hear(hello(uptime_s=30 * 86_400), T0)
    assert placed(desk.hear(minute(1, 0, uptime_end_s=86_400), T0 + 61))[0] == T0 - 29 * 86_400 - 60


@pytest.mark.parametrize("uptime_s", [2**32 - 1, 800_000_000])
def test_an_uptime_that_makes_no_sense_places_nothing_before_the_first_street(uptime_s):
    desk = Desk()
    desk.hear(hello(uptime_s=uptime_s), T0)
    assert placed(desk.hear(minute(1, 0, uptime_end_s=60), T0 + 30)) == (T0, model.Q_TIME_UNKNOWN)


def test_a_bin_once_assigned_is_never_computed_again(desk):
    record = minute(1, 0, 4, uptime_end_s=60)
    desk.hear(record, T0 + 61)
    desk.hear(hello(uptime_s=0), T0 + 6000)  # the clock was wrong, and the epoch moves
    desk.restart()
    for at_s in (T0 + 6001, T0 - 6000, T0 + 86_400):
        assert acked(desk.hear(record, at_s)) == 1
    assert desk.counts() == {T0: (4, 0)}


# -- the steady clock


def test_a_node_heard_while_the_gateway_had_no_time_is_tied_and_placed_once_it_has():
    desk = Desk()
    desk.hear(hello(boot=1, uptime_s=30), 10, steady_s=1000)  # 1970; boot 1 began at steady 970
    desk.hear(live(boot=1, uptime_s=100), 80, steady_s=1070)
    desk.hear(hello(boot=2, uptime_s=5), 200, steady_s=1200)
    assert desk.store.streams() == []
    # The clock is set: steady 1300 is T0. Boot 1 began at T0 - 330.
    desk.hear(hello(boot=2, uptime_s=105, next_seq=256), T0, steady_s=1300)
    bins = [placed(desk.hear(minute(n, 0, 1, total=(n, 0), uptime_end_s=60 * n), T0, steady_s=1300)) for n in (1, 2)]
    assert bins == [(T0 - 300, model.Q_TIME_HELD), (T0 - 240, model.Q_TIME_HELD)]


def test_a_node_heard_while_the_gateway_had_no_time_is_still_tied_after_a_restart_that_comes_once_it_has():
    desk = Desk()
    desk.hear(hello(boot=1, uptime_s=30), 10, steady_s=1000)
    (stream,) = desk.session._streams.values()
    assert stream.boots[1].epoch_ms == 0, "1970 is no time"
    desk.hear(hello(boot=2), T0, steady_s=1300)
    desk.store.keep_ties(0)  # the machine was switched off, too
    desk.restart()
    assert placed(desk.hear(minute(1, 0, uptime_end_s=60), T0 + 60, steady_s=5)) == (T0 - 300, model.Q_TIME_HELD)


def test_a_record_of_a_boot_that_was_witnessed_in_no_time_waits_until_there_is_time():
    desk = Desk()
    desk.hear(hello(), 10, steady_s=1000)
    assert acked(desk.hear(minute(1, 0, uptime_end_s=60), 80, steady_s=1070)) is None
    assert desk.session.dropped == {"gateway has no time": 2}
    assert desk.counts() == {}


@pytest.mark.parametrize("step_s", [-3600, 3600])
def test_a_step_of_the_gateways_clock_between_witness_and_record_moves_no_record(step_s):
    desk = Desk()
    desk.hear(hello(uptime_s=0), T0 + step_s, steady_s=1000)  # the clock is wrong by so much
    record = minute(1, 0, uptime_end_s=60)
    assert placed(desk.hear(record, T0 + 400, steady_s=1400)) == (T0, model.Q_TIME_HELD)  # and right again


@pytest.mark.parametrize("step_s", [-3600, 3600])
def test_a_step_of_the_gateways_clock_moves_no_salvaged_minute(step_s):
    desk = Desk()
    desk.hear(hello(uptime_s=0), T0 + step_s, steady_s=1000)
    desk.hear(live(1, 90, 5, covered_s=30), T0 + step_s + 90, steady_s=1090)
    effects = desk.hear(minute(1, T0 + 300, boot=2), T0 + 361, steady_s=1361)
    assert [found.bin_start for found in of_kind(effects, Salvage)] == [T0 + 60]


def test_a_message_may_come_late_but_never_early():
    desk = Desk()
    for late_s, uptime_s in ((9, 0), (0, 10), (30, 20)):
        desk.hear(hello(uptime_s=uptime_s), T0 + uptime_s + late_s)
    (stream,) = desk.session._streams.values()
    assert stream.moments[1].epoch_ms == T0 * 1000


def test_a_tie_gives_way_to_a_later_one_after_ten_minutes_for_crystals_drift():
    desk = Desk()
    desk.hear(hello(uptime_s=0), T0)
    (stream,) = desk.session._streams.values()
    for uptime_s, epoch_s in ((597, 0), (598, 3)):  # this node's seconds are too long
        desk.hear(hello(uptime_s=uptime_s), T0 + uptime_s + 3)
        assert stream.moments[1].epoch_ms == (T0 + epoch_s) * 1000, uptime_s


def test_ties_are_bounded_as_boots_are():
    desk = Desk()
    desk.hear(hello(boot=1), T0)
    desk.hear(minute(1, T0, 5), T0 + 61)
    (stream,) = desk.session._streams.values()
    for boot in range(2, 40):
        desk.hear(hello(boot=boot), T0 + 62)
        assert stream.moments.keys() <= stream.boots.keys()
    assert list(stream.boots) == [1, *range(33, 40)]
    assert len(stream.boots) == moments.MAX_BOOTS


def test_the_boot_of_the_last_record_is_kept_across_the_wrap_of_the_boot_number_and_a_restart(desk):
    desk.hear(minute(1, T0, 5, boot=0xFFFE), T0 + 61)
    for boot in (0xFFFF, *range(20)):
        if boot == 7:
            desk.restart()
        desk.hear(hello(boot=boot), T0 + 62)
    assert losses(desk.hear(minute(2, T0 + 60, 1, boot=0xFFFE, total=(6, 0)), T0 + 122)) == []


def test_after_a_restart_across_the_wrap_of_the_boot_number_the_oldest_boots_are_forgotten_first(desk):
    desk.hear(minute(1, T0, 5, boot=0xFFFD), T0 + 61)
    for boot in (0xFFFE, 0xFFFF, *range(1, 7)):
        desk.hear(hello(boot=boot), T0 + 62)
    desk.restart()  # it comes back in the order of numbers
    desk.hear(live(boot=7), T0 + 63)
    (stream,) = desk.session._streams.values()
    assert set(stream.boots) == {0xFFFD, *range(1, 8)}


def test_a_boot_that_is_heard_again_is_not_forgotten_for_others(desk):
    desk.hear(minute(1, T0, 5), T0 + 61)
    for boot in range(2, 21):
        desk.hear(hello(boot=boot), T0 + 62)
    desk.restart()  # the store keeps one more
    desk.hear(live(boot=13), T0 + 63)
    (stream,) = desk.session._streams.values()
    assert list(stream.boots) == [1, 13, *range(15, 21)]


def test_where_there_is_no_steady_clock_utc_has_to_do():
    assert moments.steady(Received(b"", LINK, 5)) == 5
    assert moments.steady(Received(b"", LINK, 5, 0)) == 0


# -- the minute that was open when a boot was heard last


def opened(uptime_s: int, covered_s: int | None) -> tuple[int, int]:
    """(bin after T0, quality bits) of people told at this uptime of a boot that began at T0 + 7."""
    desk = Desk()
    desk.hear(hello(), T0 + 7)
    desk.hear(live(1, uptime_s, 5, covered_s=covered_s), T0 + 7 + uptime_s)
    (found,) = of_kind(desk.hear(minute(9, T0 + 6000, previous=0, boot=2), T0 + 6061), Salvage)
    return found.bin_start - T0, found.q


def test_the_open_minute_is_that_in_whose_middle_people_were_told():
    assert opened(53, 53) == (0, 0)
    assert opened(60, 56) == (0, 0)  # T0 + 67, seven seconds after the minute began
    assert opened(55, 55) == (0, 0)  # T0 + 62: most of what was watched lies before


def test_what_was_told_of_closed_minutes_too_stands_in_the_open_one_and_says_that_it_is_a_guess():
    assert opened(20, 20 - GRACE_S) == (0, 0)
    assert opened(20, 20 - GRACE_S - 1) == (0, Q_TIME_UNKNOWN)
    assert opened(60, 7) == (60, Q_TIME_UNKNOWN)
    assert opened(55, None) == (60, Q_TIME_UNKNOWN)  # it does not say how much of the open minute it has watched


def opened_ahead(desk) -> tuple[int, int]:
    """(bin after T0, quality bits) of people told while the clock was ahead: their minute would not have come yet."""
    desk.hear(hello(), T0 + 1000)
    desk.hear(live(1, 10, 5), T0 + 1010)
    desk.restart()
    (found,) = of_kind(desk.hear(minute(2, T0 - 60, previous=0, boot=2), T0), Salvage)
    return found.bin_start - T0, found.q


def test_an_open_minute_of_unknown_time_is_behind_the_last_record_and_never_in_the_future():
    assert opened_ahead(Desk()) == (-60, model.Q_TIME_UNKNOWN)
    desk = Desk()
    desk.hear(hello(), T0 - 700)
    desk.hear(minute(1, T0 - 600), T0 - 500)
    assert opened_ahead(desk) == (-540, model.Q_TIME_UNKNOWN)


def test_an_uptime_that_makes_no_sense_puts_no_open_minute_before_the_first_street():
    desk = Desk()
    desk.hear(live(1, 20), T0)
    desk.hear(hello(uptime_s=20), T0)
    desk.hear(hello(uptime_s=2**32 - 1), T0)
    desk.hear(live(1, 20, 5), T0 + 20)
    (found,) = of_kind(desk.hear(minute(2, T0 + 60, previous=0, boot=2), T0 + 121), Salvage)
    assert (found.bin_start, found.q) == (T0 + 60, model.Q_TIME_UNKNOWN)
