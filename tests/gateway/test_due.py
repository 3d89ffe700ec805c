"""gateway.due: ends that are added are due until they were taken and are done, each once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.due import DAY_S, MAX_RANGES, WINDOWS, Due, Ends
from tests.gateway.parts import SERIES, T0
from tests.gateway.test_pipeline import OTHER

Place = tuple[object, int, int]


def ends_of(series, window_s: int, first_s: int, last_s: int) -> set[Place]:
    every_s = WINDOWS[window_s].every_s
    return {(series, window_s, end_s) for end_s in range(first_s, last_s + 1) if end_s % every_s == 0}


def each(taken) -> list[Place]:
    return [(ends.series, ends.window_s, end_s) for ends in taken for end_s in ends.each()]


def all_of(due: Due) -> list[Place]:
    found: list[Place] = []
    while taken := due.take_oldest(1000):
        found += each(taken)
        due.done()
    return found


minutes = st.integers(0, 40).map(lambda minute: T0 + 60 * minute)
spans = st.tuples(st.sampled_from([SERIES, OTHER]), st.sampled_from(list(WINDOWS)), minutes, minutes)


@given(st.lists(spans, max_size=8))
def test_what_is_added_is_due_and_each_end_once(added):
    due = Due()
    for span in added:
        due.add(*span)
    wanted: set[Place] = set().union(*(ends_of(*span) for span in added))
    assert due.oldest_s() == min((end_s for *_, end_s in wanted), default=None)
    found = all_of(due)
    assert len(found) == len(set(found))
    assert set(found) == wanted
    assert due.oldest_s() is None


takes = st.tuples(st.sampled_from(["newest", "oldest", "back", "lost"]), st.integers(1, 7))


def test_what_is_not_wanted_of_some_series_is_not_taken():
    due = Due()
    due.add(SERIES, 60, T0, T0)
    due.add(OTHER, 60, T0 + 60, T0 + 60)
    assert due.take_at(T0 + 60, 9, {SERIES}) == []
    assert each(due.take_oldest(9, {SERIES})) == [(OTHER, 60, T0 + 60)]
    assert (due.take_oldest(9, {SERIES}), due.series) == ([], {SERIES})


@given(st.lists(spans, max_size=6), st.lists(takes, max_size=12))
def test_taken_in_whatever_steps_nothing_is_lost(added, steps):
    due = Due()
    for span in added:
        due.add(*span)
    waiting: set[Place] = set().union(*(ends_of(*span) for span in added))
    for step, limit in steps:
        newest_s = max((end_s for *_, end_s in waiting), default=T0)
        taken = each(due.take_at(newest_s, limit, {SERIES, OTHER}) if step == "newest" else due.take_oldest(limit))
        assert len(taken) <= limit
        assert set(taken) <= waiting
        assert step != "newest" or all(end_s == newest_s for *_, end_s in taken)
        assert due.oldest_s() == min((end_s for *_, end_s in waiting), default=None), "what is on its way is not there yet"
        if step == "back":
            due.give_back()
        elif step == "lost":
            due.done(taken[:1])
            waiting -= set(taken[1:])
        else:
            due.done()
            waiting -= set(taken)
    assert set(all_of(due)) == waiting


def test_only_ends_of_the_grid_are_published():
    due = Due()
    due.add(SERIES, 3600, T0 + 60, T0 + 240)
    assert due.oldest_s() is None
    due.add(SERIES, 86_400, T0 + 60, T0 + 1860)
    assert each(due.take_oldest(100)) == [(SERIES, 86_400, T0 + 900), (SERIES, 86_400, T0 + 1800)]


def test_of_a_long_outage_a_day_at_most_is_taken_at_once():
    due = Due()
    due.add(SERIES, 60, T0, T0 + 3 * DAY_S)
    assert [(ends.first_s, ends.last_s) for ends in due.take_oldest(5000)] == [(T0, T0 + DAY_S)]


def test_the_one_that_has_waited_for_longest_comes_first():
    due = Due()
    due.add(SERIES, 60, T0 + 120, T0 + 180)
    due.add(OTHER, 60, T0 + 60, T0 + 60)
    assert each(due.take_oldest(9)) == [(OTHER, 60, T0 + 60)]


def waiting_twice() -> Due:
    due = Due()
    due.add(SERIES, 60, T0 + 60, T0 + 180)
    due.add(OTHER, 60, T0 + 120, T0 + 120)
    return due


def test_whose_results_did_not_arrive_comes_after_the_others():
    due = waiting_twice()
    assert each(due.take_oldest(9))[0] == (SERIES, 60, T0 + 60)
    due.done([(SERIES, 60, T0 + 60)])
    assert each(due.take_oldest(9)) == [(OTHER, 60, T0 + 120)]
    due.give_back()
    assert each(due.take_oldest(9)) == [(SERIES, 60, T0 + 60)], "and these after those"


def test_when_nothing_is_due_any_more_all_turns_are_over():
    due = waiting_twice()
    due.take_oldest(9)
    due.give_back()
    all_of(due)
    due.add(OTHER, 60, T0 + 120, T0 + 120)
    due.add(SERIES, 60, T0 + 60, T0 + 60)
    assert each(due.take_oldest(9)) == [(SERIES, 60, T0 + 60)]


def test_ends_after_a_moment_lie_on_the_grid():
    ends = Ends(SERIES, 3600, T0, T0 + 600)
    assert [ends.after(T0 + ago) for ago in (-1, 0, 299)] == [ends, *[Ends(SERIES, 3600, T0 + 300, T0 + 600)] * 2]
    assert ends.after(T0 + 600) is None


def test_ranges_are_bounded_and_none_is_forgotten():
    due = Due()
    wanted = {T0 + 600 * n * (n + 1) for n in range(3 * MAX_RANGES)}
    for end_s in wanted:
        due.add(SERIES, 60, end_s, end_s)
        assert len(due._ranges[SERIES, 60]) <= MAX_RANGES
    assert wanted < {end_s for *_, end_s in all_of(due)}
