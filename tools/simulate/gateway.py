"""The gateway: the real service on simulated time, with its end of the cables, its disk and its clock in our hands.

All that the simulator knows of the gateway's inside stands here: `Service`, the two places where it opens drivers and uplink,
`Store.streams` and `Store.outbox_state` of the running service, and that its files are called `store.db*`.

Theory of operation
    A start builds `gateway.service.Service` and runs it as a task on a `Loop`. A kill ends that loop between two steps: a piece
    of work begun, its result seen, a statement of SQL, a frame said. What the process had in memory is never looked at again;
    its files are what a new start finds.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import structlog

import streetwire
from gateway import adoption, config, service
from gateway.drivers.base import Emit, LinkStats
from gateway.errors import StoreError
from gateway.model import Q_SIMULATED, Accept, BootState, Passport, Received, node_name
from gateway.service import Service
from gateway.store import Store
from tools.simulate.link import Cable
from tools.simulate.server import Server, Uplink
from tools.simulate.timeline import Killed, Loop, Timeline

if TYPE_CHECKING:
    from gateway.config import Config
    from tools.simulate.schedule import Plan

START_S = 1_800_000_000  # UTC of the simulated zero, a full hour
RESTART_MS = 5000  # until whoever watches over it starts it again
FREE_BYTES = 10_000_000_000
SQL_MUTATIONS: list[tuple[str, str]] = []  # filled by mutants: what a statement says, what it is made to say


class Gateway:
    """`start` it; it stays up until `kill` or `kill_after`. `answered` is told the number of a node that it acknowledges something
    to; `broken_laws` holds what was seen to go wrong at run time."""

    def __init__(
        self, timeline: Timeline, plan: Plan, folder: Path, cables: dict[str, Cable], server: Server, faults: Counter[str],
        rng: Random, answered: Callable[[int], None],
    ) -> None:  # fmt: skip
        self.offset_ms = 0  # of its clock against true time
        self.disk = Disk()
        self.broken_laws: list[str] = []
        self.generation = 0  # of its store: rises when a file is lost or replaced
        self._timeline = timeline
        self._config = _config_of(plan, folder)
        self._folder = folder / "state"
        self._cables = cables
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
        self._is_damaged = False  # whoever heals it may know less than before, whenever it does
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

    # -- its files

    def lose_store(self) -> None:
        """Only while it is down."""
        for path in self._folder.glob("store.db*"):
            path.unlink()
        self.generation += 1

    def copy_store(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self._folder.glob("store.db*")}

    def restore_store(self, files: dict[str, bytes]) -> None:
        """Only while it is down."""
        self.lose_store()
        for name, content in files.items():
            (self._folder / name).write_bytes(content)

    def corrupt_store(self, rng: Random, places: int) -> None:
        """Only while it is down."""
        path = self._folder / "store.db"
        content = bytearray(path.read_bytes()) if path.exists() else bytearray()
        for _ in range(places if content else 0):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content)
        self._is_damaged = True

    def knows(self, node: int, incarnation: int, record: streetwire.Record, site: str) -> None:
        """Before its first start: it has heard of this node for long, and this is the newest record that it has accepted."""
        self._folder.mkdir(parents=True, exist_ok=True)
        store = Store(self._folder / "store.db")
        passport = Passport(node, incarnation, "0.1.0", "pavement-radar", "simulated", "radar", "sht4x")
        totals = {"live_ab": record.total_ab, "live_ba": record.total_ba}
        state = BootState(node, incarnation, record.boot, total_ab=record.total_ab, total_ba=record.total_ba, **totals)
        accept = Accept(node, incarnation, record, site, record.bin_start, "radar", "sht4x", Q_SIMULATED, START_S * 1000)
        store.commit([passport, state, accept], START_S)
        store.note(adoption.ADOPTED, 1)  # a store at work
        store.close()

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
            return self._service._store.outbox_state()[0] == 0
        return False

    def is_audited(self, since_s: int) -> bool:
        """The server was read back after that, and everything was there."""
        auditing = self._service._auditing if self._service is not None else None
        last = auditing.last if auditing is not None else None
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
        key = self.generation, message.node, message.incarnation
        name = f"{node_name(message.node)}: acknowledged {message.watermark}"
        if message.watermark < self._acked.get(key, 0) and not self._is_damaged:
            self._break(f"{name} after {self._acked[key]}")
        if message.watermark > self.watermark(message.node, message.incarnation):
            self._break(f"{name} before its commit")
        self._acked[key] = message.watermark

    def _ended(self, loop: Loop, task: asyncio.Task[None]) -> None:
        if loop.is_dead:
            return
        error = None if task.cancelled() else task.exception()
        if not (self._is_stopping and error is None) and not isinstance(error, StoreError):
            self._break(f"the gateway ended by itself: {error!r}")
        self.kill(self._down_ms if self._is_stopping else RESTART_MS)

    # -- building it

    def _build(self, loop: Loop) -> Service:
        def open_driver(spec: str, _clock: object, _steady: object) -> _Driver:
            link = spec.partition(":")[2]
            return _Driver(spec, self._cables[link], self._receive, self._said, lambda: loop.is_dead, self.step)

        def open_uplink(_settings: object, to_read: bool = False) -> Uplink:
            return Uplink(self._server, lambda: self._timeline.now_ms, loop.spend, self._faults)

        with patch.multiple(service, open_driver=open_driver, open_uplink=open_uplink), self._disk_below():
            return Service(self._config, self.clock, self._rng.random, steady=self.steady)

    @contextmanager
    def _disk_below(self) -> Iterator[None]:
        gateway = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
                return super().execute(gateway._statement(sql), *values)

            def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
                return super().executemany(gateway._statement(sql), *values)

        real = sqlite3.connect
        with patch.object(sqlite3, "connect", lambda *args, **more: real(*args, **more, factory=Connection)):
            yield

    def _statement(self, sql: str) -> str:
        if self._loop is not None:
            self.step()
            self.disk.check(sql, self._faults)
        for old, new in SQL_MUTATIONS:
            sql = sql.replace(old, new)
        return sql


class Disk:
    """What the gateway's disk does to statements of SQL."""

    def __init__(self) -> None:
        self.is_full = False
        self.fails_to_commit = False
        self._is_left_alone = False

    def check(self, sql: str, faults: Counter[str]) -> None:
        if self._is_left_alone or not (self.is_full or self.fails_to_commit):
            return
        word = sql.split(None, 1)[0].upper()
        if self.is_full and word in ("INSERT", "UPDATE", "DELETE", "REPLACE"):
            faults["disk_was_full"] += 1
            raise sqlite3.OperationalError("database or disk is full")
        if self.fails_to_commit and word == "COMMIT":
            faults["disk_did_not_sync"] += 1
            raise sqlite3.OperationalError("disk I/O error")

    @contextmanager
    def left_alone(self) -> Iterator[None]:
        """While the simulator looks."""
        self._is_left_alone = True
        try:
            yield
        finally:
            self._is_left_alone = False


class _Driver:
    """The gateway's end of a cable, as `gateway.drivers` promise it."""

    def __init__(
        self, link: str, cable: Cable, receive: Callable[[bytes, str], Received], said: Callable[[streetwire.Message], None],
        is_dead: Callable[[], bool], step: Callable[[], None],
    ) -> None:  # fmt: skip
        self.link = link
        self.stats = LinkStats(is_open=True)
        self._cable = cable
        self._receive = receive
        self._said = said
        self._is_dead = is_dead
        self._step = step
        self._deframer = streetwire.Deframer()
        self._arrived: asyncio.Queue[Received] = asyncio.Queue()

    async def run(self, emit: Emit, opened: Callable[[str], Awaitable[None]]) -> None:
        await opened(self.link)
        self._cable.to_gateway = self._hear
        while True:
            await emit(await self._arrived.get())

    def _hear(self, data: bytes) -> None:
        for payload in self._deframer.feed(data):
            self._arrived.put_nowait(self._receive(payload, self.link))

    async def send(self, message: streetwire.Message) -> bool:
        with suppress(Killed):
            self._step()
        if self._is_dead():
            await asyncio.Event().wait()  # for ever: this process is no more
        self._said(message)
        self._cable.down(streetwire.encode_frame(message.encode()))
        return True


# -- once per process


@contextmanager
def quiet_gateways() -> Iterator[None]:
    """No log, no command that asks for something, and a disk whose free space is always the same."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50), cache_logger_on_first_use=False)
    try:
        space = SimpleNamespace(disk_usage=lambda _folder: SimpleNamespace(free=FREE_BYTES))
        with patch.multiple(service, shutil=space, WISHES_S=86_400.0):
            yield
    finally:
        structlog.configure(**before)


def _config_of(plan: Plan, folder: Path) -> Config:
    base = _parsed()
    sites = {node.site: base.sites["site"].model_copy(update={"greatest_per_minute": node.street.rate}) for node in plan.nodes}
    nodes = {
        node_name(number): base.nodes["tr-000001"].model_copy(update={"site": node.site})
        for node in plan.nodes
        for number in (node.number, node.spare)
    }
    uplink = {"batch_points": plan.batch_points, "audit_minutes": plan.audit_minutes}
    return base.model_copy(
        update={
            "gateway": base.gateway.model_copy(update={"state_dir": folder / "state"}),
            "serial": base.serial.model_copy(update={"ports": plan.links}),
            "uplink": base.uplink.model_copy(update=uplink),
            "sites": sites,
            "nodes": nodes,
        }
    )


@cache
def _parsed() -> Config:
    text = '[gateway]\npage = "off"\n[uplink]\nenabled = true\napi = "file"\n[sites.site]\n[nodes.tr-000001]\nsite = "site"\n'
    return config.parse(text, "simulate", {})
