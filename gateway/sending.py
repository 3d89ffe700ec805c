"""From the outbox to the server, one batch at a time, so that the order there is ours.

Theory of operation
    `wake` says that points may wait. Then points get a moment to find company, and batches go out until none is left. What a
    server's answer means is decided in `delivery`; here it is carried out: settled, buried, or kept with a pause. Work on the
    store and on the network is done in one worker thread each.
    Rolling results that have just ended fill what bins and facts leave of a batch. Older ones, which are made anew of the store's
    bins, go alone, a day of one series at a time, where nothing else waits. A server that takes none of those proves that it is at
    work with a point that it has taken before. What is too old for it is dropped then, and with it whatever is older still, of all
    series; for any other reason the series waits (`unwanted`) while others go on, since bins are there to make it of again.
    Before points are sent it is noted that a server may take them, and noted again when it cannot have. Where nobody was
    reached, the next attempts are empty batches, which need no note: with one a second, notes alone would be 1.4 GB a day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from gateway import delivery, keeping, pipeline, rolled, schema
from gateway.config import UplinkConfig
from gateway.delivery import Backoff, BatchSize, Item, Refusal
from gateway.due import Ends
from gateway.errors import StoreError
from gateway.model import Q_SIMULATED, OutboxRef, Point, Series
from gateway.pipeline import Pipeline
from gateway.rolled import Rolled
from gateway.shown import Trouble
from gateway.store import SENT, SUPPRESSED, Store
from gateway.store_thread import InStore
from gateway.uplink.base import Answer, Outcome, Uplink

DISK_PAUSE_S = 5
SAY_AGAIN_S = 300  # while the same trouble lasts
FRESH_S = 600  # newer points go before a backlog
UNWANTED = 16  # older results that are refused in a row from the first one on: then so are those behind them
UNWANTED_S = 600  # until those of this series are tried again

_log = structlog.get_logger("gateway")


class Sending:
    """`run` for ever, while it `may_publish`; `close` after it was cancelled. `windows` are where rolling results come from.
    `trouble` is None while the server takes what it gets."""

    def __init__(
        self, store: Store, windows: Pipeline, uplink: Uplink, settings: UplinkConfig, now_s: Callable[[], int],
        jitter: Callable[[], float], in_store: InStore,
    ) -> None:  # fmt: skip
        self._store = store
        self._windows = windows
        self._uplink = uplink
        self._settings = settings
        self._now_s = now_s
        self._in_store = in_store
        self._work = asyncio.Event()
        self.may_publish = asyncio.Event()
        self._backoff = Backoff(jitter)
        self._size = BatchSize(settings.batch_points)
        self._thread = ThreadPoolExecutor(1, "uplink")
        self._may_be_taken = False  # something of what was sent last, whatever was answered
        self._is_out_of_reach = False
        self._taken_before: OutboxRef | None = None  # of what was taken last, and is no result
        self._refused_until_s = 0  # results that end until then the server has called too old
        self._too_old = 0  # ends that were dropped for that, and not said yet
        self._unwanted: dict[Series, Trouble] = {}
        self._stopped: Trouble | None = None
        self._said_s = 0

    @property
    def trouble(self) -> Trouble | None:
        return self._stopped or next(iter(self._unwanted.values()), None)

    def wake(self) -> None:
        """There may be something to send."""
        self._work.set()

    async def run(self) -> None:
        while True:
            await self.may_publish.wait()
            self._work.clear()  # what an earlier run has left needs no company
            try:
                while pause_s := await self.send_batch():
                    await asyncio.sleep(max(0.0, pause_s))
                    await self.may_publish.wait()  # a store that was healed meanwhile asks the server first
            except StoreError as error:
                _log.error("outbox not readable", problem=error.line())
                await asyncio.sleep(DISK_PAUSE_S)
                self._work.set()
            await self._work.wait()
            await asyncio.sleep(self._settings.batch_wait_s)

    async def send_batch(self) -> float:
        """One batch. Seconds to wait before the next one (below zero: none), 0.0 when nothing is left to send."""
        if self._is_out_of_reach:
            knocked = await self._send(())
            self._is_out_of_reach = knocked.is_undelivered
            if self._is_out_of_reach:
                return self._pause_after(knocked)
        batch = await self._in_store(self._next_batch, self._now_s() - FRESH_S)
        results = await self._take_results(batch)
        if not batch.size and results is None:
            return 0.0
        try:
            stopped = await self._deliver(batch, results or {})
        except BaseException:
            self._windows.give_back()
            raise
        self._size.take(stopped)
        return self._pause_after(stopped)

    async def _take_results(self, batch: _Batch) -> dict[OutboxRef, Rolled] | None:
        """Rolling results for what is left of a batch, rendered into it; None where none is due."""
        newest = self._windows.take_newest(self._size.points - batch.size)
        older = self._take_older() if not batch.size and not newest else []
        if not newest and not older:
            return None
        batch.older = older[0].series if older else None
        wanted = [ends for taken in older if (ends := taken.after(self._refused_until_s)) is not None]
        try:
            results = await self._in_store(self._render_results, batch, newest, wanted)
        except BaseException:
            self._windows.give_back()
            raise
        batch.too_old = sum(map(len, older)) - sum(map(len, wanted))
        return results

    def _take_older(self) -> list[Ends]:
        """What is due of a series that is not unwanted now."""
        if self._unwanted:
            due = self._windows.series_due()
            self._unwanted = {series: trouble for series, trouble in self._unwanted.items() if series in due}
        now_s = self._now_s()  # a clock may have been put back
        unwanted = {series for series, trouble in self._unwanted.items() if 0 < trouble.next_try_s - now_s <= UNWANTED_S}
        older = self._windows.take_older(self._size.points, unwanted)
        if not older:
            if self._too_old:
                _log.warning("older results dropped", ends=self._too_old, reason="beyond the server's retention")
            self._refused_until_s = self._too_old = 0
        return older

    async def _deliver(self, batch: _Batch, results: dict[OutboxRef, Rolled]) -> Answer | None:
        """Sends a batch and carries out what the answer means; why it ended early, None where every line found its place."""
        if batch.withheld:
            await self._in_store(self._store.settle, batch.withheld, SUPPRESSED)
        if not batch.items and not batch.unfit:  # nothing of it may leave, or what was due holds nobody or is too old
            self._windows.done()
            self._too_old += batch.too_old
            return None
        was_in_contact = await self._in_store(keeping.make_contact, self._store)
        self._may_be_taken = False
        most_refused = UNWANTED if batch.older else None
        result = await delivery.attempt(batch.items, self._send, self._is_at_work, most_refused)
        self._is_out_of_reach = result.stopped is not None and result.stopped.is_undelivered
        if not self._may_be_taken:
            await self._in_store(keeping.end_contact, self._store, self._now_s() if was_in_contact else 0)
        stored = [ref for ref in result.stored if ref not in results]
        self._taken_before = max(stored, key=lambda ref: ref.time_s, default=self._taken_before)
        await self._in_store(self._store.settle, stored, SENT)
        _log.debug("points sent", stored=len(result.stored), refused=len(result.refused))
        dropped = result.too_old & results.keys()
        self._too_old += batch.too_old + len(dropped)
        self._refused_until_s = max([self._refused_until_s, *(ref.time_s for ref in dropped)])
        refused = (*batch.unfit, *result.refused)
        await self._bury([refusal for refusal in refused if refusal[0] not in dropped])
        settled = {*result.stored, *(ref for ref, *_ in refused)}
        self._windows.done(missing for ref, missing in results.items() if ref not in settled)
        if batch.older and not result.stopped:
            self._judge(batch.older, result.unwanted)
        return result.stopped

    async def _bury(self, refused: Sequence[Refusal]) -> None:
        for ref, line, reason in refused:
            _log.error("point refused", line=line, reason=reason)
            await self._in_store(self._store.bury, ref, line, reason, self._now_s())

    def _judge(self, series: Series, reason: str) -> None:
        """Whether the server, which is at work, does not want the older results of a series, and why."""
        known = self._unwanted.pop(series, None)
        if reason:
            now_s = self._now_s()
            self._unwanted[series] = Trouble(reason, known.since_s if known else now_s, now_s + UNWANTED_S)
            _log.error("server takes no older results", site=series.site, node=series.node, reason=reason, next_try_s=UNWANTED_S)

    async def _is_at_work(self) -> bool:
        """Whether the server takes again what it has taken before, as it is now."""
        if self._taken_before is None:
            return False
        proof = await self._in_store(self._rendered, [self._taken_before])
        return bool(proof.items) and (await self._send([line for _, line in proof.items])).outcome is Outcome.STORED

    async def _send(self, lines: Sequence[bytes]) -> Answer:
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._thread, self._uplink.send, lines)
        except Exception as error:  # a mistake of ours, and no reason to stop counting
            _log.exception("uplink failed", problem=repr(error))
            answer = Answer(Outcome.RETRY, type(error).__name__)
        self._may_be_taken = self._may_be_taken or not answer.is_undelivered
        return answer

    def _pause_after(self, stopped: Answer | None) -> float:
        if stopped is None:
            self._backoff.succeeded()
            self._stopped = None
            return -1.0
        pause_s = self._backoff.failed(stopped)
        now_s = self._now_s()
        since_s = self._stopped.since_s if self._stopped else now_s
        is_news = self._stopped is None or self._stopped.reason != stopped.reason or now_s - self._said_s >= SAY_AGAIN_S
        self._stopped = Trouble(stopped.reason, since_s, now_s + round(pause_s), stopped.told)
        if is_news:
            self._said_s = now_s
            level = "error" if stopped.outcome is Outcome.HOLD else "warning"
            getattr(_log, level)("server takes nothing", reason=stopped.reason, next_try_s=round(pause_s, 1))
        return pause_s

    def _next_batch(self, fresh_s: int) -> _Batch:
        # In the store's thread, with no commit between: bins as they are at the moment of sending, behind all flagged so far.
        return self._rendered(self._store.waiting(self._size.points, fresh_s))

    def _rendered(self, refs: Iterable[OutboxRef]) -> _Batch:
        batch = _Batch(set() if self._uplink.is_local else self._store.simulated_nodes())
        for ref in refs:
            point = None if ref.tags.get("node") in batch.simulated else _point(self._store, ref)
            if point is None or (not self._uplink.is_local and _is_simulated(point)):
                batch.withheld.append(ref)
            else:
                batch.render(ref, point)
        return batch

    def _render_results(self, batch: _Batch, newest: list[Rolled], older: list[Ends]) -> dict[OutboxRef, Rolled]:
        # In the store's thread. What nobody has counted in is no result.
        found = list(newest)
        if older:
            bins = self._store.count_bins_of(older[0].series, *rolled.span_of(older))
            found += rolled.made_of(older, bins, keeping.known_from(self._store))
        results: dict[OutboxRef, Rolled] = {}
        for result in found:
            if result.series.node not in batch.simulated and (result.covered_s or result.ab + result.ba):
                point = rolled.point_of(result)
                ref = OutboxRef(self._store.series_id(result.series), point.measurement, point.tags, point.time_s, result.rev)
                batch.render(ref, point)
                results[ref] = result
        return results

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)  # a server that is silent keeps nobody from stopping
        self._uplink.close()


class _Batch:
    """What goes out together. What is not to be sent, and what the schema refuses (with the reason), comes apart."""

    def __init__(self, simulated: set[str]) -> None:
        self.simulated = simulated  # nodes of which nothing leaves this machine
        self.items: list[Item] = []
        self.older: Series | None = None  # whose older results these are, and nothing else
        self.too_old = 0  # of these, results that were not made since the server has called such ones too old
        self.withheld: list[OutboxRef] = []
        self.unfit: list[tuple[OutboxRef, str, str]] = []

    @property
    def size(self) -> int:
        return len(self.items) + len(self.withheld) + len(self.unfit)

    def render(self, ref: OutboxRef, point: Point) -> None:
        try:
            self.items.append((ref, schema.render(point)))
        except schema.SchemaError as error:
            self.unfit.append((ref, repr(point), str(error)))


def _is_simulated(point: Point) -> bool:
    q = point.fields.get("q", 0)
    return isinstance(q, int) and bool(q & Q_SIMULATED)


def _point(store: Store, ref: OutboxRef) -> Point | None:
    if ref.measurement in ("passages", "climate"):
        series = Series(ref.tags["site"], ref.tags["node"], ref.tags["sensor"])
        if ref.measurement == "passages":
            counted = store.count_bin(series, ref.time_s)
            return pipeline.passages_point(counted) if counted else None
        climate = store.climate_bin(series, ref.time_s)
        return pipeline.climate_point(climate) if climate else None
    fields = store.facts(ref)
    return pipeline.fact_point(ref, fields) if fields else None
