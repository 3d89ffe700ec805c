"""From the links to the books, and the answers back: nothing is acknowledged before its commit.

Theory of operation
    opened   whoever opens a port speaks first: the nodes that the store knows are called.
    put      drivers put what they receive into one bounded queue, and wait while it is full.
    run      takes what is there as one batch, has it booked (`booking`: one transaction), and then answers the nodes. If the disk
             does not take it, nothing is answered: the nodes keep what they have and send it again.
    company  where a minute that has just been closed was booked, others close theirs: they get a second, so that fifty nodes cost
             two commits and not fifty. A backlog waits for nobody.
    adverts  are volatile, and a later one says all that an earlier one did: of each node the newest waits, and every ten seconds
             those that wait are booked in one transaction, which keeps their counters, too. What does not fit is fetched.
    waiting  what was received at a known time waits until the gateway `may_accept`; of what was received before, nothing
             is accepted anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

import streetwire
from gateway import moments
from gateway.booking import DISK_PAUSE_S, Booking
from gateway.drivers.base import Clock, Driver
from gateway.errors import StoreError
from gateway.model import Accept, Advertised, Effect, Fetch, GiveTime, Received, Reply, Told
from gateway.session import Session

QUEUE = 1024  # payloads between the drivers and the intake
BATCH = 256  # payloads in one transaction
FRESH_S = 180  # a record whose minute began later than that before it came
COMPANY_S = 1.0
ADVERTS_S = 10.0

_log = structlog.get_logger("gateway")


class Intake:
    """`put` and `opened` are for the drivers, by whose links nodes are answered; `run` for ever, and `take_rest` after it was
    cancelled. `clock` is the UTC that nodes are told, in milliseconds; `found` takes what they found out by
    themselves, and who `overhears` gets every payload before it is booked."""

    def __init__(
        self, drivers: Mapping[str, Driver], booking: Booking, clock: Clock,
        found: Callable[[Told], None] = lambda _told: None, overhears: Callable[[Received], None] = lambda _received: None,
    ) -> None:  # fmt: skip
        self._drivers = drivers
        self._booking = booking
        self._clock = clock
        self._found = found
        self._overhears = overhears
        self._queue: asyncio.Queue[Received] = asyncio.Queue(QUEUE)
        self._adverts: dict[int, Advertised] = {}  # the newest of each node; the driver lets none pass but of nodes with a key
        self.may_accept = asyncio.Event()

    async def put(self, received: Received | Advertised) -> None:
        if isinstance(received, Advertised):
            self._adverts[received.node] = received
        else:
            self._overhears(received)
            await self._queue.put(received)

    async def opened(self, link: str, who: tuple[int, int] | None) -> None:
        # A node that waits for an acknowledgement tries again after seconds, later after a minute. Which nodes are behind the port
        # is not known yet; a node ignores what is meant for another. Hello comes before the records, since it tells when the boot
        # was that they are of.
        try:
            streams = await self._booking.streams()
        except StoreError as error:
            _log.warning("nodes not called", link=link, problem=error.line())
            return
        known = {(stream.node, stream.incarnation): stream.watermark for stream in streams}
        for node, incarnation in known if who is None else (who,):
            wishes = [(streetwire.SAY_HELLO, 0)]
            if (node, incarnation) in known:
                wishes.append((streetwire.RESEND_FROM, known[node, incarnation] + 1))
            for verb, argument in wishes:
                if not await self._drivers[link].send(streetwire.Command(node, incarnation, verb, argument)):
                    return

    async def run(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            if any(moments.has_time(received) for received in batch):  # of what has none nothing is accepted
                await self.may_accept.wait()
            effects = await self._take(batch)
            accepted = [effect for effect in effects if isinstance(effect, Accept)]
            if accepted and all(_is_fresh(effect) for effect in accepted):
                await asyncio.sleep(COMPANY_S)

    async def run_adverts(self) -> None:
        """Beside `run`, where a link has adverts."""
        while True:
            await asyncio.sleep(ADVERTS_S)
            if self._adverts:
                await self.may_accept.wait()
                newest, self._adverts = list(self._adverts.values()), {}
                await self._do(lambda session, heard=newest: [effect for told in heard for effect in session.hear_advert(told)])

    async def take_rest(self) -> None:
        """What is still in the queue."""
        rest = [self._queue.get_nowait() for _ in range(self._queue.qsize())]
        if rest and self.may_accept.is_set():
            await self._take(rest)

    async def _take(self, batch: Sequence[Received]) -> list[Effect]:
        return await self._do(lambda session: [effect for received in batch for effect in session.hear(received)])

    async def _do(self, decide: Callable[[Session], list[Effect]]) -> list[Effect]:
        try:
            effects = await self._booking.book(decide)
        except StoreError as error:
            _log.error("nothing acknowledged", problem=error.line())
            await asyncio.sleep(DISK_PAUSE_S)
            return []
        await self._answer(effects)
        return effects

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
            elif isinstance(effect, Told):
                self._found(effect)
            elif isinstance(effect, Fetch) and effect.link in self._drivers:
                self._drivers[effect.link].fetch(effect.node)

    async def _send(self, link: str, message: streetwire.Message) -> None:
        driver = self._drivers.get(link)
        if driver is not None:
            await driver.send(message)


def _is_fresh(accepted: Accept) -> bool:
    return accepted.received_ms // 1000 - accepted.bin_start < FRESH_S
