"""gateway.acceptance: which quality bits a record brings, and when a time that has not come is believed."""

from __future__ import annotations

import pytest

import streetwire
from gateway import acceptance, model
from gateway.model import Accept, GiveTime
from tests.gateway.parts import NODE, T0, Desk, acked, hello, minute, of_kind, placed


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


# -- a record from the future


def refused(desk, seq: int, bin_start: int, at_s: int, steady_s: int) -> bool:
    effects = desk.hear(minute(seq, bin_start, uptime_end_s=60 * seq), at_s, steady_s=steady_s)
    return not of_kind(effects, Accept)


def test_a_record_from_the_future_waits_an_hour_and_is_then_placed_as_one_without_time(desk):
    future_s = T0 + 86_400
    assert refused(desk, 1, future_s, T0 + 61, 5000)
    assert refused(desk, 1, future_s, T0 + 3660, 5000 + 3599)
    effects = desk.hear(minute(1, future_s), T0 + 3661, steady_s=5000 + 3600)
    assert acked(effects) == 1
    assert placed(effects)[1] & (model.Q_TIME_HELD | model.Q_TIME_UNKNOWN)
    assert placed(effects)[0] <= T0 + 3661


def test_the_patience_with_a_record_from_the_future_is_of_the_steady_clock(desk):
    future_s = T0 + 86_400
    assert refused(desk, 1, future_s, T0 + 61, 5000)
    assert refused(desk, 1, future_s, T0 + 61 + 7200, 5100)  # the clock was set by two hours
    assert not refused(desk, 1, future_s, T0 + 61, 5000 + acceptance.PATIENCE_MS // 1000)


def test_a_backlog_from_the_future_waits_once_not_once_for_each_record(desk):
    future_s = T0 + 86_400
    assert refused(desk, 1, future_s, T0 + 61, 5000)
    assert [refused(desk, n, future_s + 60 * n, T0 + 3700, 8700) for n in (1, 2, 3)] == [False] * 3
    assert not refused(desk, 4, T0 + 3600, T0 + 3700, 8700)  # one that is not from the future ends the patience
    assert refused(desk, 5, future_s, T0 + 3701, 8701)
    assert desk.session.dropped == {"record from the future": 2}


def test_who_is_refused_for_a_wrong_time_is_told_the_right_one(desk):
    desk.restart()
    effects = desk.hear(minute(1, T0 + 86_400), T0 + 61)
    assert acked(effects) is None
    assert len(of_kind(effects, GiveTime)) == 1
