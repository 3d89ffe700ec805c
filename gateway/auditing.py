"""Reads the server back: once before anything is published by a new store, then again and again to find what is missing.

Theory of operation
    prepare   before the first batch: a store that is new, or older than what it once published, adopts what the server has
              (`adoption`). Where reading is not allowed nothing can be adopted, and that is said.
    round     every audit period, day by day, newest first: sums by series and hour are compared (`books`). What was found is
              audited, what is missing is sent again; what is missing again after TRIES repairs stays unaudited and is said. Then
              the ledger is written. A server that cannot be asked ends the round; the next one begins anew.
It has an uplink and a thread of its own, so that reading a month never delays what is being sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog

from gateway import adoption, books
from gateway.audits import Audited
from gateway.books import HOUR_S, Key
from gateway.config import UplinkConfig
from gateway.errors import EXIT_UPLINK_AUTHORISATION, EXIT_UPLINK_MISSING, StoreError
from gateway.keeping import KEEP_S
from gateway.sending import InStore
from gateway.store import Store
from gateway.tables import QUEUED, SENT
from gateway.uplink.base import Row, Tallies, Uplink, UplinkError

DAY_S = 86_400
SETTLED_S = 120  # what was sent in the last two minutes may not show yet
TRIES = 3  # repairs of one hour without success
RETRY_S = 5.0  # while the server cannot be asked what it has
FIRST_S = 60.0  # after a start

_log = structlog.get_logger("gateway")
T = TypeVar("T")


class Auditing:
    """`await prepare()`, then `run` for ever, or a `round`; `close` at last. `last` is what the newest round found; each goes to
    `report`, after which something may wait to be sent."""

    def __init__(
        self, store: Store, uplink: Uplink, settings: UplinkConfig, gateway: str, nodes: set[str],
        now_s: Callable[[], int], in_store: InStore, report: Callable[[Audited], None],
    ) -> None:  # fmt: skip
        self._store = store
        self._uplink = uplink
        self._period_s = settings.audit_minutes * 60
        self._kept_s = min(KEEP_S, settings.retention_days * DAY_S - HOUR_S) if settings.retention_days else KEEP_S
        self._gateway = gateway
        self._nodes = nodes
        self._now_s = now_s
        self._in_store = in_store
        self._report = report
        self._tries: Counter[tuple[str, Key]] = Counter()
        self._thread = ThreadPoolExecutor(1, "audit")
        self._rounds = now_s()
        self.last: Audited | None = None

    # -- before anything is published

    async def prepare(self) -> bool:
        """True if books were adopted: then the session has to be built anew. Ends once it is safe to publish."""
        while True:
            try:
                return await self._adopt() if await self._is_due() else False
            except UplinkError as error:
                if error.exit_code in (EXIT_UPLINK_AUTHORISATION, EXIT_UPLINK_MISSING):
                    _log.warning("server not read back", problem=error.line(), action="its points stay unaudited")
                    return False
                _log.info("server not read back yet", problem=error.line())
            except StoreError as error:
                _log.error("server not read back yet", problem=error.line())
            await asyncio.sleep(RETRY_S)

    async def _is_due(self) -> bool:
        if await self._in_store(adoption.is_due, self._store):
            return True
        told_s = await self._in_store(self._store.noted, adoption.TOLD)
        statuses = await self._ask(self._uplink.read, "gateway_status", told_s + 1, self._now_s() + DAY_S)
        if not await self._in_store(adoption.is_older, self._store, self._gateway, statuses):
            return False
        _log.warning("the store is older than what it published", action="what the server has is adopted")
        await self._in_store(adoption.begin_generation, self._store)
        return True

    async def _adopt(self) -> bool:
        taken: Counter[str] = Counter()
        now_s = self._now_s()
        for measurement, fields in books.FIELDS.items():
            span = (now_s - KEEP_S, now_s + DAY_S)
            found: Tallies = await self._ask(self._uplink.tally, measurement, fields, *span)
            for day in sorted({hour_s // DAY_S * DAY_S for _, hour_s in found}):
                rows = await self._ask(self._uplink.read, measurement, day, day + DAY_S)
                taken[measurement] += await self._in_store(adoption.take, self._store, measurement, rows, self._nodes, now_s)
        await self._in_store(adoption.finish, self._store)
        if taken:
            _log.info("books adopted from the server", **taken)
        return bool(taken)

    # -- again and again

    async def run(self) -> None:
        await asyncio.sleep(min(FIRST_S, self._period_s))
        while True:
            try:
                await self.round()
            except StoreError as error:
                _log.error("audit not done", problem=error.line())
            await asyncio.sleep(self._period_s)

    async def round(self) -> Audited:
        """Everything that the server should have, once."""
        now_s = self._now_s()
        oldest_s = max(now_s - self._kept_s, await self._in_store(books.oldest, self._store, now_s))
        self._rounds += 1
        found = Audited(now_s, oldest_s, self._rounds)
        end_s = now_s - SETTLED_S
        while end_s > oldest_s:
            span = (max((end_s - 1) // DAY_S * DAY_S, oldest_s), end_s)
            if not found.unread:
                await self._compare(span, found)
            await self._in_store(books.write_ledger, self._store, span[0] // HOUR_S * HOUR_S, end_s // HOUR_S * HOUR_S)
            end_s = span[0]
        self._say(found)
        self.last = found
        self._report(found)
        return found

    async def _compare(self, span: tuple[int, int], found: Audited) -> None:
        try:
            for measurement, fields in books.FIELDS.items():
                before = await self._in_store(books.tally, self._store, measurement, *span)
                server: Tallies = await self._ask(self._uplink.tally, measurement, fields, *span)
                audited, differing = await self._in_store(books.settle, self._store, measurement, span, before, server)
                found.audited += audited
                self._forget_tries(measurement, span, differing)
                found.checked += sum(book.tally.points for book in before.values())
                await self._mend(measurement, span, [key for key in differing if self._is_ours(key)], found)
        except UplinkError as error:
            found.unread, found.exit_code = error.line(), error.exit_code

    def _forget_tries(self, measurement: str, span: tuple[int, int], differing: Sequence[Key]) -> None:
        # An hour that is whole again may be lost again, and be repaired as often.
        for tried in [tried for tried in self._tries if tried[0] == measurement and tried[1] not in differing]:
            if span[0] <= tried[1][1] < span[1]:
                del self._tries[tried]

    def _is_ours(self, key: Key) -> bool:
        return dict(key[0]).get("node") in self._nodes

    async def _mend(self, measurement: str, span: tuple[int, int], keys: Sequence[Key], found: Audited) -> None:
        for hour_s in sorted({hour_s for _, hour_s in keys}):
            here = (max(span[0], hour_s), min(span[1], hour_s + HOUR_S))
            rows: list[Row] = await self._ask(self._uplink.read, measurement, *here)
            of_hour = [key for key in keys if key[1] == hour_s]
            hopeless = [key for key in of_hour if self._tries[measurement, key] >= TRIES]
            hopeful = [key for key in of_hour if key not in hopeless]
            holes = await self._in_store(books.mend, self._store, measurement, hopeful, here, rows, QUEUED)
            lasting = await self._in_store(books.mend, self._store, measurement, hopeless, here, rows, SENT)
            self._tries.update((measurement, (hole.tags, hole.hour_s)) for hole in holes if hole.points)
            found.holes += holes
            found.lasting += sum(hole.points for hole in lasting)

    def _say(self, found: Audited) -> None:
        for hole in found.holes[:20]:
            about = {**dict(hole.tags), "hour": hole.hour_s, "points": hole.points, "people": hole.people, "unknown": hole.unknown}
            _log.warning("missing on the server, sent again", measurement=hole.measurement, **about)
        if found.unread:
            _log.warning("server not read back", problem=found.unread)
        elif found.lasting:
            _log.error("missing on the server although sent again", points=found.lasting, tries=TRIES)
        _log.info("audit", checked=found.checked, audited=found.audited, missing=found.missing)

    async def _ask(self, question: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, question, *arguments)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._uplink.close()
