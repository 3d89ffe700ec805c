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
    """rolling_sum(rows) on integers: one select of all series and windows, on which all cores work."""

    def __init__(self, columns: Columns) -> None:
        polars, numpy = load("polars"), load("numpy")
        self._frame = polars.DataFrame({str(n): numpy.frombuffer(column, dtype="int64") for n, column in enumerate(columns)})
        self._sums = [
            polars.col(str(n)).rolling_sum(span, min_samples=1).alias(f"{n} {span}") for n in range(len(columns)) for span in SPANS
        ]

    def take(self) -> Any:
        return self._frame.select(self._sums)

    def sums(self, taken: Any, series: int, window: int) -> list[int]:
        return taken[f"{series} {SPANS[window]}"].to_list()


class Numpy:
    """cumsum, and a subtraction for each window, series by series, into memory that is there already, as the core has it."""

    def __init__(self, columns: Columns) -> None:
        self._numpy = load("numpy")
        self._columns = [self._numpy.frombuffer(column, dtype="int64") for column in columns]
        self._outs = [self._numpy.full((len(SPANS), len(column)), 0) for column in columns]

    def take(self) -> list[Any]:
        for column, out in zip(self._columns, self._outs, strict=True):
            self._roll(column, out)
        return self._outs

    def _roll(self, column: Any, out: Any) -> Any:
        totals = self._numpy.cumsum(column)
        for span, sums in zip(SPANS, out, strict=True):
            sums[:span] = totals[:span]
            self._numpy.subtract(totals[span:], totals[:-span], out=sums[span:])
        return out

    def sums(self, taken: list[Any], series: int, window: int) -> list[int]:
        return taken[series][window].tolist()


class NumpyAnew(Numpy):
    """The same, in memory that it gets anew each time."""

    def take(self) -> list[Any]:
        return [self._roll(column, self._numpy.empty((len(SPANS), len(column)), "int64")) for column in self._columns]


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


# Name: its class, what it needs, and of how many series it gets one. Where each is a call of its own two
# are enough to tell what a row costs.
PEERS = {
    "pandas": (Pandas, ("pandas", "numpy"), 4),
    "polars": (Polars, ("polars", "numpy"), 1),
    "groupby": (GroupBy, ("pandas", "numpy"), 4),
    "numpy": (Numpy, ("numpy",), 1),
    "numpy-anew": (NumpyAnew, ("numpy",), 1),
}
