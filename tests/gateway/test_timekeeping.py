"""gateway.timekeeping: no time before it is known, and then for ever."""

from __future__ import annotations

import sys

import pytest

from gateway import timekeeping
from gateway.moments import EARLIEST_S
from gateway.timekeeping import SynchronisedClock
from tests.gateway.parts import T0


def test_before_it_is_told_the_time_is_none_that_anything_is_accepted_at():
    told = []
    clock = SynchronisedClock(lambda: bool(told), lambda: T0 * 1000, lambda: 5_000)
    assert clock() == 5_000 < EARLIEST_S * 1000
    told.append(True)
    assert clock() == T0 * 1000


def test_once_told_is_enough():
    answers = [True, False, False]
    clock = SynchronisedClock(lambda: answers.pop(0), lambda: T0 * 1000, lambda: 5_000)
    assert [clock(), clock(), clock()] == [T0 * 1000] * 3
    assert answers == [False, False], "asked again although it knows"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="adjtimex is Linux")
@pytest.mark.parametrize(("state", "is_right"), [(0, True), (1, True), (4, True), (5, False), (-1, False)])
def test_what_the_kernel_says(monkeypatch, state, is_right):
    libc = type("libc", (), {"adjtimex": staticmethod(lambda _buffer: state)})
    monkeypatch.setattr(timekeeping.ctypes, "CDLL", lambda _name: libc)
    assert timekeeping.is_synchronised() is is_right


def test_the_kernel_can_be_asked():
    assert timekeeping.is_synchronised() in (True, False)


def test_where_it_cannot_be_asked_the_clock_is_believed(monkeypatch):
    monkeypatch.setattr(timekeeping.sys, "platform", "darwin")
    assert timekeeping.is_synchronised() is True
