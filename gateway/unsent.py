"""Minutes that a lost store had acknowledged and not sent: between those that it had sent, and held by nobody any more. Pure.

Which they may be is known from the start (`Stream.missing`). A node delivers again all that it holds; once it has come to the last
record that the lost store knew, what is still missing is flagged.
"""

from __future__ import annotations

from collections.abc import Callable

import streetwire
from gateway.model import PERIOD_S, Effect, Gap, Reckoned, Stream


def flag(
    stream: Stream,
    olds: list[Stream],
    record: streetwire.Record,
    bin_start: int,
    gaps: Callable[[int, str, int, int], list[Gap]],
) -> list[Effect]:
    """What this record, which goes to `bin_start`, says of them; `gaps` makes them of node, reason, begin and end. `olds` are the
    streams that it carries on where the node was wiped: they deliver nothing any more."""
    for old in olds:
        stream.missing, old.missing = [*stream.missing, *old.missing], []
    if not stream.missing:
        return []
    stream.missing = [part for run in stream.missing for part in _without_minute(run, bin_start)]
    if record.seq < stream.adopted:
        return []
    runs, stream.missing = stream.missing, []
    return [*(gap for start_s, end_s in runs for gap in gaps(stream.node, "given_up", start_s, end_s)), Reckoned(stream.node)]


def _without_minute(run: tuple[int, int], minute_s: int) -> list[tuple[int, int]]:
    if not run[0] <= minute_s < run[1]:
        return [run]
    return [part for part in ((run[0], minute_s), (minute_s + PERIOD_S, run[1])) if part[0] < part[1]]
