"""Bins -> windows -> points. Pure: time comes in as an argument, and the same bin always gives the same point.

Theory of operation
    Windows are counted over closed minutes. A bin that changes alters every result whose window holds it; the counter names them,
    and they are due to be published (`due`). A node that says nothing alters its windows as well, since minutes leave them: at
    every minute all that ended with the last one are due that were not yet. The newest results are read off the windows; older
    ones are made anew of the bins in the store (`rolled`). A result's `rev` is the number of revisions of all bins in its
    window, so it rises whenever one of them changes, whoever computes it. Nothing of what is due is on disk. `rolled_s` says up to
    which minute all has been published, which the store notes each minute, and lowers when a late bin comes; after a start
    everything since then is due again.
"""

from __future__ import annotations

from array import array
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any

from gateway import schema
from gateway.due import WINDOWS, Due, Ends
from gateway.model import PERIOD_S, Q_PARTIAL, Q_UNCALIBRATED, ClimateBin, CountBin, OutboxRef, Point, Series
from gateway.rolled import Minutes, Rolled
from gateway.window import FUTURE, TOO_LATE, WindowedCounter

RING_S = max(WINDOWS)  # the windows are made of the minutes since then
PARTIAL_BELOW = 0.95
CLOCK_STEP_S = 86400  # a clock that leaps further than this is not believed
_PLACES = {window_s: place for place, window_s in enumerate(WINDOWS)}  # in what the counters write
EARLY_S = 900  # so far ahead minutes are kept until they have begun; those of later ones come with a rebuild
MAX_EARLY = 4096  # of all series

_Numbers = tuple[int, int, int, int]  # ab, ba, covered seconds and revision of a minute


@dataclass(frozen=True, slots=True)
class Live:
    """Rolling counts of one series, as of the newest closed minute: {window in s: (ab, ba, coverage)}."""

    series: Series
    windows: dict[int, tuple[int, int, float]]


class Pipeline:
    """Keeps the rolling windows. `rebuild` it from the store after a start, then feed it what the store says changed."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._rows: dict[Series, int] = {}
        self._series: list[Series] = []
        self._told_s: list[int] = []  # by row: the newest end that was due
        self._held: list[list[int]] = []  # by row: windows that held a minute when the watermark was moved last
        self._counter, self._revisions = (WindowedCounter(list(WINDOWS), pane_s=PERIOD_S, series=0) for _ in range(2))
        self._sums = array("q", bytes(8 * 3 * len(WINDOWS)))
        self._now_s = 0
        self._early: dict[tuple[int, int], _Numbers] = {}  # of minutes that have not begun, by row and start
        self._next_s: int | None = None  # when the first minute begins that is not kept so
        self._due = Due()

    def rebuild(self, now_s: int, minutes: Minutes, since_s: int) -> None:
        """Everything anew, from the minutes of the last RING_S; what has ended since `since_s` is due. `names` are all series of
        which that may be said."""
        self._begin()
        self._now_s = now_s
        self._counter.advance(now_s)
        self._revisions.advance(now_s)
        for series in minutes.names:
            self._row(series)
        batch = self._counter.set_many(minutes.series, minutes.starts, minutes.ab, minutes.ba, minutes.covered_s)
        self._next_s = minutes.next_s
        for n in batch.future:
            numbers = (minutes.ab[n], minutes.ba[n], minutes.covered_s[n], minutes.revs[n])
            self._keep_early(minutes.series[n], minutes.starts[n], numbers)
        nothing = bytes(len(minutes.revs))
        revisions = array("q", [rev + 1 for rev in minutes.revs])
        self._revisions.set_many(minutes.series, minutes.starts, revisions, nothing, nothing)
        self._counter.corrections()
        self._revisions.corrections()
        for series, newest_s in zip(minutes.names, minutes.newest, strict=True):
            for window_s in WINDOWS:  # behind its newest minute nothing is left in them
                last_s = min(newest_s + window_s, self._boundary_s - PERIOD_S)
                self._due.add(series, window_s, since_s + PERIOD_S, last_s)

    def has_leapt(self, now_s: int) -> bool:
        """Whether the clock has, since it was told last: by more than a day ahead or more than a minute back."""
        return bool(self._now_s) and not -PERIOD_S <= now_s - self._now_s <= CLOCK_STEP_S

    def advance(self, now_s: int) -> bool:
        """Moves the windows to `now_s`. False if the clock has leapt, or minutes begin that were told while it was ahead and not
        kept: then nothing moves; `rebuild` from the store."""
        if self.has_leapt(now_s):
            return False
        if self._next_s is not None and now_s >= self._next_s:
            return False
        before_s, self._now_s = self._boundary_s, max(self._now_s, now_s)
        self._counter.advance(now_s)
        self._revisions.advance(now_s)
        # What has been told of the minute that is still open is in no window yet: none is given up before that has closed.
        for row, series in enumerate(self._series if self._boundary_s > before_s else []):
            self._end(series, self._told_s[row] + PERIOD_S, self._boundary_s - PERIOD_S)
            if self._held[row]:
                self._revisions.query_into(row, self._sums)
                self._held[row] = [window_s for window_s in self._held[row] if self._sums[3 * _PLACES[window_s]]]
        early, self._early = self._early, {}
        for (row, start_s), numbers in early.items():
            self._set(row, start_s, numbers)
        self._collect()
        return True

    def update(self, bins: Iterable[CountBin]) -> None:
        """Absolute values, in any order and as often as you like."""
        last_start_s: dict[Series, int] = {}
        for bin_ in sorted(bins, key=lambda bin_: bin_.start_s):
            if bin_.start_s - last_start_s.get(bin_.series, bin_.start_s) > PERIOD_S:  # else all ends between were due as well
                self._collect()
                last_start_s.clear()
            last_start_s[bin_.series] = bin_.start_s
            if bin_.period_s == PERIOD_S:
                self._set(self._row(bin_.series), bin_.start_s, (bin_.ab, bin_.ba, bin_.covered_s, bin_.rev))
            else:  # a quarter of an hour, older than every window
                self.revise(bin_.series, bin_.start_s, bin_.start_s + bin_.period_s)
        self._collect()

    def revise(self, series: Series, start_s: int, end_s: int) -> None:
        """All results that hold a minute of this span are due."""
        for window_s in WINDOWS:
            self._due.add(series, window_s, start_s + PERIOD_S, min(end_s - PERIOD_S + window_s, self._boundary_s))

    def renew(self, series: Series, end_s: int) -> None:
        """All results of a series that end then are due."""
        for window_s in WINDOWS:
            self._due.add(series, window_s, end_s, end_s)

    def live(self) -> list[Live]:
        """The rolling counts of every series, in a stable order."""
        order = sorted(self._rows, key=lambda series: (series.site, series.node, series.sensor))
        return [Live(series, self._counter.query(self._rows[series])) for series in order]

    # -- what is to be published

    def take_newest(self, limit: int) -> list[Rolled]:
        """At most so many results that have just ended."""
        return [self._rolled(ends) for ends in self._due.take_at(self._boundary_s, limit, self._rows)]

    def take_older(self, limit: int, but: Container[Series] = ()) -> list[Ends]:
        """Of one series, but not of some, at most so many results that have to be made anew of its bins, which `rolled` does."""
        return self._due.take_oldest(limit, but)

    def series_due(self) -> set[Series]:
        """Those of which results are due."""
        return self._due.series

    def done(self, missing: Iterable[Rolled] = ()) -> None:
        """What was taken has been published, but for these."""
        self._due.done((result.series, result.window_s, result.end_s) for result in missing)

    def give_back(self) -> None:
        """Nothing of what was taken has been published."""
        self._due.give_back()

    @property
    def rolled_s(self) -> int:
        """All results that end before this and the minute behind it have been published, of all minutes that begin before."""
        oldest_s = self._due.oldest_s()
        return (self._boundary_s if oldest_s is None else min(oldest_s, self._boundary_s)) - PERIOD_S

    @property
    def is_published(self) -> bool:
        """Whether no result is due."""
        return self._due.oldest_s() is None

    # -- steps

    @property
    def _boundary_s(self) -> int:
        return self._now_s // PERIOD_S * PERIOD_S

    def _row(self, series: Series) -> int:
        row = self._rows.get(series)
        if row is None:
            row = self._rows[series] = self._counter.series
            self._series.append(series)
            self._told_s.append(self._boundary_s - PERIOD_S)
            self._held.append(list(WINDOWS))
            self._counter.grow(1)
            self._revisions.grow(1)
        return row

    def _set(self, row: int, start_s: int, numbers: _Numbers) -> None:
        ab, ba, covered_s, rev = numbers
        self._held[row] = list(WINDOWS)
        code = self._counter.set(row, start_s, ab, ba, covered_s)
        self._revisions.set(row, start_s, rev + 1, 0, 0)
        if code == TOO_LATE:
            self.revise(self._series[row], start_s, start_s + PERIOD_S)
        elif code == FUTURE:
            self._keep_early(row, start_s, numbers)

    def _keep_early(self, row: int, start_s: int, numbers: _Numbers) -> None:
        if (row, start_s) in self._early or (start_s < self._now_s + EARLY_S and len(self._early) < MAX_EARLY):
            self._early[row, start_s] = numbers
        else:
            self._next_s = start_s if self._next_s is None else min(self._next_s, start_s)

    def _collect(self) -> None:
        """What the counters say has changed is due."""
        for row, window_s, first_s, last_s in (*self._counter.corrections(), *self._revisions.corrections()):
            self._due.add(self._series[row], window_s, first_s, last_s)
            if window_s == PERIOD_S:  # a minute that the shortest window holds stands in all of them
                self._told_s[row] = max(self._told_s[row], last_s)

    def _end(self, series: Series, first_s: int, last_s: int) -> None:
        """All results of a series that end in this span are due, but for those of windows that hold nothing."""
        row = self._rows[series]
        self._told_s[row] = max(self._told_s[row], last_s)
        for window_s in self._held[row]:
            self._due.add(series, window_s, first_s, last_s)

    def _rolled(self, ends: Ends) -> Rolled:
        row, at = self._rows[ends.series], 3 * _PLACES[ends.window_s]
        self._revisions.query_into(row, self._sums)
        rev = self._sums[at]
        self._counter.query_into(row, self._sums)
        ab, ba, covered_s = self._sums[at : at + 3]
        return Rolled(ends.series, ends.window_s, ends.last_s, ab, ba, covered_s, rev)


def passages_point(bin_: CountBin) -> Point:
    coverage = bin_.covered_s / bin_.period_s
    q = bin_.q | Q_UNCALIBRATED | (Q_PARTIAL if coverage < PARTIAL_BELOW else 0)
    fields: dict[str, int | float | str] = {
        "count": bin_.ab + bin_.ba,
        "count_ab": bin_.ab,
        "count_ba": bin_.ba,
        "period_s": bin_.period_s,
        "coverage": round(coverage, 4),
        "q": q,
        "rev": bin_.rev,
        "revised_at": bin_.revised_at,
        "schema": schema.load()["schema"],
        "incarnation": bin_.incarnation,
        "seq": bin_.seq,
    }
    if bin_.untimed:
        fields["untimed"] = bin_.untimed
    return Point("passages", _tags(bin_.series), fields, bin_.start_s)


def climate_point(bin_: ClimateBin) -> Point:
    fields: dict[str, int | float | str] = {
        "temperature_c": round(bin_.temperature_centi_sum / bin_.n / 100, 3),
        "humidity_pct": round(bin_.humidity_half_sum / bin_.n / 2, 3),
        "n": bin_.n,
        "q": bin_.q,
        "rev": bin_.rev,
        "revised_at": bin_.revised_at,
        "schema": schema.load()["schema"],
    }
    return Point("climate", _tags(bin_.series), fields, bin_.start_s)


def fact_point(ref: OutboxRef, fields: dict[str, Any]) -> Point:
    return Point(ref.measurement, ref.tags, fields, ref.time_s)


def _tags(series: Series) -> dict[str, str]:
    return {"site": series.site, "node": series.node, "sensor": series.sensor}
