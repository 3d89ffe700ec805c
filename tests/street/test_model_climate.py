"""The weather: smooth, repeatable, plausible."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.street.climate import Weather


@pytest.mark.parametrize("seed", range(5))
def test_a_day_is_smooth_and_plausible(seed):
    weather = Weather(Random(seed))
    day = [weather.at(t_s) for t_s in range(0, 86_400, 60)]
    temperatures, humidities = [t for t, _ in day], [h for _, h in day]
    assert 0 < min(temperatures) < max(temperatures) < 3000
    assert 500 < max(temperatures) - min(temperatures) < 2000
    assert all(1500 <= humidity <= 9900 for humidity in humidities)
    assert max(abs(b - a) for a, b in pairwise(temperatures)) < 10
    assert max(abs(b - a) for a, b in pairwise(humidities)) < 60
    assert sum(temperatures[14 * 60 : 16 * 60]) > sum(temperatures[4 * 60 : 6 * 60])  # afternoon over dawn


def test_the_start_of_the_street_shifts_the_daily_course():
    noon, midnight = Weather(Random(1), start_s=12 * 3600), Weather(Random(1))
    assert noon.at(0)[0] > midnight.at(0)[0]


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=20))
def test_the_answer_does_not_depend_on_what_was_asked_before(moments):
    asked_in_order, asked_at_random = Weather(Random(9)), Weather(Random(9))
    expected = {t_s: asked_in_order.at(t_s) for t_s in sorted(moments)}
    assert [asked_at_random.at(t_s) for t_s in moments] == [expected[t_s] for t_s in moments]


def test_another_seed_is_other_weather():
    assert Weather(Random(1)).at(50_000) != Weather(Random(2)).at(50_000)


def test_time_before_the_street_is_refused():
    with pytest.raises(ValueError, match="never negative"):
        Weather(Random(0)).at(-1)
