"""Composition root of the gateway: opens store, drivers and uplink, and runs them until it is told to stop.

Theory of operation
    The work is done in rooms of their own, which are put together here and see of each other only what they are handed:
    `intake` (from the links to the books), `booking` (session, store and windows in step), `publishing` (from the books to the
    server, where there is one), `minutes` (what every minute brings) and `hosting` (the page).
    It runs until it is told to stop or a task fails. Then all tasks are cancelled, what has arrived is committed and sent as far as
    a few seconds allow, and everything is closed; what is left is kept by the store and by the nodes.
Whatever blocks (disk, network) runs in worker threads: one for the store, which has one writer, and two for the uplink.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import structlog

from gateway import healing, keeping, restored
from gateway.booking import Booking, say_healed
from gateway.config import Config
from gateway.drivers.base import Clock, Driver, Radio
from gateway.drivers.table import open_driver
from gateway.errors import ConfigError, StoreError
from gateway.findings import Findings
from gateway.hosting import Hosting
from gateway.intake import Intake
from gateway.minutes import Minutes
from gateway.ownership import Ownership
from gateway.publishing import Publishing
from gateway.radio.keys import KeyStore, NodeKey
from gateway.session import Rules
from gateway.store_thread import StoreThread
from gateway.systemd import Systemd
from gateway.updates import Updates
from gateway.uplink.table import open_uplink
from gateway.view import Now
from gateway.words import Say

STOP_S = 5
PAGE_EVERY_S = 1.0

_log = structlog.get_logger("gateway")


class Service:
    """Build it with a configuration and a clock (UTC in milliseconds), then `await run()`; `stop()` ends it in order. `steady`
    is a clock in milliseconds that nobody sets; without one the other has to do. `machine` is timekeeping's run_of_machine, `radio`
    stands for the machine's own.

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
        machine: int = 0,
        radio: Radio | None = None,
        randomness: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._config = config
        self._clock = clock
        self._systemd = systemd or Systemd()
        self._ownership = _own(config.gateway.state_dir)
        path = config.gateway.state_dir / "store.db"
        self._store, healed = healing.open_store(path, bool(config.gateway.keep_received_days), self._now_s())
        say_healed(healed)
        self._in_store = StoreThread()
        opened = [open_driver(f"serial:{port}", clock, steady) for port in config.serial.ports]
        keys = _keys(config)
        if config.ble.enabled:
            air = {"keys": keys, "scan": config.ble.scan, "jitter": jitter, "randomness": randomness}
            opened.append(open_driver(f"ble:{config.ble.adapter}", clock, steady, radio=radio or _own_radio(), **air))
        self.drivers: dict[str, Driver] = {driver.link: driver for driver in opened}
        rules = _rules(config, {key.node for key in keys.values()})
        run_of_machine = machine if steady is not None else 0
        self._booking = Booking(self._store, rules, self._now_s, self._in_store, self._wake, self._renewed, run_of_machine)
        self._findings = Findings(config.gateway.state_dir)
        self._updates = Updates(config, self.drivers, self._booking.nodes_now, lambda: (steady or clock)() / 1000)
        self._intake = Intake(self.drivers, self._booking, clock, self._findings.put, self._updates.hear)
        self._publishing = self._open_publishing(jitter) if config.uplink.enabled else None
        self._hosting = Hosting(config, self.now, page_every_s)
        self._minutes = Minutes(
            config.gateway, self._store, self._booking, self._in_store, clock, steady or clock,
            begin=self._hosting.open, wake=self._wake, tell=self._tell_status, of_links=self._of_links,
        )  # fmt: skip
        self._stopping = asyncio.Event()
        self.interrupted = False

    def _open_publishing(self, jitter: Callable[[], float]) -> Publishing:
        settings = self._config.uplink
        return Publishing(
            self._config, open_uplink(settings), open_uplink(settings, to_read=True), self._store, self._booking,
            self._intake.may_accept.set, self._now_s, jitter, self._in_store,
        )  # fmt: skip

    # -- up and down

    async def run(self) -> None:
        for driver in self.drivers.values():
            probe = getattr(driver, "probe", None)
            if probe is not None:
                probe()
        await self._booking.recall(with_windows=True)
        if self._publishing is None:
            self._intake.may_accept.set()
            await self._in_store(keeping.end_contact, self._store, self._now_s())
        self._wake()  # what an earlier run has left
        self._say_started()
        self._systemd.ready()
        tasks = self._start()
        stopping = asyncio.create_task(self._stopping.wait())
        await self._hosting.begin()
        done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._systemd.stopping()
        await self._close()
        for task in done - {stopping}:
            task.result()  # a task that ended by itself has failed: its error is the reason

    def _start(self) -> list[asyncio.Task[None]]:
        runs = [driver.run(self._intake.put, self._intake.opened) for driver in self.drivers.values()]
        runs += [self._intake.run(), self._intake.run_adverts(), self._findings.run(), self._updates.run(), self._minutes.run()]
        if self._systemd.watchdog_s:
            runs.append(self._tell_that_we_live())
        tasks = [asyncio.create_task(run) for run in runs]
        return tasks + (self._publishing.start() if self._publishing is not None else [])

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

    async def _close(self) -> None:
        await self._hosting.close()
        try:
            async with asyncio.timeout(STOP_S):
                await self._booking.recall()  # a commit that the stop has cut off may have happened or not
                await self._intake.take_rest()
                if self._publishing is not None:
                    await self._publishing.send_rest()
        except (TimeoutError, StoreError) as error:
            _log.warning("stopped with work left; it is kept", problem=str(error))
        self._findings.write()
        self._in_store.close()
        if self._publishing is not None:
            self._publishing.close()
        self._store.close()
        self._ownership.release()
        _log.info("stopped")

    # -- those who look on

    def now(self) -> Now:
        """What only the running gateway knows. Called in the service's loop."""
        trouble = self._publishing.trouble if self._publishing else None
        audited = self._publishing.auditing.last if self._publishing else None
        return Now(self._now_s(), self._booking.nodes_now(), self._booking.live(), trouble, audited)

    @property
    def page_url(self) -> str:
        """Empty where there is no page."""
        return self._hosting.url

    def _say_started(self) -> None:
        api = self._config.uplink.api if self._publishing else "off"
        _log.info("started", nodes=len(self._config.nodes), links=list(self.drivers), uplink=api)
        if not (self.drivers and self._config.nodes):
            _log.warning("nothing to count", action="list ports in [serial] and nodes in [nodes] of the configuration")

    def _of_links(self) -> dict[str, int | float | str]:
        """What links add to the gateway's status."""
        restarts = [driver.stats.restarts for driver in self.drivers.values() if driver.stats.restarts is not None]
        return {"ble_restarts": sum(restarts)} if restarts else {}

    def _tell_status(self, outbox: str) -> None:
        self._systemd.status(f"{len(self.drivers)} links, {outbox}")

    async def _tell_that_we_live(self) -> None:
        # A sign of life goes the way of a record: through the loop and the store's thread.
        while True:
            await self._in_store(lambda: None)
            self._systemd.alive()
            await asyncio.sleep(self._systemd.watchdog_s)

    # -- small things

    def _now_s(self) -> int:
        return self._clock() // 1000

    def _wake(self) -> None:
        if self._publishing is not None:
            self._publishing.sending.wake()

    def _renewed(self) -> None:
        if self._publishing is not None:
            self._intake.may_accept.clear()  # until the server was asked what it has


def _own(folder: Path) -> Ownership:
    """Of the state folder, which is made where it is missing; what a restore has put beside comes into its place. ConfigError where
    the folder cannot be made, StoreError where it is taken."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([Say("config.state-dir", {"file": error.filename, "found": error})]) from error
    owned = Ownership(folder / "lock")
    try:
        restored.finish(folder)
    except OSError as error:
        owned.release()
        raise StoreError("store-unusable", path=error.filename or folder, found=error) from error
    return owned


def _keys(config: Config) -> dict[str, NodeKey]:
    """Of nodes without a cable, by address. A key that cannot be used is said, and its node is not heard."""
    if not config.ble.enabled:
        return {}
    keys, problems = KeyStore(config.keys_dir).read()
    for problem in problems:
        _log.error("key not used", problem=problem.line())
    return keys


def _own_radio() -> Radio:
    """This machine's. Its adapters can be switched off and on where there is BlueZ."""
    if sys.platform != "linux":
        return Radio()
    from gateway.drivers.bluez import power_cycle

    return Radio(power_cycle=power_cycle)


def _rules(config: Config, on_air: set[str]) -> Rules:
    nodes, sites = config.nodes, config.sites
    return Rules(
        knows=lambda name: name in nodes,
        site_of=config.site_of,
        greatest_rate=lambda site: sites[site].greatest_per_minute,
        is_on_air=lambda name: name in on_air,
        next_change=config.next_change,
    )
