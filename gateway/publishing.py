"""Everything between the books and the server: when points may go out, what is read back, what a command wishes of it.

Theory of operation
    adopt    a store that is new, or older than what it once published, first takes over what the server has (`auditing`); nothing
             is published before. No server may stop the counting: records wait for it, but only for so long.
    publish  then batches go out (`sending`), and the server is read back again and again (`auditing`), each with an uplink of
             its own. A store that was made anew meanwhile (`booking.is_renewed`) begins at adopt again.
    wishes   commands leave them in the gateway's folder; they are looked for every few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import structlog

from gateway import adoption, audits, wishes
from gateway.auditing import Audited, Auditing
from gateway.booking import Booking
from gateway.books import HOUR_S
from gateway.config import Config
from gateway.errors import StoreError
from gateway.model import PERIOD_S, Series
from gateway.moments import EARLIEST_S
from gateway.sending import Sending
from gateway.shown import Trouble
from gateway.store import Store
from gateway.store_thread import InStore
from gateway.uplink.base import Uplink

WISHES_S = 10.0
T = TypeVar("T")
CLOCK_S = 0.2  # between two looks whether the time is known
PATIENCE_S = 120  # so long a new store waits for what the server has
GLANCE_S = 3  # so long one that has run before waits to learn whether it is older than what it published

_log = structlog.get_logger("gateway")


class Publishing:
    """`start` it once the store was recalled; `send_rest` and `close` after its tasks were cancelled. `accept` is called when
    records may be accepted. `reader` is the uplink that reads back what went through `uplink`."""

    def __init__(
        self, config: Config, uplink: Uplink, reader: Uplink, store: Store, booking: Booking, accept: Callable[[], None],
        now_s: Callable[[], int], jitter: Callable[[], float], in_store: InStore,
    ) -> None:  # fmt: skip
        self._folder = config.gateway.state_dir
        self._store = store
        self._booking = booking
        self._accept = accept
        self._now_s = now_s
        self._in_store = in_store
        self.sending = Sending(store, booking.windows, uplink, config.uplink, now_s, jitter, in_store)
        self.auditing = Auditing(
            store, reader, config.uplink, config.gateway.id, set(config.nodes), now_s, in_store, self._mend, self._keep_audit
        )

    def start(self) -> list[asyncio.Task[None]]:
        """The tasks that run for ever."""
        return [asyncio.create_task(task) for task in (self.sending.run(), self._publish(), self._grant_wishes())]

    @property
    def trouble(self) -> Trouble | None:
        """Why nothing goes out; None while the server takes what it gets."""
        return self.sending.trouble or self.auditing.trouble

    async def send_rest(self) -> None:
        """A last batch, where anything may be published."""
        if self.sending.may_publish.is_set():
            await self.sending.send_batch()

    def close(self) -> None:
        self.sending.close()
        self.auditing.close()

    async def _publish(self) -> None:
        while True:
            self._booking.is_renewed.clear()
            await self._adopt_from_server()
            self.sending.may_publish.set()
            await asyncio.sleep(0)  # what an earlier run has left goes first
            self._accept()
            reading = asyncio.create_task(self.auditing.run())
            renewed = asyncio.create_task(self._booking.is_renewed.wait())
            try:
                done, _ = await asyncio.wait([reading, renewed], return_when=asyncio.FIRST_COMPLETED)
            finally:
                reading.cancel()
                renewed.cancel()
            self.sending.may_publish.clear()  # a store that was made anew asks the server first
            if reading in done:
                reading.result()

    async def _adopt_from_server(self) -> None:
        # A store accepts nothing before it knows what another one has published; but no server may stop the counting. What a
        # server has is asked for by time.
        while self._now_s() < EARLIEST_S:
            await asyncio.sleep(CLOCK_S)
        try:
            is_due = await self._in_store(adoption.is_due, self._store)
        except StoreError:  # a disk that is asked again below
            is_due = True
        patience = asyncio.get_running_loop().call_later(PATIENCE_S if is_due else GLANCE_S, self._accept)
        try:
            if await self.auditing.prepare():
                await self._booking.recall(with_windows=True)
        finally:
            patience.cancel()

    async def _mend(self, work: Callable[..., T], *arguments: Any) -> T:
        return await self._booking.in_step(work, *arguments, tell=self._revise)

    def _revise(self, mended: Any) -> None:
        # What was made of these minutes may be missing as well, and what ended with the first of them.
        _, holes = mended
        for hole in holes:
            if hole.measurement == "passages" and hole.points:
                self._booking.windows.revise(Series(**dict(hole.tags)), hole.hour_s - PERIOD_S, hole.hour_s + HOUR_S)

    def _keep_audit(self, found: Audited) -> None:
        self.sending.wake()
        try:
            audits.keep(self._folder, found)
        except OSError as error:
            _log.error("audit not kept", problem=str(error))

    def _renew(self, results: list[tuple[Series, int]]) -> None:
        for series, end_s in results:
            self._booking.windows.renew(series, end_s)

    async def _grant_wishes(self) -> None:
        while True:
            await asyncio.sleep(WISHES_S)
            for wish in wishes.take(self._folder):
                _log.info("asked by a command", wish=wish)
                try:
                    if wish == wishes.AUDIT:
                        await self.auditing.round()
                    elif wish == wishes.RESEND:
                        await self._booking.in_step(self._store.exhume, tell=self._renew)
                        self.sending.wake()
                except StoreError as error:
                    _log.error("wish not granted", wish=wish, problem=error.line())
