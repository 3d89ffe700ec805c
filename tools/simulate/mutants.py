"""The rules of delivery, each taken away by itself: what the simulator has to notice.

A mutant changes the real code while it is `applied`. It is one row: its name is the rule that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import streetwire
from gateway import acceptance, advertised, again, books, delivery, heard, proofs
from gateway.again import Held
from gateway.booking import Booking
from gateway.delivery import Item, Result
from gateway.errors import StoreError
from gateway.intake import Intake
from gateway.model import Q_NODE_RESET, Effect, Floor, Gap, Loss, Stream
from gateway.pipeline import Pipeline
from gateway.proofs import Place
from gateway.radio.adverts import Listener
from gateway.rolled import Minutes
from gateway.sending import Sending
from gateway.session import Session
from gateway.store import DEAD, SENT, Store
from gateway.uplink import http
from gateway.uplink.base import Answer, Outcome
from node.clock import NodeClock
from node.log import RecordLog
from node.sender import Sender
from tools.simulate.disk import SQL_MUTATIONS

Patch = Any


def _attribute(owner: object, name: str, new: object) -> Callable[[], Patch]:
    return lambda: patch.object(owner, name, new)


def _around(owner: Any, name: str, around: Callable[..., Any]) -> Callable[[], Patch]:
    """`around` gets the method that it replaces as its first argument."""
    real = getattr(owner, name)
    return lambda: patch.object(owner, name, lambda *args, **more: around(real, *args, **more))


def _sql(old: str, new: str) -> Callable[[], Patch]:
    @contextmanager
    def change() -> Iterator[None]:
        SQL_MUTATIONS.append((old, new))
        try:
            yield
        finally:
            SQL_MUTATIONS.remove((old, new))

    return change


# -- intake


async def _answer_first(self: Any, batch: Sequence[Any]) -> list[Effect]:
    effects = [effect for received in batch for effect in self._booking._session.hear(received)]
    await self._answer(effects)
    try:
        await self._booking._commit(effects)
    except StoreError:
        await self._booking.recall()
    return effects


async def _answer_always(self: Any, batch: Sequence[Any]) -> list[Effect]:
    effects = [effect for received in batch for effect in self._booking._session.hear(received)]
    with suppress(StoreError):
        await self._booking._commit(effects)
    await self._answer(effects)
    return effects


async def _session_without_streams(self: Any) -> Session:
    return Session(self._rules)


def _accept_twice(real: Any, self: Session, stream: Stream, received: Any, message: Any) -> Any:
    stream.watermark = min(stream.watermark, message.previous)
    return real(self, stream, received, message)


def _accept_with_holes(real: Any, self: Session, stream: Stream, received: Any, message: Any) -> Any:
    message.previous = min(message.previous, stream.watermark)
    return real(self, stream, received, message)


def _place_by_receipt(_stream: Stream, _record: Any, received: Any) -> tuple[int, int]:
    return received.received_ms // 60_000 * 60, 0


def _one_stream_a_node(real: Any, self: Session, node: int, incarnation: int) -> Any:
    first = next((key for key in self._streams if key[0] == node), (node, incarnation))
    return real(self, *first)


def _forgetting(is_forgotten: Callable[[int], bool]) -> Callable[..., Any]:
    """What was in a bin before gives way to what comes."""

    def grow(real: Any, self: Store, known: Any, series: Any, start_s: int, ab: int, ba: int, covered_s: int, q: int, *more: Any):
        if known is not None and is_forgotten(q):
            known = replace(known, ab=0, ba=0, covered_s=0)
        return real(self, known, series, start_s, ab, ba, covered_s, q, *more)

    return grow


# -- flags


def _only_losses(keep: Callable[[Loss], Loss | None]) -> Callable[..., Any]:
    def around(real: Any, *args: Any) -> list[Any]:
        changed = [keep(effect) if isinstance(effect, Loss) else effect for effect in real(*args)]
        return [effect for effect in changed if effect is not None]

    return around


def _an_hour_a_boot(real: Any, stream: Stream, before: Any, record: Any, place: Place, *more: Any) -> Any:
    found = real(stream, before, record, place, *more)
    if stream.last_boot not in (-1, record.boot):
        found.append(Loss(place.site or "", stream.node, "power_cut", place.bin_start, -1, place.people_in(3600)))
    return found


def _silence_goes_on(effects: Any) -> Any:
    return [effect for effect in effects if not (isinstance(effect, Gap) and effect.resolved_s)]


# -- the air


def _floors_from_zero(real: Any, self: Listener, *heard: Any) -> Any:
    for peer in self._peers.values():
        peer.floor = 0
    return real(self, *heard)


def _newest_boot(streams: Iterable[Stream], _advert: streetwire.Advert) -> Any:
    told = [(stream, state) for stream in streams for state in stream.boots.values() if state.epoch_ms]
    return max(told, key=lambda found: found[1].boot, default=None)


# -- sending


def _classified(change: Callable[[int], bool]) -> Callable[..., Answer]:
    def around(real: Any, status: int, *more: Any) -> Answer:
        return Answer(Outcome.STORED, status=status) if change(status) else real(status, *more)

    return around


async def _settle_first(self: Any) -> float:
    batch = await self._in_store(self._next_batch, 0)
    if not batch.items:
        return 0.0
    await self._in_store(self._store.settle, [ref for ref, _ in batch.items], SENT)
    result = await delivery.attempt(batch.items, self._send)
    return self._pause_after(result.stopped)


def _first_rendering(real: Any, self: Any, fresh_s: int) -> Any:
    kept = self.__dict__.setdefault("kept_lines", {})
    batch = real(self, fresh_s)
    batch.items = [(ref, kept.setdefault((ref.measurement, ref.id, ref.time_s), line)) for ref, line in batch.items]
    return batch


def _give_up(real: Any, self: Any, stopped: Answer | None) -> float:
    self.__dict__["failures"] = self.__dict__.get("failures", 0) + 1 if stopped else 0
    if self.__dict__["failures"] == 5:
        self._store.settle(self._store.waiting(5000), DEAD)
    return real(self, stopped)


async def _refuse_all(items: Sequence[Item], send: Any, *_more: Any) -> Result:
    answer = await send([line for _, line in items])
    if answer.outcome is Outcome.STORED:
        return Result(stored=[ref for ref, _ in items])
    if answer.outcome in (Outcome.REFUSED, Outcome.TOO_LARGE):
        return Result(refused=[(ref, line.decode(), answer.reason) for ref, line in items])
    return Result(stopped=answer)


def _drop_refused(real: Any, self: Store, ref: Any, _line: str, _reason: str, _now_s: int) -> None:
    self.settle([ref], DEAD)


def _without_reason(real: Any, self: Store, ref: Any, line: str, _reason: str, now_s: int) -> None:
    real(self, ref, line, "", now_s)


# -- nodes


def _free_when_sent(real: Any, self: Sender, record: Any) -> None:
    real(self, record)
    self._acked, self._in_flight = record.seq, []


def _never_again(real: Any, self: Sender, now_ms: int) -> bool:
    return real(self, now_ms) if self.acked is None else False


def _named_when_sent(real: Any, self: Sender, now_ms: int) -> Any:
    due = real(self, now_ms)
    if due is not None and due[1].bin_start:
        due[1].bin_start += max(0, now_ms // 60_000 - due[1].uptime_end_s // 60) * 60
    return due


def _log_in_memory(real: Any, self: RecordLog, *args: Any) -> None:
    real(self, *args)
    self.__dict__["first_of_boot"] = self.next_seq


def _only_this_boot(real: Any, self: RecordLog, seq: int) -> Any:
    return real(self, max(seq, self.__dict__["first_of_boot"] - 1))


def _numbers_from_one(real: Any, self: RecordLog, *args: Any) -> None:
    real(self, *args)
    self.next_seq = 1


def _boot_from_one(real: Any, self: RecordLog, *args: Any) -> None:
    real(self, *args)
    self.boot = 1


def _plain_ticks(self: NodeClock, ticks_ms: int) -> None:
    self.uptime_ms += ticks_ms - self._last_ticks
    self._last_ticks = ticks_ms


def _nothing_is_due(real: Any, self: Pipeline, now_s: int, minutes: Minutes, _since_s: int) -> None:
    real(self, now_s, minutes, now_s)


def _corrections_drained(self: Pipeline) -> None:
    for counter in (self._counter, self._revisions):
        counter.corrections()


MUTANTS: dict[str, tuple[Callable[[], Patch], ...]] = {
    "acknowledge-before-commit": (_attribute(Intake, "_take", _answer_first),),
    "acknowledge-failed-commits": (_attribute(Intake, "_take", _answer_always),),
    "restart-forgets-streams": (_attribute(Booking, "_stored_session", _session_without_streams),),
    "count-resent-records-again": (
        _around(Session, "_record", _accept_twice),
        _sql("last_boot = ?5 WHERE watermark < ?3", "last_boot = ?5"),
        _attribute(again, "held", lambda *_: Held.NO),
    ),
    "accept-out-of-order": (_around(Session, "_record", _accept_with_holes),),
    "place-by-receipt": (_attribute(acceptance, "minute_of", _place_by_receipt),),
    "ignore-incarnation": (_around(Session, "_stream", _one_stream_a_node),),
    "overwrite-bins": (_around(Store, "_grow", _forgetting(lambda _q: True)),),
    "reset-overwrites-its-bin": (_around(Store, "_grow", _forgetting(lambda q: bool(q & Q_NODE_RESET))),),
    "totals-prove-nothing": (_attribute(proofs, "hole", lambda *_: (0, 0)),),
    "totals-do-not-wrap": (_attribute(proofs, "TOTALS", 1 << 40), _attribute(heard, "_TOTALS", 1 << 40)),
    "power-cut-unflagged": (_around(proofs, "prove", _only_losses(lambda x: None if x.reason == "power_cut" else x)),),
    "power-cut-bound-too-small": (_around(proofs, "prove", _only_losses(lambda x: replace(x, bound=max(0, x.people)))),),
    "bounds-doubled": (_around(proofs, "prove", _only_losses(lambda x: replace(x, bound=2 * x.bound + 100))),),
    "each-boot-an-hour": (_around(proofs, "prove", _an_hour_a_boot),),
    "gaps-stay-open": (_around(proofs, "prove", lambda real, *args: _silence_goes_on(real(*args))),),
    "live-totals-forgotten": (_attribute(proofs, "salvage", lambda *_: None),),
    "adopted-records-count-again": (_attribute(again, "held", lambda *_: Held.NO),),
    "audit-mends-nothing": (_attribute(books, "mend", lambda *_: (0, [])),),
    "adverts-believed-again": (
        _around(Listener, "hear", _floors_from_zero),
        _attribute(advertised.OnAir, "accept", lambda _self, told: Floor(told.node, told.key_id, told.advert.counter)),
    ),
    "advert-tag-ignored": (
        _attribute(advertised, "_boot_of", _newest_boot),
        _attribute(advertised, "SLACK_S", 10_000),
    ),
    "success-is-any-200": (_around(http, "classify", _classified(lambda status: status == 200)),),
    "redirect-is-success": (_around(http, "classify", _classified(lambda status: 300 <= status < 400)),),
    "drop-on-4xx": (_around(http, "classify", _classified(lambda status: 400 <= status < 500)),),
    "drop-on-5xx": (_around(http, "classify", _classified(lambda status: status >= 500)),),
    "sent-before-the-reply": (_attribute(Sending, "send_batch", _settle_first),),
    "settle-any-revision": (_sql("AND rev = ?", "AND ? >= 0"),),
    "queue-keeps-lines": (_around(Sending, "_next_batch", _first_rendering),),
    "give-up-after-five": (_around(Sending, "_pause_after", _give_up),),
    "refuse-the-whole-batch": (_attribute(delivery, "attempt", _refuse_all),),
    "refused-lines-vanish": (_around(Store, "bury", _drop_refused),),
    "refused-without-reason": (_around(Store, "bury", _without_reason),),
    "late-minutes-revise-nothing": (_attribute(Pipeline, "_collect", _corrections_drained),),
    "a-start-forgets-results": (_around(Pipeline, "rebuild", _nothing_is_due),),
    "node-never-sends-again": (_around(Sender, "is_hello_due", _never_again),),
    "node-frees-when-sent": (_around(Sender, "sent", _free_when_sent),),
    "minute-named-when-sent": (_around(Sender, "next_record", _named_when_sent),),
    "log-in-memory": (_around(RecordLog, "__init__", _log_in_memory), _around(RecordLog, "next_after", _only_this_boot)),
    "boot-not-kept": (_around(RecordLog, "__init__", _boot_from_one),),
    "numbers-start-again": (_around(RecordLog, "__init__", _numbers_from_one),),
    "flash-crc-unchecked": (_attribute(RecordLog, "_is_sealed_by", lambda self, _owner: bytes(self._entry) != b"\xff" * 32),),
    "frame-crc-unchecked": (_attribute(streetwire, "crc32", lambda *_: 0),),
    "ticks-do-not-wrap": (_attribute(NodeClock, "advance", _plain_ticks),),
}


@contextmanager
def applied(name: str) -> Iterator[None]:
    """The mutant lives while the block runs. KeyError where there is none of that name."""
    with ExitStack() as stack:
        for change in MUTANTS[name]:
            stack.enter_context(change())
        yield
