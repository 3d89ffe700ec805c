"""gateway.session: which quality bits a record brings."""

from __future__ import annotations

import pytest

import streetwire
from gateway import model
from tests.gateway.parts import NODE, T0, Desk, hello, minute, placed


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
