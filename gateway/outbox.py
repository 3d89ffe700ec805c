"""What waits to be sent, by reference: rendered only at the moment of sending, settled only for the revision that was sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from gateway import schema
from gateway.model import PERIOD_S, OutboxRef, Series
from gateway.rolled import ROLLING
from gateway.rows import Rows
from gateway.tables import DEAD, IS_FLAG, IS_SALVAGED, QUEUED

_TABLE_OF = {"passages": "bins", "climate": "climate"}  # all others are facts
_SPAN = f"state = {QUEUED} AND {{0}} >= ? AND {{0}} < ? ORDER BY 1, 2 LIMIT ?"
ROLLED = "rolled_s"  # note: all rolling results of minutes before that have been published; 0 where that is not known
UNROLLED = "unrolled"  # note: 1 while bins are there of which the windows have not heard yet
MAX_ROLLING = 1000  # dead letters of rolling results
_ANY = "TRUE"
_EVER = 1 << 62


class Outbox(Rows):
    def waiting(self, limit: int, fresh_s: int = _EVER) -> list[OutboxRef]:
        """References that wait to be sent, at most `limit`. What is flagged and what was salvaged go first, so that no bin is there
        without what its record has proved of those before it; then those from `fresh_s` on, then all others, the oldest first."""
        found = [*self._facts_waiting(IS_FLAG, limit), *self._bins_waiting("passages", IS_SALVAGED, limit)]
        for start_s, end_s in ((fresh_s, _EVER), (-_EVER, fresh_s)):
            if start_s < _EVER and len(found) < limit:
                found += self._span_waiting(limit, start_s, end_s)
        return list(dict.fromkeys(found))[:limit]

    def _span_waiting(self, limit: int, start_s: int, end_s: int) -> list[OutboxRef]:
        found = self._facts_waiting(_ANY, limit, start_s, end_s)
        for measurement in _TABLE_OF:
            found += self._bins_waiting(measurement, _ANY, limit, start_s, end_s)
        return sorted(found, key=lambda ref: ref.time_s)

    def _bins_waiting(self, measurement: str, which: str, limit: int, start_s: int = -_EVER, end_s: int = _EVER) -> list[OutboxRef]:
        query = f"SELECT start, series, rev FROM {_TABLE_OF[measurement]} WHERE {which} AND {_SPAN.format('start')}"
        found: list[OutboxRef] = []
        for time_s, id_, rev in self.read(query, (start_s, end_s, limit)):
            series = self.series_of(id_)
            tags = {"site": series.site, "node": series.node, "sensor": series.sensor}
            found.append(OutboxRef(id_, measurement, tags, time_s, rev))
        return found

    def _facts_waiting(self, which: str, limit: int, start_s: int = -_EVER, end_s: int = _EVER) -> list[OutboxRef]:
        query = f"SELECT time, id, measurement, tags, rev FROM facts WHERE {which} AND {_SPAN.format('time')}"
        rows = self.read(query, (start_s, end_s, limit))
        return [OutboxRef(id_, measurement, json.loads(tags), time_s, rev) for time_s, id_, measurement, tags, rev in rows]

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
        """The server refuses this line for what it says: kept aside, with the reason. Of rolling results only the newest are kept,
        since they can be made again."""
        with self.transaction():
            values = (ref.measurement, ref.id, ref.time_s, line, reason[:500], now_s)
            self._db.execute("INSERT INTO dead_letters VALUES(NULL,?,?,?,?,?,?)", values)
            newest = "SELECT id FROM dead_letters WHERE measurement = ?1 ORDER BY id DESC LIMIT ?2"
            self._db.execute(f"DELETE FROM dead_letters WHERE measurement = ?1 AND id NOT IN ({newest})", (ROLLING, MAX_ROLLING))
            self._settle([ref], DEAD)

    def exhume(self) -> list[tuple[Series, int]]:
        """All dead letters wait to be sent once more, as they are now; (series, end) of those that are rolling results, of which
        the windows have to be told."""
        results: list[tuple[Series, int]] = []
        with self.transaction():
            letters = self._db.execute("DELETE FROM dead_letters RETURNING measurement, ref, time").fetchall()
            for measurement, id_, time_s in letters:
                table = _TABLE_OF.get(measurement)
                if table:
                    where = f"{table} SET state = {QUEUED} WHERE state = {DEAD} AND start = ? AND series = ?"
                    self._db.execute(f"UPDATE {where}", (time_s, id_))
                elif measurement == ROLLING:
                    self.lower_rolled(time_s - PERIOD_S)
                    results.append((self.series_of(id_), time_s))
                else:
                    self._db.execute(f"UPDATE facts SET state = {QUEUED} WHERE state = {DEAD} AND id = ?", (id_,))
        return results

    def lower_rolled(self, start_s: int) -> None:
        """Rolling results of a minute that begins then are to be published, also after a start. Within a transaction."""
        if start_s < self.noted(ROLLED):
            self.put_note(ROLLED, start_s)

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
