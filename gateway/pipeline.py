"""Bins -> windows -> points. Pure: time comes in as an argument, and the same bin always gives the same point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway import schema
from gateway.model import PERIOD_S, Q_PARTIAL, Q_UNCALIBRATED, ClimateBin, CountBin, OutboxRef, Point, Series
from gateway.window import WindowedCounter

WINDOWS_S = (60, 300, 900, 3600, 86400)
LATENESS_S = 86400
RING_S = WINDOWS_S[-1] + LATENESS_S
PARTIAL_BELOW = 0.95
CLOCK_STEP_S = 86400  # a clock that leaps further than this is not believed


@dataclass(frozen=True, slots=True)
class Live:
    """Rolling counts of one series, as of the newest closed minute: {window in s: (ab, ba, coverage)}."""

    series: Series
    windows: dict[int, tuple[int, int, float]]


class Pipeline:
    """Keeps the rolling windows. `rebuild` it from the store after a start, then feed it what the store says changed."""

    def __init__(self) -> None:
        self._rows: dict[Series, int] = {}
        self._counter = WindowedCounter(WINDOWS_S, pane_s=PERIOD_S, series=0, lateness_s=LATENESS_S)
        self._now_s = 0

    def advance(self, now_s: int) -> bool:
        """Moves the windows to `now_s`. False if the clock has leapt, by more than a day ahead or more than a minute back: then
        nothing moves; say so, and `rebuild` from the store."""
        if self._now_s and not -PERIOD_S <= now_s - self._now_s <= CLOCK_STEP_S:
            return False
        self._now_s = max(self._now_s, now_s)
        self._counter.advance(now_s)
        return True

    def update(self, bins: list[CountBin]) -> None:
        """Absolute values, in any order and as often as you like. What lies outside the ring is left to the store."""
        for bin_ in bins:
            if bin_.period_s != PERIOD_S:  # a quarter of an hour, older than every window
                continue
            row = self._rows.get(bin_.series)
            if row is None:
                row = self._rows[bin_.series] = self._counter.series
                self._counter.grow(1)
            self._counter.set(row, bin_.start_s, bin_.ab, bin_.ba, bin_.covered_s)

    def live(self) -> list[Live]:
        """The rolling counts of every series, in a stable order."""
        order = sorted(self._rows, key=lambda series: (series.site, series.node, series.sensor))
        return [Live(series, self._counter.query(self._rows[series])) for series in order]


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
