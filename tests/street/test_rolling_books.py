"""The books of rolling results: each on its window's own grid, from the first minute to the newest, and right."""

import pytest

from tests.street.results import GRIDS, minute, results_of
from tools.street.rolling_books import Compared, compare

START_S = 1_778_580_000  # a full quarter of an hour
# Two hours with a hole of 40 minutes and one half counted minute that was revised twice.
MINUTES = [minute(START_S + 60 * n, n % 5, n % 3) for n in range(120) if not 30 <= n < 70]
MINUTES[5] = minute(START_S + 300, 2, 2, covered_s=31, rev=2)
RESULTS = results_of(MINUTES)


def place_of(window: str) -> int:
    """Where the newest result of a window stands in RESULTS."""
    return max(at for at, row in enumerate(RESULTS) if row.tags["window"] == window)


def test_results_that_follow_from_the_minutes_are_right():
    assert {row.tags["window"] for row in RESULTS} == set(GRIDS)
    assert compare(MINUTES, RESULTS) == Compared(right=len(RESULTS))


@pytest.mark.parametrize("window", GRIDS)
def test_a_missing_result_is_found_in_every_window(window):
    at = place_of(window)
    assert compare(MINUTES, RESULTS[:at] + RESULTS[at + 1 :]) == Compared(right=len(RESULTS) - 1, missing=1)


@pytest.mark.parametrize(("field", "found"), [("count", 1), ("count_ab", 1), ("count_ba", 1), ("rev", 1), ("coverage", 0.02)])
@pytest.mark.parametrize("window", GRIDS)
def test_a_wrong_number_is_found_in_every_field(window, field, found):
    at = place_of(window)
    row = RESULTS[at]
    wrong = type(row)(row.tags, row.time_s, {**row.fields, field: type(found)(str(row.fields[field])) + found})
    assert compare(MINUTES, [*RESULTS[:at], wrong, *RESULTS[at + 1 :]]) == Compared(right=len(RESULTS) - 1, wrong=1)


@pytest.mark.parametrize(("window", "end_s"), [("1h", START_S + 3660), ("1m", START_S), ("1m", START_S + 60 * 50)])
def test_a_result_off_its_grid_or_of_no_minute_is_surplus(window, end_s):
    row = RESULTS[place_of(window)]
    surplus = type(row)(row.tags, end_s, row.fields)
    assert compare(MINUTES, [*RESULTS, surplus]) == Compared(right=len(RESULTS), surplus=1)


def test_behind_the_newest_minute_a_result_may_be_there_and_has_to_be_right():
    later = results_of([*MINUTES, minute(MINUTES[-1].time_s + 60, 0, 0, covered_s=0, rev=-1)])
    more = [row for row in later if row.time_s > MINUTES[-1].time_s + 60 and row.tags["window"] != "1m"]
    assert len(more) == 2
    assert compare(MINUTES, [*RESULTS, *more]) == Compared(right=len(RESULTS) + 2)
    more[0].fields["count_ab"] = 9999
    assert compare(MINUTES, [*RESULTS, *more]) == Compared(right=len(RESULTS) + 1, wrong=1)


def test_every_series_has_books_of_its_own():
    other = [minute(START_S, 1, 1, node="tr-51a001")]
    both = RESULTS + results_of(other)
    assert compare(MINUTES + other, both) == Compared(right=len(both))
    assert compare(MINUTES + other, RESULTS).missing == 3  # of one minute no hour or day has an end yet
