"""What the contenders are told: records of a street's nodes, live and in bulk, in order and late; the same from the same seed.

A record counts a pane that is over: it becomes known when its pane closes, or later. Whoever is asked then answers for windows
that end at the newest boundary, as the gateway does.
"""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass

WINDOWS_S = (60, 300, 900, 3600, 86_400)
DAY_S = 86_400
START_S = 1_800_000_000 // DAY_S * DAY_S
LIVE_PANE_S, CITY_PANE_S = 10, 60
LATEST_S = 6 * 3600  # of a bulk's records

Record = tuple[int, int, int, int]  # node, pane start, ab, ba
Tick = tuple[int, list[Record]]  # the newest boundary, and what becomes known before the next one


@dataclass(frozen=True)
class Street:
    """`per_day` records a node and day; `late` is the share of records that come late, by 5 minutes on average."""

    nodes: int = 100
    per_day: int = 3000
    late: float = 0.02
    seed: int = 7

    def ticks(self, seconds: int) -> list[Tick]:
        """From START_S on, without the ticks in which nothing becomes known. One in twenty of the late is late by hours."""
        chance = random.Random(self.seed)  # noqa: S311  repeatable, not secret
        found: list[Tick] = []
        a_tick, due = self.nodes * self.per_day * LIVE_PANE_S / DAY_S, 0.0
        for boundary in range(START_S + LIVE_PANE_S, START_S + seconds + 1, LIVE_PANE_S):
            due += a_tick
            records = [self._record(chance, boundary - LIVE_PANE_S) for _ in range(int(due))]
            due -= int(due)
            if records:
                found.append((boundary, records))
        return found

    def _record(self, chance: random.Random, newest: int) -> Record:
        pane, luck = newest, chance.random()
        if luck < self.late:
            mean_s, most_s = (4 * 3600, 20 * 3600) if luck < self.late / 20 else (300, 1800)
            panes = 1 + min(int(chance.expovariate(LIVE_PANE_S / mean_s)), most_s // LIVE_PANE_S - 1)
            pane = max(START_S, newest - panes * LIVE_PANE_S)
        return chance.randrange(self.nodes), pane, chance.randrange(4), chance.randrange(4)


@dataclass(frozen=True)
class Bulk:
    """Columns of records in the order in which they arrive, and what was open when the last of them did."""

    nodes: int
    pane_s: int
    now: int
    node: array[int]
    pane_start: array[int]
    ab: array[int]
    ba: array[int]
    covered_s: array[int]

    @property
    def columns(self) -> tuple[array[int], ...]:
        return self.node, self.pane_start, self.ab, self.ba, self.covered_s

    def __len__(self) -> int:
        return len(self.node)


RESENT, LATE = 0.136, 0.2  # shares; so a million records are every 10 s pane of a day of a hundred nodes, and the rest again


def bulk(records: int, nodes: int, pane_s: int, seed: int = 7) -> Bulk:
    """Absolute values of a day's panes, spread evenly; of those that are sent again half have grown meanwhile."""
    chance = random.Random(seed)  # noqa: S311  repeatable, not secret
    own = min(max(1, round(records * (1 - RESENT) / nodes)), DAY_S // pane_s)
    found = []
    for node in range(nodes):
        for n in range(own):
            pane = START_S + int((n + chance.random()) * (DAY_S // pane_s) / own) * pane_s
            delay_s = chance.expovariate(4 / LATEST_S) if chance.random() < LATE else 0
            found.append((pane + min(delay_s, LATEST_S) + chance.random(), node, pane, chance.randrange(9), chance.randrange(9)))
    for _ in range(records - len(found)):
        at, node, pane, ab, ba = found[chance.randrange(nodes * own)]
        found.append((at + chance.random() * LATEST_S, node, pane, ab + chance.randrange(2), ba))
    found.sort()
    _, *columns = (array("q", map(int, column)) for column in zip(*found, strict=True))
    node, pane_start, ab, ba = columns
    return Bulk(nodes, pane_s, START_S + DAY_S, node, pane_start, ab, ba, array("q", [pane_s]) * len(found))


def backfill(records: int, held: Bulk, seed: int) -> Bulk:
    """So many panes of what is held, with other values: records that come a day late at most."""
    chance = random.Random(seed)  # noqa: S311  repeatable, not secret
    places = [chance.randrange(len(held)) for _ in range(records)]
    return _changed(held, [held.node[at] for at in places], [held.pane_start[at] for at in places], chance)


def each_node(held: Bulk, seed: int) -> Bulk:
    """A record of each node for the newest closed pane, with other values: what comes in every minute, a pane late."""
    newest = held.now - held.pane_s
    return _changed(held, list(range(held.nodes)), [newest] * held.nodes, random.Random(seed))  # noqa: S311


def _changed(held: Bulk, nodes: list[int], panes: list[int], chance: random.Random) -> Bulk:
    ab, ba = (array("q", [chance.randrange(10, 1000) for _ in nodes]) for _ in range(2))
    covered_s = array("q", [held.pane_s]) * len(nodes)
    return Bulk(held.nodes, held.pane_s, held.now, array("q", nodes), array("q", panes), ab, ba, covered_s)
