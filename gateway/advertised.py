"""What an advert says of its node: running totals of a boot that the gateway knows, or that something is missing. Pure.

Theory of operation
    An advert holds totals modulo 2**16 and a tag. The tag tells which boot they are of; they are carried on from the newest totals
    that are known in full of that boot, by a record or by a message of a session. That is unique as long as fewer people than 2**16
    can have passed since, which the site's greatest rate tells.
    What does not fit asks for a connection: a tag of no boot that is known (the node was restarted, or wiped), totals that went
    back, more people than can have passed, or too long since. It changes nothing else.
    An advert tells no uptime. Its totals stand for the last tens of seconds of UTC before it was heard, the ticks of a node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import streetwire
from gateway import moments
from gateway.model import PERIOD_S, Advertised, BootState, Floor, Heard, Received, Stream
from gateway.proofs import TOTALS
from gateway.silence import SILENT_S

FETCHED_S = 5400  # a node without a cable is spoken to once an hour, and not always at the first try
TICK_MS = 10_000
LATE_MS = 2_500  # of a tick: as much as a clock of a node may be off, a beat, and the moment until it is on the air
AMBIGUOUS = streetwire.ADVERT_TOTAL_MASK + 1
SLACK_S = 60  # people come in bursts


class OnAir:
    """What is remembered of nodes without a cable beside their streams: the newest counter under each key, when each was heard.
    `floors` are those of the store, by node and key."""

    def __init__(self, floors: Mapping[tuple[int, int], int]) -> None:
        self._floors = dict(floors)
        self._heard_s: dict[int, int] = {}
        self._watched_since_s: int | None = None

    def accept(self, told: Advertised) -> Floor | None:
        """The new floor of its counter; None where that was accepted before, or a later one."""
        key = (told.node, told.key_id)
        if told.advert.counter <= self._floors.get(key, -1):
            return None
        self._floors[key] = told.advert.counter
        self._heard_s[told.node] = told.received_ms // 1000
        return Floor(*key, told.advert.counter)

    def watch(self, now_s: int) -> None:
        """Somebody looks who is silent, from now on at the latest."""
        self._watched_since_s = now_s if self._watched_since_s is None else min(now_s, self._watched_since_s)

    def is_alive(self, node: int, start_s: int, now_s: int) -> bool:
        """Whether a node of which nothing was delivered since `start_s` is at work, and will deliver."""
        heard_s = max(self._heard_s.get(node, 0), self._watched_since_s or 0)  # who has just started has heard nobody
        return now_s - start_s <= FETCHED_S and now_s - heard_s <= SILENT_S


def carry_on(streams: Iterable[Stream], told: Advertised, heard: Received, rate: int) -> Stream | None:
    """Notes what it tells in the stream of its boot, which is returned; None where it does not fit. `rate` is people a minute."""
    found = _boot_of(streams, told.advert)
    if found is None:
        return None
    stream, state = found
    if moments.steady(heard) <= stream.heard_ms:  # the node itself has said more since
        return stream
    carried = _carried_on(stream, state, told.advert, heard, rate)
    if carried is None:
        return None
    stream.boots[state.boot] = carried
    health = stream.heard.health if stream.heard is not None else {}
    health = {**health, "uptime_s": carried.live_uptime_s, "boot": state.boot, "rssi_dbm": told.rssi_dbm}
    stream.heard = Heard(heard.received_ms, told.link, heard.received_ms, state.boot, health)
    return stream


def as_received(told: Advertised) -> Received:
    """When and where it was heard, as of what came off a link."""
    return Received(b"", told.link, told.received_ms, told.steady_ms)


def _boot_of(streams: Iterable[Stream], advert: streetwire.Advert) -> tuple[Stream, BootState] | None:
    """The boot that it tells of, where totals of it are known in full."""
    for stream in streams:
        for state in stream.boots.values():
            if streetwire.boot_tag(stream.incarnation, state.boot) == advert.tag and _told_s(state):
                return stream, state
    return None


def _told_s(state: BootState) -> int:
    """At which uptime its totals were told last; 0 where they never were."""
    return max(state.end_uptime_s, state.live_uptime_s)


def _carried_on(stream: Stream, state: BootState, advert: streetwire.Advert, heard: Received, rate: int) -> BootState | None:
    tick_ms = (heard.received_ms - LATE_MS) // TICK_MS * TICK_MS
    uptime_s = (tick_ms - moments.epoch_ms(stream, state.boot, heard)) // 1000
    told_s = _told_s(state)
    most = -(-rate * (max(0, uptime_s - told_s) + SLACK_S) // 60)
    base_ab, base_ba = _newest_totals(state)
    more_ab, more_ba = (advert.total_ab - base_ab) % AMBIGUOUS, (advert.total_ba - base_ba) % AMBIGUOUS
    if not state.epoch_ms or most >= AMBIGUOUS or more_ab + more_ba > most:
        return None
    live_uptime_s = max(uptime_s, told_s)
    return replace(
        state, live_ab=(base_ab + more_ab) % TOTALS, live_ba=(base_ba + more_ba) % TOTALS, live_uptime_s=live_uptime_s,
        live_covered_s=min(tick_ms // 1000 % PERIOD_S, live_uptime_s - state.end_uptime_s),
    )  # fmt: skip


def _newest_totals(state: BootState) -> tuple[int, int]:
    """By record or live message, whichever told later."""
    if state.live_uptime_s > state.end_uptime_s:
        return state.live_ab, state.live_ba
    return state.total_ab, state.total_ba
