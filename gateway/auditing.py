"""Reads the server back: once before anything is published by a new store, then again and again to find what is missing.

Theory of operation
    prepare   before the first batch: a store that is new, or older than what it once published, adopts what the server has
              (`adoption`). Where reading is not allowed nothing can be adopted, and that is said. Who is not there at all is
              waited for, since nothing can be sent either; who is there and yet cannot be read is asked for UNREAD_S, and then
              gets its points all the same.
    round     every audit period, day by day, newest first: sums by series and hour are compared (`books`). What was found is
              audited, what is missing is sent again; what is missing again after TRIES repairs stays unaudited, is said, and
              rarely tried. Then the ledger is written. A server or a disk that cannot be asked ends the round; the next one
              begins anew.
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
from gateway.shown import Trouble
from gateway.store import Store
from gateway.store_thread import InStore
from gateway.tables import QUEUED, SENT
from gateway.uplink.base import Row, Tallies, Uplink, UplinkError

DAY_S = 86_400
SETTLED_S = 120  # what was sent in the last two minutes may not show yet
TRIES = 3  # repairs of one hour without success; after that only every tenth round tries again
RARELY = 10
RETRY_S = 5.0  # while the server cannot be asked what it has
UNREAD_S = 120.0  # so long a server that answers may fail to say what it has
PORTION_S = 4 * HOUR_S  # what is read at once: 256 nodes stay well below what an answer may have
FIRST_S = 60.0  # after a start
BEHIND_S = 400 * DAY_S  # by so much a clock may be behind what was published
STEP_S = 10 * DAY_S  # of that at once

# Nobody has answered, or nobody who can now: who cannot be asked cannot be published to either.
NOBODY = {f"uplink-{cause}" for cause in ("unresolved", "unreached", "silent", "tls", "broken", "trouble", "folder")}

_log = structlog.get_logger("gateway")
T = TypeVar("T")


class Auditing:
    """`await prepare()`, then `run` for ever, or a `round`; `close` at last. `last` is what the newest round found; each goes to
    `report`, after which something may wait to be sent. `in_step` does in the store what windows have to hear of. `trouble` is why
    nothing may be sent yet, None outside of `prepare`."""

    def __init__(
        self, store: Store, uplink: Uplink, settings: UplinkConfig, gateway: str, nodes: set[str],
        now_s: Callable[[], int], in_store: InStore, in_step: InStore, report: Callable[[Audited], None],
    ) -> None:  # fmt: skip
        self._store = store
        self._uplink = uplink
        self._period_s = settings.audit_minutes * 60
        self._kept_s = min(KEEP_S, settings.retention_days * DAY_S - HOUR_S) if settings.retention_days else KEEP_S
        self._gateway = gateway
        self._nodes = nodes
        self._now_s = now_s
        self._in_store = in_store
        self._in_step = in_step
        self._report = report
        self._tries: Counter[tuple[str, Key]] = Counter()
        self._thread = ThreadPoolExecutor(1, "audit")
        self._one_at_a_time = asyncio.Lock()
        self._rounds = now_s()
        self.last: Audited | None = None
        self.trouble: Trouble | None = None

    # -- before anything is published

    async def prepare(self) -> bool:
        """True if books were adopted: then the session has to be built anew. Ends once it is safe to publish."""
        unread_s = 0.0
        since_s = self._now_s()
        try:
            while True:
                try:
                    return await self.adopt()
                except UplinkError as error:
                    unread_s += RETRY_S if error.key not in NOBODY else 0.0
                    if error.exit_code in (EXIT_UPLINK_AUTHORISATION, EXIT_UPLINK_MISSING) or unread_s > UNREAD_S:
                        _log.warning("server not read back", problem=error.line(), action="its points stay unaudited")
                        return False
                    _log.info("server not read back yet", problem=error.line())
                    self.trouble = Trouble(error.line(), since_s, self._now_s() + round(RETRY_S), error.message)
                except StoreError as error:
                    _log.error("server not read back yet", problem=error.line())
                await asyncio.sleep(RETRY_S)
        finally:
            self.trouble = None

    async def adopt(self) -> bool:
        """Whether books were adopted, where there was reason to. Raises UplinkError or StoreError; then it is still due."""
        if not await self._is_due():
            return False
        adopted = None
        while adopted is None:
            adopted = await self._adopt()
        return adopted

    async def _is_due(self) -> bool:
        if await self._in_store(adoption.is_due, self._store):
            return True
        told_s = await self._in_store(self._store.noted, adoption.TOLD)
        statuses = await self._ask(self._uplink.read, "gateway_status", told_s + 1, max(self._now_s(), told_s) + DAY_S)
        if not await self._in_store(adoption.is_older, self._store, self._gateway, statuses):
            return False
        _log.warning("the store is older than what it published", action="what the server has is adopted")
        await self._in_store(adoption.begin_generation, self._store)
        return True

    async def _adopt(self) -> bool | None:
        """Whether the session has to hear of it; None where the store was made anew meanwhile."""
        await self._in_store(adoption.begin, self._store)
        taken: Counter[str] = Counter()
        losses: list[Row] = []
        now_s = self._now_s()
        newest_s = max(now_s, await self._newest_status(now_s))
        for measurement, fields in books.FIELDS.items():
            span = (now_s - KEEP_S, newest_s + DAY_S)
            found: Tallies = await self._ask(self._uplink.tally, measurement, fields, *span)
            ours = [hour_s for tags, hour_s in found if dict(tags).get("node") in self._nodes]
            for start_s in sorted({hour_s // PORTION_S * PORTION_S for hour_s in ours}):
                rows = await self._ask(self._uplink.read, measurement, start_s, start_s + PORTION_S)
                if measurement == "losses":
                    losses += rows
                else:
                    taken[measurement] += await self._in_store(adoption.take, self._store, measurement, rows, self._nodes, now_s)
        adopted = await self._in_store(adoption.finish, self._store, losses, self._nodes, newest_s)
        if taken and adopted is not None:
            _log.info("books adopted from the server", **taken, losses=len(losses))
        return adopted

    async def _newest_status(self, now_s: int) -> int:
        """When this gateway has told its state last, by a clock that was ahead of ours; 0 where it never was. A machine without a
        clock of its own goes on from where it was switched off."""
        newest_s = 0
        for start_s in range(now_s, now_s + BEHIND_S, STEP_S):
            rows = await self._ask(self._uplink.read, "gateway_status", start_s, start_s + STEP_S)
            newest_s = max([newest_s, *(row.time_s for row in rows if row.tags.get("gateway") == self._gateway)])
        return newest_s

    # -- again and again

    async def run(self) -> None:
        await asyncio.sleep(min(FIRST_S, self._period_s))
        while True:
            await self.round()
            await asyncio.sleep(self._period_s)

    async def round(self) -> Audited:
        """Everything that the server should have, once. Whoever asks meanwhile gets a round of his own after this one."""
        async with self._one_at_a_time:
            now_s = self._now_s()
            self._rounds += 1
            found = Audited(now_s, now_s, self._rounds)
            try:
                await self._go_round(found)
            except StoreError as error:
                found.unread = error
            self._say(found)
            self.last = found
            self._report(found)
            return found

    async def _go_round(self, found: Audited) -> None:
        # From a full hour on: of the hour in which the oldest minutes have just been forgotten, nothing can be said.
        kept_from_s = -(-(found.at_s - self._kept_s) // HOUR_S) * HOUR_S
        found.from_s = oldest_s = max(kept_from_s, await self._in_store(books.oldest, self._store, found.at_s))
        for tried in [tried for tried in self._tries if tried[1][1] < kept_from_s]:
            del self._tries[tried]
        end_s = found.at_s - SETTLED_S
        while end_s > oldest_s:
            span = (max((end_s - 1) // DAY_S * DAY_S, oldest_s), end_s)
            if not found.unread:
                await self._compare(span, found)
            await self._in_store(books.write_ledger, self._store, span[0] // HOUR_S * HOUR_S, end_s // HOUR_S * HOUR_S)
            end_s = span[0]
        for day_s in await self._in_store(books.days_ahead, self._store, found.at_s + KEEP_S):  # by a clock that was wrong
            if not found.unread:
                await self._compare((day_s, day_s + DAY_S), found)

    async def _compare(self, span: tuple[int, int], found: Audited) -> None:
        try:
            for measurement, fields in books.FIELDS.items():
                before = await self._in_store(books.tally, self._store, measurement, *span)
                server: Tallies = await self._ask(self._uplink.tally, measurement, fields, *span)
                audited, differing = await self._in_store(books.settle, self._store, measurement, span, before, server)
                found.audited += audited
                found.checked += sum(book.tally.points for book in before.values())
                found.waiting += sum(book.waiting for book in before.values())
                for key in {key for key, book in before.items() if not book.waiting} - set(differing):
                    self._tries.pop((measurement, key), None)
                ours = [key for key in differing if key in before or dict(key[0]).get("node") in self._nodes]
                await self._mend(measurement, span, ours, found)
        except UplinkError as error:
            found.unread = error

    async def _mend(self, measurement: str, span: tuple[int, int], keys: Sequence[Key], found: Audited) -> None:
        for hour_s in sorted({hour_s for _, hour_s in keys}):
            here = (max(span[0], hour_s), min(span[1], hour_s + HOUR_S))
            before = await self._in_store(books.tally, self._store, measurement, *here)
            rows: list[Row] = await self._ask(self._uplink.read, measurement, *here)
            of_hour = [key for key in keys if key[1] == hour_s]
            is_rest = self._rounds % RARELY != 0
            hopeless = [key for key in of_hour if is_rest and self._tries[measurement, key] >= TRIES]
            hopeful = [key for key in of_hour if key not in hopeless]
            audited, holes = await self._in_step(books.mend, self._store, measurement, hopeful, here, before, rows, QUEUED)
            there, lasting = await self._in_store(books.mend, self._store, measurement, hopeless, here, before, rows, SENT)
            found.audited += audited + there
            self._tries.update((measurement, (hole.tags, hole.hour_s)) for hole in holes if hole.points)
            found.holes += holes
            found.lasting += sum(hole.points for hole in lasting)

    def _say(self, found: Audited) -> None:
        for hole in [hole for hole in found.holes if hole.points][:20]:
            about = {**dict(hole.tags), "hour": hole.hour_s, "points": hole.points, "people": hole.people, "unknown": hole.unknown}
            _log.warning("missing on the server, sent again", measurement=hole.measurement, **about)
        if found.unread:
            _log.warning("server not read back", problem=found.unread.line())
        elif found.lasting:
            _log.error("missing on the server although sent again", points=found.lasting, tries=TRIES)
        _log.info("audit", checked=found.checked, audited=found.audited, missing=found.missing)

    async def _ask(self, question: Callable[..., T], *arguments: Any) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, question, *arguments)
        except UplinkError:
            raise
        except Exception as error:  # a mistake of ours, and no reason to stop counting
            _log.exception("uplink failed", problem=repr(error))
            raise UplinkError("query-failed", url=self._uplink.address, found=type(error).__name__) from error

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._uplink.close()
