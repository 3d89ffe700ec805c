"""gateway.window, both forms: against a brute-force oracle, against numbers worked out by hand, and every bad argument."""

from __future__ import annotations

import random
import tracemalloc
from array import array
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from window_oracle import Oracle

from gateway.window import ACCEPTED, FUTURE, LATE, TOO_LATE, WindowedCounter, rolling_sum
from tools.core_forms import FORMS, core

CELL_MAX = 2**32 - 1
T0 = 1_800_000_000  # a UTC minute
COUNTS = st.integers(0, 9) | st.sampled_from([255, 256, 65_535, 65_536, 2**20])


@pytest.fixture(params=FORMS, autouse=True, scope="module")
def form(request: pytest.FixtureRequest) -> str:
    """Every test runs on the source as it stands and on what is compiled from it."""
    global WindowedCounter, rolling_sum
    WindowedCounter, rolling_sum = core(request.param).WindowedCounter, core(request.param).rolling_sum
    return request.param


def read_all(counter: WindowedCounter, windows: int) -> array[int]:
    out = array("q", [-1]) * (counter.series * windows * 3)
    counter.query_all(out)
    return out


# --- any history, against the oracle


class AnyHistory(RuleBasedStateMachine):
    """The counter and the oracle live through the same history and must say the same after each step."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form

    @initialize(
        pane_s=st.sampled_from([1, 10, 60, 300]),
        panes=st.sampled_from([(1,), (3,), (1, 2, 6), (5, 2, 3), (7, 4)]),
        late=st.sampled_from([0, 1, 4]),
        series=st.integers(0, 3),
        start=st.sampled_from([0, 30, T0, T0 + 59]),
    )
    def begin(self, pane_s: int, panes: tuple[int, ...], late: int, series: int, start: int) -> None:
        self.windows_s = tuple(k * pane_s for k in panes)
        self.pane_s, self.now = pane_s, start
        self.counter = core(self.form).WindowedCounter(self.windows_s, pane_s, series, late * pane_s)
        self.oracle = Oracle(self.windows_s, pane_s, series, late * pane_s)

    def advance_to(self, now: int) -> None:
        self.counter.advance(now)
        self.oracle.advance(now)
        self.now = max(now, self.now)

    @rule(seconds=st.integers(0, 150))
    def time_goes_on(self, seconds: int) -> None:
        self.advance_to(self.now + seconds * self.pane_s // 50)

    @rule(panes=st.integers(3, 14))
    def long_silence(self, panes: int) -> None:
        self.advance_to(self.now + panes * self.pane_s)

    @rule(seconds=st.integers(1, 2_000_000_000))
    def the_clock_jumps(self, seconds: int) -> None:
        self.advance_to(self.now + seconds)

    @rule(seconds=st.integers(1, 1000))
    def the_clock_goes_back(self, seconds: int) -> None:
        self.advance_to(max(0, self.now - seconds))

    @rule(n=st.integers(0, 2))
    def grow(self, n: int) -> None:
        if self.counter.series + n <= 5:
            self.counter.grow(n)
            self.oracle.series += n

    def record(self, data: st.DataObject) -> tuple[int, int, int, int, int]:
        """i, event time, ab, ba, covered_s; the age reaches from beyond the open pane to beyond the ring."""
        age = data.draw(st.integers(-2, self.oracle.oldest + 2) | st.integers(0, 3))
        time = max(0, (self.now // self.pane_s - age) * self.pane_s) + data.draw(st.integers(0, self.pane_s - 1))
        i = data.draw(st.integers(0, self.counter.series - 1))
        return i, time, data.draw(COUNTS), data.draw(COUNTS), data.draw(st.integers(0, self.pane_s))

    def grid(self, time: int) -> int:
        return time // self.pane_s * self.pane_s

    @precondition(lambda self: self.counter.series)
    @rule(data=st.data())
    def add(self, data: st.DataObject) -> None:
        i, time, ab, ba, _ = self.record(data)
        assert self.counter.add(i, time, ab, ba) == self.oracle.add(i, time, ab, ba)

    @precondition(lambda self: self.counter.series)
    @rule(data=st.data())
    def set(self, data: st.DataObject) -> None:
        i, time, ab, ba, covered_s = self.record(data)
        code = self.oracle.set(i, self.grid(time), ab, ba, covered_s)
        assert self.counter.set(i, self.grid(time), ab, ba, covered_s) == code
        assert self.counter.set(i, self.grid(time), ab, ba, covered_s) == code

    @precondition(lambda self: self.counter.series)
    @rule(data=st.data(), n=st.integers(0, 12), absolute=st.booleans(), kind=st.sampled_from([list, "q", "Q", "I"]))
    def batch(self, data: st.DataObject, n: int, absolute: bool, kind: Any) -> None:
        records = [self.record(data) for _ in range(n)]
        series, times, ab, ba, covered_s = zip(*records, strict=True) if records else [()] * 5
        column = kind if kind is list else (lambda values: array(kind, values))
        if kind == "I" and max(times, default=0) >= 2**32:
            column = tuple
        if absolute:
            starts = [self.grid(time) for time in times]
            got = self.counter.set_many(*map(column, (series, starts, ab, ba, covered_s)))
            codes = [self.oracle.set(*r) for r in zip(series, starts, ab, ba, covered_s, strict=True)]
        else:
            got = self.counter.add_many(*map(column, (series, times, ab, ba)))
            codes = [self.oracle.add(*r) for r in zip(series, times, ab, ba, strict=True)]
        assert got.accepted == codes.count(ACCEPTED) + codes.count(LATE)
        assert got.late == codes.count(LATE)
        assert list(got.too_late) == [at for at, code in enumerate(codes) if code == TOO_LATE]
        assert list(got.future) == [at for at, code in enumerate(codes) if code == FUTURE]

    @rule()
    def drain(self) -> None:
        entries = self.counter.corrections()
        hulls = {(i, window_s): (first, last) for i, window_s, first, last in entries}
        assert len(hulls) == len(entries)
        assert hulls == self.oracle.hulls()
        for i in range(self.counter.series):
            for window_s in self.windows_s:
                first, last = hulls.get((i, window_s), (1, 0))
                assert all(first <= end <= last for end in self.oracle.differing(i, window_s))
        self.oracle.drain()

    @invariant()
    def same_answers(self) -> None:
        if not hasattr(self, "counter"):
            return
        assert self.counter.series == self.oracle.series
        everything = read_all(self.counter, len(self.windows_s))
        for i in range(self.oracle.series):
            expected = self.oracle.query(i)
            assert self.counter.query(i) == expected
            assert list(self.counter.query(i)) == list(self.windows_s)
            assert self.counter.open(i) == self.oracle.open(i)
            one = array("q", [-1]) * (3 * len(self.windows_s))
            self.counter.query_into(i, one)
            assert one == everything[i * len(one) : (i + 1) * len(one)]
            for n, (window_s, (ab, ba, coverage)) in enumerate(expected.items()):
                assert (one[3 * n], one[3 * n + 1], one[3 * n + 2] / window_s) == (ab, ba, coverage)


def test_any_history(form: str) -> None:
    how = settings(max_examples=120, stateful_step_count=40)
    run_state_machine_as_test(lambda: AnyHistory(form), settings=how)  # pyright: ignore[reportArgumentType]


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), min_size=1, max_size=6),
    st.sampled_from([(1,), (2, 5), (12,)]),
    st.integers(0, 8),
)
def test_corrections_are_the_exact_hull_where_nothing_cancels_out(
    adds: list[tuple[int, int]], panes: tuple[int, ...], more: int
) -> None:
    windows_s = tuple(10 * k for k in panes)
    counter, oracle = WindowedCounter(windows_s, 10, 1, 400), Oracle(windows_s, 10, 1, 400)
    for each in (counter, oracle):
        each.advance(T0)
        for age, ab in adds:
            each.add(0, T0 - 10 * age, ab, 0)
        each.advance(T0 + 10 * more)
    expected = [(0, window_s, min(ends), max(ends)) for window_s in windows_s if (ends := oracle.differing(0, window_s))]
    assert counter.corrections() == expected


# --- worked out by hand


def minutes(series: int = 1, lateness_s: int = 0) -> WindowedCounter:
    """Windows of one and three minutes; the open pane is that of T0."""
    counter = WindowedCounter(windows_s=(60, 180), pane_s=60, series=series, lateness_s=lateness_s)
    counter.advance(T0)
    return counter


def test_a_minute_is_counted_when_it_has_closed_and_leaves_each_window_in_its_time() -> None:
    counter = minutes()
    assert counter.set(0, T0, 5, 2, 30) == ACCEPTED
    seen = []
    for _ in range(5):
        seen.append((counter.open(0), counter.query(0)))
        counter.advance(T0 + 60 * len(seen))
    assert seen == [
        ((5, 2, 30), {60: (0, 0, 0.0), 180: (0, 0, 0.0)}),
        ((0, 0, 0), {60: (5, 2, 0.5), 180: (5, 2, 30 / 180)}),
        ((0, 0, 0), {60: (0, 0, 0.0), 180: (5, 2, 30 / 180)}),
        ((0, 0, 0), {60: (0, 0, 0.0), 180: (5, 2, 30 / 180)}),
        ((0, 0, 0), {60: (0, 0, 0.0), 180: (0, 0, 0.0)}),
    ]


def test_the_signature_of_the_contract_and_its_defaults(form: str) -> None:
    counter = WindowedCounter()
    assert counter.series == 100
    assert list(counter.query(99)) == [60, 300, 900, 3600, 86400]
    counter.advance(T0)
    assert counter.add(0, T0 - 86400, 1, 1) == LATE
    assert counter.add(0, T0 - 86401, 1, 1) == TOO_LATE
    window = core(form)
    assert window.COMPILED is (form == "compiled")
    assert (window.ACCEPTED, window.LATE, window.TOO_LATE, window.FUTURE) == (ACCEPTED, LATE, TOO_LATE, FUTURE)
    assert len({ACCEPTED, LATE, TOO_LATE, FUTURE}) == 4


def test_full_coverage_is_one() -> None:
    counter = minutes()
    counter.set_many([0] * 3, [T0 - 180, T0 - 120, T0 - 60], [0] * 3, [0] * 3, [60] * 3)
    assert counter.query(0) == {60: (0, 0, 1.0), 180: (0, 0, 1.0)}


def test_before_the_first_advance_everything_is_future() -> None:
    counter = WindowedCounter((60,), 60, 1)
    assert counter.add(0, 0, 1, 1) == FUTURE
    assert counter.set(0, 0, 1, 1, 1) == FUTURE
    assert list(counter.add_many([0], [0], [1], [1]).future) == [0]
    assert list(counter.set_many([0], [0], [1], [1], [1]).future) == [0]
    assert counter.query(0) == {60: (0, 0, 0.0)}
    assert counter.open(0) == (0, 0, 0)
    counter.advance(0)  # the first pane of all is open now
    assert counter.add(0, 0, 1, 2) == ACCEPTED
    assert counter.open(0) == (1, 2, 0)


def test_codes_at_their_edges() -> None:
    counter = minutes(lateness_s=120)
    counter.advance(T0 + 1)
    assert counter.add(0, T0 + 60, 1, 1) == FUTURE
    assert counter.add(0, T0 + 59, 1, 1) == ACCEPTED  # any second of the open pane, also after the watermark
    assert counter.add(0, T0, 1, 1) == ACCEPTED
    assert counter.add(0, T0 - 1, 1, 1) == LATE
    assert counter.add(0, T0 - 300, 1, 1) == LATE  # longest window 180 s + lateness 120 s
    assert counter.add(0, T0 - 301, 1, 1) == TOO_LATE
    assert counter.query(0)[180] == (1, 1, 0.0)
    assert counter.open(0) == (2, 2, 0)


def test_an_earlier_watermark_changes_nothing() -> None:
    counter = minutes()
    counter.advance(T0 - 3600)
    assert counter.add(0, T0, 1, 0) == ACCEPTED


def test_add_leaves_coverage_and_set_replaces_everything() -> None:
    counter = minutes()
    counter.set(0, T0, 1, 2, 40)
    counter.add(0, T0 + 5, 10, 20)
    assert counter.open(0) == (11, 22, 40)
    counter.set(0, T0, 3, 4, 50)
    assert counter.open(0) == (3, 4, 50)


def test_the_last_value_of_a_pane_wins_in_a_batch() -> None:
    counter = minutes()
    result = counter.set_many([0, 0, 0], [T0 - 60] * 3, [9, 1, 7], [0, 0, 8], [60, 0, 30])
    assert (result.accepted, result.late) == (3, 3)
    assert counter.query(0)[60] == (7, 8, 0.5)


def test_windows_keep_the_order_given() -> None:
    counter = WindowedCounter((180, 60), 60, 1)
    counter.advance(T0)
    counter.add_many([0, 0], [T0 - 1, T0 - 61], [1, 10], [2, 20])
    assert list(counter.query(0).items()) == [(180, (11, 22, 0.0)), (60, (1, 2, 0.0))]
    assert list(read_all(counter, 2)) == [11, 22, 0, 1, 2, 0]
    assert [entry[1] for entry in counter.corrections()] == [180, 60]


def test_a_jump_of_the_clock_is_no_walk_over_its_panes() -> None:
    counter = minutes(lateness_s=600)
    for jump in (13, 14, 27, 100, 10**4, 10**6, 10**8, 10**12):
        counter.add(0, T0, 7, 7)
        counter.advance(T0 + jump * 60)  # were it a walk, the longest of them would take years
        assert counter.query(0) == {60: (0, 0, 0.0), 180: (0, 0, 0.0)}
    counter.advance(2**62 - 1)
    assert counter.query(0) == {60: (0, 0, 0.0), 180: (0, 0, 0.0)}


def test_silence_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    counter, steps = core("pure").WindowedCounter((60, 86400), 10, 1), []
    panes = type(counter._panes)  # compiled, it looks up no method
    move = panes._move
    counter.advance(T0)
    counter.add(0, T0, 7, 7)
    monkeypatch.setattr(panes, "_move", lambda *a: (steps.append(a), move(*a)))
    counter.advance(T0 + 86400)
    assert counter.query(0) == {60: (0, 0, 0.0), 86400: (7, 7, 0.0)}
    assert len(steps) == 2  # into the first band, and from there into the second


@pytest.mark.parametrize(("pane_s", "bytes_each"), [(60, 7_500), (10, 45_000)])
def test_memory_is_bounded_and_does_not_depend_on_traffic(pane_s: int, bytes_each: int) -> None:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        counter = WindowedCounter(pane_s=pane_s, series=100)
        empty = tracemalloc.get_traced_memory()[0] - before
        counter.advance(T0)
        for age in range(0, 86400, 900):
            columns = [range(100), [T0 - age] * 100, [3] * 100, [1] * 100, [pane_s] * 100]
            counter.set_many(*(array("q", column) for column in columns))
        counter.corrections()
        full = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert empty <= 100 * bytes_each
    assert full <= 1.1 * empty


def test_a_pane_that_outgrows_its_cell_is_promoted() -> None:
    counter = minutes(series=2)
    counter.add(0, T0 - 60, 65_535, 65_535)
    counter.set(1, T0, 65_535, 1, 60)
    counter.add(0, T0 - 60, 1, 0)
    counter.add(1, T0, 1, 65_535)
    assert counter.query(0) == {60: (65_536, 65_535, 0.0), 180: (65_536, 65_535, 0.0)}
    assert counter.open(1) == (65_536, 65_536, 60)
    counter.advance(T0 + 60)
    assert counter.query(1) == {60: (65_536, 65_536, 1.0), 180: (65_536, 65_536, 60 / 180)}
    counter.grow(5)
    assert counter.query(0) == {60: (0, 0, 0.0), 180: (65_536, 65_535, 0.0)}
    counter.advance(T0 + 180)
    assert counter.query(0)[180] == (0, 0, 0.0)


def test_a_pane_of_upper_bits_only_moves_on_with_the_others() -> None:
    counter = minutes()
    counter.set(0, T0, 65_536, 0, 0)
    counter.advance(T0 + 60)
    assert counter.query(0) == {60: (65_536, 0, 0.0), 180: (65_536, 0, 0.0)}


def test_a_long_batch_is_what_its_records_are_one_by_one() -> None:
    chance = random.Random(5)
    one_by_one, at_once = (minutes(series=7, lateness_s=600) for _ in range(2))
    ages, counts = range(-1, 16), (0, 1, 2, 65_535)
    records = [
        (chance.randrange(7), T0 - 60 * chance.choice(ages), chance.choice(counts), chance.choice(counts), chance.randint(0, 60))
        for _ in range(500)
    ]
    codes = [one_by_one.set(*record) for record in records]
    batch = at_once.set_many(*(array("q", column) for column in zip(*records, strict=True)))
    assert (batch.accepted, batch.late) == (codes.count(ACCEPTED) + codes.count(LATE), codes.count(LATE))
    assert list(batch.too_late) == [n for n, code in enumerate(codes) if code == TOO_LATE]
    assert list(batch.future) == [n for n, code in enumerate(codes) if code == FUTURE]
    assert everything(at_once) == everything(one_by_one)


def test_panes_of_a_day() -> None:
    counter = WindowedCounter((86400, 7 * 86400), 86400, 1)
    counter.advance(T0)
    today = T0 // 86400 * 86400
    counter.set_many([0, 0], [today - 86400, today - 2 * 86400], [70_000, 1], [2, 3], [86_400, 300])
    assert counter.query(0) == {86400: (70_000, 2, 1.0), 7 * 86400: (70_001, 5, 86_700 / (7 * 86400))}


# --- corrections


def test_a_late_change_names_the_ends_it_reaches() -> None:
    counter = minutes(series=2, lateness_s=600)
    counter.set(1, T0 - 300, 4, 0, 60)
    assert counter.corrections() == [(1, 60, T0 - 240, T0 - 240), (1, 180, T0 - 240, T0 - 120)]
    assert counter.corrections() == []


def test_corrections_are_cut_off_at_the_newest_boundary_when_they_are_drained() -> None:
    counter = minutes()
    counter.set(0, T0 - 60, 4, 0, 60)
    counter.advance(T0 + 61)
    assert counter.corrections() == [(0, 60, T0, T0), (0, 180, T0, T0 + 60)]
    counter.set(0, T0, 4, 0, 60)
    assert counter.corrections() == [(0, 60, T0 + 60, T0 + 60), (0, 180, T0 + 60, T0 + 60)]


def test_corrections_outlive_the_ring() -> None:
    counter = minutes()
    counter.set(0, T0 - 60, 4, 0, 60)
    counter.advance(T0 + 10**9)
    assert counter.corrections() == [(0, 60, T0, T0), (0, 180, T0, T0 + 120)]


def test_the_open_pane_needs_no_correction() -> None:
    counter = minutes()
    counter.set(0, T0, 4, 0, 60)
    counter.add(0, T0, 4, 0)
    counter.advance(T0 + 120)
    assert counter.corrections() == []


def test_the_same_value_again_names_nothing() -> None:
    counter = minutes()
    counter.set(0, T0 - 60, 4, 1, 60)
    counter.corrections()
    assert counter.set(0, T0 - 60, 4, 1, 60) == LATE
    assert counter.add(0, T0 - 60, 0, 0) == LATE
    assert counter.set_many([0], [T0 - 60], [4], [1], [60]).late == 1
    assert counter.add_many([0], [T0 - 60], [0], [0]).late == 1
    assert counter.set(0, T0 - 240, 4, 1, 60) == TOO_LATE
    assert counter.set(0, T0 + 60, 4, 1, 60) == FUTURE
    assert counter.corrections() == []


@pytest.mark.parametrize("values", [(5, 1, 60), (4, 2, 60), (4, 1, 59)])
def test_each_of_ab_ba_and_coverage_makes_a_correction(values: tuple[int, int, int]) -> None:
    counter = minutes()
    counter.set(0, T0 - 60, 4, 1, 60)
    counter.corrections()
    counter.set(0, T0 - 60, *values)
    assert counter.corrections() == [(0, 60, T0, T0), (0, 180, T0, T0)]


def test_many_changes_give_one_entry_a_series_and_window() -> None:
    counter = minutes(series=2, lateness_s=6000)
    panes = [T0 - 60 * age for age in (90, 7, 40)]
    counter.set_many([0] * 3 + [1], [*panes, T0 - 60], [1] * 4, [1] * 4, [60] * 4)
    assert sorted(counter.corrections()) == [
        (0, 60, T0 - 89 * 60, T0 - 6 * 60),
        (0, 180, T0 - 89 * 60, T0 - 4 * 60),
        (1, 60, T0, T0),
        (1, 180, T0, T0),
    ]


# --- growth


def test_growing_keeps_all_and_adds_zeros() -> None:
    counter = minutes(series=0)
    for i in range(9):
        counter.grow(1)
        counter.set_many([i, i], [T0 - 60, T0], [i + 1, 50 + i], [0, 1], [60, 2])
        with pytest.raises(IndexError):  # room for more is not a series
            counter.set(i + 1, T0, 1, 1, 1)
    counter.grow(0)
    counter.grow(3)
    assert counter.series == 12
    assert [counter.query(i)[180][0] for i in range(12)] == [*range(1, 10), 0, 0, 0]
    assert [counter.open(i) for i in range(12)] == [(50 + i, 1, 2) for i in range(9)] + [(0, 0, 0)] * 3
    counter.advance(T0 + 60)
    assert [counter.query(i)[60][0] for i in range(12)] == [*range(50, 59), 0, 0, 0]


def test_without_series() -> None:
    counter = minutes(series=0)
    counter.query_all(array("q"))
    assert counter.set_many([], [], [], [], []).accepted == 0
    assert counter.add_many(array("q"), array("q"), array("q"), array("q")).accepted == 0
    assert counter.corrections() == []
    with pytest.raises(IndexError):
        counter.query(0)
    with pytest.raises(ValueError, match="out"):
        counter.query_all(array("q", [0]))


# --- bad arguments: the message names the value, and nothing has changed


def history() -> WindowedCounter:
    counter = minutes(series=2, lateness_s=60)
    counter.set_many([0, 1, 0], [T0 - 60, T0 - 120, T0], [1, CELL_MAX, 3], [4, 5, CELL_MAX], [60, 30, 7])
    return counter


def everything(counter: WindowedCounter) -> list[Any]:
    """All that the counter can be asked; drains it, and moves it on until each pane has been in every window."""
    seen: list[Any] = [counter.series, counter.corrections()]
    for step in range(6):
        seen += [counter.open(i) for i in range(counter.series)]
        seen += [counter.query(i) for i in range(counter.series)]
        counter.advance(T0 + 60 * step)
    return [*seen, counter.corrections()]


Call = Callable[[WindowedCounter], Any]
NOWHERE = {"open": T0, "late": T0 - 60, "future": T0 + 60, "too late": T0 - 6000}

BAD_SINGLE: dict[str, tuple[Call, type[Exception], str]] = {
    "advance float": (lambda c: c.advance(1.5), TypeError, r"now = 1\.5"),
    "advance bool": (lambda c: c.advance(True), TypeError, "now = True"),
    "advance None": (lambda c: c.advance(None), TypeError, "now = None"),
    "advance negative": (lambda c: c.advance(-1), ValueError, "now = -1"),
    "advance huge": (lambda c: c.advance(2**62), OverflowError, f"now = {2**62}"),
    "query beyond": (lambda c: c.query(2), IndexError, "i = 2"),
    "query negative": (lambda c: c.query(-1), IndexError, "i = -1"),
    "query float": (lambda c: c.query(0.0), TypeError, r"i = 0\.0"),
    "query bool": (lambda c: c.query(True), TypeError, "i = True"),
    "open beyond": (lambda c: c.open(2), IndexError, "i = 2"),
    "query_into beyond": (lambda c: c.query_into(2, array("q", [0] * 6)), IndexError, "i = 2"),
    "grow float": (lambda c: c.grow(1.0), TypeError, r"n = 1\.0"),
    "grow bool": (lambda c: c.grow(True), TypeError, "n = True"),
    "grow negative": (lambda c: c.grow(-1), ValueError, "n = -1"),
    "series is read-only": (lambda c: setattr(c, "series", 5), AttributeError, "series"),
}
for where, at in NOWHERE.items():
    rows: list[tuple[str, Call, type[Exception], str]] = [
        ("add beyond", lambda c, t=at: c.add(2, t, 0, 0), IndexError, "i = 2"),
        ("add negative i", lambda c, t=at: c.add(-1, t, 0, 0), IndexError, "i = -1"),
        ("add bool i", lambda c, t=at: c.add(False, t, 0, 0), TypeError, "i = False"),
        ("add float time", lambda c, t=at: c.add(0, float(t), 0, 0), TypeError, r"event_time = .*\.0"),
        ("add bool time", lambda c: c.add(0, True, 0, 0), TypeError, "event_time = True"),
        ("add negative time", lambda c: c.add(0, -60, 0, 0), ValueError, "event_time = -60"),
        ("add float ab", lambda c, t=at: c.add(0, t, 1.5, 0), TypeError, r"ab = 1\.5"),
        ("add bool ba", lambda c, t=at: c.add(0, t, 0, True), TypeError, "ba = True"),
        ("add negative ab", lambda c, t=at: c.add(0, t, -1, 0), ValueError, "ab = -1"),
        ("add negative ba", lambda c, t=at: c.add(0, t, 0, -1), ValueError, "ba = -1"),
        ("add huge ab", lambda c, t=at: c.add(0, t, 2**32, 0), OverflowError, "ab = 4294967296"),
        ("add text", lambda c, t=at: c.add(0, t, "1", 0), TypeError, "ab = '1'"),
        ("set beyond", lambda c, t=at: c.set(2, t, 0, 0, 0), IndexError, "i = 2"),
        ("set off grid", lambda c, t=at: c.set(0, t + 1, 0, 0, 0), ValueError, f"pane_start = {at + 1}"),
        ("set float start", lambda c, t=at: c.set(0, float(t), 0, 0, 0), TypeError, r"pane_start = .*\.0"),
        ("set negative start", lambda c: c.set(0, -60, 0, 0, 0), ValueError, "pane_start = -60"),
        ("set negative ba", lambda c, t=at: c.set(0, t, 0, -7, 0), ValueError, "ba = -7"),
        ("set huge ba", lambda c, t=at: c.set(0, t, 0, 2**64, 0), OverflowError, f"ba = {2**64}"),
        ("set covered too long", lambda c, t=at: c.set(0, t, 0, 0, 61), ValueError, "covered_s = 61"),
        ("set covered negative", lambda c, t=at: c.set(0, t, 0, 0, -1), ValueError, "covered_s = -1"),
        ("set covered float", lambda c, t=at: c.set(0, t, 0, 0, 0.5), TypeError, r"covered_s = 0\.5"),
        ("set covered bool", lambda c, t=at: c.set(0, t, 0, 0, True), TypeError, "covered_s = True"),
    ]
    BAD_SINGLE |= {f"{name}, {where}": (call, error, match) for name, call, error, match in rows}

BAD_SINGLE |= {
    "add overflows ab": (lambda c: c.add(1, T0 - 120, 1, 0), OverflowError, "ab of the pane = 4294967296"),
    "add overflows ba": (lambda c: c.add(0, T0, 1, 1), OverflowError, "ba of the pane = 4294967296"),
}


@pytest.mark.parametrize("name", BAD_SINGLE)
def test_a_bad_argument_is_named_and_changes_nothing(name: str) -> None:
    call, error, match = BAD_SINGLE[name]
    counter = history()
    with pytest.raises(error, match=match):
        call(counter)
    assert everything(counter) == everything(history())


GOOD_ROWS = [[0, T0 - 60, 8, 9, 5], [1, T0, 8, 9, 5], [1, T0 + 60, 8, 9, 5], [0, T0 - 6000, 8, 9, 5]]
SERIES, TIME, AB, BA, COVERED = range(5)
BAD_CELLS = {
    "series beyond": (SERIES, 2, IndexError, r"series\[\d\] = 2"),
    "series negative": (SERIES, -1, IndexError, r"series\[\d\] = -1"),
    "series bool": (SERIES, True, TypeError, r"series\[\d\] = True"),
    "time negative": (TIME, -60, ValueError, r"(event_times|pane_starts)\[\d\] = -60"),
    "time huge": (TIME, 2**62, OverflowError, r"(event_times|pane_starts)\[\d\] = "),
    "time float": (TIME, float(T0), TypeError, r"(event_times|pane_starts)\[\d\] = .*\.0"),
    "ab negative": (AB, -3, ValueError, r"ab\[\d\] = -3"),
    "ab float": (AB, 1.0, TypeError, r"ab\[\d\] = 1\.0"),
    "ab huge": (AB, 2**32, OverflowError, r"ab\[\d\] = 4294967296"),
    "ba negative": (BA, -3, ValueError, r"ba\[\d\] = -3"),
    "ba bool": (BA, False, TypeError, r"ba\[\d\] = False"),
    "ba huge": (BA, 2**63, OverflowError, r"ba\[\d\] = "),
    "ba a list": (BA, [1], (TypeError, ValueError), r"ba"),
}
BAD_SET_CELLS = {
    "off grid": (TIME, T0 + 1, ValueError, f"pane_starts = {T0 + 1}"),
    "covered too long": (COVERED, 61, ValueError, r"covered_s\[\d\] = 61"),
    "covered negative": (COVERED, -1, ValueError, r"covered_s\[\d\] = -1"),
    "covered float": (COVERED, 2.5, TypeError, r"covered_s\[\d\] = 2\.5"),
}


def batch(counter: WindowedCounter, method: str, columns: list[Any]) -> Any:
    return counter.set_many(*columns) if method == "set_many" else counter.add_many(*columns[:4])


@pytest.mark.parametrize("row", range(4), ids=["late", "open", "future", "too late"])
@pytest.mark.parametrize(
    ("method", "name"),
    [("add_many", name) for name in BAD_CELLS] + [("set_many", name) for name in BAD_CELLS | BAD_SET_CELLS],
)
def test_one_bad_record_keeps_the_whole_batch_out(method: str, name: str, row: int) -> None:
    column, value, error, match = (BAD_CELLS | BAD_SET_CELLS)[name]
    rows = [list(good) for good in GOOD_ROWS]
    rows[row][column] = value
    counter = history()
    with pytest.raises(error, match=match):
        batch(counter, method, [list(cells) for cells in zip(*rows, strict=True)])
    assert everything(counter) == everything(history())


BAD_COLUMNS = {
    "float buffer": (array("d", [0.0] * 4), TypeError, "format 'd'"),
    "bool buffer": (memoryview(bytes(4)).cast("?"), TypeError, r"format '\?'"),
    "char buffer": (memoryview(bytes(4)).cast("c"), TypeError, "format 'c'"),
    "two dimensions": (memoryview(bytes(4)).cast("B", (2, 2)), ValueError, r"\(2, 2\)"),
    "nested lists": ([[0, 0], [0, 0]], ValueError, r"\(2, 2\)"),
    "ragged lists": ([[0, 0], [0]], ValueError, "rows of the shapes"),
    "no dimension": (memoryview(bytes(1)).cast("B", ()), TypeError, "shape"),
    "too short": (array("q", [0] * 3), ValueError, r"\(3,\)"),
    "too long": ([0] * 5, ValueError, r"\(5,\)"),
    "empty": ((), ValueError, r"\(0,\)"),
    "a number": (0, TypeError, "= 0"),
    "text": ("0000", TypeError, "'0000'"),
    "None": (None, TypeError, "None"),
    "iterator": (iter([0] * 4), TypeError, "iterator"),
}


@pytest.mark.parametrize("column", range(5))
@pytest.mark.parametrize("name", BAD_COLUMNS)
def test_a_bad_column_keeps_the_whole_batch_out(name: str, column: int) -> None:
    bad, error, match = BAD_COLUMNS[name]
    columns: list[Any] = [list(cells) for cells in zip(*GOOD_ROWS, strict=True)]
    columns[column] = bad
    for method in ("set_many", "add_many")[: 2 if column < 4 else 1]:
        counter = history()
        with pytest.raises(error, match=match):
            batch(counter, method, columns)
        assert everything(counter) == everything(history())


def test_an_overflow_within_a_batch_keeps_all_of_it_out() -> None:
    for ab, ba in ([3, CELL_MAX, 1], [0, 0, 0]), ([0, 0, 0], [1, 0, CELL_MAX]):
        counter = history()
        with pytest.raises(OverflowError, match="of the pane = 42949"):
            counter.add_many([1, 1, 1], [T0 - 60, T0 - 60, T0 - 1], ab, ba)
        assert everything(counter) == everything(history())


def test_no_overflow_where_the_record_does_not_enter_or_the_pane_is_another() -> None:
    counter = minutes(series=2)
    result = counter.add_many([0, 0, 0, 1], [T0 + 60, T0 + 60, T0, T0], [CELL_MAX] * 4, [0] * 4)
    assert (result.accepted, list(result.future)) == (2, [0, 1])
    assert counter.add(0, T0 + 60, CELL_MAX, CELL_MAX) == FUTURE
    assert counter.open(0) == counter.open(1) == (CELL_MAX, 0, 0)


def test_sums_are_64_bit() -> None:
    counter = minutes()
    counter.set_many([0] * 3, [T0 - 60, T0 - 120, T0 - 180], [CELL_MAX] * 3, [CELL_MAX] * 3, [60] * 3)
    assert counter.query(0)[180] == (3 * CELL_MAX, 3 * CELL_MAX, 1.0)
    counter.advance(T0 + 60)
    assert counter.query(0)[180] == (2 * CELL_MAX, 2 * CELL_MAX, 2 / 3)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"windows_s": (60, 90)}, ValueError, "windows_s = 90"),
        ({"windows_s": (60, 60)}, ValueError, r"\[60, 60\]"),
        ({"windows_s": ()}, ValueError, r"windows_s = \[\]"),
        ({"windows_s": range(1, 65_537), "pane_s": 1}, ValueError, "windows_s has 65536 windows: expected 65535 or less"),
        ({"windows_s": (0,)}, ValueError, "windows_s = 0"),
        ({"windows_s": (-60,)}, ValueError, "windows_s = -60"),
        ({"windows_s": (60.0,)}, TypeError, r"windows_s = 60\.0"),
        ({"windows_s": (True,), "pane_s": 1}, TypeError, "windows_s = True"),
        ({"windows_s": 60}, TypeError, "int"),
        ({"pane_s": 0}, ValueError, "pane_s = 0"),
        ({"pane_s": -60}, ValueError, "pane_s = -60"),
        ({"pane_s": 60.0}, TypeError, r"pane_s = 60\.0"),
        ({"pane_s": True}, TypeError, "pane_s = True"),
        ({"pane_s": 2**32, "windows_s": (2**32,)}, OverflowError, "pane_s = 4294967296"),
        ({"series": -1}, ValueError, "series = -1"),
        ({"series": 1.0}, TypeError, r"series = 1\.0"),
        ({"series": True}, TypeError, "series = True"),
        ({"lateness_s": 30}, ValueError, "lateness_s = 30"),
        ({"lateness_s": -60}, ValueError, "lateness_s = -60"),
        ({"lateness_s": 60.0}, TypeError, r"lateness_s = 60\.0"),
        ({"lateness_s": False}, TypeError, "lateness_s = False"),
    ],
)
def test_bad_construction(arguments: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        WindowedCounter(**({"windows_s": (60, 300), "pane_s": 60, "series": 1, "lateness_s": 0} | arguments))


# --- buffers


def shaped(cells: int, shape: tuple[int, ...], typecode: str = "q") -> memoryview:
    return memoryview(array(typecode, [-1]) * cells).cast("B").cast(typecode, shape)


def test_answers_go_into_shaped_and_flat_buffers() -> None:
    counter = history()
    flat, table, cube = array("q", [-1] * 6), shaped(6, (2, 3)), shaped(12, (2, 2, 3))
    counter.query_into(1, flat)
    counter.query_into(1, table)
    counter.query_all(cube)
    assert list(flat) == [0, 0, 0, CELL_MAX, 5, 30]
    assert table.tolist() == [[0, 0, 0], [CELL_MAX, 5, 30]]
    assert cube.tolist() == [[[1, 4, 60], [1, 4, 60]], table.tolist()]


BAD_OUTPUTS = {
    "too short": (lambda n: array("q", [7] * (n - 1)), ValueError),
    "too long": (lambda n: array("q", [7] * (n + 1)), ValueError),
    "other shape": (lambda n: shaped(n, (3, n // 3)), ValueError),
    "strided": (lambda n: memoryview(array("q", [7] * 2 * n))[::2], ValueError),
    "unsigned": (lambda n: array("Q", [7] * n), TypeError),
    "32 bit": (lambda n: array("i", [7] * n), TypeError),
    "float": (lambda n: array("d", [7] * n), TypeError),
    "bytes": (lambda n: bytearray(8 * n), TypeError),
    "read-only": (lambda n: memoryview(array("q", [7] * n)).toreadonly(), TypeError),
    "list": (lambda n: [7] * n, TypeError),
    "None": (lambda n: None, TypeError),
}


@pytest.mark.parametrize("name", BAD_OUTPUTS)
def test_a_bad_output_buffer_is_refused_and_not_written(name: str) -> None:
    make, error = BAD_OUTPUTS[name]
    counter = history()
    for cells, call in (
        (6, lambda out: counter.query_into(0, out)),
        (12, counter.query_all),
        (12, lambda out: rolling_sum([1] * 6, [1, 2], out)),
    ):
        out = make(cells)
        before = out.tolist() if isinstance(out, memoryview) else out and list(out)
        with pytest.raises(error, match="out"):
            call(out)
        if name == "None":
            break  # rolling_sum takes None
        assert (out.tolist() if isinstance(out, memoryview) else list(out)) == before


@pytest.mark.parametrize("typecode", "bBhHiIlLqQ")
def test_columns_may_be_any_integer_buffer(typecode: str) -> None:
    counter = WindowedCounter((2,), 1, 2)
    counter.advance(100)
    columns = [array(typecode, cells) for cells in ([0, 1, 1], [99, 98, 100], [3, 4, 5], [6, 7, 8], [1, 1, 0])]
    assert counter.set_many(*columns).accepted == 3
    assert counter.add_many(*(memoryview(column)[::2] for column in columns[:4])).accepted == 2
    assert list(read_all(counter, 1)) == [6, 12, 1, 4, 7, 1]
    assert counter.open(1) == (10, 16, 0)


def test_numpy_arrays_and_integers() -> None:
    np = pytest.importorskip("numpy")
    counter = WindowedCounter((60, 180), np.int64(60), np.uint8(2))
    counter.advance(np.int64(T0))
    starts = np.array([T0 - 60, T0 - 120, T0 - 6000, T0 + 60])
    series, ab = np.array([0, 1, 0, 1], np.uint16), np.arange(40, dtype=np.int32)[::10]
    result = counter.set_many(series, starts, ab, ab, np.full(4, 60, np.uint8))
    assert (result.accepted, list(result.too_late), list(result.future)) == (2, [2], [3])
    assert counter.set(np.int8(0), np.int64(T0 - 60), np.uint64(5), 6, np.int16(30)) == LATE
    cube = np.full((2, 2, 3), -1, np.int64)
    counter.query_all(cube)
    assert cube.tolist() == [[[5, 6, 30], [5, 6, 30]], [[0, 0, 0], [10, 10, 60]]]
    counter.query_into(0, cube[1])
    assert cube[1].tolist() == cube[0].tolist()
    WindowedCounter((60,), 60, 0).query_all(np.empty((0, 1, 3), np.int64))
    for bad in (np.float64(1), np.bool_(True), np.array([1, 2])):
        with pytest.raises(TypeError, match="ab = "):
            counter.add(0, T0, bad, 0)
    for bad in (np.array([1.0]), np.array([True]), np.array([1], object), np.array([1], ">i8"), np.array(1)):
        with pytest.raises(TypeError, match="ab has format"):
            counter.add_many([0], [T0], bad, [0])
    with pytest.raises(OverflowError, match="ab"):
        counter.add_many([0], [T0], np.array([2**64 - 1], np.uint64), [0])
    assert counter.open(0) == (0, 0, 0)

    counts = np.arange(24).reshape(2, 3, 4)
    sums = np.asarray(rolling_sum(counts, np.array([1, 2])))
    assert sums.shape == (2, 2, 3, 4)
    assert (sums[0] == counts).all()
    assert (sums[1] == np.cumsum(counts, axis=0)).all()
    out = np.zeros((1, 4, 3, 2), np.int64)
    assert rolling_sum(counts.T, [2], out) is out
    assert (out[0, 1:] == counts.T[1:] + counts.T[:-1]).all()
    assert rolling_sum(np.empty((0, 3), np.int64), [2], np.empty((1, 0, 3), np.int64)).shape == (1, 0, 3)


# --- rolling_sum


def test_rolling_sum_by_hand() -> None:
    assert rolling_sum([1, 2, 3, 4], [1, 3, 9]).tolist() == [[1, 2, 3, 4], [1, 3, 6, 9], [1, 3, 6, 10]]
    table = rolling_sum([(1, 10), (2, 20), (3, 30)], (2,))
    assert (table.shape, table.format) == ((1, 3, 2), "q")
    assert table.tolist() == [[[1, 10], [3, 30], [5, 50]]]


@settings(max_examples=150)
@given(
    st.integers(1, 3).flatmap(
        lambda width: st.lists(st.lists(st.integers(0, 2**40), min_size=width, max_size=width), min_size=1, max_size=12)
    ),
    st.lists(st.integers(1, 15), min_size=1, max_size=4),
)
def test_rolling_sum_against_slices(counts: list[list[int]], windows: list[int]) -> None:
    expected = [
        [[sum(column[max(0, t + 1 - w) : t + 1]) for column in zip(*counts, strict=True)] for t in range(len(counts))]
        for w in windows
    ]
    assert rolling_sum(counts, windows).tolist() == expected
    flat = array("q", [cell for row in counts for cell in row])
    shape = len(counts), len(counts[0])
    buffer = memoryview(flat).cast("B").cast("q", shape)
    out = shaped(len(windows) * len(flat), (len(windows), *shape))
    assert rolling_sum(buffer, array("q", windows), out) is out
    assert out.tolist() == expected
    long = array("q", [-1]) * (len(windows) * len(flat))
    assert rolling_sum(buffer, windows, out=long) is long
    assert list(long) == [cell for window_rows in expected for row in window_rows for cell in row]
    column = [row[0] for row in counts]
    assert rolling_sum(column, windows).tolist() == [[row[0] for row in rows_] for rows_ in expected]


@pytest.mark.parametrize(("rows", "width"), [(1500, 1), (1500, 3), (3, 1), (1, 7), (6 * 256 + 5, 1), (103, 5)])
def test_rolling_sum_wherever_its_output_lies(rows: int, width: int) -> None:
    windows, chance = (1, 7, 256, 700, 1500, 9000), random.Random(width)
    counts = array("q", [chance.randint(0, 2**40) for _ in range(rows * width)])
    expected = []
    for w in windows:
        for at, count in enumerate(counts):
            before = expected[-width] if at >= width else 0
            expected.append(before + count - (counts[at - w * width] if at >= w * width else 0))
    for shift in (0, 1, 4, 8, 12, 16, 24):  # bytes: beginning on 32, 16 or 8 of them, or across eight
        memory = bytearray(b"x" * (8 * len(expected) + 32))
        out = memoryview(memory)[shift : shift + 8 * len(expected)].cast("q")
        rolling_sum(memoryview(counts).cast("B").cast("q", (rows, width)), windows, out)
        assert out.tolist() == expected
        assert set(memory[:shift] + memory[shift + 8 * len(expected) :]) == {ord("x")}


def test_rolling_sum_gives_large_results_in_memory_of_their_own() -> None:
    rows, windows = 140_000, (1, 5, 1440, 200_000)
    counts = array("q", (n * 7 % 41 for n in range(rows)))
    totals = [0, *accumulate(counts)]
    sums = rolling_sum(counts, windows)
    assert isinstance(sums, memoryview)
    assert (sums.shape, sums.format, sums.readonly, sums.c_contiguous) == ((4, rows), "q", False, True)
    for window, found in zip(windows, sums.tolist(), strict=True):
        assert found == [totals[row + 1] - totals[max(0, row + 1 - window)] for row in range(rows)]
    sums[3, rows - 1] = -1
    assert sums[3, rows - 1] == -1
    table = rolling_sum(memoryview(counts).cast("B").cast("q", (rows // 7, 7)), windows)
    assert table.shape == (4, rows // 7, 7)
    assert table[0, rows // 7 - 1, 6] == counts[-1]


def test_rolling_sum_of_nothing() -> None:
    assert list(rolling_sum([], [1, 2])) == []
    out = array("q")
    assert rolling_sum(array("q"), [1, 2], out) is out
    with pytest.raises(ValueError, match="out"):
        rolling_sum([], [1], array("q", [0]))


def test_rolling_sum_may_write_over_its_input() -> None:
    counts = array("q", [1, 2, 3])
    rolling_sum(counts, [2], counts)
    assert list(counts) == [1, 3, 5]


@pytest.mark.parametrize(
    ("counts", "windows", "error", "match"),
    [
        ([1, -2], [1], ValueError, r"counts\[1\] = -2"),
        ([1, 2.0], [1], TypeError, r"counts\[1\] = 2\.0"),
        ([1, True], [1], TypeError, r"counts\[1\] = True"),
        ([[1], [1, 2]], [1], ValueError, "counts has rows"),
        ([[1], 2], [1], TypeError, r"counts\[1\] = 2"),
        ([1, [2]], [1], TypeError, r"counts\[1\] = \[2\]"),
        (array("d", [1]), [1], TypeError, "counts has format 'd'"),
        ("12", [1], TypeError, "counts = '12'"),
        ([1, 2], [], ValueError, "windows"),
        ([1, 2], [0], ValueError, r"windows\[0\] = 0"),
        ([1, 2], [1, -1], ValueError, r"windows\[1\] = -1"),
        ([1, 2], [1.0], TypeError, r"windows\[0\] = 1\.0"),
        ([1, 2], [True], TypeError, r"windows\[0\] = True"),
        ([1, 2], 1, TypeError, "windows = 1"),
        ([1, 2], [[1]], ValueError, "windows"),
        ([2**63, 2], [1], OverflowError, f"= {2**63}"),
        ([2**62, 2**62], [1, 2], OverflowError, f"the sum over 2 rows up to row 1 = {2**63}"),
    ],
)
def test_rolling_sum_refuses_and_writes_nothing(counts: Any, windows: Any, error: type[Exception], match: str) -> None:
    out = array("q", [7] * 2 * max(1, len(windows) if isinstance(windows, list) else 1))
    with pytest.raises(error, match=match):
        rolling_sum(counts, windows, out)
    assert set(out) == {7}


def test_rolling_sum_reaches_the_last_of_64_bits() -> None:
    top = 2**63 - 1
    assert rolling_sum([top, 0, top], [2, 1]).tolist() == [[top, top, top], [top, 0, top]]
