"""What is missing, proved from totals and bounded by time. Pure.

Theory of operation
    Within a boot, a record's totals minus its own share must equal the totals of the record before it; the difference is
    people whose record is gone, exactly.
    A boot that has ended leaves its open minute in no record. What its live totals told beyond its last record is salvaged:
    those people get the minute in which they were told. What they did not tell is bounded: a node closes a minute after 60 s,
    so at most the rest of that minute was counted unseen, and no longer than until the next boot began. A boot of which nothing
    was heard can have hidden one minute.
    Minutes without a record are a gap, whatever was the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import streetwire
from gateway import heard, moments, silence, unsent
from gateway.model import (
    PERIOD_S,
    Q_SIMULATED,
    BootState,
    Effect,
    Gap,
    Loss,
    Moment,
    Note,
    Received,
    Salvage,
    Stream,
    node_name,
)

MINUTE_S = 62  # within so many seconds an open minute is on flash: 60, a beat, and the seconds that uptimes leave out
MARGIN_S = 2  # of ties between uptimes and the gateway's clock
LIVE_TICK_S = 18  # between two live messages at most: a tick, and what a step of the clock adds to one
TOTALS = streetwire.TOTAL_MASK + 1
MAX_BOOT = 0xFFFF  # after it comes 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record goes, and how many people can pass there in a minute; `site_at(second)` is where its node stood then, and
    `next_change(second)` when it stood elsewhere. Nowhere is None: what is missing from such a time is missing from no site.
    `rate` is that of the record's site, `rate_of` of any."""

    site: str | None
    bin_start: int
    rate: int
    site_at: Callable[[int], str | None]
    next_change: Callable[[int], int | None] = lambda _at_s: None
    rate_of: Callable[[str], int] | None = None

    def people_in(self, seconds: int, site: str | None = None) -> int:
        """The most that can have passed, at another site than the record's where it is named."""
        rate = self.rate if site in (None, self.site) or self.rate_of is None else self.rate_of(site)
        return -(-rate * seconds // 60)

    def first_owed(self, last_bin: int) -> int:
        """Of a node whose last minute was that one, the first minute up to the record's that some site lacks; else the record's."""
        at_s: int | None = last_bin + PERIOD_S if self.site_at(last_bin) != self.site_at(last_bin + PERIOD_S) else last_bin
        while at_s is not None and at_s < self.bin_start:
            if self.site_at(at_s) is not None:
                return at_s
            at_s = self.next_change(at_s)
        return self.bin_start

    def gaps(self, node: int, reason: str, start_s: int, until_s: int, is_told: bool = False) -> list[Gap]:
        """Minutes of which nothing is known, one gap for each site, with the most that can have passed in them; nobody where totals
        have told."""
        found: list[Gap] = []
        while start_s < until_s:
            end_s = min(self.next_change(start_s) or until_s, until_s)
            site = self.site_at(start_s)
            if site is not None:
                found.append(Gap(site, node, reason, start_s, end_s, 0 if is_told else self.people_in(end_s - start_s, site)))
            start_s = end_s
        return found


def prove(
    stream: Stream,
    olds: list[Stream],
    record: streetwire.Record,
    place: Place,
    missing: int,
    silences: list[Gap],
    received: Received,
) -> list[Effect]:
    """What this record says about people and minutes before it. `olds` are the streams whose time it carries on where the node
    was wiped; `missing` are the people of its own boot that no record holds; `silences` end with it."""
    now_s = received.received_ms // 1000
    effects: list[Effect] = [*silence.resolved(silences, place.bin_start, now_s, place.next_change)]
    effects += unsent.flag(stream, olds, record, place.bin_start, place.gaps)
    if record.seq <= stream.adopted:  # up to this one another store has kept the books
        return effects
    before = max(olds, key=known_until, default=stream)
    ended = unseen(stream, record.boot, received)
    last_bin = max(0, known_until(before) - PERIOD_S) if olds or ended else stream.last_bin
    for old in olds:
        last = [(state, MINUTE_S) for state in unsettled_boots(old) if _is_over(old, state, stream, record, place, received)]
        effects += _settle(old, last, place, "wiped", received)
    effects += _settle(stream, ended, place, "power_cut", received)
    if missing:
        effects += _given_up(stream, place, missing, received)
    salvaged = [effect for effect in effects if isinstance(effect, Salvage)]
    missed = gaps(stream, before, last_bin, record, place, salvaged)
    if (
        before.last_bin
        and not missed
        and place.site is not None
        and record.boot != stream.last_boot
        and not _has_time(stream, record, received)
    ):
        # Its minute is a guess right behind the last bin: how long it was dark between them only its arrival bounds.
        reason = "given_up" if is_given_up(stream) else "dark"
        bound = place.people_in(max(0, received.received_ms // 1000 - last_bin))
        missed = [Gap(place.site, stream.node, reason, place.bin_start, place.bin_start, bound)]
    effects += missed
    losses = [effect for effect in effects if isinstance(effect, Loss)]
    return [*effects, *(_note(loss) for loss in losses)]


def _given_up(stream: Stream, place: Place, missing: int, received: Received) -> list[Loss]:
    at_s = place.first_owed(stream.last_bin) if stream.last_bin else place.bin_start
    site = place.site_at(at_s)
    if site is None:
        return []
    if stream.watermark >= stream.adopted:
        return [Loss(site, stream.node, "given_up", at_s, missing, missing)]
    most = place.people_in(
        max(PERIOD_S, received.received_ms // 1000 - at_s), site
    )  # some of them the other store may have counted
    return [Loss(site, stream.node, "given_up", at_s, -1, min(missing, most))]


def _has_time(stream: Stream, record: streetwire.Record, received: Received) -> bool:
    return bool(record.bin_start or moments.epoch_ms(stream, record.boot, received))


def _settle(stream: Stream, ended: list[tuple[BootState, int]], place: Place, reason: str, received: Received) -> list[Effect]:
    """Closes boots that have ended, each with the seconds in which it may have counted unseen: what their live totals told goes
    into their minutes, the rest is bounded."""
    effects: list[Effect] = []
    for state, unseen_s in ended:
        found = salvage(stream, state, place, received)
        if found is not None:
            effects.append(found)
        stream.boots[state.boot] = settled(state)
        effects.append(stream.boots[state.boot])
        at_s = found.bin_start if found is not None else min(_ended_s(stream, state, place), place.bin_start)
        site = place.site_at(at_s)
        bound = place.people_in(unseen_s, site)
        if bound and site is not None:
            effects.append(Loss(site, stream.node, reason, at_s, -1, bound))
    return effects


def _ended_s(stream: Stream, state: BootState, place: Place) -> int:
    """The minute in which a boot has ended, as far as anything is known of it."""
    if state.boot == stream.last_boot and stream.last_bin:
        return stream.last_bin + PERIOD_S
    return _last_known(state) if state.epoch_ms else place.bin_start


def _is_over(old: Stream, state: BootState, stream: Stream, record: streetwire.Record, place: Place, received: Received) -> bool:
    """Whether a boot of another log was last known before the record's minute ended: else it is no predecessor but a rival. By the
    steady clock where that knows both, since the other may have been set between."""
    if not state.epoch_ms:
        return False
    ended, began = old.moments.get(state.boot), stream.moments.get(record.boot)
    if ended is not None and began is not None:
        return ended.epoch_ms // 1000 + _uptime_s(state) <= began.epoch_ms // 1000 + record.uptime_end_s + MARGIN_S
    if _last_known(state) > received.received_ms // 1000 + MARGIN_S:
        return True  # the clock went back, and proves nothing
    return _last_known(state) <= place.bin_start + PERIOD_S + MARGIN_S


def _last_known(state: BootState) -> int:
    """Until when something is known of a boot, in UTC seconds, where its epoch is."""
    return state.epoch_ms // 1000 + _uptime_s(state)


def _uptime_s(state: BootState) -> int:
    """At which something was heard of a boot last."""
    return max(state.end_uptime_s, state.live_uptime_s)


def known_until(stream: Stream) -> int:
    """The start of the first minute of which nothing was delivered: behind the last bin, else when the node was first heard; 0
    where it never was."""
    if stream.last_bin:
        return stream.last_bin + PERIOD_S
    heard_ms = min((state.epoch_ms + state.since_uptime_s * 1000 for state in stream.boots.values() if state.epoch_ms), default=0)
    return heard_ms // 1000 // PERIOD_S * PERIOD_S


def _note(loss: Loss) -> Note:
    about = {"node": node_name(loss.node), "reason": loss.reason, "people": loss.people, "bound": loss.bound}
    return Note("warning", "people lost", about)


def hole(stream: Stream, record: streetwire.Record) -> tuple[int, int] | None:
    """People of records before this one in its boot that are gone, per direction; None where totals went back: no node's do."""
    known = stream.boots.get(record.boot)
    if stream.watermark < stream.adopted == record.seq - 1:
        return 0, 0  # another store has kept the books so far: the totals begin here
    before_ab, before_ba = (known.total_ab, known.total_ba) if known else (0, 0)
    ab = (record.total_ab - record.d_ab - before_ab) % TOTALS
    ba = (record.total_ba - record.d_ba - before_ba) % TOTALS
    if max(ab, ba) >= TOTALS // 2:
        return None if stream.watermark else (0, 0)  # of a node that is new here nobody knows where its totals began
    return ab, ba


def ended_boots(stream: Stream, boot: int) -> list[BootState]:
    """Records come in the order of boots: with the first of a new one, all before it have said what they ever will. Those
    before the last accepted record have been settled already."""
    before = [state for state in unsettled_boots(stream) if is_after(boot, state.boot)]
    return sorted(before, key=lambda state: (boot - state.boot) % 0x10000, reverse=True)


def unsettled_boots(stream: Stream) -> list[BootState]:
    """The boot of the last accepted record, and those after it."""
    return [
        state for number, state in stream.boots.items() if stream.last_boot in (-1, number) or is_after(number, stream.last_boot)
    ]


def salvage(stream: Stream, state: BootState, place: Place, received: Received) -> Salvage | None:
    """What only the live totals of an ended boot know. Of a boot that was first heard when it had closed minutes already, and of
    which no record has come, nobody knows how many of its people are in records that others have."""
    ab, ba = (max(0, people) for people in open_people(state))
    if stream.passport is None or not _is_base_known(stream, state):
        return None
    bin_start, q = moments.place_open_minute(stream, state, received)
    bin_start = min(bin_start, place.bin_start)  # it ended before that boot began
    q |= Q_SIMULATED if stream.passport.is_simulated else 0
    site = place.site_at(bin_start)
    if site is None or not 0 < ab + ba <= place.people_in(state.live_uptime_s + MINUTE_S, site):
        return None
    return Salvage(
        stream.node, stream.incarnation, state.boot, site, bin_start, stream.passport.count_sensor, ab, ba,
        state.live_covered_s, q, received.received_ms,
    )  # fmt: skip


def _is_base_known(stream: Stream, state: BootState) -> bool:
    """Whether it is known how many people of this boot are in records."""
    return state.end_uptime_s > 0 or (state.since_uptime_s <= MINUTE_S and stream.watermark >= stream.adopted)


def open_people(state: BootState) -> tuple[int, int]:
    """What the live totals know beyond the last record, per direction."""
    if not state.live_uptime_s:  # none was heard
        return 0, 0
    return heard.minus(state.live_ab, state.total_ab), heard.minus(state.live_ba, state.total_ba)


def is_given_up(stream: Stream) -> bool:
    """Whether the node no longer holds what follows the last record that was accepted, here or by another store."""
    last = max(stream.watermark, stream.adopted)
    return 0 < last < stream.first_held - 1


def unseen(stream: Stream, boot: int, received: Received) -> list[tuple[BootState, int]]:
    """Boots that have ended with the first record of this one, and for how many seconds each, and those behind it of which nothing
    was heard, may have counted people of whom nothing is known."""
    ended = ended_boots(stream, boot)
    open_s = MINUTE_S * (2 if is_given_up(stream) else 1)  # then its first minute and its last are both in no gap
    began = stream.moments.get(boot)
    found: list[tuple[BootState, int]] = []
    for state, following in zip(ended, [*(other.boot for other in ended), boot][1:], strict=True):
        known_s = max(state.end_uptime_s, state.live_uptime_s) if _is_base_known(stream, state) else state.end_uptime_s
        rest_s = state.end_uptime_s + open_s - known_s
        rest_s = rest_s if rest_s > 0 else LIVE_TICK_S  # a minute that its flash did not take
        unheard_s = open_s * max(0, (following - state.boot) % MAX_BOOT - 1)
        next_began = stream.moments.get(following) or began
        found.append((state, _until(next_began, stream.moments.get(state.boot), known_s, rest_s + unheard_s)))
    return found


def _until(began: Moment | None, epoch: Moment | None, known_s: int, at_most_s: int) -> int:
    # From the uptime up to which a boot is known to the moment at which another began. By the steady clock alone: the other one may
    # have been set between, while no gateway was there to notice.
    if began is None or epoch is None:
        return at_most_s
    dark_s = -(-(began.epoch_ms - epoch.epoch_ms) // 1000) - known_s + MARGIN_S
    return min(at_most_s, dark_s) if dark_s >= 0 else at_most_s


def gaps(
    stream: Stream, before: Stream, last_bin: int, record: streetwire.Record, place: Place, salvaged: list[Salvage]
) -> list[Gap]:
    """Minutes of which nothing is known, between the last bin, those that were salvaged, and this record's. Within one boot the
    totals have told how many people they held; across a boot the node may have been dark."""
    last = (before.incarnation, before.last_boot)
    minutes = [(part.bin_start, (part.incarnation, part.boot) == last) for part in salvaged]
    found: list[Gap] = []
    start_s = last_bin + PERIOD_S
    for minute_s, is_told in sorted([*minutes, (place.bin_start, (stream.incarnation, record.boot) == last)]):
        if last_bin and minute_s > start_s:
            reason = "wiped" if before is not stream else "given_up" if is_told or is_given_up(stream) else "dark"
            found += place.gaps(stream.node, reason, start_s, minute_s, is_told)
        start_s = max(start_s, minute_s + PERIOD_S)
    return found


def settled(state: BootState) -> BootState:
    """A boot of which nothing is open any more, when it was no longer matters; should it speak again after all, its people are
    not counted twice."""
    ab, ba = (max(0, people) for people in open_people(state))
    total_ab, total_ba = (state.total_ab + ab) % TOTALS, (state.total_ba + ba) % TOTALS
    return replace(
        state,
        total_ab=total_ab,
        total_ba=total_ba,
        live_ab=total_ab,
        live_ba=total_ba,
        live_uptime_s=0,
        live_covered_s=0,
        epoch_ms=0,
        steady_epoch_ms=None,
    )


def unheard(state: BootState) -> BootState:
    """A boot of which no live message is known."""
    return replace(state, live_ab=state.total_ab, live_ba=state.total_ba, live_uptime_s=0, live_covered_s=0)


def is_after(boot: int, other: int) -> bool:
    """Boot numbers count modulo 2**16."""
    return 0 < (boot - other) % 0x10000 < 0x8000
