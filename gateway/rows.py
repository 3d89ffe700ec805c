"""What is published, row by row: count bins, climate bins, and facts of any other measurement. Each row proves itself when read.

Within a transaction where something is put; SQL numbers a series once, and the rest of the gateway knows it by its names.
"""

from __future__ import annotations

import json
from array import array
from binascii import crc32
from collections.abc import Sequence
from struct import Struct
from typing import Any

from gateway import schema
from gateway.database import Database
from gateway.model import PERIOD_S, ClimateBin, CountBin, Series
from gateway.rolled import Minutes
from gateway.tables import QUEUED, check_of

_BIN = "SELECT start, series, period_s, ab, ba, covered_s, q, rev, revised_at, incarnation, seq, untimed, crc FROM bins"
_CLIMATE = "SELECT start, series, temperature, humidity, n, q, rev, revised_at, crc FROM climate"


class Rows(Database):
    def _set_up(self) -> None:
        super()._set_up()
        self._learn_series()

    def _learn_series(self) -> None:
        self._series: dict[Series, int] = {}
        self._series_of: dict[int, Series] = {}
        self._of_node: dict[str, list[Series]] = {}
        for row in self.read("SELECT id, site, node, sensor, crc FROM series"):
            id_, *names, _ = self.whole(row)
            self._know(Series(*names), id_)

    def _rolled_back(self) -> None:
        self._learn_series()  # those of the transaction are gone with it

    # -- reading

    def series_of(self, id_: int) -> Series:
        """StoreDamaged where a row has a number that no series has."""
        if id_ not in self._series_of:
            raise self.broken(f"series {id_}")
        return self._series_of[id_]

    def series_of_node(self, name: str) -> list[Series]:
        """All that a node has counted as so far: more than one where its sensor or its site has changed."""
        return self._of_node.get(name, [])

    def count_bin(self, series: Series, start_s: int) -> CountBin | None:
        rows = self.read(f"{_BIN} WHERE start = ? AND series = ?", (start_s, self._series.get(series, -1)))
        return self._count_bin(rows[0]) if rows else None

    def _count_bin(self, row: Sequence[int]) -> CountBin:
        start, id_, period_s, ab, ba, covered_s, q, rev, revised_at, incarnation, seq, untimed, _ = self.whole(row)
        return CountBin(self.series_of(id_), start, ab, ba, covered_s, q, rev, revised_at, incarnation, seq, period_s, untimed)

    def climate_bin(self, series: Series, start_s: int) -> ClimateBin | None:
        rows = self.read(f"{_CLIMATE} WHERE start = ? AND series = ?", (start_s, self._series.get(series, -1)))
        return self._climate_bin(rows[0]) if rows else None

    def _climate_bin(self, row: Sequence[int]) -> ClimateBin:
        start, id_, *values, _ = self.whole(row)
        return ClimateBin(self.series_of(id_), start, *values)

    def climate_since(self, start_s: int, end_s: int) -> list[ClimateBin]:
        """All climate bins that begin at or after `start_s` and before `end_s`, oldest first."""
        return [self._climate_bin(row) for row in self.read(f"{_CLIMATE} WHERE start >= ? AND start < ?", (start_s, end_s))]

    def count_bins_since(self, start_s: int, end_s: int = 1 << 62) -> list[CountBin]:
        """All count bins that begin at or after `start_s` and before `end_s`, oldest first."""
        return [self._count_bin(row) for row in self.read(f"{_BIN} WHERE start >= ? AND start < ?", (start_s, end_s))]

    def missing_minutes(self, node: str) -> list[tuple[int, int]]:
        """Where records are missing between the minutes of a node that are there, and no gap says so: (start, end) of each run, the
        oldest first. Bins name their newest record, so minutes that no record has are told apart."""
        of_node = "bins JOIN series ON id = series WHERE node = ?"
        bins = self.read(f"SELECT start, start + period_s, incarnation, seq FROM {of_node} ORDER BY start", (node,))
        gaps: list[tuple[int, int, int, int]] = []
        for tags, start_s, text in self.read("SELECT tags, time, fields FROM facts WHERE measurement = 'gaps'"):
            about = json.loads(tags)
            if about["node"] == node and about["reason"] != "silent":  # which only says that nothing was heard
                gaps.append((start_s, json.loads(text)["until"], -1, -1))
        found: list[tuple[int, int]] = []
        since_last_bin: list[tuple[int, int]] = []
        before = (-1, -1)
        known_until_s = bins[0][0] if bins else 0
        for start_s, end_s, *mark in sorted([*bins, *gaps]):
            if start_s > known_until_s:
                since_last_bin.append((known_until_s, start_s))
            known_until_s = max(known_until_s, end_s)
            if mark[0] >= 0:
                is_next = mark[0] == before[0] and mark[1] <= before[1] + 1
                found += [] if is_next else since_last_bin
                since_last_bin, before = [], (mark[0], mark[1])
        return found

    def minutes_since(self, start_s: int, end_s: int, named_s: int) -> Minutes:
        """The minutes that begin at or after `start_s` and before `end_s`, as columns; `names` are all series that have a bin since
        `named_s`. Bins of a quarter of an hour are left out."""
        pack = Struct("<12q").pack
        columns = [array("q") for _ in range(13)]
        of_span = f"{_BIN} WHERE start >= ? AND start < ? AND period_s = {PERIOD_S} ORDER BY start"
        for rows in self.read_in_portions(of_span, (start_s, end_s)):
            for row in rows:
                if crc32(pack(*row[:-1])) != row[-1]:
                    raise self.broken(f"row {row[:2]}")
            for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                column.extend(values)
        since_s = min(start_s, named_s)
        last = f"max(start + period_s) - {PERIOD_S}"
        newest = dict(self.read(f"SELECT series, {last} FROM bins WHERE start >= ? GROUP BY series", (since_s,)))
        places = {id_: place for place, id_ in enumerate(newest)}
        starts, ids, _, ab, ba, covered_s, _, revs, *_ = columns
        series = array("q", map(places.__getitem__, ids))
        names = [self.series_of(id_) for id_ in newest]
        ((next_s,),) = self.read("SELECT min(start) FROM bins WHERE start >= ?", (end_s,))
        return Minutes(names, list(newest.values()), next_s, series, starts, ab, ba, covered_s, revs)

    def count_bins_of(self, series: Series, start_s: int, end_s: int) -> list[CountBin]:
        """The count bins of one series that begin at or after `start_s` and before `end_s`, oldest first."""
        span = (start_s, end_s, self._series.get(series, -1))
        return [self._count_bin(row) for row in self.read(f"{_BIN} WHERE start >= ? AND start < ? AND series = ?", span)]

    # -- writing

    def drop_bin(self, bin_: CountBin) -> None:
        """Within a transaction."""
        self._db.execute("DELETE FROM bins WHERE start = ? AND series = ?", (bin_.start_s, self.series_id(bin_.series)))

    def put_bin(self, bin_: CountBin, state: int) -> None:
        """Writes the row as it is. Within a transaction."""
        row = (
            bin_.start_s, self.series_id(bin_.series), bin_.period_s, bin_.ab, bin_.ba, bin_.covered_s, bin_.q, bin_.rev,
            bin_.revised_at, bin_.incarnation, bin_.seq, bin_.untimed,
        )  # fmt: skip
        self._db.execute("INSERT OR REPLACE INTO bins VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)", (*row, state, check_of(*row)))

    def put_climate(self, bin_: ClimateBin, state: int) -> None:
        """Writes the row as it is. Within a transaction."""
        row = (
            bin_.start_s, self.series_id(bin_.series), bin_.temperature_centi_sum, bin_.humidity_half_sum, bin_.n, bin_.q,
            bin_.rev, bin_.revised_at,
        )  # fmt: skip
        self._db.execute("INSERT OR REPLACE INTO climate VALUES(?,?,?,?,?,?,?,?,?,?)", (*row, state, check_of(*row)))

    def series_id(self, series: Series) -> int:
        """Its number in the tables, made where it has none. Within a transaction."""
        id_ = self._series.get(series)
        if id_ is None:
            names = (series.site, series.node, series.sensor)
            found = self._db.execute("SELECT id FROM series WHERE site=? AND node=? AND sensor=?", names).fetchone()
            if found is None:
                found = self._db.execute("SELECT coalesce(max(id), 0) + 1 FROM series").fetchone()
                self._db.execute("INSERT INTO series VALUES(?,?,?,?,?)", (*found, *names, check_of(*found, *names)))
            id_ = found[0]
            self._know(series, id_)
        return id_

    def _know(self, series: Series, id_: int) -> None:
        self._series[series] = id_
        self._series_of[id_] = series
        self._of_node.setdefault(series.node, []).append(series)

    def keep_fact(self, measurement: str, tags: dict[str, str], time_s: int, fields: dict[str, Any], state: int = QUEUED) -> None:
        """Writes a row of any other measurement. Within a transaction."""
        key = json.dumps(schema.tags_of(measurement, tags))
        text = json.dumps(fields)
        row = self._db.execute("SELECT rev FROM facts WHERE measurement=? AND tags=? AND time=?", (measurement, key, time_s))
        rev = (row.fetchone() or (-1,))[0] + 1
        check = check_of(measurement, key, time_s, text, rev)
        self._db.execute(
            "INSERT INTO facts(measurement, tags, time, fields, rev, state, crc) VALUES(?1,?2,?3,?4,?5,?6,?7) "
            "ON CONFLICT DO UPDATE SET fields = ?4, rev = ?5, state = ?6, crc = ?7",
            (measurement, key, time_s, text, rev, state, check),
        )

    def is_waiting(self, measurement: str, tags: dict[str, str], time_s: int) -> bool:
        """Whether there is such a row, and no server is known to have it."""
        key = (measurement, json.dumps(schema.tags_of(measurement, tags)), time_s, QUEUED)
        return bool(self.read("SELECT 1 FROM facts WHERE measurement=? AND tags=? AND time=? AND state=?", key))

    def fact(self, measurement: str, tags: dict[str, str], time_s: int) -> dict[str, Any] | None:
        """Its fields, None where there is no such row."""
        rows = self.read(
            "SELECT measurement, tags, time, fields, rev, crc FROM facts WHERE measurement=? AND tags=? AND time=?",
            (measurement, json.dumps(schema.tags_of(measurement, tags)), time_s),
        )
        return json.loads(self.whole(rows[0])[3]) if rows else None
