"""What the nodes wrote against what the server holds, minute by minute."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateway.uplink.base import Row
from tools.kill.nodes import Minute

_NO_POINT = (-1, -1)


@dataclass(frozen=True, slots=True)
class Balance:
    """Minutes of which the server holds too little (a minute of nobody that is missing counts as well), and too much."""

    lost: list[Minute]
    twice: list[Minute]

    @property
    def is_equal(self) -> bool:
        return not self.lost and not self.twice


def compare(truth: dict[Minute, tuple[int, int]], rows: Iterable[Row]) -> Balance:
    """`rows` are all points of `passages`; a node has one series of them."""
    stored = {_minute_of(row): _people_of(row) for row in rows}
    lost = [minute for minute in truth if _is_less(stored.get(minute, _NO_POINT), truth[minute])]
    twice = [minute for minute in stored if _is_less(truth.get(minute, _NO_POINT), stored[minute])]
    return Balance(sorted(lost), sorted(twice))


def _minute_of(row: Row) -> Minute:
    return int(row.tags["node"].removeprefix("tr-"), 16), row.time_s


def _people_of(row: Row) -> tuple[int, int]:
    fields: dict[str, Any] = dict(row.fields)
    return fields["count_ab"], fields["count_ba"]


def _is_less(people: tuple[int, int], than: tuple[int, int]) -> bool:
    return people[0] < than[0] or people[1] < than[1]
