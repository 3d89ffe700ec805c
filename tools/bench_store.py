"""What the store can bear: records a second in group commits, against what one would write without it, in one run and on one disk.

The peers are the same store with a commit per record, the smallest SQLite program that keeps a row safe (insert, commit), and the
smallest program of all: append a line of text, fdatasync. All of them are safe after a power cut, and only the store also knows a
duplicate, adds up bins and remembers what waits to be sent. Turns alternate, so that whatever else the machine does falls on all
alike. Then what a start and a backlog cost: reading 48 hours for the windows, and finding, rendering and settling points.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count, islice
from pathlib import Path
from typing import Any

from gateway import pipeline, schema
from gateway.config import Config
from gateway.delivery import MAX_LINES
from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK
from gateway.intake import BATCH
from gateway.keeping import used_b
from gateway.model import PERIOD_S, Effect, GiveTime, Note, Reply, Series
from gateway.pipeline import RING_S, Pipeline
from gateway.session import Session
from gateway.store import SENT, Store
from gateway.tables import PAGE_B
from tools.bench_city import City
from tools.bench_drain import fill
from tools.terminal import decimal, show, t

NODES = 50
SERIES = 100
TURNS = 4
START_S = 1_800_000_000
SLOW_SHARE = 10  # who syncs each record gets a tenth of them
LEAST = {"single": 3.0, "sqlite": 1.5}  # times as fast as these, or something is wrong
Heard = list[list[Effect]]  # the effects of each record


class Contender:
    """`rate` is records per second over all its turns."""

    def __init__(self, keep: Callable[[Heard], None]) -> None:
        self._keep = keep
        self._records = 0
        self._spent_s = 0.0

    def turn(self, heard: Heard) -> None:
        begin = time.perf_counter()
        self._keep(heard)
        self._spent_s += time.perf_counter() - begin
        self._records += len(heard)

    @property
    def rate(self) -> float:
        return self._records / self._spent_s


def hear(city: City) -> Iterator[list[Effect]]:
    """What a session decides, record by record, minute by minute; it knows the nodes."""
    session = Session(city.rules)
    introduce(city, session)
    for number in count():
        for said in city.minute(number):
            yield _kept(session.hear(said))


def introduce(city: City, session: Session) -> list[Effect]:
    return [effect for said in city.hellos() for effect in _kept(session.hear(said))]


def _kept(effects: list[Effect]) -> list[Effect]:
    return [effect for effect in effects if not isinstance(effect, (Reply, GiveTime, Note))]


def into_store(store: Store, at_once: int) -> Callable[[Heard], None]:
    """Group commits, as the service makes them."""

    def keep(heard: Heard) -> None:
        for first in range(0, len(heard), at_once):
            store.commit([effect for effects in heard[first : first + at_once] for effect in effects], START_S)

    return keep


def into_sqlite(database: sqlite3.Connection) -> Callable[[Heard], None]:
    """What one would write first: a row for each record, and a commit."""
    database.execute(f"PRAGMA page_size = {PAGE_B}")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE records(at INTEGER, value TEXT)")

    def keep(heard: Heard) -> None:
        for effects in heard:
            database.execute("BEGIN")
            database.execute("INSERT INTO records VALUES(?,?)", (START_S, line_of(effects)))
            database.execute("COMMIT")

    return keep


def into_lines(file: int) -> Callable[[Heard], None]:
    """A line of text for each record, on the disk before the next one."""
    sync = getattr(os, "fdatasync", os.fsync)  # macOS and Windows have the other only

    def keep(heard: Heard) -> None:
        for effects in heard:
            os.write(file, f"{line_of(effects)}\n".encode())
            sync(file)

    return keep


def line_of(effects: list[Effect]) -> str:
    record = effects[-1].record  # type: ignore[union-attr]  # an Accept comes last
    return f"{record.seq},{record.bin_start},{record.d_ab},{record.d_ba},{record.total_ab},{record.total_ba}"


@contextmanager
def contenders(folder: Path, city: City) -> Iterator[dict[str, Contender]]:
    with (
        closing(Store(folder / "group.db")) as group,
        closing(Store(folder / "single.db")) as single,
        closing(sqlite3.connect(folder / "sqlite.db", isolation_level=None)) as database,
        (folder / "lines.csv").open("ab", buffering=0) as lines,
    ):
        for store in (group, single):
            store.commit(introduce(city, Session(city.rules)), START_S)
        yield {
            "group": Contender(into_store(group, BATCH)),
            "single": Contender(into_store(single, 1)),
            "sqlite": Contender(into_sqlite(database)),
            "lines": Contender(into_lines(lines.fileno())),
        }


def commit_rates(folder: Path, records: int) -> dict[str, float]:
    """Records per second of each contender."""
    city = City(NODES, START_S)
    with contenders(folder, city) as found:
        streams = {name: hear(city) for name in found}
        for _ in range(TURNS):
            for name, contender in found.items():
                share = records if name == "group" else records // SLOW_SHARE
                contender.turn(list(islice(streams[name], share // TURNS)))
        return {name: contender.rate for name, contender in found.items()}


def bytes_per_minute(folder: Path) -> float:
    """What a minute of a node, counts and climate, takes in the store of the group commits while it waits to be sent."""
    with closing(Store(folder / "group.db")) as store:
        ((minutes,),) = store.read("SELECT count(*) FROM bins")
        return used_b(store) / minutes


def costs(folder: Path) -> dict[str, float]:
    """Of a store with all minutes that the rolling windows of SERIES are made of: s for a start, us per point for sending."""
    with closing(Store(folder / "windows.db")) as store:
        minutes = fill(store, City(SERIES, START_S), RING_S // PERIOD_S)
        begin = time.perf_counter()
        Pipeline().rebuild(START_S + RING_S, store.minutes_since(START_S, START_S + RING_S, START_S), START_S + RING_S)
        rebuilt = time.perf_counter()
        refs = store.waiting(MAX_LINES)
        for ref in refs:
            found = store.count_bin(Series(**ref.tags), ref.time_s)
            assert found is not None, "it waits, so it is there"
            schema.render(pipeline.passages_point(found))
        rendered = time.perf_counter()
        store.settle(refs, SENT)
        settled = time.perf_counter()
    per_point = 1e6 / len(refs)
    return {
        "minutes": minutes,
        "rebuild_s": round(rebuilt - begin, 2),
        "render_us": round((rendered - rebuilt) * per_point, 1),
        "settle_us": round((settled - rendered) * per_point, 1),
    }


def measure(folder: Path, records: int) -> dict[str, Any]:
    rates = commit_rates(folder, records)
    ratios = {name: round(rates["group"] / rates[name], 2) for name in rates if name != "group"}
    return {
        "records": records,
        "records_per_s": {name: round(rate) for name, rate in rates.items()},
        "ratios": ratios,
        "bytes_per_minute": round(bytes_per_minute(folder)),
        **costs(folder),
        "ok": all(ratios[name] >= least for name, least in LEAST.items()),
    }


def run_bench(records: int, settings: Config) -> int:
    """On the disk of the state folder where that is there, else where temporary files are."""
    state = settings.gateway.state_dir
    home = state if os.access(state, os.W_OK) else Path(tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix="trottoir-bench-", dir=home) as folder:
        result = {"disk": str(home), **measure(Path(folder), records)}
    show(result, _text(result))
    return EXIT_OK if result["ok"] else EXIT_CHECK_FAILED


def _text(result: dict[str, Any]) -> str:
    lines = [t("bench.store-disk", disk=result["disk"])]
    for name, rate in result["records_per_s"].items():
        ratio = decimal(result["ratios"].get(name, 1.0), 1)
        lines.append(t("bench.row", what=t(f"bench.store-{name}", batch=BATCH), rate=decimal(rate), ratio=ratio))
    least = {name: decimal(value, 1) for name, value in LEAST.items()}
    lines.append(t("bench.store-least", **least))
    lines.append(t("bench.store-bytes", bytes=result["bytes_per_minute"]))
    lines.append(t("bench.store-rebuild", minutes=result["minutes"], seconds=decimal(result["rebuild_s"], 2)))
    lines.append(t("bench.store-points", render=decimal(result["render_us"], 1), settle=decimal(result["settle_us"], 1)))
    return "\n".join(lines)
