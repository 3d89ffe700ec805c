"""gateway.pipeline: bins become rolling windows and points; the same bin is always the same point."""

from __future__ import annotations

import pytest

from gateway import pipeline, schema
from gateway.model import (
    Q_PARTIAL,
    Q_SATURATED,
    Q_TIME_HELD,
    Q_UNCALIBRATED,
    ClimateBin,
    CountBin,
    OutboxRef,
    Series,
)
from gateway.pipeline import CLOCK_STEP_S, RING_S, Pipeline
from tests.gateway.parts import CLIMATE, SERIES, T0

OTHER = Series("bahnhof", "tr-0000b2", "radar")


def bin_(start_s: int, ab: int, ba: int = 0, covered_s: int = 60, series: Series = SERIES, **more) -> CountBin:
    return CountBin(series, start_s, ab, ba, covered_s, **({"q": 0, "rev": 0, "revised_at": start_s + 61} | more))


def filled(*bins: CountBin, now_s: int = T0) -> Pipeline:
    made = Pipeline()
    made.advance(now_s)
    made.update(list(bins))
    return made


# -- windows


def test_windows_hold_the_sums_of_their_closed_minutes():
    made = filled(*(bin_(T0 - 60 * n, 1, 2) for n in range(1, 61)))
    (live,) = made.live()
    assert live.series == SERIES
    assert {window: (ab, ba) for window, (ab, ba, _) in live.windows.items()} == {
        60: (1, 2), 300: (5, 10), 900: (15, 30), 3600: (60, 120), 86400: (60, 120),
    }  # fmt: skip
    assert [round(live.windows[window][2], 4) for window in (60, 3600, 86400)] == [1.0, 1.0, round(1 / 24, 4)]


def test_bins_come_in_any_order_and_as_often_as_you_like():
    bins = [bin_(T0 - 60 * n, n) for n in range(1, 16)]
    made = filled(*reversed(bins), *bins, *bins)
    assert made.live() == filled(*bins).live()


def test_a_bin_that_grows_replaces_what_it_was():
    made = filled(bin_(T0 - 60, 3), bin_(T0 - 60, 5, rev=1))
    assert made.live()[0].windows[900][:2] == (5, 0)


def test_series_stand_in_a_stable_order_and_do_not_mix():
    made = filled(bin_(T0 - 60, 1, series=OTHER), bin_(T0 - 60, 2), bin_(T0 - 60, 3, series=Series("a", "z", "z")))
    assert [(live.series.site, live.series.node, live.windows[60][0]) for live in made.live()] == [
        ("a", "z", 3), ("bahnhof", "tr-0000b2", 1), ("bahnhof", "tr-a3f1c2", 2),
    ]  # fmt: skip


def test_what_lies_outside_the_ring_or_in_the_future_is_not_in_the_windows():
    assert RING_S == 86_400
    made = filled(bin_(T0 - RING_S - 60, 5), bin_(T0 + 600, 7), bin_(T0 - 86_400, 1))
    assert made.live()[0].windows[86_400][:2] == (1, 0)


def test_minutes_leave_the_windows_as_time_goes_on():
    made = filled(bin_(T0 - 60, 4))
    assert made.advance(T0 + 240)
    assert (made.live()[0].windows[60][0], made.live()[0].windows[300][0]) == (0, 4)
    assert made.advance(T0 + 300)
    assert made.live()[0].windows[300][0] == 0


@pytest.mark.parametrize("step_s", [CLOCK_STEP_S + 1, -CLOCK_STEP_S - 1, 10 * 365 * 86_400])
def test_a_clock_that_leaps_moves_nothing_and_is_told(step_s):
    made = filled(bin_(T0 - 60, 4))
    before = made.live()
    assert made.advance(T0 + step_s) is False
    assert made.live() == before
    assert made.advance(T0 + 60) is True


@pytest.mark.parametrize("step_s", [-61, -3600, -CLOCK_STEP_S])
def test_a_clock_that_goes_back_by_more_than_a_minute_is_said_and_moves_nothing(step_s):
    made = filled(bin_(T0 - 60, 4))
    before = made.live()
    assert made.advance(T0 + step_s) is False
    assert made.live() == before


@pytest.mark.parametrize("step_s", [0, -1, -60])
def test_a_clock_that_goes_back_a_little_takes_nothing_back(step_s):
    made = filled(bin_(T0 - 60, 4))
    before = made.live()
    assert made.advance(T0 + step_s) is True
    assert made.live() == before
    assert made.advance(T0 + CLOCK_STEP_S) is True, "what was reached once is what a leap is measured against"


# -- points


def test_a_count_in_full():
    point = pipeline.passages_point(bin_(T0, 3, 4, 60, rev=2, revised_at=T0 + 99, q=Q_TIME_HELD, incarnation=2**32 - 1, seq=9))
    assert schema.render(point) == (
        b"passages,site=bahnhof,node=tr-a3f1c2,sensor=radar count=7i,count_ab=3i,count_ba=4i,period_s=60i,coverage=1.0,"
        b"q=%di,rev=2i,revised_at=1800000099i,schema=1i,incarnation=4294967295i,seq=9i 1800000000" % (Q_TIME_HELD | Q_UNCALIBRATED)
    )


def test_nobody_is_a_zero_with_its_coverage():
    point = pipeline.passages_point(bin_(T0, 0, 0, 60))
    assert (point.fields["count"], point.fields["coverage"]) == (0, 1.0)


@pytest.mark.parametrize(
    ("covered_s", "coverage", "is_partial"), [(60, 1.0, False), (57, 0.95, False), (56, 0.9333, True), (0, 0.0, True)]
)
def test_less_than_95_percent_of_the_minute_is_partial(covered_s, coverage, is_partial):
    point = pipeline.passages_point(bin_(T0, 1, covered_s=covered_s, q=Q_SATURATED))
    assert point.fields["coverage"] == coverage
    assert point.fields["q"] == Q_SATURATED | Q_UNCALIBRATED | (Q_PARTIAL if is_partial else 0)


def test_climate_is_the_mean_in_degrees_and_percent():
    point = pipeline.climate_point(ClimateBin(CLIMATE, T0, 6_401, 331, 3, 32, 1, T0 + 61))
    assert schema.render(point) == (
        b"climate,site=bahnhof,node=tr-a3f1c2,sensor=sht4x temperature_c=21.337,humidity_pct=55.167,n=3i,q=32i,rev=1i,"
        b"revised_at=1800000061i,schema=1i 1800000000"
    )


@pytest.mark.parametrize(("centi", "degrees"), [(-1_050, -10.5), (0, 0.0), (-1, -0.01)])
def test_frost_and_zero_are_degrees_too(centi, degrees):
    point = pipeline.climate_point(ClimateBin(CLIMATE, T0, centi, 0, 1, 0, 0, T0))
    assert point.fields["temperature_c"] == degrees
    assert isinstance(point.fields["temperature_c"], float)
    assert isinstance(point.fields["humidity_pct"], float)


def test_the_same_bin_is_always_the_same_line():
    lines = {schema.render(pipeline.passages_point(bin_(T0, 3, 4))) for _ in range(3)}
    assert len(lines) == 1


def test_a_fact_keeps_its_tags_time_and_fields():
    tags, fields = {"site": "bahnhof", "node": "tr-a3f1c2", "reason": "given_up"}, {"people": 3, "bound": 3, "rev": 1}
    point = pipeline.fact_point(OutboxRef(1, "losses", tags, T0, 1), fields)
    assert (point.measurement, point.tags, point.fields, point.time_s) == ("losses", tags, fields, T0)
