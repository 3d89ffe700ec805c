"""How long rows are kept, and what gives way when the disk is short.

Theory of operation
    What the server has is kept for KEEP_S, so that it can be found missing there; a node's and the gateway's health for
    STATUS_S, and of health that waits for longer than that one row an hour. What waits besides is never dropped for its age.
    When the store has outgrown its allowance, quarters of an hour of which no minute was ever sent are thinned, the oldest first:
    their minutes become one bin of 900 s. Only when nothing is left to thin, what waits is dropped, the oldest first: health, then
    climate, then bins by whole hours, whose people are counted in `losses`. Both are final: a late record of a thinned minute
    grows its quarter, one of a dropped minute is a bin of its own.
    A batch whose answer was lost may have been stored; so of what began before the last contact with a server (`sending.py` notes
    it) nothing is thinned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from functools import reduce
from operator import or_
from typing import TypeVar

from gateway.model import Q_THINNED, ClimateBin, CountBin, Loss, Series, node_number
from gateway.pipeline import RING_S
from gateway.store import QUARTER_S, Store
from gateway.tables import QUEUED

KEEP_S = 40 * 86_400
STATUS_S = 2 * 86_400
FRESH_S = RING_S + 2 * 86_400  # younger minutes stay: the rolling windows are made of them, and what comes late grows them
HOUR_S = 3600
PORTION = 3_000  # bins that are looked at in one go
FORGOTTEN = "forgotten_s"  # note: of what began before, bins may have been dropped for their age
CONTACT = "contact_s"  # note: until then a server may have taken something
CONNECTED = "connected"  # note: 1 while it may do so still
_HEALTH = "('node_status', 'gateway_status')"
B = TypeVar("B", CountBin, ClimateBin)


@dataclass(frozen=True, slots=True)
class Yielded:
    """What gave way: minutes that were thinned, rows of health and climate that were dropped, bins that were, and their people."""

    thinned_minutes: int = 0
    dropped_rows: int = 0
    dropped_bins: int = 0
    dropped_people: int = 0

    def __bool__(self) -> bool:
        return bool(self.thinned_minutes or self.dropped_rows or self.dropped_bins)

    def __add__(self, other: Yielded) -> Yielded:
        mine, others = astuple(self), astuple(other)
        return Yielded(*(one + another for one, another in zip(mine, others, strict=True)))


def forget(store: Store, now_s: int, received_s: int = 0) -> None:
    """Drops what was settled long ago, and received records that are older than `received_s`."""
    settled_before = f"< ? AND state != {QUEUED}"
    with store.transaction() as database:
        newest = f"SELECT coalesce(max(start + period_s), 0) FROM bins WHERE start {settled_before}"
        ((dropped_until_s,),) = store.read(newest, (now_s - KEEP_S,))
        store.put_note(FORGOTTEN, max(store.noted(FORGOTTEN), dropped_until_s))
        # A node that comes back may go on in its newest minute.
        not_newest = "AND start NOT IN (SELECT last_bin FROM streams)"
        for table, moment, spared in (("bins", "start", not_newest), ("climate", "start", not_newest), ("facts", "time", "")):
            database.execute(f"DELETE FROM {table} WHERE {moment} {settled_before} {spared}", (now_s - KEEP_S,))
        before_s = now_s - STATUS_S
        database.execute(f"DELETE FROM facts WHERE time {settled_before} AND measurement IN {_HEALTH}", (before_s,))
        waiting = f"FROM facts WHERE time < ?1 AND state = {QUEUED} AND measurement IN {_HEALTH}"
        hourly = f"SELECT min(id) {waiting} GROUP BY measurement, tags, time / {HOUR_S}"
        database.execute(f"DELETE {waiting} AND id NOT IN ({hourly})", (before_s,))
        database.execute("DELETE FROM received WHERE committed_s < ?", (now_s - received_s,))


def known_from(store: Store) -> int:
    """Since when all bins are there that ever were, but for those given up. What the clock says alters nothing of that."""
    return store.noted(FORGOTTEN)


def make_contact(store: Store) -> bool:
    """Before something is sent: from now on a server may take it. Whether that was so before."""
    if store.noted(CONNECTED):
        return True
    store.note(CONNECTED, 1)
    return False


def end_contact(store: Store, until_s: int = 0) -> None:
    """What was sent last got nowhere; `until_s` where what was sent before may have got somewhere."""
    with store.transaction():
        store.put_note(CONTACT, max(store.noted(CONTACT), until_s))
        store.put_note(CONNECTED, 0)


def used_b(store: Store) -> int:
    """Bytes of the store's file that hold something; those that were given up are filled before it grows."""
    ((pages,),), ((free,),), ((size,),) = (store.read(f"PRAGMA {name}") for name in ("page_count", "freelist_count", "page_size"))
    return (pages - free) * size


def make_room(store: Store, now_s: int, allowed_b: int) -> Yielded:
    """Brings the store towards its allowance, a portion in one transaction; call it again while it does something."""
    if used_b(store) <= allowed_b:
        return Yielded()
    with store.transaction():
        if thinned := _thin(store, now_s):
            store.put_note("thinned_minutes", store.noted("thinned_minutes") + thinned)
            return Yielded(thinned_minutes=thinned)
        health = f"facts WHERE measurement IN {_HEALTH} AND"
        if dropped := _drop_rows(store, health, "time") or _drop_rows(store, "climate WHERE", "start"):
            return Yielded(dropped_rows=dropped)
        bins, people = _drop_hour(store, now_s)
        store.put_note("dropped_people", store.noted("dropped_people") + people)
        return Yielded(dropped_bins=bins, dropped_people=people)


# -- within a transaction


def _thin(store: Store, now_s: int) -> int:
    """How many minutes were summed up."""
    if store.noted(CONNECTED):
        return 0
    from_s = -(-store.noted(CONTACT) // QUARTER_S) * QUARTER_S
    end_s = (now_s - FRESH_S) // QUARTER_S * QUARTER_S
    thinned = 0
    while thinned < PORTION and (start_s := _oldest_minute(store, from_s, end_s)) is not None:
        from_s = start_s // QUARTER_S * QUARTER_S + QUARTER_S
        thinned += _thin_quarter(store, from_s - QUARTER_S, now_s)
    return thinned


def _oldest_minute(store: Store, from_s: int, end_s: int) -> int | None:
    waiting = f"state = {QUEUED} AND start >= ? AND start < ? ORDER BY start LIMIT 1"
    minutes = (f"bins WHERE period_s < {QUARTER_S}", f"climate WHERE NOT q & {Q_THINNED}")
    oldest = [store.read(f"SELECT start FROM {unthinned} AND {waiting}", (from_s, end_s)) for unthinned in minutes]
    return min((start for rows in oldest for (start,) in rows), default=None)


def _thin_quarter(store: Store, start_s: int, now_s: int) -> int:
    thinned = 0
    for series, bins in _by_series(store, "bins", start_s, store.count_bins_since(start_s, start_s + QUARTER_S)).items():
        if any(bin_.period_s < QUARTER_S for bin_ in bins):
            _take(store, "bins", series, start_s)
            store.put_bin(_quarter(bins, start_s, now_s), QUEUED)
            thinned += len(bins)
    for series, readings in _by_series(store, "climate", start_s, store.climate_since(start_s, start_s + QUARTER_S)).items():
        if any(not reading.q & Q_THINNED for reading in readings):
            _take(store, "climate", series, start_s)
            store.put_climate(_quarter_of_climate(readings, start_s, now_s), QUEUED)
            thinned += len(readings)
    return thinned


def _by_series(store: Store, table: str, start_s: int, rows: Iterable[B]) -> dict[Series, list[B]]:
    """The rows of a quarter, of those series of which all wait."""
    others = store.read(
        f"SELECT DISTINCT series FROM {table} WHERE state != {QUEUED} AND start >= ? AND start < ?", (start_s, start_s + QUARTER_S)
    )
    settled = {store.series_of(id_) for (id_,) in others}
    found: dict[Series, list[B]] = defaultdict(list)
    for row in rows:
        if row.series not in settled:
            found[row.series].append(row)
    return found


def _take(store: Store, table: str, series: Series, start_s: int) -> None:
    span = (store.series_id(series), start_s, start_s + QUARTER_S)
    store.read(f"DELETE FROM {table} WHERE series = ? AND start >= ? AND start < ?", span)


def _quarter(bins: list[CountBin], start_s: int, now_s: int) -> CountBin:
    newest = max(bins, key=lambda bin_: bin_.start_s)
    of_log = [bin_ for bin_ in bins if bin_.incarnation == newest.incarnation]
    return CountBin(
        newest.series, start_s, sum(bin_.ab for bin_ in bins), sum(bin_.ba for bin_ in bins), sum(bin_.covered_s for bin_ in bins),
        reduce(or_, (bin_.q for bin_ in bins), Q_THINNED), max(bin_.rev for bin_ in bins) + 1, now_s,
        newest.incarnation, max(bin_.seq for bin_ in of_log), QUARTER_S, max(bin_.untimed for bin_ in of_log),
    )  # fmt: skip


def _quarter_of_climate(bins: list[ClimateBin], start_s: int, now_s: int) -> ClimateBin:
    return ClimateBin(
        bins[0].series, start_s, sum(bin_.temperature_centi_sum for bin_ in bins), sum(bin_.humidity_half_sum for bin_ in bins),
        sum(bin_.n for bin_ in bins), reduce(or_, (bin_.q for bin_ in bins), Q_THINNED), max(bin_.rev for bin_ in bins) + 1, now_s,
    )  # fmt: skip


def _drop_rows(store: Store, rows: str, moment: str) -> int:
    """The oldest that wait; how many."""
    oldest = store.read(f"SELECT {moment} FROM {rows} state = {QUEUED} ORDER BY {moment} LIMIT {PORTION}")
    if oldest:
        store.read(f"DELETE FROM {rows} state = {QUEUED} AND {moment} <= ?", oldest[-1])
    return len(oldest)


def _drop_hour(store: Store, now_s: int) -> tuple[int, int]:
    """The oldest hour in which bins wait: (bins, people). How many people they held is known exactly, and said."""
    ((oldest_s,),) = store.read(f"SELECT coalesce(min(start), {now_s}) FROM bins WHERE state = {QUEUED}")
    hour_s = oldest_s // HOUR_S * HOUR_S
    if hour_s + HOUR_S > now_s:
        return 0, 0
    span = f"WHERE bins.state = {QUEUED} AND start >= ? AND start < ?"
    people = store.read(
        f"SELECT site, node, count(*), sum(ab + ba) FROM bins JOIN series ON series.id = bins.series {span} GROUP BY site, node",
        (hour_s, hour_s + HOUR_S),
    )
    for site, node, _, counted in people:
        store.keep_loss(Loss(site, node_number(node), "dropped", hour_s, counted, counted))
    store.read(f"DELETE FROM bins {span}", (hour_s, hour_s + HOUR_S))
    return sum(bins for *_, bins, _ in people), sum(counted for *_, counted in people)
