"""The single SQLite writer: streams, bins, what waits to be sent, gaps, losses, dead letters.

Theory of operation
    Everything that one batch of payloads brings is one transaction (WAL, synchronous=FULL): the record's share of its bin, the
    stream's watermark, and that the bin waits to be sent again. Only after the commit is anything acknowledged.
    A record counts once, whatever the session believes: at or below the stream's watermark it changes nothing, and a bin that
    names a record as its newest holds every record of its time up to that one, since records come in order.
    A row that grows waits again; `rev` rises with every change, and a row counts as sent only for the revision that was sent.
    A row whose check fails, or a page that SQLite refuses, is a damaged store: StoreDamaged, and `healing.py` makes a new
    one of what is whole.

Rules of this file
    One thread at a time; the caller hands all work to one worker. Times come in as arguments. Errors of the disk leave as
    StoreError, after a rollback.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, astuple, replace
from pathlib import Path

from gateway import again
from gateway.again import Held
from gateway.model import (
    Q_CLIMATE_IMPLAUSIBLE,
    Q_NODE_RESET,
    Q_THINNED,
    SILENT,
    Accept,
    BootState,
    ClimateBin,
    CountBin,
    Effect,
    Floor,
    Gap,
    Loss,
    PassOver,
    Passport,
    Reckoned,
    Salvage,
    Series,
    Status,
    Stream,
    node_name,
)
from gateway.outbox import ROLLED, UNROLLED, Outbox
from gateway.tables import AUDITED, DEAD, MARK_OF_STREAM, QUEUED, SENT, SUPPRESSED, check_of
from streetwire import NO_HUMIDITY, NO_TEMPERATURE

__all__ = ["AUDITED", "DEAD", "QUEUED", "SENT", "SUPPRESSED", "Store"]

QUARTER_S = 900
SIMULATED = "simulated "  # note, with a node's name: 1 where bins say so, and no passport may
FLOOR = "floor "  # note, with a node's number and the id of its key: the newest counter of its adverts
MACHINE = "machine"  # note: which run of the machine the steady clock is of
UNSENT = "unsent "  # note, with a node's name: 1 while minutes of it may be missing that another store had acknowledged


class Store(Outbox):
    """`path` is the database file; its folder must exist and be ours. Raises StoreError where the disk does not do, and
    StoreDamaged where the file is no store. With `keeps_received`, what was accepted is kept to be replayed."""

    def __init__(self, path: Path, keeps_received: bool = False) -> None:
        super().__init__(path)
        self._keeps_received = keeps_received

    # -- receiving

    def commit(self, effects: Iterable[Effect], now_s: int) -> list[CountBin]:
        """One transaction for all of them. Returns the count bins that changed, as they are now."""
        changed: dict[tuple[Series, int], CountBin] = {}
        with self.transaction():
            for effect in effects:
                if isinstance(effect, (Accept, Salvage)):
                    grown = self._accept(effect, now_s) if isinstance(effect, Accept) else self._salvage(effect, now_s)
                    if grown is not None:
                        changed[grown.series, grown.start_s] = grown
                elif isinstance(effect, PassOver):
                    self._move_stream(effect.node, effect.incarnation, effect.seq, effect.bin_start, effect.boot)
                elif isinstance(effect, Passport):
                    self._keep_passport(effect)
                elif isinstance(effect, BootState):
                    self.keep_boot(effect)
                elif isinstance(effect, Gap):
                    self._keep_gap(effect)
                elif isinstance(effect, Loss):
                    self.keep_loss(effect)
                elif isinstance(effect, Floor):
                    self.put_note(FLOOR + f"{effect.node} {effect.key_id}", effect.counter)
                elif isinstance(effect, Reckoned):
                    self.put_note(UNSENT + node_name(effect.node), 0)
                elif isinstance(effect, Status):
                    tags = {"site": effect.site, "node": node_name(effect.node)}
                    self.keep_fact("node_status", tags, effect.at_s, effect.fields)
            if changed:
                self.lower_rolled(min(start_s for _, start_s in changed))
        return list(changed.values())

    def note_rolled(self, rolled_s: int) -> None:
        """The windows know of all bins now, and results stand there."""
        with self.transaction():
            self.put_note(ROLLED, rolled_s)
            self.put_note(UNROLLED, 0)

    def add_gateway_status(self, gateway: str, now_s: int, fields: dict[str, int | float | str], rolled_s: int = 0) -> None:
        """`rolled_s` is where the rolling results stand: all of minutes before have been published, as far as the windows know."""
        with self.transaction():
            if not self.noted(UNROLLED):
                self.put_note(ROLLED, rolled_s)
            self.keep_fact("gateway_status", {"gateway": gateway}, now_s, fields)
            told_s = self.noted("told_s")  # a clock that is put back has told later times; one that was a day ahead has not
            self.put_note("told_s", max(told_s, now_s) if told_s < now_s + 86_400 else now_s)

    def _accept(self, effect: Accept, now_s: int) -> CountBin | None:
        record = effect.record
        if not self._move_stream(effect.node, effect.incarnation, record.seq, effect.bin_start, record.boot):
            return None
        self._keep_received(effect, record.seq, effect.climate_sensor, record.pack(), now_s)
        name = node_name(effect.node)
        if effect.count_sensor:
            series = Series(effect.site, name, effect.count_sensor)
            known = self._bin_for(series, effect.bin_start)
            held = again.held(self, known, series, effect)
            if held is not Held.NO:
                if held is Held.PERHAPS and record.d_ab + record.d_ba:
                    self.keep_loss(Loss(effect.site, effect.node, "given_up", effect.bin_start, -1, record.d_ab + record.d_ba))
                return None
            grown = self._grow(
                known, series, effect.bin_start, record.d_ab, record.d_ba, record.covered_s,
                effect.q & ~Q_CLIMATE_IMPLAUSIBLE, now_s, (effect.incarnation, record.seq),
                record.seq if again.is_untimed(effect.q) else 0,
            )  # fmt: skip
        else:
            grown = None
        is_measured = record.temperature_centi != NO_TEMPERATURE and record.humidity_half != NO_HUMIDITY
        if record.n_climate and is_measured and effect.climate_sensor:
            self._grow_climate(effect, Series(effect.site, name, effect.climate_sensor), now_s)
        return grown

    def _move_stream(self, node: int, incarnation: int, seq: int, bin_start: int, boot: int) -> bool:
        """False where it stands there already."""
        moved = self._db.execute(
            "INSERT INTO streams(node, incarnation, watermark, last_bin, last_boot) VALUES(?1,?2,?3,?4,?5) "
            "ON CONFLICT DO UPDATE SET watermark = ?3, last_bin = max(last_bin, ?4), last_boot = ?5 WHERE watermark < ?3",
            (node, incarnation, seq, bin_start, boot),
        )
        return bool(moved.rowcount)

    def _salvage(self, effect: Salvage, now_s: int) -> CountBin:
        body = json.dumps([effect.ab, effect.ba, effect.covered_s]).encode()
        self._keep_received(effect, -effect.boot, "", body, now_s)
        series = Series(effect.site, node_name(effect.node), effect.count_sensor)
        known = self._bin_for(series, effect.bin_start)
        mark = (known.incarnation, known.seq) if known else (effect.incarnation, 0)
        return self._grow(
            known, series, effect.bin_start, effect.ab, effect.ba, effect.covered_s, effect.q | Q_NODE_RESET, now_s, mark
        )

    def _bin_for(self, series: Series, start_s: int) -> CountBin | None:
        """The bin that a record of this minute belongs to: where a quarter of an hour has been thinned, the quarter's."""
        known = self.count_bin(series, start_s)
        if known is None:
            quarter = self.count_bin(series, start_s // QUARTER_S * QUARTER_S)
            if quarter is not None and quarter.period_s == QUARTER_S:
                return quarter
        return known

    def _grow(
        self, known: CountBin | None, series: Series, start_s: int, ab: int, ba: int, covered_s: int, q: int, now_s: int,
        mark: tuple[int, int], untimed: int = 0,
    ) -> CountBin:  # fmt: skip
        old = known or CountBin(series, start_s, 0, 0, 0, 0, -1, 0)
        covered_s = min(old.period_s, old.covered_s + covered_s)
        grown = CountBin(
            series,
            old.start_s,
            old.ab + ab,
            old.ba + ba,
            covered_s,
            old.q | q,
            old.rev + 1,
            now_s,
            *mark,
            old.period_s,
            max(untimed, old.untimed if old.incarnation == mark[0] else 0),
        )
        self.put_bin(grown, QUEUED)
        return grown

    def _climate_for(self, series: Series, start_s: int) -> ClimateBin:
        """As `_bin_for`; an empty one where there is none."""
        known = self.climate_bin(series, start_s)
        if known is None:
            known = self.climate_bin(series, start_s // QUARTER_S * QUARTER_S)
            if known is not None and not known.q & Q_THINNED:
                known = None
        return known or ClimateBin(series, start_s, 0, 0, 0, 0, -1, 0)

    def _grow_climate(self, effect: Accept, series: Series, now_s: int) -> None:
        record, n = effect.record, effect.record.n_climate
        old = self._climate_for(series, effect.bin_start)
        temperature = old.temperature_centi_sum + record.temperature_centi * n
        humidity = old.humidity_half_sum + record.humidity_half * n
        grown = ClimateBin(series, old.start_s, temperature, humidity, old.n + n, old.q | effect.q, old.rev + 1, now_s)
        self.put_climate(grown, QUEUED)

    def _keep_received(self, effect: Accept | Salvage, seq: int, climate_sensor: str, body: bytes, now_s: int) -> None:
        if self._keeps_received:
            self._db.execute(
                "INSERT INTO received VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    now_s, effect.node, effect.incarnation, seq, effect.site, effect.bin_start, effect.count_sensor,
                    climate_sensor, effect.q, effect.received_ms, body,
                ),
            )  # fmt: skip

    def _keep_passport(self, passport: Passport) -> None:
        row = (passport.node, passport.incarnation, json.dumps(asdict(passport)))
        self._db.execute(
            "INSERT INTO streams(node, incarnation, passport, crc) VALUES(?1,?2,?3,?4) "
            "ON CONFLICT DO UPDATE SET passport = ?3, crc = ?4",
            (*row, check_of(*row)),
        )

    def keep_boot(self, boot: BootState) -> None:
        key = (boot.node, boot.incarnation, boot.boot)
        row = (*key, json.dumps(astuple(boot)[len(key) :]))  # without names: with every record all boots are written
        self._db.execute("INSERT OR REPLACE INTO boots VALUES(?,?,?,?,?)", (*row, check_of(*row)))
        self._db.execute(
            "DELETE FROM boots WHERE node=?1 AND incarnation=?2 AND boot NOT IN "
            "(SELECT last_boot FROM streams WHERE node=?1 AND incarnation=?2) AND boot NOT IN "
            "(SELECT boot FROM boots WHERE node=?1 AND incarnation=?2 ORDER BY (boot - ?3 + 98304) % 65536 DESC LIMIT 8)",
            key,
        )

    def keep_ties(self, machine: int) -> None:
        """Ties to the steady clock hold while the machine runs: `machine` tells one run of it from the next, 0: nobody knows."""
        if machine and self.noted(MACHINE) == machine:
            return
        with self.transaction():
            for stream in self.streams():
                for state in stream.boots.values():
                    self.keep_boot(replace(state, steady_epoch_ms=None))
            self.put_note(MACHINE, machine)

    def _keep_gap(self, gap: Gap) -> None:
        tags = {"site": gap.site, "node": node_name(gap.node), "reason": gap.reason}
        fields = {"until": gap.until_s, "bound": gap.bound, "resolved": gap.resolved_s}
        self.keep_fact("gaps", tags, gap.start_s, fields)
        self._keep_open(gap)

    def keep_silence(self, gap: Gap) -> None:
        """A gap that is known already, still open or ended. Within a transaction."""
        if gap.bound < 0:
            self._keep_open(gap)
        else:
            self._keep_gap(gap)

    def _keep_open(self, gap: Gap) -> None:
        if gap.reason != SILENT:
            return
        others = [
            known for known in self.silences() if known.node == gap.node and (known.site, known.start_s) != (gap.site, gap.start_s)
        ]
        unresolved = [*others, *([] if gap.resolved_s else [gap])]
        if unresolved:
            row = (gap.node, json.dumps([asdict(known) for known in unresolved]))
            self._db.execute("INSERT OR REPLACE INTO silences VALUES(?,?,?)", (*row, check_of(*row)))
        else:
            self._db.execute("DELETE FROM silences WHERE node = ?", (gap.node,))

    def keep_loss(self, loss: Loss) -> None:
        """Adds to what was lost in this hour. Within a transaction."""
        hour = loss.at_s // 3600 * 3600
        tags = {"site": loss.site, "node": node_name(loss.node), "reason": loss.reason}
        known = self.fact("losses", tags, hour) or {"people": 0, "bound": 0, "rev": -1}
        people = -1 if min(known["people"], loss.people) < 0 else known["people"] + loss.people
        self.keep_fact("losses", tags, hour, {"people": people, "bound": known["bound"] + loss.bound, "rev": known["rev"] + 1})

    # -- what the session knew

    def streams(self) -> list[Stream]:
        """What the session knew at the last commit."""
        streams = {}
        query = f"SELECT *, {MARK_OF_STREAM} FROM streams"
        for node, incarnation, watermark, last_bin, last_boot, passport, adopted, crc, mark, sum_ in self.read(query):
            if mark != sum_:
                raise self.broken(f"stream {node_name(node)}")
            known = Passport(**json.loads(self.whole((node, incarnation, passport, crc))[2])) if passport else None
            streams[node, incarnation] = Stream(node, incarnation, watermark, last_bin, last_boot, known, adopted)
        for row in self.read("SELECT * FROM boots"):
            node, incarnation, boot, state, _ = self.whole(row)
            if (node, incarnation) in streams:
                streams[node, incarnation].boots[boot] = BootState(node, incarnation, boot, *json.loads(state))
        newest = {stream.node: stream for stream in sorted(streams.values(), key=lambda stream: stream.last_bin)}
        for stream in newest.values():
            if self.noted(UNSENT + node_name(stream.node)):
                stream.missing = self.missing_minutes(node_name(stream.node))
        return list(streams.values())

    def silences(self) -> list[Gap]:
        """Of every node those that nothing has resolved yet."""
        found: list[Gap] = []
        for row in self.read("SELECT node, gap, crc FROM silences"):
            told = json.loads(self.whole(row)[1])
            found += [Gap(**gap) for gap in (told if isinstance(told, list) else [told])]  # one alone, as it was written before
        return found

    def floors(self) -> dict[tuple[int, int], int]:
        """The newest counter of adverts that was accepted, by node and key."""
        noted = self.read("SELECT name, value FROM meta WHERE name > ? AND name < ?", (FLOOR, FLOOR + "~"))
        keys = ((*map(int, name.removeprefix(FLOOR).split()), value) for name, value in noted)
        return {(node, key_id): value for node, key_id, value in keys}

    def simulated_nodes(self) -> set[str]:
        """Names of nodes that are not boards: nothing of theirs may leave this machine."""
        introduced = [stream for stream in self.streams() if stream.passport is not None]
        noted = self.read("SELECT name FROM meta WHERE name > ? AND name < ?", (SIMULATED, SIMULATED + "~"))
        names = {name.removeprefix(SIMULATED) for (name,) in noted} - {node_name(stream.node) for stream in introduced}
        return names | {node_name(s.node) for s in introduced if s.passport is not None and s.passport.is_simulated}
