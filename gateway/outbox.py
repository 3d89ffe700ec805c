"""What waits to be sent, by reference: rendered only at the moment of sending, settled only for the revision that was sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from gateway import schema
from gateway.model import OutboxRef
from gateway.rows import Rows
from gateway.tables import DEAD, QUEUED

_TABLE_OF = {"passages": "bins", "climate": "climate"}  # all others are facts
_EVER = 1 << 62


class Outbox(Rows):
    def waiting(self, limit: int, fresh_s: int = _EVER) -> list[OutboxRef]:
        """References that wait to be sent, at most `limit`: those from `fresh_s` on first, the oldest first in each part."""
        fresh = self._waiting(limit, fresh_s, _EVER) if fresh_s < _EVER else []
        return fresh + self._waiting(limit - len(fresh), -1, fresh_s)

    def _waiting(self, limit: int, start_s: int, end_s: int) -> list[OutboxRef]:
        span = f"state = {QUEUED} AND %s >= ? AND %s < ? ORDER BY 1, 2 LIMIT ?"
        found: list[OutboxRef] = []
        for measurement, table in _TABLE_OF.items():
            where = span % ("start", "start")
            for time_s, id_, rev in self.read(f"SELECT start, series, rev FROM {table} WHERE {where}", (start_s, end_s, limit)):
                series = self.series_of(id_)
                tags = {"site": series.site, "node": series.node, "sensor": series.sensor}
                found.append(OutboxRef(id_, measurement, tags, time_s, rev))
        query = f"SELECT time, id, measurement, tags, rev FROM facts WHERE {span % ('time', 'time')}"
        for time_s, id_, measurement, tags, rev in self.read(query, (start_s, end_s, limit)):
            found.append(OutboxRef(id_, measurement, json.loads(tags), time_s, rev))
        found.sort(key=lambda ref: ref.time_s)
        return found[:limit]

    def settle(self, refs: Sequence[OutboxRef], state: int) -> None:
        """These revisions reached `state`; what has grown meanwhile goes on waiting."""
        with self.transaction():
            self._settle(refs, state)

    def _settle(self, refs: Iterable[OutboxRef], state: int) -> None:
        for ref in refs:
            table = _TABLE_OF.get(ref.measurement)
            if table:
                values = (state, ref.time_s, ref.id, ref.rev)
                self._db.execute(f"UPDATE {table} SET state = ? WHERE start = ? AND series = ? AND rev = ?", values)
            else:
                # By its names: a store that was made anew while they were on their way has other numbers.
                key = (ref.measurement, json.dumps(schema.tags_of(ref.measurement, ref.tags)), ref.time_s)
                where = "measurement = ? AND tags = ? AND time = ? AND rev = ?"
                self._db.execute(f"UPDATE facts SET state = ? WHERE {where}", (state, *key, ref.rev))

    def bury(self, ref: OutboxRef, line: str, reason: str, now_s: int) -> None:
        """The server refuses this line for what it says: kept aside, with the reason."""
        with self.transaction():
            values = (ref.measurement, ref.id, ref.time_s, line, reason[:500], now_s)
            self._db.execute("INSERT INTO dead_letters VALUES(NULL,?,?,?,?,?,?)", values)
            self._settle([ref], DEAD)

    def exhume(self) -> int:
        """All dead letters wait to be sent once more, as they are now; how many."""
        with self.transaction():
            letters = self._db.execute("DELETE FROM dead_letters RETURNING measurement, ref, time").fetchall()
            for measurement, id_, time_s in letters:
                table = _TABLE_OF.get(measurement)
                if table:
                    where = f"{table} SET state = {QUEUED} WHERE state = {DEAD} AND start = ? AND series = ?"
                    self._db.execute(f"UPDATE {where}", (time_s, id_))
                else:
                    self._db.execute(f"UPDATE facts SET state = {QUEUED} WHERE state = {DEAD} AND id = ?", (id_,))
        return len(letters)

    def outbox_state(self) -> tuple[int, int, int]:
        """(points waiting, time of the oldest or 0, dead letters)."""
        ((points, oldest),) = self.read(f"SELECT count(*), coalesce(min(time), 0) FROM outbox WHERE state = {QUEUED}")
        return points, oldest, self.read("SELECT count(*) FROM dead_letters")[0][0]

    def facts(self, ref: OutboxRef) -> dict[str, Any] | None:
        """The fields of a reference that is no bin."""
        return self.fact(ref.measurement, ref.tags, ref.time_s)

    def dead_letters(self) -> list[tuple[str, str]]:
        """(line, reason), oldest first."""
        return self.read("SELECT line, reason FROM dead_letters ORDER BY id")
