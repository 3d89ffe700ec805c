"""What a node sent -> accepted, duplicate, gap or refused; and its bin.

Theory of operation
    A node's stream is (node, incarnation). Its records arrive in order: each names the held record before it, so a record
    is accepted when it is above the watermark and nothing held lies between. Everything else is dropped, because the node
    sends it again from the watermark that it is told. The watermark is the highest accepted number; it is acknowledged only
    after the commit, which is the caller's affair: replies stand behind what they depend on.

    Totals prove what is missing, and time bounds what no total tells: see `proofs`. A bin is assigned once, to a record that is
    accepted: see `acceptance`, and `moments` where the record has no time of its own.

    Two nodes with one number are told apart by what they say: another log on another link while the first is at work, a
    number that comes twice with two meanings, a boot or totals that go back. The second is refused and said; as nothing of it
    is acknowledged, it keeps what it has.

    Nodes without a cable deliver once an hour. Between, their adverts are a sign of life, and what they tell is a live message: see
    `advertised`. An advert that does not fit asks for a connection.

Rules of this file
    No clock, no storage, no port: time comes in with what was received. State changes as payloads are heard; should the
    commit of their effects fail, the caller builds a new session from the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import streetwire
from gateway import acceptance, advertised, heard, moments, proofs, silence
from gateway.complaints import Complaints
from gateway.model import (
    PERIOD_S,
    SILENT,
    Advertised,
    Effect,
    Fetch,
    Gap,
    GiveTime,
    Heard,
    Note,
    Passport,
    Received,
    Reply,
    Status,
    Stream,
    Told,
    node_name,
)
from gateway.proofs import Place
from gateway.shown import NodeNow

TIME_EVERY_MS = 600_000
STATUS_EVERY_S = 300
STATUS_WAITS_S = 60  # for a record to go with
RIVAL_MS = 120_000
MAX_NODES = 256


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says: `site_of(node name, bin start)` is None where the node has no site then, `knows(node
    name)` tells listed nodes, `greatest_rate(site)` is the most people per minute that can pass there, `is_on_air(node name)` tells
    those without a cable, `next_change(node name, second)` when it stands elsewhere after that, None for never."""

    knows: Callable[[str], bool]
    site_of: Callable[[str, int], str | None]
    greatest_rate: Callable[[str], int]
    is_on_air: Callable[[str], bool] = lambda _name: False
    next_change: Callable[[str, int], int | None] = lambda _name, _at_s: None


class Session:
    """`streams`, `silences` and `floors` (newest counters of adverts, by node and key) come from the store after a restart.
    Counters by reason are in `dropped`."""

    def __init__(
        self, rules: Rules, streams: Iterable[Stream] = (), silences: Iterable[Gap] = (),
        floors: Mapping[tuple[int, int], int] | None = None,
    ) -> None:  # fmt: skip
        self._rules = rules
        self._streams = {(s.node, s.incarnation): s for s in streams}
        for stream in self._streams.values():
            moments.recall(stream)
        self._silences: dict[int, list[Gap]] = {}  # of each node those that nothing has ended yet, the oldest first
        for gap in sorted(silences, key=lambda gap: gap.start_s):
            self._silences.setdefault(gap.node, []).append(gap)
        self._on_air = advertised.OnAir(floors or {})
        self._complaints = Complaints()
        self._complain, self._drop = self._complaints.about, self._complaints.drop

    @property
    def dropped(self) -> dict[str, int]:
        return self._complaints.dropped

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
        if not moments.has_time(received):
            if isinstance(message, (streetwire.Hello, streetwire.Live)):  # it will tell when its records were made
                moments.witness(stream, received, message.boot, message.uptime_s)
            return self._complain(received, message.node, "gateway has no time", "nodes keep their records until it has")
        if self._has_rival(stream, received):
            return self._complain(received, message.node, "two nodes with one number", "both are plugged in; unplug one")
        stream.heard = replace(stream.heard or Heard(0, ""), at_ms=received.received_ms, link=received.link)
        stream.heard_ms = moments.steady(received)
        if isinstance(message, streetwire.Hello):
            return self._hello(stream, received, message)
        if stream.passport is None:
            self._drop("not introduced")
            command = streetwire.Command(message.node, message.incarnation, streetwire.SAY_HELLO)
            return [Reply(received.link, command)]
        effects = self._greet(stream, received)
        if isinstance(message, streetwire.RecordMessage):
            told = self._record(stream, received, message)
            if not any(isinstance(effect, Reply) for effect in told):  # refused: not even the greeting may acknowledge
                effects = [effect for effect in effects if isinstance(effect, GiveTime)]
            effects += told
        elif isinstance(message, streetwire.Live):
            effects += self._live(stream, received, message)
        elif isinstance(message, streetwire.TestResult):
            effects.append(Told(message.node, received.received_ms // 1000, tuple(message.results)))
        elif isinstance(message, streetwire.Log):
            data = {"node": node_name(message.node), "uptime_s": message.uptime_s, "text": message.text}
            effects.append(Note("warning" if message.level <= 4 else "info", "node says", data))
        return effects

    def hear_advert(self, told: Advertised) -> list[Effect]:
        """The same for an advert. Its counter is spent, whatever becomes of what it says."""
        received = advertised.as_received(told)
        name = node_name(told.node)
        if not self._rules.knows(name):
            return self._complain(received, told.node, "unknown node", "add it to [nodes] of the configuration")
        if not moments.has_time(received):
            return self._complain(received, told.node, "gateway has no time", "nodes keep their records until it has")
        floor = self._on_air.accept(told)
        if floor is None:
            return self._complain(received, told.node, "advert counts backwards", "a node that was erased needs a new key")
        site = self._rules.site_of(name, received.received_ms // 1000)
        rate = self._rules.greatest_rate(site) if site is not None else 0
        streams = [stream for stream in self._streams.values() if stream.node == told.node]
        stream = advertised.carry_on(streams, told, received, rate)
        if stream is None:
            return [floor, Fetch(told.link, told.node)]
        return [floor, *self._status(stream, received, STATUS_EVERY_S + STATUS_WAITS_S)]

    def check_silence(self, now_s: int) -> list[Effect]:
        """Call once a minute: a gap for every node that has delivered nothing for a quarter of an hour."""
        effects: list[Effect] = []
        self._on_air.watch(now_s)
        newest: dict[int, Stream] = {}
        for stream in self._streams.values():
            if stream.last_bin >= newest.get(stream.node, stream).last_bin:
                newest[stream.node] = stream
        for node, stream in newest.items():
            start = proofs.known_until(stream)
            if not start:
                continue
            name = node_name(node)
            if now_s - start <= silence.SILENT_S:
                continue
            stands = self._rules.site_of(name, now_s) is not None
            if stands and self._rules.is_on_air(name) and self._on_air.is_alive(node, start, now_s):
                continue
            known, at = self._silences.get(node, []), partial(self._rules.site_of, name)
            self._silences[node], news = silence.reckon(known, self._owed(stream, start, now_s), at, now_s)
            effects += news
            told = [{"node": name, "since_s": gap.start_s, "until_s": gap.until_s if gap.bound >= 0 else None} for gap in news]
            effects += [Note("warning", "node silent", about) for gap, about in zip(news, told, strict=True) if not gap.resolved_s]
        return effects

    def _owed(self, stream: Stream, start: int, now_s: int) -> list[Gap]:
        """What a node that has delivered nothing since then would be silent about now: a gap for each site at which it has stood,
        bounded where it stands there no more."""
        name, found = node_name(stream.node), list[Gap]()
        begin: int | None = start
        while begin is not None and begin <= now_s:
            site, change = self._rules.site_of(name, begin), self._rules.next_change(name, begin)
            end = change if change is not None and change <= now_s else None
            if site is not None:
                most = -1 if end is None else self._place_of(stream, site, begin).people_in(end - begin)
                found.append(Gap(site, stream.node, SILENT, begin, end or now_s, most))
            begin = end
        runs = [run[0] for run in stream.missing]
        if found and runs and min(runs) < found[0].start_s and self._rules.site_of(name, min(runs)) == found[0].site:
            found[0] = replace(found[0], start_s=min(runs))
        return found

    def nodes_now(self) -> list[NodeNow]:
        """Every node with a stream, for those who look on; of a node that was wiped, the stream that was heard last."""
        return heard.nodes_now(self._streams.values(), silence.open_ones(self._silences))

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
        moments.witness(stream, received, message.boot, message.uptime_s)
        effects += stream.boots.values()  # of those that ended nothing more will be told: kept now, whatever becomes of us
        if message.next_seq <= stream.watermark:
            found = {"node": node_name(stream.node), "next_seq": message.next_seq, "watermark": stream.watermark}
            effects.append(Note("error", "node counts backwards: wipe its log", found))
        stream.links.add(received.link)
        stream.may_ask = True
        stream.first_held = message.first_held
        return [*effects, self._ack(stream, received), *self._time(stream, received)]

    def _live(self, stream: Stream, received: Received, message: streetwire.Live) -> list[Effect]:
        moments.witness(stream, received, message.boot, message.uptime_s)
        known = stream.boots[message.boot]
        if message.uptime_s >= known.live_uptime_s:  # else it comes late, and a later one has told more
            covered_s = min(dict(message.objects).get(streetwire.ID_OF["covered_s"], 0), PERIOD_S)
            stream.boots[message.boot] = replace(
                known, live_ab=message.total_ab, live_ba=message.total_ba, live_uptime_s=message.uptime_s, live_covered_s=covered_s
            )
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
        return effects + self._status(stream, received, STATUS_EVERY_S + STATUS_WAITS_S)

    def _status(self, stream: Stream, received: Received, due_s: int) -> list[Effect]:
        # It goes with a record, which is committed anyway: a commit of its own for each node costs most of what a day writes. A
        # live message brings it only where none comes.
        assert stream.heard is not None  # hear() has just noted it
        told_s = stream.heard.live_ms // 1000
        since_s = received.received_ms // 1000 - stream.told_status_s  # clocks may step back: then it is due at once
        site = self._rules.site_of(node_name(stream.node), told_s)
        if told_s in (0, stream.told_status_s) or 0 <= since_s < due_s or site is None:
            return []
        stream.told_status_s = told_s
        boot = stream.boots.get(stream.heard.boot)
        return [*([boot] if boot else []), Status(site, stream.node, told_s, heard.status_fields(stream.heard))]

    def _record(self, stream: Stream, received: Received, message: streetwire.RecordMessage) -> list[Effect]:
        record = message.record
        if record.seq <= stream.watermark:
            return self._again(stream, received, record)
        if message.previous > stream.watermark:
            self._drop("out of order")
            return [*self._ask_again(stream, received), self._ack(stream, received)]
        bin_start, q = acceptance.minute_of(stream, record, received)
        if acceptance.is_future(stream, record, bin_start, received):
            return self._complain(received, stream.node, "record from the future", f"bin {bin_start}")
        name = node_name(stream.node)
        site = self._rules.site_of(name, bin_start)
        if site is None and not self._stood_elsewhere_since(name, bin_start, received):
            return self._complain(received, stream.node, "node has no site", f"at {bin_start}; see valid_from")
        missing = proofs.hole(stream, record)
        went_back = stream.last_boot >= 0 and proofs.is_after(stream.last_boot, record.boot)
        if missing is None or went_back:
            return self._complain(received, stream.node, "two nodes with one number", "wipe the log of one, or of a restored one")
        place = self._place_of(stream, site, bin_start)
        silences = self._silences.pop(stream.node, [])
        effects = proofs.prove(stream, self._olds(stream), record, place, sum(missing), silences, received)
        if site is None:
            effects += acceptance.pass_over(stream, record, bin_start)
            effects += self._complain(received, stream.node, "counted where it had no site", f"at {bin_start}: it is nobody's")
        else:
            effects += acceptance.accept(stream, record, site, place, q, received)
        return [*effects, *self._status(stream, received, STATUS_EVERY_S - PERIOD_S // 2), self._ack(stream, received)]

    def _stood_elsewhere_since(self, name: str, bin_start: int, received: Received) -> bool:
        # Then what it counted on a desk is done with, and must not hold up what it counts at its site. Until it has a site again it
        # keeps what it has: somebody may yet say where it stood.
        change_s = self._rules.next_change(name, bin_start)
        return change_s is not None and change_s <= received.received_ms // 1000

    def _place_of(self, stream: Stream, site: str | None, bin_start: int) -> Place:
        name = node_name(stream.node)
        here = site or self._rules.site_of(name, stream.last_bin)  # what is proved of the minutes before belongs there
        rate = self._rules.greatest_rate(here) if here is not None else 0
        return Place(
            site, bin_start, rate, partial(self._rules.site_of, name), partial(self._rules.next_change, name),
            self._rules.greatest_rate,
        )  # fmt: skip

    def _again(self, stream: Stream, received: Received, record: streetwire.Record) -> list[Effect]:
        self._drop("duplicate")
        if stream.recent.get(record.seq) not in (None, streetwire.crc32(record.pack())):  # a copy of its flash is at work too
            return self._complain(received, stream.node, "two nodes with one number", f"record {record.seq} is there twice")
        return [self._ack(stream, received)]

    def _olds(self, stream: Stream) -> list[Stream]:
        """Whose time the first record of a stream carries on: those of the logs that the node had before it was wiped."""
        if stream.last_bin:
            return []
        others = [other for other in self._streams.values() if other.node == stream.node and other is not stream]
        return [other for other in others if other.last_bin or any(state.epoch_ms for state in other.boots.values())]

    # -- small things

    def _stream(self, node: int, incarnation: int) -> Stream | None:
        stream = self._streams.get((node, incarnation))
        if stream is None and len(self._streams) < MAX_NODES:
            stream = self._streams[node, incarnation] = Stream(node, incarnation)
        return stream

    def _has_rival(self, stream: Stream, received: Received) -> bool:
        """Whether a node of the same number but another log is at work on another link: the first one keeps the number."""
        others = [other for other in self._streams.values() if other.node == stream.node and other is not stream]
        elsewhere = [other for other in others if other.heard is not None and other.heard.link != received.link]
        return any(moments.steady(received) - other.heard_ms < RIVAL_MS for other in elsewhere)

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


def _is_tag(name: str) -> bool:
    """What may become a tag of the database: it cannot be escaped by everyone who reads it."""
    return len(name) <= streetwire.MAX_NAME and all(c.isascii() and (c.isalnum() or c in "-_.") for c in name)
