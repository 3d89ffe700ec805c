"""gateway.pipeline: rolling results that are published are the sums of the bins, whatever came when, whoever computed them."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import pipeline, rolled, schema
from gateway.due import WINDOWS, Ends
from gateway.model import CountBin, Series
from gateway.pipeline import Pipeline
from gateway.rolled import Minutes, Rolled
from tests.gateway.parts import SERIES, T0
from tests.gateway.test_pipeline import OTHER, bin_

Place = tuple[Series, int, int]


class Street:
    """Bins as a store has them, windows, and a server to which results are published."""

    def __init__(self, now_s: int = T0) -> None:
        self.now_s = now_s
        self.bins: dict[tuple[Series, int], CountBin] = {}
        self.windows = Pipeline()
        self.windows.advance(now_s)
        self.server: dict[Place, Rolled] = {}
        self.rolled_s = 0
        self.written = 0

    def change(self, *bins: CountBin) -> None:
        """What a commit brings."""
        for one in bins:
            known = self.bins.get((one.series, one.start_s))
            self.bins[one.series, one.start_s] = replace(one, rev=known.rev + 1 if known else 0)
        if bins and min(one.start_s for one in bins) < self.rolled_s:
            self.rolled_s = min(one.start_s for one in bins)
        self.windows.update([self.bins[one.series, one.start_s] for one in bins])

    def tick(self, minutes: int = 1) -> None:
        for _ in range(minutes):
            self.now_s += 60
            assert self.windows.advance(self.now_s)
            self.rolled_s = self.windows.rolled_s

    def publish(self, limit: int = 5000, arrives: bool = True) -> bool:
        """One batch; whether there was anything to send."""
        found = self.windows.take_newest(limit)
        due = self.windows.take_older(limit) if not found else []
        if due:
            start_s, end_s = rolled.span_of(due)
            mine = [one for one in self.bins.values() if one.series == due[0].series and start_s <= one.start_s < end_s]
            found = rolled.made_of(due, mine)
        assert len(found) <= limit
        if not arrives:
            self.windows.give_back()
            return True
        self.server |= {(result.series, result.window_s, result.end_s): result for result in found}
        self.windows.done()
        self.written += len(found)
        return bool(found or due)

    def publish_all(self) -> None:
        while self.publish():
            pass

    def restart(self) -> None:
        now_s = self.now_s
        mine = [one for one in self.bins.values() if one.start_s >= now_s - pipeline.RING_S - 60 and one.period_s == 60]
        names = sorted({one.series for one in self.bins.values()}, key=str)
        numbers = (array("q", [getattr(one, name) for one in mine]) for name in ("start_s", "ab", "ba", "covered_s", "rev"))
        columns = (array("q", [names.index(one.series) for one in mine]), *numbers)
        self.windows = Pipeline()
        newest = [max(one.start_s for one in self.bins.values() if one.series == series) for series in names]
        self.windows.rebuild(now_s, Minutes(names, newest, None, *columns), self.rolled_s or now_s - pipeline.RING_S)

    def truth(self) -> dict[Place, Rolled]:
        """Every result that has to be there, added up minute by minute."""
        found: dict[Place, Rolled] = {}
        for series in {series for series, _ in self.bins}:
            first_s = min(start_s for other, start_s in self.bins if other == series)
            for window_s, window in WINDOWS.items():
                sums = [0, 0, 0, 0]
                for end_s in range(first_s + 60, self.now_s - 60 + 1, 60):
                    for start_s, sign in ((end_s - 60, 1), (end_s - window_s - 60, -1)):
                        if one := self.bins.get((series, start_s)):
                            numbers = (one.ab, one.ba, one.covered_s, one.rev + 1)
                            sums = [total + sign * number for total, number in zip(sums, numbers, strict=True)]
                    if end_s % window.every_s == 0 and sums[2]:
                        found[series, window_s, end_s] = Rolled(series, window_s, end_s, *sums)
        return found

    def check(self) -> None:
        truth = self.truth()
        assert {place: self.server.get(place) for place in truth} == truth
        there = {place for place, result in self.server.items() if result.covered_s and place[2] < self.now_s}
        assert there <= set(truth)


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("change"),
            st.lists(st.tuples(st.sampled_from([SERIES, OTHER]), st.integers(-3, 40), st.integers(0, 9)), min_size=1, max_size=4),
        ),
        st.tuples(st.just("tick"), st.integers(1, 30)),
        st.tuples(st.just("publish"), st.integers(1, 40)),
        st.tuples(st.just("lose"), st.integers(1, 40)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=14,
)


@given(steps)
def test_whatever_came_when_every_result_is_the_sum_of_its_bins(steps):
    street = Street()
    for step, value in steps:
        if step == "change":  # counted back from now; below zero: its minute has not ended or not even begun
            boundary_s = street.now_s // 60 * 60
            street.change(*(bin_(boundary_s - 60 * ago, people, series=series) for series, ago, people in value))
        elif step == "tick":
            street.tick(value)
        elif step == "publish":
            street.publish(value)
        elif step == "lose":
            street.publish(value, arrives=False)
        else:
            street.restart()
    street.tick(5)
    street.publish_all()
    street.check()


@given(steps)
def test_live_and_batch_give_the_same_numbers(steps):
    street = Street()
    for step, value in steps:
        if step == "change":
            street.change(*(bin_(street.now_s - 60 * ago, people, series=series) for series, ago, people in value if ago > 0))
        elif step == "tick":
            street.tick(value)
    for live in street.windows.live():
        mine = [one for one in street.bins.values() if one.series == live.series]
        due = [Ends(live.series, window_s, street.now_s, street.now_s) for window_s in WINDOWS]
        made = rolled.made_of(due, mine)
        assert {one.window_s: (one.ab, one.ba, one.covered_s / one.window_s) for one in made} == live.windows


def busy_day(street: Street) -> None:
    """A day in which every minute was counted and everything was published."""
    street.change(*(bin_(T0 - 60 * n, 1) for n in range(1, 1441)))
    street.tick()
    street.publish_all()
    street.written = 0


def test_one_late_record_costs_at_most_129_results_each_once():
    street = Street()
    busy_day(street)
    street.change(bin_(T0 - 20 * 3600, 5))
    street.publish_all()
    assert street.written <= 60 // 60 + 5 + 15 + 12 + 96
    street.check()


def test_what_is_late_and_what_is_new_do_not_drag_along_what_lies_between():
    street = Street()
    busy_day(street)
    street.change(bin_(T0 - 20 * 3600, 5), bin_(T0, 3))
    street.publish_all()
    assert street.written <= 129 + 5
    street.check()


def test_a_backlog_is_published_once_and_not_once_for_each_batch_that_brought_it():
    street = Street()
    busy_day(street)
    for first in range(0, 600, 20):
        street.change(*(bin_(T0 - 36_000 + 60 * n, 4) for n in range(first, first + 20)))
    street.publish_all()
    ends = 3 * 601 + 600 // 5 + (86_400 // 900)
    assert street.written <= ends + 60
    street.check()


def test_a_minute_older_than_every_window_changes_the_results_of_its_time():
    street = Street(T0 + 3 * 86_400)
    street.change(bin_(T0, 5))
    street.publish_all()
    assert (street.server[SERIES, 60, T0 + 60].ab, street.server[SERIES, 86_400, T0 + 86_400].ab) == (5, 5)
    assert (SERIES, 60, T0 + 120) not in street.server
    street.check()


def street_after(start_s: int, minutes: int) -> Street:
    """A single minute was told, so many have passed, and all that is due is there."""
    street = Street()
    street.change(bin_(start_s, 7))
    street.tick(minutes)
    street.publish_all()
    street.check()
    return street


def test_a_minute_that_has_not_begun_waits_for_its_time():
    assert street_after(T0 + 60, 3).server[SERIES, 60, T0 + 120].ab == 7


def test_of_a_silent_node_results_go_on_until_nothing_is_left_in_them():
    street = street_after(T0 - 60, 7)
    assert [street.server[SERIES, 300, T0 + 60 * n].covered_s for n in range(5)] == [60] * 5
    assert (SERIES, 300, T0 + 360) not in street.server


def test_of_a_node_that_is_gone_nothing_is_due_any_more_and_of_one_that_comes_back_everything():
    street = street_after(T0 - 60, 1441)
    street.tick(3)
    assert street.windows.is_published
    street.change(bin_(street.now_s - 60, 3))
    street.tick(20)
    street.publish_all()
    assert (street.server[SERIES, 300, street.now_s - 16 * 60].ab, len(street.windows.live())) == (3, 1)
    street.check()


def test_a_result_is_revised_whenever_one_of_its_minutes_is():
    street = Street()
    street.change(bin_(T0 - 60, 7))
    street.change(bin_(T0 - 120, 1))
    street.change(bin_(T0 - 120, 2))
    street.tick()
    street.publish_all()
    assert (street.server[SERIES, 60, T0].rev, street.server[SERIES, 300, T0].rev) == (1, 3)


def test_where_a_quarter_is_left_only_windows_that_hold_all_of_it_have_a_result():
    quarter = bin_(T0, 30, covered_s=900, period_s=900)
    due = [Ends(SERIES, window_s, T0 + 60, T0 + 3600) for window_s in (60, 900)]
    due.append(Ends(SERIES, 3600, T0 + 300, T0 + 3600))
    found = {(result.window_s, result.end_s - T0): result.ab for result in rolled.made_of(due, [quarter, bin_(T0 + 900, 1)])}
    assert found[900, 900] == 30
    assert found[3600, 900] == 30 and found[3600, 1200] == 31
    assert (60, 60) not in found and (900, 960) not in found and (3600, 300) not in found
    assert found[60, 960] == 1


def test_windows_that_begin_before_anything_is_known_have_no_result():
    due = [Ends(SERIES, 300, T0, T0 + 600)]
    assert [result.end_s - T0 for result in rolled.made_of(due, [], known_from_s=T0)] == [300, 360, 420, 480, 540, 600]


def test_a_result_in_full():
    result = Rolled(SERIES, 900, T0, 3, 4, 855, 12)
    assert schema.render(rolled.point_of(result)) == (
        b"passages_rolling,site=bahnhof,node=tr-a3f1c2,sensor=radar,window=15m count=7i,count_ab=3i,count_ba=4i,coverage=0.95,"
        b"rev=12i,schema=1i 1800000000"
    )


@pytest.mark.parametrize("missing", [0, 1, 5])
def test_what_did_not_arrive_is_due_again(missing):
    street = Street()
    street.change(bin_(T0 - 60, 7))
    taken = street.windows.take_newest(100)
    assert len(taken) == 5
    street.windows.done(taken[:missing])
    assert len(street.windows.take_newest(100)) == missing


def test_how_far_results_were_published_stays_behind_what_is_due():
    street = Street()
    busy_day(street)
    street.tick()
    street.publish_all()
    assert street.windows.rolled_s == street.now_s - 60
    street.change(bin_(T0 - 7200, 3))
    assert street.windows.rolled_s == T0 - 7200
    street.windows.take_older(3)
    assert street.windows.rolled_s == T0 - 7200, "on its way is not there"
    street.windows.give_back()
    street.publish_all()
    assert street.windows.rolled_s == street.now_s - 60


def test_a_minute_that_is_told_while_it_is_open_is_published_however_often_the_clock_is_looked_at():
    street = Street()
    street.now_s += 30
    street.change(bin_(T0, 7))
    for second in (10, 20):
        assert street.windows.advance(street.now_s + second)
    street.now_s = T0
    street.tick(3)
    street.publish_all()
    assert street.server[SERIES, 60, T0 + 60].ab == 7
    street.check()
