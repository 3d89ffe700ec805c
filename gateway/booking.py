"""Keeps session, store and windows in step: what the session decides is committed, and the windows follow.

Theory of operation
    book     a lock is held from a decision of the session to the end of its commit, so that no other decision builds on
             what is not on the disk yet. Windows take what the commit has changed, and sending is woken.
    refused  if the disk does not take it, the session is built anew from the store: it knows what is committed and no more.
    damage   whoever meets it, the store remembers. Instead of the next decision a new store is made of what is whole, session and
             windows are built from that, and `is_renewed` says that what the server has must be asked for again. What was
             heard is dropped: nodes say it again.
A disk that cannot be read is asked again every few seconds, for ever: without it there is nothing to decide on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TypeVar

import structlog

from gateway import healing, keeping, pipeline
from gateway.errors import StoreError
from gateway.healing import Healed
from gateway.model import PERIOD_S, CountBin, Effect, Fetch, GiveTime, Note, Reply, Stream, Told
from gateway.moments import EARLIEST_S
from gateway.outbox import ROLLED
from gateway.pipeline import Live, Pipeline
from gateway.session import Rules, Session
from gateway.shown import NodeNow
from gateway.store import Store
from gateway.store_thread import InStore

DISK_PAUSE_S = 5
T = TypeVar("T")

_log = structlog.get_logger("gateway")


class Booking:
    """`recall` what the store knows before anything else. `wake` is called when something may wait to be sent, `renewed` when the
    store was made anew; `machine` as in Store.keep_ties."""

    def __init__(
        self, store: Store, rules: Rules, now_s: Callable[[], int], in_store: InStore, wake: Callable[[], None],
        renewed: Callable[[], None], machine: int = 0,
    ) -> None:  # fmt: skip
        self._store = store
        self._rules = rules
        self._now_s = now_s
        self._in_store = in_store
        self._wake = wake
        self._renewed = renewed
        self._machine = machine
        self._session = Session(rules)
        self.windows = Pipeline()
        self._lock = asyncio.Lock()
        self.is_renewed = asyncio.Event()  # the store was made anew of what was whole

    async def book(self, decide: Callable[[Session], list[Effect]]) -> list[Effect]:
        """What the session decides, committed. After a StoreError the session knows what the store knows, and no more."""
        async with self._lock:
            if self._store.is_damaged:  # whoever has met it
                await self._recall()
                return []
            effects = decide(self._session)
            try:
                await self._commit(effects)
            except StoreError:
                await self._recall()
                raise
            return effects

    async def in_step(self, work: Callable[..., T], *arguments: object, tell: Callable[[T], object]) -> T:
        """Changes what windows are made of beside the session, and tells them before anything is noted of what they published."""
        async with self._lock:
            found = await self._in_store(work, *arguments)
            tell(found)
            return found

    async def recall(self, with_windows: bool = False) -> None:
        """The session is built anew from the store, and on demand the windows."""
        async with self._lock:
            await self._recall(with_windows)

    async def advance(self, now_s: int) -> None:
        """Moves the windows."""
        if not self.windows.advance(now_s):
            if self.windows.has_leapt(now_s):
                _log.error("the clock has leapt", now_s=now_s, action="windows are rebuilt from the store")
            await self.recall(with_windows=True)

    async def note_status(self, gateway: str, at_s: int, fields: dict[str, int | float | str]) -> None:
        """The gateway's own state, and how far rolling results were published. StoreError where the disk does not take it."""
        async with self._lock:  # what a commit has changed is in the windows
            await self._in_store(self._store.add_gateway_status, gateway, at_s, fields, self.windows.rolled_s)

    # -- who asks what is known

    async def streams(self) -> list[Stream]:
        """As committed. StoreError where that cannot be read."""
        return await self._in_store(self._store.streams)

    def nodes_now(self) -> list[NodeNow]:
        return self._session.nodes_now()

    def live(self) -> list[Live]:
        """Rolling counts of every series."""
        return self.windows.live()

    # -- steps

    async def _commit(self, effects: Sequence[Effect]) -> None:
        kept = [effect for effect in effects if not isinstance(effect, (Reply, GiveTime, Fetch, Told, Note))]
        if kept:
            changed: list[CountBin] = await self._in_store(self._store.commit, kept, self._now_s())
            self.windows.update(changed)
            self._wake()
            for bin_ in changed:
                _log.debug("minute committed", node=bin_.series.node, start=bin_.start_s, ab=bin_.ab, ba=bin_.ba, rev=bin_.rev)
        for effect in effects:
            if isinstance(effect, Note):
                getattr(_log, effect.level)(effect.event, **effect.data)

    async def _recall(self, with_windows: bool = False) -> None:
        while True:
            try:
                if self._store.is_damaged:
                    say_healed(await self._in_store(healing.heal, self._store, self._now_s()))
                    self.is_renewed.set()
                    self._renewed()
                    with_windows = True
                if with_windows:
                    await rebuild_windows(self.windows, self._store, self._now_s(), self._in_store)
                self._session = await self._stored_session()
                return
            except StoreError as error:
                _log.error("store not readable", problem=error.line())
                await asyncio.sleep(DISK_PAUSE_S)

    async def _stored_session(self) -> Session:
        await self._in_store(self._store.keep_ties, self._machine)
        silences, floors = await self._in_store(self._store.silences), await self._in_store(self._store.floors)
        return Session(self._rules, await self.streams(), silences, floors)


async def rebuild_windows(windows: Pipeline, store: Store, now_s: int, in_store: InStore) -> None:
    """Windows from the store; what had not been published when that was noted last is due. Where it never was, in a store that is
    new or was made anew, so is what waits, and the last day."""
    begin_s, end_s = now_s - pipeline.RING_S - PERIOD_S, now_s + pipeline.EARLY_S
    noted_s = await in_store(store.noted, ROLLED)
    points, oldest_s, _ = await in_store(store.outbox_state) if not noted_s else (0, 0, 0)
    waiting = [oldest_s] if points else []
    minutes = await in_store(store.minutes_since, begin_s, end_s, (noted_s or min([begin_s, *waiting])) - pipeline.RING_S)
    rolled_s = noted_s or min([now_s, *waiting, *minutes.starts[:1]])
    known_from_s = await in_store(keeping.known_from, store)
    windows.rebuild(now_s, minutes, min(max(rolled_s, known_from_s), now_s))
    if now_s >= EARLIEST_S:  # before, nothing can be said
        await in_store(store.note_rolled, windows.rolled_s)


def say_healed(healed: Healed | None) -> None:
    if healed is not None:
        _log.error("store was damaged, and made anew of what is whole", **asdict(healed))
