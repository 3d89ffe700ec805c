"""What a node sent -> accepted, duplicate, gap or refused; and its bin.

Theory of operation
    A node's stream is (node, incarnation). Its records arrive in order: each names the held record before it, so a record
    is accepted when it is above the watermark and nothing held lies between. Everything else is dropped, because the node
    sends it again from the watermark that it is told. The watermark is the highest accepted number; it is acknowledged only
    after the commit, which is the caller's affair: replies stand behind what they depend on.

    Totals prove what is missing. Within a boot, a record's totals minus its own share must equal the totals of the record
    before it; the difference is people whose record is gone. When a new boot begins, what the live messages of the old one
    had said beyond its last record went with the power.

    A bin is assigned once. The node names the minute; a record without one is placed by uptime against a moment of the same
    boot that the gateway witnessed, else behind its predecessor, and flagged either way.

Rules of this file
    No clock, no storage, no port: time comes in with what was received. State changes as payloads are heard; should the
    commit of their effects fail, the caller builds a new session from the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import streetwire
from gateway import heard
from gateway.model import (
    PERIOD_S,
    Q_BLOCKED,
    Q_CLIMATE_IMPLAUSIBLE,
    Q_NODE_RESET,
    Q_SATURATED,
    Q_SIMULATED,
    Q_TIME_HELD,
    Q_TIME_UNKNOWN,
    Accept,
    BootState,
    Effect,
    Gap,
    GiveTime,
    Heard,
    Loss,
    NodeNow,
    Note,
    Passport,
    Received,
    Reply,
    Status,
    Stream,
    node_name,
)

EARLIEST_S = 1_704_067_200  # 2024-01-01: no street was counted before, so a clock that says so is not set
FUTURE_S = 120  # a node's clock may lead the gateway's by this much
TIME_EVERY_MS = 600_000
STATUS_EVERY_S = 300
SILENT_S = 900
LIVE_TICK_S = 18  # a power cut hides at most this behind a live message: a tick, and what a step of the clock adds to one
MAX_NODES = 256
MAX_BOOTS = 8
_TOTALS = streetwire.TOTAL_MASK + 1
_Q_OF_FLAG = {
    streetwire.SATURATED: Q_SATURATED,
    streetwire.BLOCKED: Q_BLOCKED,
    streetwire.CLIMATE_IMPLAUSIBLE: Q_CLIMATE_IMPLAUSIBLE,
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says: `site_of(node name, bin start)` is None where the node has no site then, `knows(node
    name)` tells listed nodes, `greatest_rate(site)` is the most people per minute that can pass there."""

    knows: Callable[[str], bool]
    site_of: Callable[[str, int], str | None]
    greatest_rate: Callable[[str], int]


class Session:
    """`streams` and `silences` come from the store after a restart. Counters by reason are in `dropped`."""

    def __init__(self, rules: Rules, streams: Iterable[Stream] = (), silences: Iterable[Gap] = ()) -> None:
        self._rules = rules
        self._streams = {(s.node, s.incarnation): s for s in streams}
        self._silences = {gap.node: gap for gap in silences}
        self._complained: dict[tuple[str, str], int] = {}
        self.dropped: dict[str, int] = {}

    def hear(self, received: Received) -> list[Effect]:
        """One payload -> what to do about it, in order. Never raises on what came from outside."""
        try:
            message = streetwire.decode(received.payload)
        except streetwire.WireError as error:
            return self._complain(received, None, "undecodable", error.reason)
        if not self._rules.knows(node_name(message.node)):
            return self._complain(received, message.node, "unknown node", "add it to [nodes] of the configuration")
        stream = self._stream(message.node, message.incarnation)
        if stream is None:
            return self._complain(received, message.node, "too many nodes", f"more than {MAX_NODES} streams")
        if received.received_ms < EARLIEST_S * 1000:
            return self._complain(received, message.node, "gateway has no time", "nodes keep their records until it has")
        stream.heard = replace(stream.heard or Heard(0, ""), at_ms=received.received_ms, link=received.link)
        if isinstance(message, streetwire.Hello):
            return self._hello(stream, received, message)
        if stream.passport is None:
            self._drop("not introduced")
            command = streetwire.Command(message.node, message.incarnation, streetwire.SAY_HELLO)
            return [Reply(received.link, command)]
        effects = self._greet(stream, received)
        if isinstance(message, streetwire.RecordMessage):
            effects += self._record(stream, received, message)
        elif isinstance(message, streetwire.Live):
            effects += self._live(stream, received, message)
        elif isinstance(message, streetwire.Log):
            data = {"node": node_name(message.node), "uptime_s": message.uptime_s, "text": message.text}
            effects.append(Note("warning" if message.level <= 4 else "info", "node says", data))
        return effects

    def check_silence(self, now_s: int) -> list[Effect]:
        """Call once a minute: a gap for every node that has delivered nothing for a quarter of an hour."""
        effects: list[Effect] = []
        newest: dict[int, Stream] = {}
        for stream in self._streams.values():
            if stream.last_bin and stream.last_bin >= newest.get(stream.node, stream).last_bin:
                newest[stream.node] = stream
        for node, stream in newest.items():
            start = stream.last_bin + PERIOD_S
            site = self._rules.site_of(node_name(node), start)
            if node in self._silences or now_s - start <= SILENT_S or site is None:
                continue
            gap = Gap(site, node, "silent", start, now_s, -1)
            self._silences[node] = gap
            effects += [gap, Note("warning", "node silent", {"node": node_name(node), "since_s": start})]
        return effects

    def nodes_now(self) -> list[NodeNow]:
        """Every node with a stream, for those who look on; of a node that was wiped, the stream that was heard last."""
        return heard.nodes_now(self._streams.values(), self._silences)

    # -- kinds of payload

    def _hello(self, stream: Stream, received: Received, message: streetwire.Hello) -> list[Effect]:
        sensors = [*message.sensors.split(","), ""][:2]
        if not all(_is_tag(name) for name in sensors if name):
            return self._complain(received, stream.node, "sensors without a name", repr(message.sensors))
        passport = Passport(
            stream.node, stream.incarnation, message.firmware, message.kit, message.platform, sensors[0], sensors[1]
        )
        effects: list[Effect] = []
        if passport != stream.passport:
            stream.passport = passport
            effects.append(passport)
            about = {"node": node_name(stream.node), "kit": passport.kit, "firmware": passport.firmware}
            effects.append(Note("info", "node introduced", {**about, "simulated": passport.is_simulated}))
        self._witness(stream, received, message.boot, message.uptime_s)
        effects.append(stream.boots[message.boot])
        if message.next_seq <= stream.watermark:
            found = {"node": node_name(stream.node), "next_seq": message.next_seq, "watermark": stream.watermark}
            effects.append(Note("error", "node counts backwards: wipe its log", found))
        stream.links.add(received.link)
        stream.may_ask = True
        return [*effects, self._ack(stream, received), *self._time(stream, received)]

    def _live(self, stream: Stream, received: Received, message: streetwire.Live) -> list[Effect]:
        self._witness(stream, received, message.boot, message.uptime_s)
        known = stream.boots[message.boot]
        stream.boots[message.boot] = replace(known, live_ab=message.total_ab, live_ba=message.total_ba)
        assert stream.heard is not None  # hear() has just noted it
        stream.heard = replace(
            stream.heard,
            live_ms=received.received_ms,
            boot=message.boot,
            health=heard.health(stream, message),
        )
        effects: list[Effect] = []
        # Clocks may step back: then the time is due at once.
        if not 0 <= received.received_ms - stream.told_time_ms < TIME_EVERY_MS:
            effects += self._time(stream, received)
        now_s = received.received_ms // 1000
        site = self._rules.site_of(node_name(stream.node), now_s)
        if not 0 <= now_s - stream.told_status_s < STATUS_EVERY_S and site is not None:
            stream.told_status_s = now_s
            effects.append(stream.boots[message.boot])
            effects.append(Status(site, stream.node, now_s, heard.status_fields(stream, message)))
        return effects

    def _record(self, stream: Stream, received: Received, message: streetwire.RecordMessage) -> list[Effect]:
        record = message.record
        if record.seq <= stream.watermark:
            self._drop("duplicate")
            return [self._ack(stream, received)]
        if message.previous > stream.watermark:
            self._drop("out of order")
            return [*self._ask_again(stream, received), self._ack(stream, received)]
        name = node_name(stream.node)
        bin_start, q = self._place(stream, record, received)
        if bin_start > received.received_ms // 1000 + FUTURE_S:
            return self._complain(received, stream.node, "record from the future", f"bin {bin_start}")
        site = self._rules.site_of(name, bin_start)
        if site is None:
            return self._complain(received, stream.node, "node has no site", f"at {bin_start}; see valid_from")
        effects = self._prove_totals(stream, record, site, bin_start)
        effects += self._close_gap(stream, record, site, bin_start, received)
        if stream.last_boot not in (-1, record.boot):
            q |= Q_NODE_RESET
        passport = stream.passport
        assert passport is not None  # hear() has asked for it
        if passport.is_simulated:
            q |= Q_SIMULATED
        stream.watermark = record.seq
        stream.last_bin = max(stream.last_bin, bin_start)
        stream.last_boot = record.boot
        known = stream.boots.get(record.boot) or BootState(stream.node, stream.incarnation, record.boot)
        stream.boots = {record.boot: replace(known, total_ab=record.total_ab, total_ba=record.total_ba)} | {
            boot: state for boot, state in stream.boots.items() if _is_after(boot, record.boot)
        }
        return [
            *effects,
            stream.boots[record.boot],
            Accept(
                stream.node, stream.incarnation, record, site, bin_start,
                passport.count_sensor, passport.climate_sensor, q, received.received_ms,
            ),
            self._ack(stream, received),
        ]  # fmt: skip

    # -- placing, proving

    def _place(self, stream: Stream, record: streetwire.Record, received: Received) -> tuple[int, int]:
        q = 0
        for flag, bit in _Q_OF_FLAG.items():
            if record.flags & flag:
                q |= bit
        if record.bin_start >= EARLIEST_S:
            return record.bin_start, q
        boot = stream.boots.get(record.boot)
        if boot is not None and boot.epoch_ms:
            # Whatever delayed the moment that was witnessed, a record is over when it arrives.
            middle_ms = min(boot.epoch_ms + record.uptime_end_s * 1000, received.received_ms) - record.covered_s * 500
            if middle_ms >= EARLIEST_S * 1000:
                return middle_ms // (PERIOD_S * 1000) * PERIOD_S, q | Q_TIME_HELD
        newest = received.received_ms // (PERIOD_S * 1000) * PERIOD_S
        after = stream.last_bin + PERIOD_S if stream.last_bin else newest
        return min(after, newest), q | Q_TIME_UNKNOWN

    def _prove_totals(self, stream: Stream, record: streetwire.Record, site: str, bin_start: int) -> list[Effect]:
        losses: list[Loss] = []
        cut = [
            max(0, heard.minus(boot.live_ab, boot.total_ab)) + max(0, heard.minus(boot.live_ba, boot.total_ba))
            for boot in self._ended_boots(stream, record.boot)
        ]
        if any(cut):
            hidden = -(-self._rules.greatest_rate(site) * LIVE_TICK_S // 60)
            bound = sum(people + hidden for people in cut if people)
            at = stream.last_bin + PERIOD_S if stream.last_bin else bin_start
            losses.append(Loss(site, stream.node, "power_cut", at, sum(cut), bound))
        known = stream.boots.get(record.boot)
        before_ab, before_ba = (known.total_ab, known.total_ba) if known else (0, 0)
        hole_ab = (record.total_ab - record.d_ab - before_ab) % _TOTALS
        hole_ba = (record.total_ba - record.d_ba - before_ba) % _TOTALS
        if 0 < hole_ab + hole_ba < _TOTALS // 2:
            at = stream.last_bin or bin_start
            losses.append(Loss(site, stream.node, "given_up", at, hole_ab + hole_ba, hole_ab + hole_ba))
        name = node_name(stream.node)
        notes = [Note("warning", "people lost", {"node": name, "reason": x.reason, "people": x.people}) for x in losses]
        return [*losses, *notes]

    def _ended_boots(self, stream: Stream, boot: int) -> list[BootState]:
        # Records come in the order of boots: with the first of a new one, all before it have said what they ever will.
        # Those before the last accepted record have been settled already.
        return [
            state
            for number, state in stream.boots.items()
            if _is_after(boot, number) and (stream.last_boot in (-1, number) or _is_after(number, stream.last_boot))
        ]

    def _close_gap(
        self, stream: Stream, record: streetwire.Record, site: str, bin_start: int, received: Received
    ) -> list[Effect]:
        rate = self._rules.greatest_rate(site)
        silence = self._silences.pop(stream.node, None)
        if silence:  # its site may have left the configuration since
            site, start = silence.site, silence.start_s
            if bin_start <= start:
                return [replace(silence, until_s=start, bound=0, resolved_s=received.received_ms // 1000)]
        else:
            # A node that was wiped begins a new stream; what came last from the old one is still where its time goes on.
            others = (other.last_bin for other in self._streams.values() if other.node == stream.node)
            last = stream.last_bin or max(others)
            start = last + PERIOD_S
            if not last or bin_start <= start:
                return []
        # Minutes without a record. Within one boot the totals have told how many people they held; across a boot the node
        # may have been dark.
        same_boot = record.boot == stream.last_boot
        bound = 0 if same_boot else -(-rate * (bin_start - start) // 60)
        return [Gap(site, stream.node, silence.reason if silence else "dark", start, bin_start, bound)]

    # -- small things

    def _stream(self, node: int, incarnation: int) -> Stream | None:
        stream = self._streams.get((node, incarnation))
        if stream is None and len(self._streams) < MAX_NODES:
            stream = self._streams[node, incarnation] = Stream(node, incarnation)
        return stream

    def _witness(self, stream: Stream, received: Received, boot: int, uptime_s: int) -> None:
        known = stream.boots.get(boot) or BootState(stream.node, stream.incarnation, boot)
        stream.boots[boot] = replace(known, epoch_ms=received.received_ms - uptime_s * 1000)
        while len(stream.boots) > MAX_BOOTS:  # a node that starts again and again; what proves the totals stays
            del stream.boots[next(number for number in stream.boots if number not in (stream.last_boot, boot))]

    def _greet(self, stream: Stream, received: Received) -> list[Effect]:
        # The first payload on a link since the gateway started: the node may be waiting for a sign of life.
        if received.link in stream.links:
            return []
        stream.links.add(received.link)
        return [self._ack(stream, received), *self._time(stream, received)]

    def _ask_again(self, stream: Stream, received: Received) -> list[Effect]:
        # A node that has been told the watermark and still leaves records out had them acknowledged by a store that is gone.
        # Once for each hello, since a frame lost on the way looks the same.
        if not stream.may_ask:
            return []
        stream.may_ask = False
        command = streetwire.Command(stream.node, stream.incarnation, streetwire.RESEND_FROM, stream.watermark + 1)
        return [Reply(received.link, command)]

    def _ack(self, stream: Stream, received: Received) -> Reply:
        return Reply(received.link, streetwire.Ack(stream.node, stream.incarnation, stream.watermark))

    def _time(self, stream: Stream, received: Received) -> list[Effect]:
        stream.told_time_ms = received.received_ms
        return [GiveTime(received.link, stream.node, stream.incarnation)]

    def _drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def _complain(self, received: Received, node: int | None, reason: str, detail: str) -> list[Effect]:
        # Nothing is acknowledged, so the node keeps what it has. Said once in ten minutes.
        self._drop(reason)
        who = received.link if node is None else node_name(node)
        last = self._complained.get((who, reason))
        if last is not None and 0 <= received.received_ms - last < TIME_EVERY_MS:
            return []
        if len(self._complained) >= 4 * MAX_NODES:
            self._complained.clear()
        self._complained[who, reason] = received.received_ms
        about: dict[str, object] = {} if node is None else {"node": who}
        return [Note("warning", reason, {**about, "link": received.link, "detail": detail})]


def _is_tag(name: str) -> bool:
    """What may become a tag of the database: it cannot be escaped by everyone who reads it."""
    return len(name) <= streetwire.MAX_NAME and all(c.isascii() and (c.isalnum() or c in "-_.") for c in name)


def _is_after(boot: int, other: int) -> bool:
    """Boot numbers count modulo 2**16."""
    return 0 < (boot - other) % 0x10000 < 0x8000
