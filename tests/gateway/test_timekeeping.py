"""gateway.timekeeping: no time before it is known, and then for ever."""

from __future__ import annotations

import sys

import pytest

from gateway import timekeeping
from gateway.moments import EARLIEST_S
from gateway.timekeeping import ClockWatch, SynchronisedClock
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


def test_a_clock_that_is_set_is_noticed():
    wall, steady = [T0 * 1000], [5_000]
    watch = ClockWatch(lambda: wall[0], lambda: steady[0])
    found = []
    for step_ms in (0, 59_000, -59_000, 61_000, 0, -86_400_000, 0):
        steady[0] += 60_000
        wall[0] += 60_000 + step_ms
        found.append(watch.unset_for_ms())
    assert found == [60_000, 120_000, 180_000, 0, 60_000, 0, 60_000]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells one run of a machine from the next")
def test_a_run_of_the_machine_has_a_number_of_its_own(tmp_path, monkeypatch):
    assert timekeeping.run_of_machine() == timekeeping.run_of_machine() > 0
    other = tmp_path / "boot_id"
    other.write_text("0f3c1a52-6f0e-4a57-9d6e-1c2b3a4d5e6f\n", encoding="ascii")
    monkeypatch.setattr(timekeeping, "_BOOT_ID", other)
    assert timekeeping.run_of_machine() == 0x0F3C1A526F0E4A5
    other.unlink()
    assert timekeeping.run_of_machine() == 0  # then no tie is kept
