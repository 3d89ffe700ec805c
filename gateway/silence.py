"""Nodes of which nothing comes: gaps that are open until something does, or until the node stands elsewhere. Pure.

A node is silent at each site at which it has stood since its last minute. Where it stands there no more, the gap ends with its stay
and is bounded, and it stays known, since the node still may deliver what it counted there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from gateway.model import Gap

SILENT_S = 900


def reckon(
    known: Sequence[Gap], owed: Sequence[Gap], site_at: Callable[[int], str | None], now_s: int
) -> tuple[list[Gap], list[Gap]]:
    """What a node was known to be silent about, and what it would be silent about now -> what it is, and the gaps of it that are
    new or have changed. `site_at` is where it stood."""
    left = [gap for gap in known if gap.bound >= 0 or site_at(gap.start_s) == gap.site]
    void = [replace(gap, until_s=gap.start_s, bound=0, resolved_s=now_s) for gap in known if gap not in left]
    found, news = list[Gap](), list[Gap]()
    for gap in owed:
        before = next((other for other in left if _is_of(other, gap)), None)
        if before is not None:
            left.remove(before)
            is_over = before.bound < 0 <= gap.bound
            found.append(replace(before, until_s=gap.until_s, bound=gap.bound) if is_over else before)
            news += found[-1:] if is_over else []
        elif now_s - gap.start_s > SILENT_S:
            found.append(gap)
            news.append(gap)
    return [*left, *found], [*void, *news]


def _is_of(known: Gap, gap: Gap) -> bool:
    return known.site == gap.site and (known.start_s == gap.start_s or known.bound < 0)


def resolved(gaps: Sequence[Gap], bin_start: int, now_s: int, next_change: Callable[[int], int | None]) -> list[Gap]:
    """They are over with this minute, whatever comes of the minutes in them; none reaches beyond the node's stay."""
    ends = [gap.until_s if gap.bound >= 0 else next_change(gap.start_s) or now_s for gap in gaps]
    return [
        replace(gap, until_s=max(gap.start_s, min(bin_start, now_s, end_s)), bound=0, resolved_s=now_s)
        for gap, end_s in zip(gaps, ends, strict=True)
    ]


def open_ones(silences: Mapping[int, Sequence[Gap]]) -> dict[int, Gap]:
    """By node, the gap that has no end yet."""
    return {node: gap for node, gaps in silences.items() for gap in gaps if gap.bound < 0}
