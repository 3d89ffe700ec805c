"""The books, compared with what a server has: sums by series and hour, holes, the ledger. Works in the store's thread.

Theory of operation
    A server's answer and the books are two sums over the same hour. The books' sum is taken before the server is asked and again
    when its answer is there: where the two differ, or something waits, the hour is at work, and judged in the next round.
    Equal sums settle the hour: everything sent in it is audited. Where they differ, or some were refused or withheld (of which the
    server may have an older revision), the points of that hour are compared one by one: what is there is audited, so that a dead
    letter or a point of somebody else holds up nobody, and what the server lacks waits to be sent again, as it is then.
    The ledger says for each hour where its people are: delivered = audited, unaudited = sent and not read back, held = waiting
    or refused, suppressed = not to be published. Their sum is counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway import schema
from gateway.audits import Hole
from gateway.model import PERIOD_S, Series
from gateway.store import Store
from gateway.tables import AUDITED, DEAD, QUEUED, SENT, SUPPRESSED
from gateway.uplink.base import Row, Tags, Tally, tags_of

HOUR_S = 3600
# What is read back, and the fields that are compared.
FIELDS = {
    "passages": ("count_ab", "count_ba", "rev"),
    "climate": ("n", "rev"),
    "losses": ("people", "bound", "rev"),
    "gaps": ("until", "bound", "resolved"),
    "ledger": ("counted",),  # the rest of it changes with what is being found out
}
_COLUMNS = {"passages": ("bins", ("ab", "ba", "rev")), "climate": ("climate", ("n", "rev"))}
_ON_SERVER = f"state IN ({SENT}, {AUDITED})"
_APART = f"state IN ({DEAD}, {SUPPRESSED})"

Key = tuple[Tags, int]  # a series and the UTC start of an hour


@dataclass(frozen=True, slots=True)
class Book:
    """One series in one hour: what a server should have of it, how much waits, was sent and not read back, was refused or
    withheld."""

    tally: Tally
    waiting: int
    unaudited: int
    apart: int


def tally(store: Store, measurement: str, start_s: int, end_s: int) -> dict[Key, Book]:
    """The books of a span. The first and the last hour hold only what lies inside it."""
    if measurement not in _COLUMNS:
        return _tally_of_facts(store, measurement, start_s, end_s)
    table, columns = _COLUMNS[measurement]
    sums = ", ".join(f"sum(({_ON_SERVER}) * {column})" for column in columns)
    rows = store.read(
        f"SELECT site, node, sensor, start / {HOUR_S} * {HOUR_S} AS hour, sum(state = {QUEUED}), sum(state = {SENT}), "
        f"sum({_APART}), sum({_ON_SERVER}), {sums} FROM {table} JOIN series ON id = series WHERE start >= ? AND start < ? "
        "GROUP BY series, hour",
        (start_s, end_s),
    )
    names = FIELDS[measurement]
    books: dict[Key, Book] = {}
    for site, node, sensor, hour, waiting, unaudited, apart, points, *found in rows:
        sums_ = dict(zip(names, found, strict=True))
        books[_tags(measurement, (site, node, sensor)), hour] = Book(Tally(points, sums_), waiting, unaudited, apart)
    return books


def oldest(store: Store, now_s: int) -> int:
    """When the books begin: the time of their oldest point that is read back, now where there is none."""
    facts = ", ".join(f"'{name}'" for name in FIELDS)
    oldest_of = (
        "SELECT min(start) AS time FROM bins UNION ALL SELECT min(start) FROM climate "
        f"UNION ALL SELECT min(time) FROM facts WHERE measurement IN ({facts})"
    )
    return store.read(f"SELECT coalesce(min(time), ?) FROM ({oldest_of})", (now_s,))[0][0]


def days_ahead(store: Store, after_s: int, most: int = 10) -> list[int]:
    """The first days that begin after this moment and have bins."""
    days = "SELECT DISTINCT start / 86400 * 86400 FROM bins WHERE start >= ? LIMIT ?"
    return [day for (day,) in store.read(days, ((after_s // 86_400 + 1) * 86_400, most))]


def _tally_of_facts(store: Store, measurement: str, start_s: int, end_s: int) -> dict[Key, Book]:
    books: dict[Key, Book] = {}
    names = FIELDS[measurement]
    query = "SELECT tags, time, fields, state FROM facts WHERE measurement = ? AND time >= ? AND time < ?"
    for tags, time_s, text, state in store.read(query, (measurement, start_s, end_s)):
        key = (tags_of(json.loads(tags)), time_s // HOUR_S * HOUR_S)
        book = books.get(key) or Book(Tally(0, dict.fromkeys(names, 0)), 0, 0, 0)
        if state in (SENT, AUDITED):
            fields = json.loads(text)
            sums = {name: book.tally.sums[name] + fields[name] for name in names}
            book = replace(book, tally=Tally(book.tally.points + 1, sums))
        waiting, unaudited, apart = state == QUEUED, state == SENT, state in (DEAD, SUPPRESSED)
        books[key] = Book(book.tally, book.waiting + waiting, book.unaudited + unaudited, book.apart + apart)
    return books


def _tags(measurement: str, values: Sequence[str]) -> Tags:
    return tags_of(dict(zip(schema.measurements()[measurement]["tags"], values, strict=True)))


def settle(
    store: Store, measurement: str, span: tuple[int, int], before: Mapping[Key, Book], server: Mapping[Key, Tally]
) -> tuple[int, list[Key]]:
    """What the server's answer says: (points that are audited now, hours in which it differs)."""
    audited, differing = 0, []
    with store.transaction():
        now = tally(store, measurement, *span)
        for key, book in now.items():
            if book.waiting or before.get(key) != book:
                continue
            is_equal = book.tally == server.get(key, Tally(0, dict.fromkeys(FIELDS[measurement], 0)))
            if is_equal and not (book.apart and book.tally.points):
                audited += book.unaudited
                if book.unaudited:
                    _mark(store, measurement, key, span)
            else:
                differing.append(key)
    return audited, differing + [key for key in server if key not in now]


def mend(
    store: Store,
    measurement: str,
    keys: Iterable[Key],
    span: tuple[int, int],
    before: Mapping[Key, Book],
    rows: Iterable[Row],
    state: int = QUEUED,
) -> tuple[int, list[Hole]]:
    """Compares hours point by point, (points that are audited now, holes): what the server lacks gets `state`. `before` is the
    tally of the span from before its rows were read; an hour at work is left alone. An hour in which all is there is no hole."""
    found = {(tags_of(row.tags), row.time_s): row.fields for row in rows}
    holes: dict[Key, Hole] = {}
    known: set[tuple[Tags, int]] = set()
    lacking: list[_Stored] = []
    there: list[_Stored] = []
    with store.transaction():
        now = tally(store, measurement, *span)
        wanted = {key for key in keys if before.get(key) == now.get(key) and not (key in now and now[key].waiting)}
        for hour_s in sorted({hour_s for _, hour_s in wanted}):
            for point in _stored(store, measurement, max(span[0], hour_s), min(span[1], hour_s + HOUR_S)):
                key = (point.tags, hour_s)
                known.add((point.tags, point.time_s))
                if key not in wanted or point.state not in (SENT, AUDITED):
                    continue
                if _is_there(point, found):
                    there += [point] if point.state == SENT else []
                    continue
                lacking.append(point)
                hole = holes.get(key) or Hole(measurement, point.tags, hour_s, 0, 0, 0)
                holes[key] = replace(hole, points=hole.points + 1, people=hole.people + point.people)
        _set_state(store, measurement, lacking, state)
        if lacking and measurement == "passages" and state == QUEUED:
            store.lower_rolled(min(point.time_s for point in lacking) - PERIOD_S)  # also what ended with the first of them
        _set_state(store, measurement, there, AUDITED)
    for tags, time_s in found.keys() - known:
        key = (tags, time_s // HOUR_S * HOUR_S)
        if key in wanted:
            hole = holes.get(key) or Hole(measurement, tags, key[1], 0, 0, 0)
            holes[key] = replace(hole, unknown=hole.unknown + 1)
    return len(there), [holes[key] for key in sorted(holes)]


@dataclass(frozen=True, slots=True)
class _Stored:
    """A point of the books, with the fields that are compared."""

    id: int
    tags: Tags
    time_s: int
    state: int
    fields: Mapping[str, int]

    @property
    def people(self) -> int:
        return self.fields.get("count_ab", 0) + self.fields.get("count_ba", 0)


def _stored(store: Store, measurement: str, start_s: int, end_s: int) -> list[_Stored]:
    names = FIELDS[measurement]
    if measurement not in _COLUMNS:
        query = "SELECT id, tags, time, state, fields FROM facts WHERE measurement = ? AND time >= ? AND time < ?"
        return [
            _Stored(id_, tags_of(json.loads(tags)), time_s, state, {name: json.loads(text)[name] for name in names})
            for id_, tags, time_s, state, text in store.read(query, (measurement, start_s, end_s))
        ]
    table, columns = _COLUMNS[measurement]
    rows = store.read(
        f"SELECT series, site, node, sensor, start, state, {', '.join(columns)} FROM {table} JOIN series ON id = series "
        "WHERE start >= ? AND start < ?",
        (start_s, end_s),
    )
    return [
        _Stored(id_, _tags(measurement, names_), time_s, state, dict(zip(names, values, strict=True)))
        for id_, *names_, time_s, state, values in ((*row[:6], row[6:]) for row in rows)
    ]


def _is_there(point: _Stored, found: Mapping[tuple[Tags, int], Mapping[str, object]]) -> bool:
    fields = found.get((point.tags, point.time_s))
    return fields is not None and all(fields.get(name) == value for name, value in point.fields.items())


def _set_state(store: Store, measurement: str, points: Iterable[_Stored], state: int) -> None:
    with_series = measurement in _COLUMNS
    table = _COLUMNS[measurement][0] if with_series else "facts"
    where = "series = ? AND start = ?" if with_series else "id = ? AND time = ?"
    update = f"UPDATE {table} SET state = ? WHERE {where} AND {_ON_SERVER}"
    store.change(update, [(state, point.id, point.time_s) for point in points])


def _mark(store: Store, measurement: str, key: Key, span: tuple[int, int]) -> None:
    # Everything that was sent of this series in this hour has been found.
    tags, hour_s = key
    start_s, end_s = max(span[0], hour_s), min(span[1], hour_s + HOUR_S)
    if measurement in _COLUMNS:
        series = store.series_id(Series(**dict(tags)))
        where = f"{_COLUMNS[measurement][0]} SET state = {AUDITED} WHERE series = ? AND start >= ? AND start < ?"
        values: tuple[object, ...] = (series,)
    else:
        text = json.dumps(schema.tags_of(measurement, dict(tags)))
        where = f"facts SET state = {AUDITED} WHERE measurement = ? AND tags = ? AND time >= ? AND time < ?"
        values = (measurement, text)
    store.change(f"UPDATE {where} AND state = {SENT}", [(*values, start_s, end_s)])


def write_ledger(store: Store, start_s: int, end_s: int) -> int:
    """Rewrites the ledger's hours in a span, whole hours that are over, where they have changed; how many."""
    states = {"delivered": AUDITED, "unaudited": SENT, "suppressed": SUPPRESSED}
    sums = ", ".join(f"sum((ab + ba) * (state = {state}))" for state in states.values())
    held = f"sum((ab + ba) * (state IN ({QUEUED}, {DEAD})))"
    rows = store.read(
        f"SELECT site, node, start / {HOUR_S} * {HOUR_S} AS hour, sum(ab + ba), {sums}, {held} "
        "FROM bins JOIN series ON id = series WHERE start >= ? AND start < ? GROUP BY site, node, hour",
        (start_s, end_s),
    )
    written = 0
    with store.transaction():
        for site, node, hour_s, counted, *found, waiting in rows:
            tags = {"site": site, "node": node}
            fields = {"counted": counted, **dict(zip(states, found, strict=True)), "held": waiting}
            known = store.fact("ledger", tags, hour_s)
            if known is None or fields != {name: known[name] for name in fields}:
                store.keep_fact("ledger", tags, hour_s, {**fields, "rev": known["rev"] + 1 if known else 0})
                written += 1
    return written
