"""Who adds up years of archived minutes: for every row the sums over the last rows, for all windows, of every series.

A contender is given the counts in the form that it likes best before the clock starts. `take` is timed; `sums` gives the sums
of one series and window for comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tools.bench.packages import load

SPANS = (1, 5, 15, 60, 1440)  # rows of a minute
Columns = Sequence[Any]  # of each series the counts, int64


class Summer(Protocol):
    def take(self) -> Any: ...

    def sums(self, taken: Any, series: int, window: int) -> list[int]: ...


class Pandas:
    """Series.rolling(rows).sum(), series by series."""

    def __init__(self, columns: Columns) -> None:
        self._columns = [load("pandas").Series(load("numpy").frombuffer(column, dtype="int64")) for column in columns]

    def take(self) -> list[list[Any]]:
        return [[column.rolling(span, min_periods=1).sum() for span in SPANS] for column in self._columns]

    def sums(self, taken: list[list[Any]], series: int, window: int) -> list[int]:
        return taken[series][window].astype("int64").tolist()


class Polars:
    """Series.rolling_sum(rows) on integers, series by series."""

    def __init__(self, columns: Columns) -> None:
        self._columns = [load("polars").Series(load("numpy").frombuffer(column, dtype="int64")) for column in columns]

    def take(self) -> list[list[Any]]:
        return [[column.rolling_sum(span, min_samples=1) for span in SPANS] for column in self._columns]

    def sums(self, taken: list[list[Any]], series: int, window: int) -> list[int]:
        return taken[series][window].to_list()


class GroupBy:
    """groupby(series).rolling(time) on one long frame."""

    def __init__(self, columns: Columns) -> None:
        pandas, numpy = load("pandas"), load("numpy")
        minutes = pandas.date_range("2026-01-01", periods=len(columns[0]), freq="min", tz="UTC")
        cells = [numpy.frombuffer(column, dtype="int64") for column in columns]
        frames = [pandas.DataFrame({"series": n, "count": counts}, index=minutes) for n, counts in enumerate(cells)]
        self._frame = pandas.concat(frames)

    def take(self) -> list[Any]:
        return [self._frame.groupby("series")["count"].rolling(f"{span}min").sum() for span in SPANS]

    def sums(self, taken: list[Any], series: int, window: int) -> list[int]:
        return taken[window].loc[series].astype("int64").tolist()


# Name: its class, what it needs, and of how many series it gets one. Two are enough to tell what a row costs.
PEERS = {
    "pandas": (Pandas, ("pandas", "numpy"), 4),
    "polars": (Polars, ("polars", "numpy"), 4),
    "groupby": (GroupBy, ("pandas", "numpy"), 4),
}
