"""A backlog into a real server, through the gateway's own sending: how fast it drains, and how long new minutes wait meanwhile.

Theory of operation
    A store is filled with the bins of an outage, of which no rolling result was published either, and a real influxd is empty.
    `gateway.sending.Sending` then works as in the service: the store in one thread, the uplink in another, both fed from one event
    loop. Meanwhile records go on arriving, `nodes` of them a minute, each through session and commit; another connection asks the
    server all the time which of them it has. The lag of a record is from its commit to the first answer that holds it.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from gateway.booking import rebuild_windows
from gateway.config import UplinkConfig
from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK
from gateway.model import PERIOD_S, Effect, GiveTime, Note, Reply, node_name
from gateway.outbox import ROLLED
from gateway.pipeline import Pipeline
from gateway.sending import FRESH_S, Sending
from gateway.session import Session
from gateway.store import QUEUED, Store
from gateway.uplink.influx_v1 import InfluxV1
from tools.bench_city import NODE, BenchError, City, only_errors
from tools.street import influxd
from tools.terminal import decimal, say, show, t

DATABASE = "bench"
FILL_AT_ONCE = 10_000
LOOK_EVERY_S = 0.1
AFTER_S = 5.0  # live records go on for so long when the backlog is gone
SLOWEST_POINTS_PER_S = 8_400  # a week of 50 nodes in a minute
LONGEST_LAG_S = 5.0
T = TypeVar("T")


def fill(store: Store, city: City, minutes: int) -> int:
    """The bins of an outage, as commits have left them; how many."""
    for first in range(0, minutes, max(1, FILL_AT_ONCE // city.nodes)):
        with store.transaction():
            for number in range(first, min(minutes, first + max(1, FILL_AT_ONCE // city.nodes))):
                for node in range(city.nodes):
                    store.put_bin(city.bin(node, number), QUEUED)
    return minutes * city.nodes


class LiveRecords:
    """Records that go on arriving, and the moments at which they were committed and seen on the server."""

    def __init__(self, store: Store, windows: Pipeline, city: City, sending: Sending, in_store: Callable[..., Any]) -> None:
        self._store, self._windows, self._city, self._sending, self._in_store = store, windows, city, sending, in_store
        self._session = Session(city.rules)
        self.committed: dict[tuple[str, int], float] = {}
        self.lags_s: list[float] = []

    async def arrive(self) -> None:
        """For ever, evenly over a minute."""
        await self._commit([effect for said in self._city.hellos() for effect in self._session.hear(said)])
        for number in range(10**9):
            for node in range(self._city.nodes):
                await self._commit(self._session.hear(self._city.record(node, number)))
                key = node_name(NODE + node), self._city.start_s + number * PERIOD_S
                self.committed[key] = time.monotonic()
                await asyncio.sleep(PERIOD_S / self._city.nodes)

    async def _commit(self, effects: list[Effect]) -> None:
        kept = [effect for effect in effects if not isinstance(effect, (Reply, GiveTime, Note))]
        self._windows.advance(int(time.time()))
        self._windows.update(await self._in_store(self._store.commit, kept, int(time.time())))
        self._sending.wake()

    async def watch(self, reader: InfluxV1) -> None:
        """For ever: asks the server what it has of them."""
        end_s = self._city.start_s + 86_400
        while True:
            rows = await asyncio.to_thread(reader.read, "passages", self._city.start_s, end_s)
            now = time.monotonic()
            for row in rows:
                began = self.committed.pop((row.tags["node"], row.time_s), None)
                if began is not None:
                    self.lags_s.append(now - began)
            await asyncio.sleep(LOOK_EVERY_S)

    def overdue_s(self) -> list[float]:
        """How long those that are not there yet have waited, as far as they are late."""
        waited = [time.monotonic() - began for began in self.committed.values()]
        return [lag_s for lag_s in waited if lag_s > LONGEST_LAG_S]


async def drain(folder: Path, server: influxd.Influxd, days: float, nodes: int) -> dict[str, Any]:
    """Fills a store, starts sending, waits until the backlog is on the server. Times in s, shares of one core."""
    minutes = round(days * 1440)
    began_s = int(time.time()) // PERIOD_S * PERIOD_S
    store = Store(folder / "store.db")
    backlog = City(nodes, began_s - minutes * PERIOD_S - 2 * FRESH_S)
    points = fill(store, backlog, minutes)
    thread = ThreadPoolExecutor(1, "store")

    async def in_store(work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(thread, work, *arguments)

    uplink, reader = InfluxV1(server.url, DATABASE), InfluxV1(server.url, DATABASE)
    windows = Pipeline()
    store.note(ROLLED, backlog.start_s)  # none of its results was published
    await rebuild_windows(windows, store, began_s, in_store)
    sending = Sending(store, windows, uplink, UplinkConfig(), lambda: int(time.time()), lambda: 0.0, in_store)
    live = LiveRecords(store, windows, City(nodes, began_s), sending, in_store)
    sending.may_publish.set()
    sending.wake()
    begin, spent = time.monotonic(), (time.process_time(), server.cpu_s())
    tasks = [asyncio.create_task(work) for work in (sending.run(), live.arrive(), live.watch(reader))]
    try:
        while await in_store(_oldest_waiting, store) < began_s - FRESH_S:
            _raise_from(tasks)
            await asyncio.sleep(0.05)
        wall_s = time.monotonic() - begin
        cpu = [(now - before) / wall_s for now, before in zip((time.process_time(), server.cpu_s()), spent, strict=True)]
        await asyncio.sleep(AFTER_S)
        overdue_s = live.overdue_s()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        sending.close()
        thread.shutdown()
        store.close()
    with closing(reader):
        stored = sum(tally.points for tally in reader.tally("passages", ("count",), backlog.start_s, began_s - FRESH_S).values())
    return _result(points, stored, wall_s, cpu, [*live.lags_s, *overdue_s])


def _oldest_waiting(store: Store) -> int:
    refs = store.waiting(1)
    return refs[0].time_s if refs else 1 << 62


def _raise_from(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()


def _result(points: int, stored: int, wall_s: float, cpu: list[float], lags_s: list[float]) -> dict[str, Any]:
    rate = points / wall_s
    return {
        "points": points,
        "stored": stored,
        "wall_s": round(wall_s, 2),
        "points_per_s": round(rate),
        "live_records": len(lags_s),
        "live_lag_s": round(max(lags_s, default=0.0), 2),
        "gateway_cpu": round(cpu[0], 2),
        "server_cpu": round(cpu[1], 2),
        "ok": stored == points and rate >= SLOWEST_POINTS_PER_S and max(lags_s, default=LONGEST_LAG_S + 1) <= LONGEST_LAG_S,
    }


def run_drain(days: float, nodes: int) -> int:
    """Exit code 1 where it is too slow, a new minute waits too long, or a point is missing."""
    if influxd.find() is None:
        raise BenchError("bench-influxd")
    say(t("bench.drain-filling", points=round(days * 1440) * nodes))
    with tempfile.TemporaryDirectory(prefix="trottoir-bench-") as name, only_errors():
        server = influxd.Influxd(Path(name) / "influxd")
        server.start()
        try:
            server.create_database(DATABASE)
            result = asyncio.run(drain(Path(name), server, days, nodes))
        finally:
            server.stop()
    result["server"] = f"influxd {server.version}"
    show(result, _text(result))
    return EXIT_OK if result["ok"] else EXIT_CHECK_FAILED


def _text(result: dict[str, Any]) -> str:
    rate, slowest = decimal(result["points_per_s"]), decimal(SLOWEST_POINTS_PER_S)
    lag = decimal(result["live_lag_s"], 1)
    lines = [
        t("bench.drain-points", points=result["points"], wall_s=decimal(result["wall_s"], 1), rate=rate, slowest=slowest),
        t("bench.drain-stored", stored=result["stored"], server=result["server"]),
        t("bench.drain-lag", records=result["live_records"], lag_s=lag, longest=decimal(LONGEST_LAG_S)),
        t("bench.drain-cpu", gateway=decimal(result["gateway_cpu"], 2), server=decimal(result["server_cpu"], 2)),
    ]
    return "\n".join(lines)
