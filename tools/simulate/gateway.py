"""The gateway as a process: the real service on simulated time, with its end of the cables, its disk and its clock in our hands.

What the simulator knows of the gateway's inside stands here, but for its files (`disk`): `Service`, the two places where it opens
drivers and uplink, its store, which is asked beside it and closed by a kill, and the two things of the machine that are
replaced for all gateways.

Theory of operation
    A start builds `gateway.service.Service` and runs it as a task on a `Loop`. A kill ends that loop between two steps: a piece
    of work begun, its result seen, a statement of SQL, a frame said. What the process had in memory is never looked at again;
    its files are what a new start finds.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import structlog

import streetwire
from gateway import minutes, publishing, service
from gateway.drivers.base import Clock
from gateway.errors import StoreError
from gateway.model import Advertised, CountBin, Received, node_name
from gateway.radio.keys import KeyStore
from gateway.service import Service
from tools.simulate.air import Air
from tools.simulate.air_driver import AirDriver, radio_of
from tools.simulate.disk import Disk, StoreFiles, watched_sql
from tools.simulate.driver import Driver
from tools.simulate.link import Cable
from tools.simulate.radio import key_of
from tools.simulate.server import Server, Uplink
from tools.simulate.settings import config_of
from tools.simulate.timeline import Killed, Loop, Timeline

if TYPE_CHECKING:
    from tools.simulate.schedule import Plan

START_S = 1_800_000_000  # UTC of the simulated zero, a full hour
RESTART_MS = 5000  # until whoever watches over it starts it again
FREE_BYTES = 10_000_000_000


class Gateway:
    """`start` it; it stays up until `kill` or `kill_after`. `answered` is told the number of a node that it acknowledges something
    to; `broken_laws` holds what was seen to go wrong at run time."""

    def __init__(
        self, timeline: Timeline, plan: Plan, folder: Path, cables: dict[str, Cable], air: Air, server: Server,
        faults: Counter[str], rng: Random, answered: Callable[[int], None],
    ) -> None:  # fmt: skip
        self.offset_ms = 0  # of its clock against true time
        self._machine = 1  # which run of it this is
        self.disk = Disk(faults)
        self.files = StoreFiles(folder / "state")
        self.broken_laws: list[str] = []
        self._timeline = timeline
        self._config = config_of(plan, folder / "state")
        self._cables = cables
        self._air = air
        self._counters: dict[tuple[int, int], int] = {}  # of the advert that was believed last, by node and key
        self._put_in_keys(plan, KeyStore(folder / "state" / "keys"))
        self._server = server
        self._faults = faults
        self._rng = rng
        self._answered = answered
        self._service: Service | None = None
        self._loop: Loop | None = None
        self._steps_to_live: int | None = None
        self._down_ms = RESTART_MS
        self._down_until_ms = 0
        self._is_stopping = False
        self._acked: dict[tuple[int, int, int], int] = {}
        self._graveyard: list[object] = []  # what was killed is not tidied up: tidying would run its code

    # -- up and down

    @property
    def is_up(self) -> bool:
        return self._service is not None

    def start(self, at_once: bool = False) -> None:
        """Also after a kill, when its time down is over. A start that fails is tried again."""
        if at_once:
            self._down_until_ms = 0
        if self.is_up or self._timeline.now_ms < self._down_until_ms:
            return
        loop = Loop(self._timeline, self.step)
        try:
            built = self._build(loop)
        except Exception as error:
            if not isinstance(error, StoreError):
                self._break(f"the gateway does not start: {error!r}")
            self._faults["gateway_did_not_start"] += 1
            self._timeline.after(RESTART_MS, self.start)
            return
        self._service, self._loop = built, loop
        loop.create_task(built.run()).add_done_callback(lambda task: self._ended(loop, task))

    def kill(self, down_ms: int = RESTART_MS) -> None:
        """SIGKILL, now; started again after a while."""
        self._steps_to_live, self._is_stopping = None, False
        self._down_until_ms = max(self._down_until_ms, self._timeline.now_ms + down_ms)
        self._timeline.at(self._down_until_ms, self.start)
        if self._service is None or self._loop is None:
            return
        self._loop.kill()
        self._graveyard += [self._service, self._loop]
        self._service._store.close()
        self._service._ownership.release()
        self._service = self._loop = None
        for cable in self._cables.values():
            cable.to_gateway = None
        self._air.scanner = None
        self._air.hang_up_all()

    def power_cut(self, down_ms: int) -> None:
        """Of the whole machine: its steady clock begins anew, as far as anybody may rely on it."""
        self._machine += 1
        self.kill(down_ms)

    def stop(self, down_ms: int) -> bool:
        """SIGTERM: it ends in order, and is started again after a while. False if it is down already."""
        if self._service is None:
            return False
        self._down_ms, self._is_stopping = down_ms, True
        self._service.stop()
        return True

    def kill_after(self, steps: int, down_ms: int) -> None:
        """SIGKILL at that step from now on."""
        self._steps_to_live, self._down_ms = steps, down_ms

    def step(self) -> None:
        """Here the process may end."""
        if self._steps_to_live is not None:
            self._steps_to_live -= 1
            if self._steps_to_live < 0:
                self._steps_to_live = None
                self._timeline.after(0, self.kill, self._down_ms)
                if self._loop is not None:
                    self._loop.kill()
                raise Killed

    def dispose(self) -> None:
        """The end of the schedule."""
        self.kill()
        self._graveyard.clear()

    # -- its clocks, as the service asks for them

    def clock(self) -> int:
        return max(0, START_S * 1000 + self._timeline.now_ms + self.offset_ms)

    def steady(self) -> int:
        return self._timeline.now_ms

    def _receive(self, payload: bytes, link: str) -> Received:
        return Received(payload, link, self.clock(), self.steady())

    # -- what can be asked of it

    def watermark(self, node: int, incarnation: int) -> int:
        """Committed; 0 where nothing is, or nobody can be asked."""
        if self._service is None:
            return 0
        with suppress(StoreError), self.disk.left_alone():
            for stream in self._service._store.streams():
                if (stream.node, stream.incarnation) == (node, incarnation):
                    return stream.watermark
        return 0

    def is_drained(self) -> bool:
        """Nothing waits to be sent."""
        if self._service is None:
            return False
        with suppress(StoreError):
            return self._service._store.outbox_state()[0] == 0 and self._service._booking.windows.is_published
        return False

    def bins(self) -> list[CountBin]:
        """All that are committed."""
        return self._service._store.count_bins_since(0) if self._service is not None else []

    def is_audited(self, since_s: int) -> bool:
        """The server was read back after that, and everything was there."""
        last = self._service.now().audited if self._service is not None else None
        return last is not None and last.at_s >= since_s and not (last.missing or last.lasting or last.unread or last.waiting)

    def dead_letters(self) -> list[tuple[str, str]]:
        return self._service._store.dead_letters() if self._service is not None else []

    # -- watching it

    def _break(self, what: str) -> None:
        if what not in self.broken_laws:
            self.broken_laws.append(what)

    def _said(self, message: streetwire.Message) -> None:
        if not isinstance(message, streetwire.Ack):
            return
        self._answered(message.node)
        key = self.files.generation, message.node, message.incarnation
        name = f"{node_name(message.node)}: acknowledged {message.watermark}"
        if message.watermark < self._acked.get(key, 0) and not self.files.is_damaged:
            self._break(f"{name} after {self._acked[key]}")
        if message.watermark > self.watermark(message.node, message.incarnation):
            self._break(f"{name} before its commit")
        self._acked[key] = message.watermark

    def _believed(self, told: Advertised) -> None:
        key = told.node, told.key_id
        if told.advert.counter <= self._counters.get(key, -1):
            self._break(f"{node_name(told.node)}: advert {told.advert.counter} believed after {self._counters[key]}")
        self._counters[key] = told.advert.counter

    def _ended(self, loop: Loop, task: asyncio.Task[None]) -> None:
        if loop.is_dead:
            return
        error = None if task.cancelled() else task.exception()
        if not (self._is_stopping and error is None) and not isinstance(error, StoreError):
            self._break(f"the gateway ended by itself: {error!r}")
        self.kill(self._down_ms if self._is_stopping else RESTART_MS)

    # -- building it

    def _put_in_keys(self, plan: Plan, store: KeyStore) -> None:
        for node in plan.nodes:
            for number in (node.number, node.spare) if node.is_on_air else ():
                key = key_of(number)
                store.make(key.node, key.address, lambda _size, key=key: key.key)

    def _build(self, loop: Loop) -> Service:
        def open_driver(spec: str, clock: Clock, steady: Clock, **air: Any) -> AirDriver | Driver:
            kind, _, link = spec.partition(":")
            if kind == "ble":
                ends = {"is_dead": lambda: loop.is_dead, "step": self.step}
                return AirDriver(link, clock, steady, said=self._said, believed=self._believed, **ends, **air)
            return Driver(spec, self._cables[link], self._receive, self._said, lambda: loop.is_dead, self.step)

        def open_uplink(_settings: object, to_read: bool = False) -> Uplink:
            return Uplink(self._server, lambda: self._timeline.now_ms, loop.spend, self._faults)

        with patch.multiple(service, open_driver=open_driver, open_uplink=open_uplink), watched_sql(self._before_statement):
            return Service(
                self._config, self.clock, self._rng.random, steady=self.steady, machine=self._machine, radio=radio_of(self._air),
                randomness=self._rng.randbytes,
            )  # fmt: skip

    def _before_statement(self, sql: str) -> None:
        if self._loop is not None:
            self.step()
            self.disk.check(sql)


# -- once per process


@contextmanager
def quiet_gateways() -> Iterator[None]:
    """No log, no command that asks for something, and a disk whose free space is always the same."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50), cache_logger_on_first_use=False)
    try:
        space = SimpleNamespace(disk_usage=lambda _folder: SimpleNamespace(free=FREE_BYTES))
        with patch.object(minutes, "shutil", space), patch.object(publishing, "WISHES_S", 86_400.0):
            yield
    finally:
        structlog.configure(**before)
