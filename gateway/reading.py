"""The store as those see it who look on: the page, the terminal, the commands. Reads only, beside the one writer.

A connection of its own, opened for reading: WAL lets it read while the gateway writes, and neither waits for the other. Sums
are made by SQLite.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from gateway.errors import StoreError
from gateway.model import Series
from gateway.shown import ClimateMean, Counted, DeadLetter, OutboxState
from gateway.store import QUEUED

BUSY_S = 2.0
_BINS = "bins JOIN series ON series.id = bins.series"
_CLIMATE = "climate JOIN series ON series.id = climate.series"


class Reader:
    """`path` is the store's file. StoreError where no gateway has run yet, or where it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._one_at_a_time = threading.Lock()
        self._open()

    def _open(self) -> None:
        try:
            if not self._path.exists():
                raise StoreError("store-none", folder=self._path.parent)
            self._file = self._path.stat().st_ino
            place = f"{self._path.absolute().as_uri()}?mode=ro"
            self._db = sqlite3.connect(place, uri=True, timeout=BUSY_S, check_same_thread=False)
        except (sqlite3.Error, OSError) as error:
            raise StoreError("store-unusable", path=self._path, found=error) from error

    def version(self) -> tuple[int, int]:
        """Changes whenever somebody else has written. A store that was made anew is opened anew."""
        try:
            is_other = self._path.stat().st_ino != self._file
        except OSError as error:
            raise StoreError("store-unusable", path=self._path, found=error) from error
        if is_other:
            with self._one_at_a_time:
                self._db.close()
                self._open()
        return self._file, self._read("PRAGMA data_version")[0][0]

    def since(self, start_s: int) -> dict[Series, Counted]:
        """The sum of all bins that begin at or after `start_s`, for each series that has any."""
        rows = self._read(
            f"SELECT site, node, sensor, sum(ab), sum(ba), sum(covered_s) FROM {_BINS} WHERE start >= ? GROUP BY series",
            start_s,
        )
        return {Series(*row[:3]): Counted(start_s, *row[3:]) for row in rows}

    def newest(self, start_s: int) -> dict[Series, Counted]:
        """The newest bin of each series that has one at or after `start_s`."""
        # With max(), SQLite takes the other columns from the row that holds it.
        rows = self._read(
            f"SELECT site, node, sensor, max(start), ab, ba, covered_s FROM {_BINS} WHERE start >= ? GROUP BY series",
            start_s,
        )
        return {Series(*row[:3]): Counted(*row[3:]) for row in rows}

    def climate(self, start_s: int) -> dict[str, ClimateMean]:
        """The newest climate bin of each node that has one at or after `start_s`."""
        rows = self._read(
            f"SELECT node, max(start), temperature, humidity, n, q FROM {_CLIMATE} WHERE start >= ? GROUP BY node", start_s
        )
        return {node: _climate(start, temperature, humidity, n, q) for node, start, temperature, humidity, n, q in rows}

    def outbox(self) -> OutboxState:
        ((waiting, oldest_s),) = self._read("SELECT count(*), coalesce(min(time), 0) FROM outbox WHERE state = ?", QUEUED)
        ((dead_letters,),) = self._read("SELECT count(*) FROM dead_letters")
        return OutboxState(waiting, oldest_s, dead_letters)

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest `limit` of them, oldest first."""
        rows = self._read("SELECT at, line, reason FROM dead_letters ORDER BY id DESC LIMIT ?", limit)
        return [DeadLetter(*row) for row in reversed(rows)]

    def counts_of(self, node: str, start_s: int, end_s: int) -> list[tuple[int, int, int, int, int]]:
        """(start, ab, ba, covered_s, q) of each minute of a node that is there, oldest first. A minute that a node has counted
        with two sensors, or at two sites, is the sum of both."""
        minutes: dict[int, tuple[int, int, int, int, int]] = {}
        rows = self._read(
            f"SELECT start, ab, ba, covered_s, q FROM {_BINS} WHERE start >= ? AND start < ? AND node = ? ORDER BY start",
            start_s, end_s, node,
        )  # fmt: skip
        for start, ab, ba, covered_s, q in rows:
            _, ab_before, ba_before, covered_before, q_before = minutes.get(start, (start, 0, 0, 0, 0))
            minutes[start] = (start, ab + ab_before, ba + ba_before, max(covered_s, covered_before), q | q_before)
        return list(minutes.values())

    def climate_of(self, node: str, start_s: int, end_s: int) -> list[ClimateMean]:
        """Each minute of a node's climate that is there, oldest first."""
        rows = self._read(
            f"SELECT start, temperature, humidity, n, q FROM {_CLIMATE} WHERE start >= ? AND start < ? AND node = ? ORDER BY start",
            start_s, end_s, node,
        )  # fmt: skip
        return [_climate(*row) for row in rows]

    def close(self) -> None:
        self._db.close()

    def _read(self, query: str, *values: object) -> list:
        try:
            with self._one_at_a_time:
                return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError("store-unusable", path=self._path, found=error) from error


def _climate(start_s: int, temperature_sum: int, humidity_sum: int, n: int, q: int) -> ClimateMean:
    return ClimateMean(start_s, round(temperature_sum / n / 100, 2), round(humidity_sum / n / 2, 1), q)
