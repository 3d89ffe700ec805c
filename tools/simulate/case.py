"""What is known of one node number when a schedule has healed: what happened to it, and which rows a server has of it.

Theory of operation
    Truth is what detectors reported (the node's book), in UTC seconds. Beside it stand the server's rows of that node, and what it
    refused: a dead letter holds people that the server does not have, or flags them. What is flagged in an hour may have been lost
    anywhere between the minutes around it that are there, and before stretches of darkness.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.model import PERIOD_S, Q_TIME_HELD, Q_TIME_UNKNOWN, node_name
from gateway.uplink.base import Row, tags_of
from tools.simulate.link import LATE_MS

if TYPE_CHECKING:
    from tools.simulate.books import NodeBook
    from tools.simulate.world import World

SLACK_S = 6
GAP_SLACK_S = 120
STORE_FALLS = {"store_deleted", "store_restored", "store_corrupted"}
GIVEN_UP = "given_up"  # exact from totals: no guess, however many
GUESSED = Q_TIME_HELD | Q_TIME_UNKNOWN
FOR_EVER = 1 << 60
_LINE = re.compile(r"passages,site=[^,]+,node=([^,]+),sensor=\S+ count=(\d+)i.* (\d+)")


@dataclass
class Case:
    """All that is known of one node number, in UTC seconds."""

    name: str
    book: NodeBook
    bins: list[Row]
    losses: list[Row]
    gaps: list[Row]
    buried: dict[int, int]  # minute -> people of a refused line that the server does not have
    truth: list[int]  # moments of passages, sorted
    unknowable_until: int  # who passed before that, in a boot of which nobody heard, may be missing
    cuts: list[int]
    wipes: list[int]
    slack_s: int
    clock_moves: bool
    forgets: bool
    is_store_lost: bool

    @property
    def stored(self) -> int:
        return sum(count_of(row) for row in self.bins)

    @property
    def lost(self) -> int:
        return len(self.truth) - self.stored

    @property
    def is_guessed(self) -> bool:
        """Some minute was placed by guess."""
        return any(q_of(row) & GUESSED for row in self.bins)

    def is_cut_near(self, minute: int) -> bool:
        return any(minute - PERIOD_S - self.slack_s <= cut < minute + 2 * PERIOD_S + self.slack_s for cut in self.cuts)

    def flagged(self, begin: int, end: int) -> int:
        """People at most that are flagged for a span, or of whom nobody can know; FOR_EVER where that has no bound."""
        total = sum(people for minute, people in self.buried.items() if begin <= minute < end)
        total += sum(begin <= moment < end for moment in self.truth if moment < self.unknowable_until)
        for row in self.losses:
            if self._reach_back(row.time_s) < end and self._reach(row.time_s) > begin:
                total += FOR_EVER if bound_of(row) < 0 else bound_of(row)
        for row in self.gaps:
            until = max(int_of(row, "until"), row.time_s + PERIOD_S)
            if not (row.time_s < end and until > begin):
                continue
            if bound_of(row) < 0:
                total += FOR_EVER
            elif row.tags["reason"] == GIVEN_UP or self.book.given_up or _is_near(self.wipes, row.time_s, until):
                total += bound_of(row)
        return total

    def _reach(self, hour: int) -> int:
        """What is flagged in an hour may have been lost until the next minute that is there."""
        times = [row.time_s for row in self.bins]
        after = bisect_left(times, hour + 3600)
        return max(hour + 3600, times[after] if after < len(times) else FOR_EVER)

    def _reach_back(self, hour: int) -> int:
        """What was lost before or between stretches of darkness is flagged behind them: nothing of it was heard before."""
        begin = hour + 3600
        for row in reversed(self.gaps):
            if row.time_s < begin <= int_of(row, "until") + 3600 + GAP_SLACK_S:
                begin = row.time_s - PERIOD_S
        return min(hour, begin) if any(row.time_s < min(hour, begin) for row in self.bins) else 0


def _is_near(moments: list[int], begin: int, end: int) -> bool:
    return any(begin - GAP_SLACK_S <= moment <= end + GAP_SLACK_S for moment in moments)


def cases_of(world: World) -> Iterator[Case]:
    tables: dict[str, dict[str, list[Row]]] = {}
    for measurement in ("passages", "losses", "gaps"):
        by_node = tables[measurement] = {}
        rows = world.server.table(measurement) + (_refused_flags(world) if measurement == "losses" else [])
        for row in sorted(rows, key=lambda row: row.time_s):
            by_node.setdefault(row.tags["node"], []).append(row)
    buried = _buried(world, tables["passages"])
    late = any(stroke.fault in ("frame_late", "frame_reordered") for stroke in world.plan.strokes)
    for number, book in sorted(world.books.items()):
        name = node_name(number)
        moments = sorted([*book.ab, *book.ba])
        yield Case(
            name, book,
            bins=tables["passages"].get(name, []), losses=tables["losses"].get(name, []), gaps=tables["gaps"].get(name, []),
            buried=buried.get(name, {}),
            truth=[world.second(ms) for ms in moments],
            unknowable_until=world.second(book.unknowable_until_ms + 999),  # truth is in whole seconds: that of the cut, too
            cuts=[world.second(ms) for ms in book.cuts],
            wipes=[world.second(ms) for ms in book.wipes],
            slack_s=SLACK_S + (LATE_MS // 1000 if late else 0),
            clock_moves=world.clock_moves,
            forgets=world.forgets,
            is_store_lost=any(stroke.fault in STORE_FALLS for stroke in world.plan.strokes),
        )  # fmt: skip


def _refused_flags(world: World) -> list[Row]:
    """Losses of hours of which the server has none, since it refuses them: the newest of each, which is a dead letter."""
    there = {(tags_of(row.tags), row.time_s) for row in world.server.table("losses")}
    refused = sorted(world.server.refusals("losses"), key=lambda row: int_of(row, "rev"))
    newest = {(tags_of(row.tags), row.time_s): row for row in refused}
    return [row for place, row in newest.items() if place not in there]


def _buried(world: World, bins: dict[str, list[Row]]) -> dict[str, dict[int, int]]:
    stored = {(name, row.time_s): count_of(row) for name, rows in bins.items() for row in rows}
    found: dict[str, dict[int, int]] = {}
    for line, _ in world.gateway.dead_letters():
        match = _LINE.fullmatch(line)
        if match:
            name, count, minute = match[1], int(match[2]), int(match[3])
            short = count - stored.get((name, minute), 0)
            if short > found.get(name, {}).get(minute, 0):
                found.setdefault(name, {})[minute] = short
    return found


def int_of(row: Row, name: str) -> int:
    value = row.fields[name]
    assert isinstance(value, int)
    return value


def count_of(row: Row) -> int:
    return int_of(row, "count")


def bound_of(row: Row) -> int:
    return int_of(row, "bound")


def q_of(row: Row) -> int:
    return int_of(row, "q")
