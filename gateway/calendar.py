"""A node's time as a calendar: every quarter of an hour measured, partial or missing, and why. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.model import CountBin, Gap

QUARTER_S = 900
WHOLE = 0.95  # with less coverage a quarter is partial, as a minute is
MEASURED, PARTIAL, MISSING = "measured", "partial", "missing"


@dataclass(frozen=True, slots=True)
class Quarter:
    """The quarter of an hour that begins at `start_s` (UTC). `coverage` is the share of it that was watched; `reasons` are those
    of the gaps that reach into it, in order of their names."""

    start_s: int
    ab: int
    ba: int
    coverage: float
    state: str
    reasons: tuple[str, ...]


def quarters(start_s: int, end_s: int, bins: Iterable[CountBin], gaps: Iterable[Gap]) -> list[Quarter]:
    """All quarters from `start_s` to before `end_s`, each once. `bins` and `gaps` are of one site and node; what lies outside
    does not matter. ValueError where an end is not on a quarter: local time may have other quarters, UTC has not."""
    if start_s % QUARTER_S or end_s % QUARTER_S:
        raise ValueError(f"start {start_s} and end {end_s} must be multiples of {QUARTER_S} s")
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for bin_ in bins:
        found = sums[bin_.start_s // QUARTER_S * QUARTER_S]
        found[0] += bin_.ab
        found[1] += bin_.ba
        found[2] += bin_.covered_s
    reasons: dict[int, set[str]] = defaultdict(set)
    for gap in gaps:
        until_s = gap.until_s if gap.bound >= 0 else end_s  # an open one lasts
        first_s = max(start_s, gap.start_s) // QUARTER_S * QUARTER_S
        for at_s in range(first_s, min(end_s, until_s) if until_s > gap.start_s else first_s, QUARTER_S):
            reasons[at_s].add(gap.reason)
    return [_quarter(at_s, sums.get(at_s), reasons.get(at_s, ())) for at_s in range(start_s, end_s, QUARTER_S)]


def _quarter(start_s: int, found: list[int] | None, reasons: Iterable[str]) -> Quarter:
    ab, ba, covered_s = found or (0, 0, 0)
    coverage = min(1.0, covered_s / QUARTER_S)
    state = MISSING if found is None else MEASURED if coverage >= WHOLE else PARTIAL
    return Quarter(start_s, ab, ba, coverage, state, tuple(sorted(reasons)))
