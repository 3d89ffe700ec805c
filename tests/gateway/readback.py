"""For tests of the read-back: a server in memory that can be robbed of what it has, and sending without a service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from gateway.auditing import Auditing
from gateway.audits import Audited
from gateway.config import UplinkConfig
from gateway.pipeline import Pipeline
from gateway.sending import Sending
from gateway.store import Store
from gateway.uplink import tallying
from gateway.uplink.base import Answer, Identity, Outcome, Row, Tallies, Tally, Uplink, UplinkError, tags_of
from gateway.uplink.file import _FIELD, _LINE, _TAG, _unescape, _value
from gateway.words import Say
from tests.gateway.parts import NAME, T0

Place = tuple[str, tuple[tuple[str, str], ...], int]  # measurement, tags, time


class MemoryServer:
    """`points` is all it has. `before(question)` runs before each question is answered and may raise UplinkError."""

    name = "memory"
    address = "memory:"
    target = Say("check.folder", {"folder": "memory"})
    is_local = True

    def __init__(self) -> None:
        self.points: dict[Place, dict[str, object]] = {}
        self.questions: list[tuple[str, ...]] = []
        self.batches = 0
        self.refuses: Callable[[bytes], bool] = lambda _line: False
        self.answers: Callable[[], Answer] = lambda: Answer(Outcome.STORED)
        self.before: Callable[[str], None] = lambda _question: None

    def send(self, lines: Sequence[bytes]) -> Answer:
        self.batches += 1
        answer = self.answers()
        if answer.outcome is not Outcome.STORED:
            return answer
        if any(self.refuses(line) for line in lines):
            return Answer(Outcome.REFUSED, "400 refused")
        for line in lines:
            place, fields = _parsed(line)
            self.points[place] = {**self.points.get(place, {}), **fields}
        return answer

    def identify(self) -> Identity:
        self.before("identify")
        return Identity("memory")

    def read(self, measurement: str, start_s: int, end_s: int) -> list[Row]:
        self.questions.append(("read", measurement))
        self.before("read")
        return [
            Row(dict(tags), time_s, dict(fields))
            for (name, tags, time_s), fields in self.points.items()
            if name == measurement and start_s <= time_s < end_s
        ]

    def tally(self, measurement: str, fields: Sequence[str], start_s: int, end_s: int) -> Tallies:
        self.questions.append(("tally", measurement))
        self.before("tally")
        tallying.check_fields(measurement, fields)
        found: dict[tuple[Any, int], dict[str, tuple[int, int]]] = {}
        for (name, tags, time_s), values in self.points.items():
            if name == measurement and start_s <= time_s < end_s:
                counted = found.setdefault((tags, time_s // 3600 * 3600), dict.fromkeys(fields, (0, 0)))
                for field in set(fields) & set(values):
                    count, total = counted[field]
                    counted[field] = (count + 1, total + tallying.whole(values[field]))
        tallies: dict[tuple[Any, int], Tally] = {}
        for (tags, hour_s), counted in found.items():
            tallying.enter(tallies, tags, hour_s, counted)
        return tallies

    def close(self) -> None:
        """Nothing is held open."""

    def lose(self, *places: Place) -> None:
        for place in places:
            del self.points[place]

    def of(self, measurement: str) -> dict[tuple[Any, int], dict[str, object]]:
        """Its points of a measurement: (tags, time) -> fields."""
        return {(tags, time_s): fields for (name, tags, time_s), fields in self.points.items() if name == measurement}

    def counts(self, node: str = NAME) -> dict[int, tuple[object, object]]:
        """Minutes of a node: start -> (ab, ba)."""
        return {
            time_s: (fields["count_ab"], fields["count_ba"])
            for (tags, time_s), fields in sorted(self.of("passages").items())
            if dict(tags)["node"] == node
        }


def _parsed(line: bytes) -> tuple[Place, dict[str, object]]:
    found = _LINE.fullmatch(line)
    assert found is not None, line
    tags = tags_of({key: _unescape(value) for key, value in _TAG.findall(found[2].decode())})
    fields = {key: _value(value) for key, value in _FIELD.findall(found[3].decode())}
    return (found[1].decode(), tags, int(found[4])), fields


class Office:
    """A store that sends to a server and reads it back, with a clock that a test moves; everything in one thread."""

    def __init__(
        self, store: Store | Path | str = ":memory:", server: Uplink | None = None, now_s: int = T0 + 7200,
        nodes: Iterable[str] = (NAME,), **settings: Any,
    ) -> None:  # fmt: skip
        self.store = store if isinstance(store, Store) else Store(Path(store), keeps_received=True)
        self.server: Any = server if server is not None else MemoryServer()
        self.now_s = now_s
        self.reports: list[Audited] = []
        uplink = UplinkConfig(enabled=True, **settings)
        self.sending = Sending(self.store, Pipeline(), self.server, uplink, lambda: self.now_s, lambda: 0.0, in_store)
        self.auditing = Auditing(
            self.store, self.server, uplink, "gateway", set(nodes), lambda: self.now_s, in_store, in_store, self.reports.append
        )

    def send(self) -> None:
        """All that waits, until the server has it or does not want it."""

        async def go() -> None:
            while await self.sending.send_batch() < 0:
                pass

        asyncio.run(go())

    def round(self) -> Audited:
        return asyncio.run(self.auditing.round())

    def adopt(self) -> bool:
        return asyncio.run(self.auditing.adopt())

    def ledger(self, node: str = NAME) -> dict[int, dict[str, int]]:
        """Its hours in the books: start -> fields."""
        rows = self.store.read("SELECT DISTINCT time FROM facts WHERE measurement = 'ledger' ORDER BY time")
        found = {time_s: self.store.fact("ledger", {"site": "bahnhof", "node": node}, time_s) for (time_s,) in rows}
        return {time_s: fields for time_s, fields in found.items() if fields is not None}

    def states(self, table: str = "bins") -> dict[int, int]:
        """start -> state."""
        return dict(self.store.read(f"SELECT start, state FROM {table} ORDER BY start"))


async def in_store(work: Callable[..., Any], *arguments: Any) -> Any:
    return work(*arguments)


def away(key: str = "uplink-unreached") -> Callable[[str], None]:
    """A server that answers no question, for this reason."""

    def refuse(_question: str) -> None:
        raise UplinkError(key, url="memory:", found="nothing", target=Say("check.folder", {"folder": "memory"}), server="memory")

    return refuse
