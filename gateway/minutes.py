"""What is done on every UTC minute, though no node speaks.

Theory of operation
    Windows move on; then, where the disk takes it: nodes that have fallen silent are booked, the gateway's own state is noted,
    a store that has grown too large makes room, and after midnight what is old enough is forgotten. A minute that the disk
    refuses is not noted; the next one tries again. While the time is not known, nothing can be said of a minute.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import asdict

import structlog

from gateway import keeping
from gateway.booking import Booking
from gateway.config import GatewayConfig
from gateway.drivers.base import Clock
from gateway.errors import StoreError
from gateway.moments import EARLIEST_S
from gateway.store import Store
from gateway.store_thread import InStore
from gateway.timekeeping import ClockWatch

UNSET_MS = 3_600_000  # a clock that nobody has set for so long is believed

_log = structlog.get_logger("gateway")


class Minutes:
    """`run` for ever. `clock` and `steady` are in milliseconds; `begin` is called as each minute begins, `wake` when something may
    wait to be sent, `tell` with one line about the outbox; `of_links` are fields of theirs for the gateway's status."""

    def __init__(
        self, settings: GatewayConfig, store: Store, booking: Booking, in_store: InStore, clock: Clock, steady: Clock,
        begin: Callable[[], None], wake: Callable[[], None], tell: Callable[[str], None],
        of_links: Callable[[], dict[str, int | float | str]],
    ) -> None:  # fmt: skip
        self._settings = settings
        self._store = store
        self._booking = booking
        self._in_store = in_store
        self._clock = clock
        self._clock_watch = ClockWatch(clock, steady)
        self._begin = begin
        self._wake = wake
        self._tell = tell
        self._of_links = of_links

    async def run(self) -> None:
        while True:
            await asyncio.sleep((60_000 - self._clock() % 60_000) / 1000)
            self._begin()
            now_s, unset_ms = self._now_s(), self._clock_watch.unset_for_ms()
            if now_s < EARLIEST_S:  # no time yet: nothing can be said of this minute
                continue
            await self._booking.advance(now_s)
            try:
                await self._booking.book(lambda session: session.check_silence(self._now_s()))
                await self._note_status(now_s)
                await self.make_room(now_s)
                if now_s % 86_400 < 60 and unset_ms >= UNSET_MS:  # a wrong clock lets no history expire
                    await self._in_store(keeping.forget, self._store, now_s, self._settings.keep_received_days * 86_400)
            except (StoreError, OSError) as error:
                _log.error("minute not noted", problem=str(error))

    async def make_room(self, now_s: int) -> None:
        """Until the store is within its allowance. StoreError where the disk does not take that either."""
        allowed_b = self._settings.store_mb * 1_000_000
        given_up = keeping.Yielded()
        while more := await self._in_store(keeping.make_room, self._store, now_s, allowed_b):
            given_up += more
        if given_up:
            _log.warning("store is full", store_mb=self._settings.store_mb, **asdict(given_up))

    async def _note_status(self, now_s: int) -> None:
        waiting, oldest, dead = await self._in_store(self._store.outbox_state)
        fields: dict[str, int | float | str] = {
            "outbox_points": waiting,
            "outbox_age_s": max(0, now_s - oldest) if waiting else 0,
            "dead_letters": dead,
            "disk_free_mb": shutil.disk_usage(self._settings.state_dir).free // 1_000_000,
            **self._of_links(),
        }
        await self._booking.note_status(self._settings.id, now_s // 60 * 60, fields)
        self._wake()
        self._tell(f"{waiting} points waiting, {dead} dead letters")
        last_quarter = {live.series.node: live.windows[900][:2] for live in self._booking.live()}
        _log.info("minute", outbox=waiting, dead_letters=dead, last_15_min=last_quarter)

    def _now_s(self) -> int:
        return self._clock() // 1000
