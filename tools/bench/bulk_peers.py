"""Who takes a whole batch of records and answers for all windows of all nodes: re-sent records count once, the last one wins.

A contender's records are handed over in the form that it likes best, made before the clock starts.
"""

from __future__ import annotations

from array import array
from typing import Any, Protocol

from tools.bench.packages import load
from tools.bench.traces import DAY_S, START_S, WINDOWS_S, Bulk
from tools.core_forms import core

Answers = list[int]  # [nodes][windows][ab, ba, covered_s], flat
NAMES = ("node", "pane", "ab", "ba", "covered_s")
VALUES = list(NAMES[2:])
KEY = 1 << 34  # more than any second: node and pane in one number


class Taker(Protocol):
    """`bring` is not timed. `take` is: the batch on top of what is held, then every window of every node."""

    def bring(self, batch: Bulk) -> None: ...

    def take(self) -> Any: ...

    def answers(self, taken: Any) -> Answers: ...

    def hold(self) -> None:
        """What was taken stays; without this the next batch meets an empty contender."""


class Core:
    """The counting core, compiled. Its memory was touched when it was made."""

    def __init__(self, nodes: int, pane_s: int) -> None:
        self._shape = nodes, pane_s
        self._out = array("q", [0]) * (nodes * len(WINDOWS_S) * 3)
        self._is_held = False

    def bring(self, batch: Bulk) -> None:
        nodes, pane_s = self._shape
        if not self._is_held:
            self.counter = core("compiled").WindowedCounter(WINDOWS_S, pane_s, nodes)
            self.counter.advance(batch.now)
        self._columns = batch.columns

    def take(self) -> array[int]:
        self.counter.set_many(*self._columns)
        self.counter.query_all(self._out)
        return self._out

    def answers(self, taken: array[int]) -> Answers:
        return list(taken)

    def hold(self) -> None:
        self._is_held = True


class BruteForce:
    """A dictionary of all panes, and a sum over it."""

    def __init__(self, nodes: int, pane_s: int) -> None:
        self._nodes = nodes
        self._held: dict[tuple[int, int], tuple[int, int, int]] = {}

    def bring(self, batch: Bulk) -> None:
        self._now = batch.now
        self._held |= zip(zip(batch.node, batch.pane_start, strict=True), zip(*batch.columns[2:], strict=True), strict=True)

    def take(self) -> Answers:
        sums = [0] * (self._nodes * len(WINDOWS_S) * 3)
        for (node, pane), counts in self._held.items():
            for n, window_s in enumerate(WINDOWS_S):
                if pane >= self._now - window_s:
                    for kind, count in enumerate(counts):
                        sums[(node * len(WINDOWS_S) + n) * 3 + kind] += count
        return sums

    def answers(self, taken: Answers) -> Answers:
        return taken

    def hold(self) -> None:
        """It keeps everything anyway."""


class Pandas:
    """A frame of all records: duplicates dropped by one key, then a filter and a group-by for each window."""

    def __init__(self, nodes: int, pane_s: int) -> None:
        self._pandas, self._numpy, self._nodes = load("pandas"), load("numpy"), nodes
        self._held: Any = None

    def bring(self, batch: Bulk) -> None:
        cells = [self._numpy.frombuffer(column, dtype="int64") for column in batch.columns]
        self._frame, self._now = self._pandas.DataFrame(dict(zip(NAMES, cells, strict=True))), batch.now

    def take(self) -> list[Any]:
        frame = self._frame if self._held is None else self._pandas.concat([self._held, self._frame], ignore_index=True)
        key = frame["node"] * KEY + frame["pane"]
        frame = self._whole = frame[~key.duplicated(keep="last")]
        found = []
        for window_s in reversed(WINDOWS_S):  # each filters what the longer one has left
            frame = frame[frame["pane"] >= self._now - window_s]
            found.append(frame.groupby("node", sort=False)[VALUES].sum())
        return found[::-1]

    def answers(self, taken: list[Any]) -> Answers:
        full = [sums.reindex(range(self._nodes), fill_value=0).to_numpy() for sums in taken]
        return self._numpy.stack(full, axis=1).ravel().tolist()

    def hold(self) -> None:
        self._held = self._whole


class Polars:
    """A frame of all records: unique by one key, then a filter and a group-by for each window."""

    def __init__(self, nodes: int, pane_s: int) -> None:
        self._polars, self._numpy, self._nodes = load("polars"), load("numpy"), nodes
        self._held: Any = None

    def bring(self, batch: Bulk) -> None:
        cells = [self._numpy.frombuffer(column, dtype="int64") for column in batch.columns]
        self._frame, self._now = self._polars.DataFrame(dict(zip(NAMES, cells, strict=True))), batch.now

    def take(self) -> list[Any]:
        column = self._polars.col
        frame = self._frame if self._held is None else self._held.vstack(self._frame)
        frame = frame.with_columns((column("node") * KEY + column("pane")).alias("key"))
        frame = self._whole = frame.unique("key", keep="last", maintain_order=False).drop("key")
        found = []
        for window_s in reversed(WINDOWS_S):
            frame = frame.filter(column("pane") >= self._now - window_s)
            found.append(frame.group_by("node").agg(column(*VALUES).sum()))
        return found[::-1]

    def answers(self, taken: list[Any]) -> Answers:
        sums = [0] * (self._nodes * len(WINDOWS_S) * 3)
        for n, frame in enumerate(taken):
            for node, *counts in frame.iter_rows():
                at = (node * len(WINDOWS_S) + n) * 3
                sums[at : at + 3] = counts
        return sums

    def hold(self) -> None:
        self._held = self._whole


class Numpy:
    """A table with a cell for every pane of the day, touched beforehand: of what lands in one cell the last stays."""

    def __init__(self, nodes: int, pane_s: int) -> None:
        self._numpy, self._nodes, self._pane_s = load("numpy"), nodes, pane_s
        self._is_held = False

    def bring(self, batch: Bulk) -> None:
        self._columns, self._now = [self._numpy.frombuffer(column, dtype="int64") for column in batch.columns], batch.now
        if not self._is_held:
            self._cells = self._numpy.full((3, DAY_S // self._pane_s, self._nodes), 0)

    def take(self) -> Any:
        node, pane, *values = self._columns
        slots = (pane - START_S) // self._pane_s * self._nodes + node
        for cells, column in zip(self._cells, values, strict=True):
            cells.reshape(-1)[slots] = column
        newest = (self._now - START_S) // self._pane_s
        oldest = [newest - window_s // self._pane_s for window_s in WINDOWS_S]
        return self._numpy.stack([self._cells[:, row:newest].sum(axis=1).T for row in oldest], axis=1)

    def answers(self, taken: Any) -> Answers:
        return taken.ravel().tolist()

    def hold(self) -> None:
        self._is_held = True


PEERS = {
    "pandas": (Pandas, ("pandas", "numpy")),
    "polars": (Polars, ("polars", "numpy")),
    "numpy": (Numpy, ("numpy",)),
}
