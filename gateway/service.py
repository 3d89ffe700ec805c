"""Composition root of the gateway: opens store, drivers and uplink, and runs them until it is told to stop.

Theory of operation
    drivers   put what they receive into one bounded queue and wait while it is full.
    intake    takes what is there, lets the session decide, commits it in one transaction, then answers the nodes. If the disk
              does not take it, nothing is answered: the session is built anew from the store, and the nodes send again.
    minute    on every UTC minute: windows move on, silence is noticed, the gateway's own state is noted, old rows go.
    sending   when points wait: batches, one at a time (`sending.py`).
Whatever blocks (disk, network) runs in worker threads: one for the store, which has one writer, and one for the uplink.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

import streetwire
from gateway import adoption, audits, healing, keeping, moments, pipeline, wishes
from gateway.auditing import Audited, Auditing
from gateway.config import Config
from gateway.drivers.base import Clock, Driver
from gateway.drivers.table import open_driver
from gateway.errors import ConfigError, StoreError
from gateway.healing import Healed
from gateway.model import CountBin, Effect, GiveTime, Note, Received, Reply
from gateway.moments import EARLIEST_S
from gateway.ownership import Ownership
from gateway.pipeline import Pipeline
from gateway.sending import Sending
from gateway.session import Rules, Session
from gateway.systemd import Systemd
from gateway.timekeeping import ClockWatch
from gateway.uplink.table import open_uplink
from gateway.view import Now
from gateway.words import Say

if TYPE_CHECKING:
    from gateway.page.server import PageServer

QUEUE = 1024  # payloads between the drivers and the intake
BATCH = 256  # payloads in one transaction
DISK_PAUSE_S = 5
WISHES_S = 10.0
UNSET_MS = 3_600_000  # a clock that nobody has set for so long is believed
CLOCK_S = 0.2  # between two looks whether the time is known
PATIENCE_S = 120  # so long a new store waits for what the server has
GLANCE_S = 3  # so long one that has run before waits to learn whether it is older than what it published
STOP_S = 5
PAGE_AFTER_S = 0.3
PAGE_EVERY_S = 1.0

_log = structlog.get_logger("gateway")
T = TypeVar("T")


class Service:
    """Build it with a configuration and a clock (UTC in milliseconds), then `await run()`; `stop()` ends it in order. `steady`
    is a clock in milliseconds that nobody sets; without one the other has to do.

    Raises ConfigError, StoreError, DeviceError or PermissionDenied before it has started; afterwards it heals.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
        systemd: Systemd | None = None,
        page_every_s: float = PAGE_EVERY_S,
        steady: Clock | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        try:
            config.gateway.state_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError([Say("config.state-dir", {"file": error.filename, "found": error})]) from error
        self._ownership = Ownership(config.gateway.state_dir / "lock")
        path = config.gateway.state_dir / "store.db"
        self._store, healed = healing.open_store(path, bool(config.gateway.keep_received_days), self._now_s())
        _say_healed(healed)
        self._sending: Sending | None = None
        self._auditing: Auditing | None = None
        if config.uplink.enabled:
            uplink = open_uplink(config.uplink)
            self._sending = Sending(self._store, uplink, config.uplink, self._now_s, jitter, self._in_store)
            self._auditing = Auditing(
                self._store, open_uplink(config.uplink, to_read=True), config.uplink, config.gateway.id, set(config.nodes),
                self._now_s, self._in_store, self._keep_audit,
            )  # fmt: skip
        self.drivers: dict[str, Driver] = {}
        for port in config.serial.ports:
            driver = open_driver(f"serial:{port}", clock, steady)
            self.drivers[driver.link] = driver
        self._clock_watch = ClockWatch(clock, steady or clock)
        self._may_accept = asyncio.Event()
        self._is_renewed = asyncio.Event()  # the store was made anew of what was whole
        self._session = Session(self._rules())
        self._pipeline = Pipeline()
        self._queue: asyncio.Queue[Received] = asyncio.Queue(QUEUE)
        self._booking = asyncio.Lock()  # held from a decision of the session to the end of its commit
        self._stopping = asyncio.Event()
        self.interrupted = False
        self._systemd = systemd or Systemd()
        self._page: PageServer | None = None
        self._page_every_s = page_every_s
        self._is_page_missed = False
        self._store_thread = ThreadPoolExecutor(1, "store")

    async def run(self) -> None:
        for driver in self.drivers.values():
            probe = getattr(driver, "probe", None)
            if probe is not None:
                probe()
        if self._auditing is None:
            self._may_accept.set()
        await self._adopt_store(is_new=True)
        if self._sending is None:
            await self._in_store(keeping.end_contact, self._store, self._now_s())
        self._wake_sending()  # what an earlier run has left
        api = self._config.uplink.api if self._sending else "off"
        _log.info("started", nodes=len(self._config.nodes), links=list(self.drivers), uplink=api)
        if not (self.drivers and self._config.nodes):
            _log.warning("nothing to count", action="list ports in [serial] and nodes in [nodes] of the configuration")
        self._systemd.ready()
        tasks = [asyncio.create_task(driver.run(self._queue.put, self._call_nodes)) for driver in self.drivers.values()]
        tasks += [asyncio.create_task(self._take_in()), asyncio.create_task(self._keep_minutes())]
        if self._systemd.watchdog_s:
            tasks.append(asyncio.create_task(self._tell_that_we_live()))
        if self._sending is not None and self._auditing is not None:
            tasks.append(asyncio.create_task(self._sending.run()))
            tasks.append(asyncio.create_task(self._publish(self._sending, self._auditing)))
            tasks.append(asyncio.create_task(self._grant_wishes(self._sending, self._auditing)))
        stopping = asyncio.create_task(self._stopping.wait())
        await self._bring_page()
        done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        may_publish = self._sending is not None and self._sending.may_publish.is_set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._systemd.stopping()
        await self._close(may_publish)
        for task in done - {stopping}:
            task.result()  # a task that ended by itself has failed: its error is the reason

    async def _publish(self, sending: Sending, auditing: Auditing) -> None:
        while True:
            self._is_renewed.clear()
            await self._adopt_from_server(auditing)
            sending.may_publish.set()
            await asyncio.sleep(0)  # what an earlier run has left goes first
            self._may_accept.set()
            reading = asyncio.create_task(auditing.run())
            renewed = asyncio.create_task(self._is_renewed.wait())
            try:
                done, _ = await asyncio.wait([reading, renewed], return_when=asyncio.FIRST_COMPLETED)
            finally:
                reading.cancel()
                renewed.cancel()
            sending.may_publish.clear()  # a store that was made anew asks the server first
            if reading in done:
                reading.result()

    async def _adopt_from_server(self, auditing: Auditing) -> None:
        # A store accepts nothing before it knows what another one has published; but no server may stop the counting. What a
        # server has is asked for by time.
        while self._now_s() < EARLIEST_S:
            await asyncio.sleep(CLOCK_S)
        is_due = await self._in_store(adoption.is_due, self._store)
        patience = asyncio.get_running_loop().call_later(PATIENCE_S if is_due else GLANCE_S, self._may_accept.set)
        try:
            if await auditing.prepare():
                async with self._booking:
                    await self._adopt_store()
                await self._rebuild_windows()
        finally:
            patience.cancel()

    def _keep_audit(self, found: Audited) -> None:
        self._wake_sending()
        try:
            audits.keep(self._config.gateway.state_dir, found)
        except OSError as error:
            _log.error("audit not kept", problem=str(error))

    async def _grant_wishes(self, sending: Sending, auditing: Auditing) -> None:
        while True:
            await asyncio.sleep(WISHES_S)
            for wish in wishes.take(self._config.gateway.state_dir):
                _log.info("asked by a command", wish=wish)
                try:
                    if wish == wishes.AUDIT:
                        await auditing.round()
                    elif wish == wishes.RESEND:
                        await self._in_store(self._store.exhume)
                        sending.wake()
                except StoreError as error:
                    _log.error("wish not granted", wish=wish, problem=error.line())

    def stop(self) -> None:
        """Ends `run` after what is on the way has been committed. May be called by a signal handler."""
        self._stopping.set()

    def stop_on_signals(self) -> None:
        """SIGTERM stops; Ctrl-C stops and is remembered in `interrupted`."""
        loop = asyncio.get_running_loop()

        def interrupt() -> None:
            self.interrupted = True
            self.stop()

        for number, action in ((signal.SIGTERM, self.stop), (signal.SIGINT, interrupt)):
            try:
                loop.add_signal_handler(number, action)
            except NotImplementedError:  # Windows: the handler runs in the main thread, outside the loop
                signal.signal(number, lambda *_, action=action: loop.call_soon_threadsafe(action))

    # -- links

    async def _call_nodes(self, link: str) -> None:
        # A node that waits for an acknowledgement tries again after seconds, later after a minute: whoever opens a port speaks
        # first. Which nodes are behind it is not known yet; a node ignores what is meant for another. Hello comes before the
        # records, since it tells when the boot was that they are of.
        try:
            streams = await self._in_store(self._store.streams)
        except StoreError as error:
            _log.warning("nodes not called", link=link, problem=error.line())
            return
        for stream in streams:
            for verb, argument in ((streetwire.SAY_HELLO, 0), (streetwire.RESEND_FROM, stream.watermark + 1)):
                command = streetwire.Command(stream.node, stream.incarnation, verb, argument)
                if not await self.drivers[link].send(command):
                    return

    # -- intake

    async def _take_in(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            if any(moments.has_time(received) for received in batch):  # of what has none nothing is accepted
                await self._may_accept.wait()
            await self._take(batch)

    async def _take(self, batch: Sequence[Received]) -> None:
        try:
            effects = await self._book(lambda: [effect for received in batch for effect in self._session.hear(received)])
        except StoreError as error:
            _log.error("nothing acknowledged", problem=error.line())
            await asyncio.sleep(DISK_PAUSE_S)
            return
        await self._answer(effects)

    async def _book(self, decide: Callable[[], list[Effect]]) -> list[Effect]:
        """What the session decides, committed. After a StoreError the session knows what the store knows, and no more."""
        async with self._booking:
            if self._store.is_damaged:  # whoever has met it
                await self._adopt_store()
            effects = decide()
            try:
                await self._commit(effects)
            except StoreError:
                await self._adopt_store()
                raise
            return effects

    async def _adopt_store(self, is_new: bool = False) -> None:
        while True:
            try:
                if self._store.is_damaged:
                    _say_healed(await self._in_store(healing.heal, self._store, self._now_s()))
                    self._is_renewed.set()
                    is_new = True
                if is_new:
                    await self._rebuild_windows()
                self._session = await self._stored_session()
                return
            except StoreError as error:
                _log.error("store not readable", problem=error.line())
                await asyncio.sleep(DISK_PAUSE_S)

    async def _commit(self, effects: Sequence[Effect]) -> None:
        kept = [effect for effect in effects if not isinstance(effect, (Reply, GiveTime, Note))]
        if kept:
            changed: list[CountBin] = await self._in_store(self._store.commit, kept, self._now_s())
            self._pipeline.update(changed)
            self._wake_sending()
            for bin_ in changed:
                _log.debug("minute committed", node=bin_.series.node, start=bin_.start_s, ab=bin_.ab, ba=bin_.ba, rev=bin_.rev)
        for effect in effects:
            if isinstance(effect, Note):
                getattr(_log, effect.level)(effect.event, **effect.data)

    async def _answer(self, effects: Sequence[Effect]) -> None:
        newest_ack: dict[tuple[str, int, int], Reply] = {}
        for effect in effects:
            if isinstance(effect, Reply) and effect.message.kind == streetwire.ACK:
                newest_ack[effect.link, effect.message.node, effect.message.incarnation] = effect
            elif isinstance(effect, Reply):
                await self._send(effect.link, effect.message)
        for reply in newest_ack.values():
            await self._send(reply.link, reply.message)
        for effect in effects:
            if isinstance(effect, GiveTime):
                await self._send(effect.link, streetwire.Time(effect.node, effect.incarnation, self._clock()))

    async def _send(self, link: str, message: streetwire.Message) -> None:
        driver = self.drivers.get(link)
        if driver is not None:
            await driver.send(message)

    # -- minutes

    async def _keep_minutes(self) -> None:
        while True:
            await asyncio.sleep((60_000 - self._clock() % 60_000) / 1000)
            self._open_page()
            now_s, unset_ms = self._now_s(), self._clock_watch.unset_for_ms()
            if now_s < EARLIEST_S:  # no time yet: nothing can be said of this minute
                continue
            if not self._pipeline.advance(now_s):
                _log.error("the clock has leapt", now_s=now_s, action="windows are rebuilt from the store")
                await self._rebuild_windows()
            try:
                await self._book(lambda: self._session.check_silence(self._now_s()))
                await self._note_status(now_s)
                await self._make_room(now_s)
                if now_s % 86_400 < 60 and unset_ms >= UNSET_MS:  # a wrong clock lets no history expire
                    await self._in_store(keeping.forget, self._store, now_s, self._config.gateway.keep_received_days * 86_400)
            except (StoreError, OSError) as error:
                _log.error("minute not noted", problem=str(error))

    async def _make_room(self, now_s: int) -> None:
        allowed_b = self._config.gateway.store_mb * 1_000_000
        given_up = keeping.Yielded()
        while more := await self._in_store(keeping.make_room, self._store, now_s, allowed_b):
            given_up += more
        if given_up:
            _log.warning("store is full", store_mb=self._config.gateway.store_mb, **asdict(given_up))

    async def _tell_that_we_live(self) -> None:
        # A sign of life goes the way of a record: through the loop and the store's thread.
        while True:
            await self._in_store(lambda: None)
            self._systemd.alive()
            await asyncio.sleep(self._systemd.watchdog_s)

    async def _note_status(self, now_s: int) -> None:
        waiting, oldest, dead = await self._in_store(self._store.outbox_state)
        fields: dict[str, int | float | str] = {
            "outbox_points": waiting,
            "outbox_age_s": max(0, now_s - oldest) if waiting else 0,
            "dead_letters": dead,
            "disk_free_mb": shutil.disk_usage(self._config.gateway.state_dir).free // 1_000_000,
        }
        await self._in_store(self._store.add_gateway_status, self._config.gateway.id, now_s // 60 * 60, fields)
        self._wake_sending()
        self._systemd.status(f"{len(self.drivers)} links, {waiting} points waiting, {dead} dead letters")
        last_quarter = {live.series.node: live.windows[900][:2] for live in self._pipeline.live()}
        _log.info("minute", outbox=waiting, dead_letters=dead, last_15_min=last_quarter)

    # -- those who look on

    def now(self) -> Now:
        """What only the running gateway knows. Called in the service's loop."""
        trouble = self._sending.trouble if self._sending else None
        audited = self._auditing.last if self._auditing else None
        return Now(self._now_s(), self._session.nodes_now(), self._pipeline.live(), trouble, audited)

    @property
    def page_url(self) -> str:
        """Empty where there is no page."""
        return self._page.url if self._page is not None and self._page.is_open else ""

    async def _bring_page(self) -> None:
        # Loading its packages takes a quarter as long as all the rest: nodes are heard before that.
        if self._config.gateway.page_address is not None:
            await asyncio.sleep(PAGE_AFTER_S)
            await asyncio.to_thread(import_module, "gateway.page.server")
            self._open_page()

    def _open_page(self) -> None:
        # The page is a guest: where its address is taken, counting goes on, and every minute the page tries again.
        if self._config.gateway.page_address is None or (self._page is not None and self._page.is_open):
            return
        from gateway.page.server import PageServer

        loop = asyncio.get_running_loop()

        async def now() -> Now:
            return self.now()

        page = PageServer(self._config, lambda: asyncio.run_coroutine_threadsafe(now(), loop), self._page_every_s)
        try:
            page.open()
        except (OSError, RuntimeError) as error:  # taken, or no thread to be had
            if not self._is_page_missed:
                action = "counting goes on without the page; close the program that has the address, or set gateway.page"
                _log.warning("page not open", address=self._config.gateway.page, problem=str(error), action=action)
            self._is_page_missed = True
            return
        self._page = page
        _log.info("page open", url=page.url)

    # -- small things

    def _rules(self) -> Rules:
        nodes, sites = self._config.nodes, self._config.sites
        return Rules(
            knows=lambda name: name in nodes,
            site_of=self._config.site_of,
            greatest_rate=lambda site: sites[site].greatest_per_minute,
        )

    async def _stored_session(self) -> Session:
        return Session(
            self._rules(), await self._in_store(self._store.streams), await self._in_store(self._store.silences)
        )

    async def _rebuild_windows(self) -> None:
        self._pipeline = Pipeline()
        now_s = self._now_s()
        self._pipeline.advance(now_s)
        self._pipeline.update(await self._in_store(self._store.count_bins_since, now_s - pipeline.RING_S))

    async def _close(self, may_publish: bool) -> None:
        if self._page is not None:
            await asyncio.to_thread(self._page.close)
        rest = [self._queue.get_nowait() for _ in range(self._queue.qsize())]
        try:
            async with asyncio.timeout(STOP_S):
                await self._adopt_store()  # a commit that the stop has cut off may have happened or not
                if rest and self._may_accept.is_set():
                    await self._take(rest)
                if self._sending is not None and may_publish:
                    await self._sending.send_batch()
        except (TimeoutError, StoreError) as error:
            _log.warning("stopped with work left; it is kept", problem=str(error))
        self._store_thread.shutdown()
        for sender in (self._sending, self._auditing):
            if sender is not None:
                sender.close()
        self._store.close()
        self._ownership.release()
        _log.info("stopped")

    def _now_s(self) -> int:
        return self._clock() // 1000

    def _wake_sending(self) -> None:
        if self._sending is not None:
            self._sending.wake()

    async def _in_store(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._store_thread, work, *arguments)


def _say_healed(healed: Healed | None) -> None:
    if healed is not None:
        _log.error("store was damaged, and made anew of what is whole", **asdict(healed))
