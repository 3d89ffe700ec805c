"""Whether a record that comes is in a bin already: one of a stream whose books another store has kept, say.

Theory of operation
    Records of a node come in order, and a bin names its newest one. So a bin holds every record of its time up to that one, and
    also one that was counted when the node's sensor or site had another name.
    A record without a time of its own got a minute before, whatever the time was then. Its bin names it as such, or a later one
    that went there too; a bin that was never revised holds no other. If it is a later one, our record is in there too unless a bin
    was made between. One of those may have grown since, and name a record that is later still: then nobody can be sure. The
    record is not counted, and its people are flagged.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from gateway.model import Q_TIME_HELD, Q_TIME_UNKNOWN, Accept, CountBin, Series
from gateway.rows import Rows

NEAR_S = 2 * 86_400  # records that follow each other stand no further apart, or there is no telling


class Held(Enum):
    NO = 0
    YES = 1
    PERHAPS = 2


def held(rows: Rows, known: CountBin | None, series: Series, effect: Accept) -> Held:
    """`known` is the bin of this series that the record belongs to, if there is one."""
    mark = (effect.incarnation, effect.record.seq)
    others = [rows.count_bin(other, effect.bin_start) for other in rows.series_of_node(series.node) if other != series]
    for bin_ in (known, *others):
        if bin_ is not None and bin_.incarnation == mark[0] and bin_.seq >= mark[1]:
            return Held.YES
    if known is not None and not known.incarnation and not known.seq:  # read back from before bins named their records
        return Held.YES
    named = _untimed_since(rows, series, mark)
    if any(bin_.untimed == mark[1] for bin_ in named):
        return Held.YES
    if not named or not is_untimed(effect.q):
        return Held.NO
    first = min(named, key=lambda row: row.untimed)
    if not first.rev:
        return Held.NO
    of_log = "SELECT count(*) FROM bins WHERE series = ? AND incarnation = ? AND start BETWEEN ? AND ? AND start != ?"
    near = (first.series, mark[0], first.start_s - NEAR_S, first.start_s + NEAR_S, first.start_s)
    ((made_between,),) = rows.read(f"{of_log} AND seq >= ? AND seq < ?", (*near, mark[1], first.untimed))
    if made_between:
        return Held.NO
    ((grown_since,),) = rows.read(f"{of_log} AND seq > ? AND rev > 0", (*near, first.untimed))
    return Held.PERHAPS if grown_since or first.rev < first.untimed - mark[1] else Held.YES


def is_untimed(q: int) -> bool:
    """Whether a record with these quality bits had no time of its own."""
    return bool(q & (Q_TIME_HELD | Q_TIME_UNKNOWN))


class _Named(NamedTuple):
    """A bin, by the number of its series, that names a record as its newest without a time of its own."""

    series: int
    start_s: int
    untimed: int
    rev: int


def _untimed_since(rows: Rows, series: Series, mark: tuple[int, int]) -> list[_Named]:
    """Of each series of the node the first bin that names the record `mark` so, or a later one."""
    query = (
        "SELECT series, start, untimed, rev FROM bins WHERE series=? AND incarnation=? AND untimed>=? "
        "AND untimed > 0 ORDER BY untimed LIMIT 1"  # the condition of the index: without it all bins are read
    )
    numbers = [rows.series_id(other) for other in rows.series_of_node(series.node)]
    return [_Named(*row) for number in numbers for row in rows.read(query, (number, *mark))]
