"""What nodes without a cable cost the gateway, and how long a day of backlog takes, over the virtual air.

Theory of operation
    share    a city's nodes advertise every 2 s, a new content every 10 s, past bleak into the whole gateway. It has run for an
             hour before the measured time begins, and within the next it speaks to each node once. Processor time over simulated
             time is the share of one core. The same nodes without a gateway, heard by an adapter for nobody, are the stand-in:
             radios, packets, the nodes' own work. The difference is the gateway's: bleak, its own rooms, the store, the uplink;
             and the stand-in's part in connections, of which there are none where nobody wants any.
    backlog  one node holds a day of records, and the gateway has just been started. Seconds on the air's clock until all of them
             are committed: hearing the node, connecting and proving keys included.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK
from gateway.model import PERIOD_S
from gateway.store import FLOOR
from tools.air.contact import INTERVAL_S
from tools.bench.air import AirCity
from tools.bench_city import City, only_errors
from tools.street.loop import JumpingClock, StreetLoop
from tools.terminal import decimal, percent, say, show, t

NOW_S = 1_800_000_000  # a full hour, UTC
KNOWN_SINCE_S = 600  # the nodes of the share began to count so long before
WARM_S = 3600
DAY_RECORDS = 1440
INTERVALS_S = (0.015, INTERVAL_S, 0.050)
MOST_SHARE = 0.15  # of one core
LONGEST_BACKLOG_S = 60.0
PATIENCE_S = 7200  # of simulated time
LOOK_S = 0.05
TOLD = ("nodes", "minutes", "adverts", "contents", "conversations", "records")
T = TypeVar("T")


def on_air(city: City, scenario: Callable[[AirCity, Path], Coroutine[Any, Any, T]], interval_s: float = INTERVAL_S) -> T:
    """Puts the city up in a folder of its own and plays the scenario."""
    clock = JumpingClock()

    async def play(folder: Path) -> T:
        there = AirCity(folder, city, NOW_S, clock, interval_s)
        await there.put_up()
        try:
            return await scenario(there, folder / "state" / "store.db")
        finally:
            await there.close()

    with (
        tempfile.TemporaryDirectory(prefix="trottoir-bench-") as folder,
        closing(clock),
        asyncio.Runner(loop_factory=lambda: StreetLoop(clock)) as runner,
    ):
        return runner.run(play(Path(folder)))


async def _until_committed(path: Path, nodes: int, records: int) -> None:
    """Until the store holds so many records of each of so many nodes."""
    with closing(sqlite3.connect(path)) as store:
        async with asyncio.timeout(PATIENCE_S):
            while _number(store, "SELECT count(*) FROM streams WHERE watermark >= ?", records) < nodes:
                await asyncio.sleep(LOOK_S)


def _number(store: sqlite3.Connection, query: str, *values: int | str) -> int:
    return store.execute(query, values).fetchone()[0]


# -- the share of a core


def share(nodes: int, minutes: int) -> dict[str, Any]:
    """So many simulated minutes with the gateway, and as many of the stand-in alone."""
    city = City(nodes, NOW_S - KNOWN_SINCE_S)

    async def with_gateway(there: AirCity, path: Path) -> dict[str, Any]:
        service = await there.start_gateway()
        await asyncio.sleep(WARM_S)
        await _until_committed(path, nodes, KNOWN_SINCE_S // PERIOD_S)  # also where there are too many of them for an hour
        (driver,) = service.drivers.values()
        with closing(sqlite3.connect(path)) as store:
            before = Counter(conversations=driver.stats.conversations, **_in_store(store))
            spent = await _spent(there, minutes)
            after = Counter(conversations=driver.stats.conversations, **_in_store(store))
        after.subtract(before)
        return spent | after

    async def alone(there: AirCity, _path: Path) -> dict[str, Any]:
        await there.listen_only()
        await asyncio.sleep(PERIOD_S)
        return await _spent(there, minutes)

    found, stand_in = on_air(city, with_gateway), on_air(city, alone)
    ours = found["share"] - stand_in["share"]
    us_per_advert = ours * minutes * PERIOD_S * 1e6 / found["adverts"]
    return {
        "nodes": nodes, "minutes": minutes, **found, "stand_in": stand_in["share"], "gateway": round(ours, 4),
        "us_per_advert": round(us_per_advert, 1),
    }  # fmt: skip


def _in_store(store: sqlite3.Connection) -> dict[str, int]:
    """Contents of adverts that were believed and booked (counters rise by one with each), and records."""
    return {
        "contents": _number(store, "SELECT coalesce(sum(value), 0) FROM meta WHERE name LIKE ?", FLOOR + "%"),
        "records": _number(store, "SELECT count(*) FROM bins"),
    }


async def _spent(there: AirCity, minutes: int) -> dict[str, Any]:
    adverts, begin_s = there.air.adverts_sent, time.process_time()
    await asyncio.sleep(minutes * PERIOD_S)
    cpu_s = time.process_time() - begin_s
    return {"adverts": there.air.adverts_sent - adverts, "share": round(cpu_s / (minutes * PERIOD_S), 4)}


# -- a day of backlog


def backlog(records: int, interval_s: float) -> dict[str, Any]:
    """So many records of one node, at this interval between connection events."""
    city = City(1, NOW_S - records * PERIOD_S)

    async def fetch(there: AirCity, path: Path) -> float:
        await asyncio.sleep(PERIOD_S / 2)  # within a minute, so that none is closed meanwhile
        begin_ms = there.clock()
        await there.start_gateway()
        await asyncio.sleep(LOOK_S)
        await _until_committed(path, 1, records)
        return (there.clock() - begin_ms) / 1000

    return {"interval_ms": round(interval_s * 1000), "records": records, "took_s": round(on_air(city, fetch, interval_s), 1)}


# -- what is said


def measure(nodes: int, minutes: int) -> dict[str, Any]:
    say(t("bench.air-playing", minutes=minutes, nodes=nodes, intervals=len(INTERVALS_S)))
    found = share(nodes, minutes)
    backlogs = [backlog(DAY_RECORDS, interval_s) for interval_s in INTERVALS_S]
    is_quick = all(row["took_s"] <= LONGEST_BACKLOG_S for row in backlogs)
    return {**found, "backlog": backlogs, "ok": found["share"] <= MOST_SHARE and is_quick}


def run_bench(nodes: int, minutes: int) -> int:
    """Exit code 1 where the share, stand-in included, or the time of a backlog is beyond its goal."""
    with only_errors():
        result = measure(nodes, minutes)
    show(result, _text(result))
    return EXIT_OK if result["ok"] else EXIT_CHECK_FAILED


def _text(result: dict[str, Any]) -> str:
    whole, stand_in, gateway = (percent(result[name], 1) for name in ("share", "stand_in", "gateway"))
    lines = [
        t("bench.air-run", **{name: result[name] for name in TOLD}),
        t("bench.air-share", share=whole, most=percent(MOST_SHARE)),
        t("bench.air-parts", stand_in=stand_in, gateway=gateway, us=decimal(result["us_per_advert"])),
    ]
    for row in result["backlog"]:
        took_s, most = decimal(row["took_s"], 1), decimal(LONGEST_BACKLOG_S)
        lines.append(t("bench.air-backlog", records=row["records"], interval_ms=row["interval_ms"], took_s=took_s, most=most))
    return "\n".join(lines)
