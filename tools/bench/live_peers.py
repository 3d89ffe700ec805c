"""Who answers live: a record comes in, and all windows of its node are read at once.

Each does it as its users would write it, at its best: only the node's own rows are looked at, and nothing is kept longer than
asked for where throwing away is cheap. `advance` tells the newest boundary. `add` takes a closed pane's counts. `read` answers with
ab and ba of every window: it returns a flat list, or fills `out` with ab, ba, covered_s and returns None.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Protocol

from tools.bench.packages import load
from tools.bench.traces import DAY_S, LIVE_PANE_S, WINDOWS_S, Tick
from tools.core_forms import core


class Live(Protocol):
    """What is timed. Attributes, so that the core's own methods stand here without another call around them."""

    @property
    def advance(self) -> Callable[[int], object]: ...

    @property
    def add(self) -> Callable[[int, int, int, int], object]: ...

    @property
    def read(self) -> Callable[[int, array[int]], list[int] | None]: ...


class Core:
    """The counting core in one of its forms."""

    def __init__(self, nodes: int, form: str) -> None:
        counter = self.counter = core(form).WindowedCounter(WINDOWS_S, LIVE_PANE_S, nodes)
        self.advance, self.add, self.read = counter.advance, counter.add, counter.query_into


class BruteForce:
    """Keeps everything and adds it up anew: nothing in it can be wrong."""

    def __init__(self, nodes: int) -> None:
        self._records: list[list[tuple[int, int, int]]] = [[] for _ in range(nodes)]
        self._boundary = 0

    def advance(self, boundary: int) -> None:
        self._boundary = boundary

    def add(self, node: int, time_s: int, ab: int, ba: int) -> None:
        self._records[node].append((time_s, ab, ba))

    def read(self, node: int, out: array[int]) -> list[int]:
        found = []
        for window_s in WINDOWS_S:
            inside = [row for row in self._records[node] if self._boundary - window_s <= row[0] < self._boundary]
            found += [sum(row[1] for row in inside), sum(row[2] for row in inside)]
        return found


class Deques:
    """A deque for each node and window: add what comes, subtract what leaves. Whatever comes late is taken for new."""

    def __init__(self, nodes: int) -> None:
        self._windows: list[list[tuple[int, deque[tuple[int, int, int]]]]]
        self._windows = [[(window_s, deque()) for window_s in WINDOWS_S] for _ in range(nodes)]
        self._sums = [[0] * (2 * len(WINDOWS_S)) for _ in range(nodes)]
        self._boundary = 0

    def advance(self, boundary: int) -> None:
        self._boundary = boundary

    def add(self, node: int, time_s: int, ab: int, ba: int) -> None:
        record, sums, at = (time_s, ab, ba), self._sums[node], 0
        for _, kept in self._windows[node]:
            kept.append(record)
            sums[at] += ab
            sums[at + 1] += ba
            at += 2

    def read(self, node: int, out: array[int]) -> list[int]:
        sums, at = self._sums[node], 0
        for window_s, kept in self._windows[node]:
            oldest = self._boundary - window_s
            while kept and kept[0][0] < oldest:
                _, ab, ba = kept.popleft()
                sums[at] -= ab
                sums[at + 1] -= ba
            at += 2
        return sums


class River:
    """river's TimeRolling around a Sum, one for each node, window and direction. A window ends at the newest record of its node."""

    def __init__(self, nodes: int) -> None:
        added, rolling = load("river.stats").Sum, load("river.utils").TimeRolling
        spans = [timedelta(seconds=window_s) for window_s in WINDOWS_S]
        self._sums = [[(rolling(added, period=span), rolling(added, period=span)) for span in spans] for _ in range(nodes)]

    def advance(self, boundary: int) -> None:
        """It knows no time but that of its records."""

    def add(self, node: int, time_s: int, ab: int, ba: int) -> None:
        at = datetime.fromtimestamp(time_s, UTC).replace(tzinfo=None)  # it takes no other
        for in_ab, in_ba in self._sums[node]:
            in_ab.update(ab, t=at)
            in_ba.update(ba, t=at)

    def read(self, node: int, out: array[int]) -> list[int]:
        return [round(each.get()) for pair in self._sums[node] for each in pair]


class Sqlite:
    """A table in memory, whose key is the covering index of a sum over a span."""

    def __init__(self, nodes: int) -> None:
        self._database = sqlite3.connect(":memory:", isolation_level=None)
        table = "node INTEGER, pane INTEGER, ab INTEGER, ba INTEGER, PRIMARY KEY(node, pane)"
        self._database.execute(f"CREATE TABLE panes({table}) WITHOUT ROWID")
        self._boundary = 0

    def advance(self, boundary: int) -> None:
        self._boundary = boundary

    def add(self, node: int, time_s: int, ab: int, ba: int) -> None:
        more = "ON CONFLICT(node, pane) DO UPDATE SET ab = ab + excluded.ab, ba = ba + excluded.ba"
        self._database.execute(f"INSERT INTO panes VALUES(?,?,?,?) {more}", (node, time_s, ab, ba))

    def read(self, node: int, out: array[int]) -> list[int]:
        asked = "SELECT ifnull(sum(ab), 0), ifnull(sum(ba), 0) FROM panes WHERE node = ? AND pane >= ?"
        return [n for window_s in WINDOWS_S for n in self._database.execute(asked, (node, self._boundary - window_s)).fetchone()]


class Polars:
    """A frame for each node; one query adds up all windows."""

    def __init__(self, nodes: int) -> None:
        self._polars = load("polars")
        self._schema = dict.fromkeys(("pane", "ab", "ba"), self._polars.Int64)
        self._frames = [self._polars.DataFrame(schema=self._schema) for _ in range(nodes)]
        self._boundary = 0

    def advance(self, boundary: int) -> None:
        self._boundary = boundary

    def add(self, node: int, time_s: int, ab: int, ba: int) -> None:
        self._frames[node].extend(self._polars.DataFrame([(time_s, ab, ba)], schema=self._schema, orient="row"))

    def read(self, node: int, out: array[int]) -> list[int]:
        column = self._polars.col
        sums = [
            column(name).filter(column("pane") >= self._boundary - window_s).sum().alias(f"{name} {window_s}")
            for window_s in WINDOWS_S
            for name in ("ab", "ba")
        ]
        return list(self._frames[node].select(sums).row(0))

    def load(self, columns: list[dict[str, list[int]]]) -> None:
        self._frames = [self._polars.DataFrame(column, schema=self._schema) for column in columns]


class Pandas:
    """A frame for each node; each window is a filter and a sum."""

    def __init__(self, nodes: int) -> None:
        self._pandas = load("pandas")
        self._frames = [self._pandas.DataFrame({"pane": [], "ab": [], "ba": []}, dtype="int64") for _ in range(nodes)]
        self._boundary = 0

    def advance(self, boundary: int) -> None:
        self._boundary = boundary

    def add(self, node: int, time_s: int, ab: int, ba: int) -> None:
        row = self._pandas.DataFrame({"pane": [time_s], "ab": [ab], "ba": [ba]})
        self._frames[node] = self._pandas.concat([self._frames[node], row], ignore_index=True)

    def read(self, node: int, out: array[int]) -> list[int]:
        frame, found = self._frames[node], []
        for window_s in reversed(WINDOWS_S):  # each filters what the longer one has left
            frame = frame[frame["pane"] >= self._boundary - window_s]
            found[:0] = int(frame["ab"].sum()), int(frame["ba"].sum())
        return found

    def load(self, columns: list[dict[str, list[int]]]) -> None:
        self._frames = [self._pandas.DataFrame(column) for column in columns]


@dataclass(frozen=True)
class Peer:
    """`share`: of the records that the fast ones get. `history_s`: how much of the day before it holds at the start."""

    name: str
    make: Callable[[int], Live]
    packages: tuple[str, ...] = ()
    is_in_order_only: bool = False
    share: float = 1.0
    history_s: int = DAY_S

    def kept(self, history: list[Tick]) -> list[Tick]:
        return [tick for tick in history if tick[0] > history[-1][0] - self.history_s]


PEERS = (
    Peer("deque", Deques, is_in_order_only=True),
    Peer("river", River, ("river",), is_in_order_only=True, share=1 / 20, history_s=3600),
    Peer("sqlite", Sqlite, share=1 / 50),
    Peer("polars", Polars, ("polars",), share=1 / 200),
    Peer("pandas", Pandas, ("pandas",), share=1 / 500),
)
OURS = Peer("ours", partial(Core, form="compiled"))
PURE = Peer("pure", partial(Core, form="pure"))


def start(peer: Peer, nodes: int, history: list[Tick]) -> Live:
    """The contender with the history in it, and every node read once, so that nothing old is left to throw away."""
    live, out = peer.make(nodes), outlet()
    kept = peer.kept(history)
    take_columns = getattr(live, "load", None)
    if take_columns is None:
        for boundary, records in kept:
            live.advance(boundary)
            for record in records:
                live.add(*record)
    else:
        columns: list[dict[str, list[int]]] = [{"pane": [], "ab": [], "ba": []} for _ in range(nodes)]
        for node, *values in chain.from_iterable(records for _, records in kept):
            for name, value in zip(columns[node], values, strict=True):
                columns[node][name].append(value)
        take_columns(columns)
        live.advance(kept[-1][0])
    for node in range(nodes):
        live.read(node, out)
    return live


def outlet() -> array[int]:
    """What the core fills."""
    return array("q", [0]) * (3 * len(WINDOWS_S))


def answer(live: Live, node: int, out: array[int]) -> list[int]:
    """ab, ba of every window."""
    found = live.read(node, out)
    return [count for at, count in enumerate(out) if at % 3 < 2] if found is None else list(found)
