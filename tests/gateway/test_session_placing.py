"""gateway.session: which minute a record belongs to, and which quality bits it brings."""

from __future__ import annotations

import pytest

import streetwire
from gateway import model
from gateway.model import Accept
from tests.gateway.parts import INCARNATION, NODE, T0, Desk, acked, hello, live, minute, of_kind


def placed(effects) -> tuple[int, int]:
    """(bin, q) of the record that was accepted."""
    (accept,) = of_kind(effects, Accept)
    return accept.bin_start, accept.q


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


# -- quality


@pytest.mark.parametrize(
    ("flag", "bit"),
    [
        (streetwire.SATURATED, model.Q_SATURATED),
        (streetwire.BLOCKED, model.Q_BLOCKED),
        (streetwire.CLIMATE_IMPLAUSIBLE, model.Q_CLIMATE_IMPLAUSIBLE),
        (streetwire.DRIFTING, 0),
    ],
)
def test_flags_of_the_record_become_bits_however_it_was_placed(desk, flag, bit):
    assert placed(desk.hear(minute(1, T0, flags=flag), T0 + 61)) == (T0, bit)
    assert placed(desk.hear(minute(2, 0, flags=flag, uptime_end_s=120), T0 + 130))[1] == bit | model.Q_TIME_HELD
    assert placed(desk.hear(minute(3, 0, flags=flag, boot=2), T0 + 190))[1] & bit == bit


def test_the_first_record_of_a_new_boot_says_reset_and_only_that_one(desk):
    boots = [1, 1, 2, 2, 3]
    q = [placed(desk.hear(minute(n, T0 + 60 * n, boot=boot), T0 + 900))[1] for n, boot in enumerate(boots, 1)]
    assert q == [0, 0, model.Q_NODE_RESET, 0, model.Q_NODE_RESET]


def test_a_reset_is_still_known_after_a_restart_of_the_gateway(desk):
    desk.hear(minute(1, T0, boot=1), T0 + 61)
    desk.restart()
    assert placed(desk.hear(minute(2, T0 + 60, boot=2), T0 + 121))[1] == model.Q_NODE_RESET


def test_the_first_boot_ever_heard_is_no_reset(desk):
    assert placed(desk.hear(minute(1, T0, boot=40), T0 + 61))[1] == 0


@pytest.mark.parametrize("platform", ["unix", "cpython", ""])
def test_whatever_is_no_board_is_marked_as_simulated(platform):
    desk = Desk()
    desk.hear(hello(platform=platform), T0)
    assert placed(desk.hear(minute(1, T0), T0 + 61))[1] == model.Q_SIMULATED
    assert desk.store.simulated_nodes() == {model.node_name(NODE)}


def test_a_board_is_not_marked_as_simulated(desk):
    assert placed(desk.hear(minute(1, T0), T0 + 61))[1] == 0
    assert desk.store.simulated_nodes() == set()
