"""A long time in a short one: what a gateway needs and writes day after day, on simulated time.

Theory of operation
    Session, store, pipeline, sending and auditing are the real ones, with the store on a real disk; the clock and the server are
    not. Every simulated minute brings each node's live totals and record, then a gateway's own minute, and everything that waits is
    sent. Records come as on a street whose nodes all close their minute in the same second, of which the intake makes two commits:
    the first record, and all others a second later. The server is a stand-in that keeps nothing and confirms all; asked for sums,
    it says what the books say. Every hour the newest day is audited and the ledger written, every day old rows go.
    Three things are shortened: one live message a minute instead of six, an audit an hour instead of four, of a day instead of all
    days. What is written is counted by the operating system (Linux).
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from gateway import audits, books, keeping
from gateway.auditing import Auditing
from gateway.config import UplinkConfig
from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK
from gateway.model import PERIOD_S, Effect, GiveTime, Note, Received, Reply, node_name
from gateway.outbox import ROLLED
from gateway.pipeline import Pipeline
from gateway.sending import Sending
from gateway.session import Session
from gateway.store import Store
from gateway.uplink.base import Answer, Outcome, Row, Tallies, Uplink
from tools.bench_city import NODE, BenchError, City, only_errors
from tools.terminal import decimal, say, show, t

START_S = 1_800_057_600  # a midnight
HOUR_S, DAY_S = 3600, 86_400
LIVE_SECOND = 50  # of each minute
SAMPLES = 400  # at most, and at most one an hour
MONTH_DAYS = 30
WARM_SHARE = 0.25  # of the time, until which memory may grow
MOST = {"rss_mb_per_day": 1.0, "written_mb_per_day": 300.0, "more_files": 0}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sample:
    """The process at a moment of simulated time."""

    day: float
    rss_mb: float
    files: int
    written_mb: float
    store_mb: float


class Nowhere:
    """The stand-in for a server: keeps nothing, confirms everything."""

    is_local = False
    points = 0

    def __init__(self, store: Store) -> None:
        self._store = store

    def send(self, lines: Sequence[bytes]) -> Answer:
        self.points += len(lines)
        return Answer(Outcome.STORED, status=204)

    def read(self, _measurement: str, _start_s: int, _end_s: int) -> list[Row]:
        return []

    def tally(self, measurement: str, _fields: Sequence[str], start_s: int, end_s: int) -> Tallies:
        found = books.tally(self._store, measurement, start_s, end_s)
        return {key: book.tally for key, book in found.items() if book.tally.points}

    def close(self) -> None:
        """There is nothing to close."""


class Gateway:
    """What the service composes, without ports and page, on a clock that `minute` moves."""

    def __init__(self, folder: Path, city: City) -> None:
        self.store = Store(folder / "store.db")
        self.server = Nowhere(self.store)
        self._city = city
        self._session = Session(city.rules)
        self._pipeline = Pipeline()
        self.store.note(ROLLED, city.start_s)
        self._now_s = city.start_s
        uplink: Uplink = self.server  # type: ignore[assignment]  # as much of one as is asked
        settings = UplinkConfig(retention_days=1)
        names = {node_name(NODE + node) for node in range(city.nodes)}
        self._sending = Sending(self.store, self._pipeline, uplink, settings, self._clock, lambda: 0.0, self._in_store)
        self._auditing = Auditing(
            self.store, uplink, settings, "bench", names, self._clock, self._in_store, self._in_store,
            lambda found: audits.keep(folder, found),
        )  # fmt: skip
        self._take(city.hellos())

    def _clock(self) -> int:
        return self._now_s

    async def _in_store(self, work: Callable[..., T], *arguments: Any) -> T:
        return work(*arguments)

    async def minute(self, number: int) -> None:
        """The minute with this number, and what follows its end."""
        self._now_s = self._city.start_s + number * PERIOD_S + LIVE_SECOND
        for node in range(self._city.nodes):
            self._take([self._city.live(node, number, LIVE_SECOND)])
        self._now_s = self._city.start_s + (number + 1) * PERIOD_S
        self._pipeline.advance(self._now_s)
        self._commit(self._session.check_silence(self._now_s))
        self._note_status()
        first, *rest = self._city.minute(number)
        self._take([first])
        self._take(rest)
        while await self._sending.send_batch():
            pass
        if self._now_s % HOUR_S == 0:
            await self._auditing.round()
        if self._now_s % DAY_S == 0:
            keeping.forget(self.store, self._now_s)

    def _take(self, batch: Sequence[Received]) -> None:
        self._commit([effect for received in batch for effect in self._session.hear(received)])

    def _commit(self, effects: Sequence[Effect]) -> None:
        kept = [effect for effect in effects if not isinstance(effect, (Reply, GiveTime, Note))]
        if kept:
            self._pipeline.update(self.store.commit(kept, self._now_s))

    def _note_status(self) -> None:
        waiting, _, dead = self.store.outbox_state()
        fields: dict[str, int | float | str] = {
            "outbox_points": waiting, "outbox_age_s": 0, "dead_letters": dead, "disk_free_mb": 9999,
        }  # fmt: skip
        self.store.add_gateway_status("bench", self._now_s, fields, self._pipeline.rolled_s)

    def close(self) -> None:
        self._sending.close()
        self._auditing.close()
        self.store.close()


async def soak(folder: Path, days: float, nodes: int, tell: Callable[[Sample], None]) -> dict[str, Any]:
    """So many simulated days; `tell` gets the first sample and one for each month. MB are 10**6 bytes."""
    minutes = max(1, round(days * DAY_S / PERIOD_S))
    every = max(HOUR_S // PERIOD_S, -(-minutes // SAMPLES))
    with closing(Gateway(folder, City(nodes, START_S))) as gateway:
        samples = [_sample(gateway.store, 0)]
        tell(samples[0])
        for number in range(minutes):
            await gateway.minute(number)
            if (number + 1) % every == 0 or number + 1 == minutes:
                samples.append(_sample(gateway.store, number + 1))
            if (number + 1) * PERIOD_S % (MONTH_DAYS * DAY_S) == 0:
                tell(_sample(gateway.store, number + 1))
        return _result(samples, nodes, gateway.server.points)


def _sample(store: Store, minutes: int) -> Sample:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    files = len(list(Path("/proc/self/fd").iterdir()))
    size = sum(path.stat().st_size for path in store.path.parent.glob("store.db*"))
    return Sample(minutes * PERIOD_S / DAY_S, pages * os.sysconf("SC_PAGESIZE") / 1e6, files, written_b() / 1e6, size / 1e6)


def _result(samples: list[Sample], nodes: int, points: int) -> dict[str, Any]:
    first, last = samples[0], samples[-1]
    warm = [sample for sample in samples if sample.day >= last.day * WARM_SHARE]
    slope = statistics.linear_regression([s.day for s in warm], [s.rss_mb for s in warm]).slope if len(warm) > 1 else 0.0
    result: dict[str, Any] = {
        "days": round(last.day, 3),
        "nodes": nodes,
        "points": points,
        "rss_mb": [round(first.rss_mb, 1), round(last.rss_mb, 1)],
        "rss_mb_per_day": round(slope, 4),
        "more_files": last.files - warm[0].files,
        "written_mb_per_day": round((last.written_mb - first.written_mb) / last.day, 1),
        "store_mb": round(last.store_mb, 1),
    }
    return {**result, "ok": all(result[name] <= most for name, most in MOST.items())}


def written_b() -> int:
    """What this process has given to disks so far (Linux)."""
    told = Path("/proc/self/io").read_text(encoding="ascii")
    return int(told.partition("\nwrite_bytes: ")[2].split()[0])


def run_soak(days: float, nodes: int) -> int:
    """Exit code 1 where memory, open files or what is written each day grow beyond their goals."""
    if not Path("/proc/self/io").exists():
        raise BenchError("bench-system")

    def tell(sample: Sample) -> None:
        numbers = {name: decimal(value, 1) for name, value in asdict(sample).items()}
        say(t("bench.soak-sample", **{**numbers, "day": decimal(sample.day), "files": sample.files}))

    with tempfile.TemporaryDirectory(prefix="trottoir-bench-") as folder, only_errors():
        result = asyncio.run(soak(Path(folder), days, nodes, tell))
    show(result, _text(result))
    return EXIT_OK if result["ok"] else EXIT_CHECK_FAILED


def _text(result: dict[str, Any]) -> str:
    begin, end = (decimal(value, 1) for value in result["rss_mb"])
    slope, most = decimal(result["rss_mb_per_day"], 3), decimal(MOST["rss_mb_per_day"], 1)
    lines = [
        t("bench.soak-run", days=decimal(result["days"], 2), nodes=result["nodes"], points=result["points"]),
        t("bench.soak-rss", begin=begin, end=end, slope=slope, most=most),
        t("bench.soak-files", files=result["more_files"]),
        t("bench.soak-written", written=decimal(result["written_mb_per_day"], 1), most=decimal(MOST["written_mb_per_day"])),
        t("bench.soak-store", store=decimal(result["store_mb"], 1)),
    ]
    return "\n".join(lines)
