"""Building blocks for tests of the gateway: what one node says, and a session with its store and no wires."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import streetwire
from gateway.model import (
    Accept,
    Advertised,
    Effect,
    Fetch,
    Gap,
    GiveTime,
    Loss,
    Note,
    Received,
    Reply,
    Salvage,
    Series,
    Told,
    node_name,
)
from gateway.session import Rules, Session
from gateway.store import Store

T0 = 1_800_000_000  # a UTC minute and a full hour
NODE = 0xA3F1C2
OTHER = 0x0000B2
STRANGER = 0x00DEAD
NAME = node_name(NODE)
INCARNATION = 77
NEW = INCARNATION + 1  # of the log that follows where the first one was wiped
LINK = "serial:test"
RATE = 120  # most people per minute at every site
A_MINUTE = RATE * 62 // 60  # the most that an open minute can hide
SERIES = Series("bahnhof", NAME, "radar")
CLIMATE = Series("bahnhof", NAME, "sht4x")


def hello(
    boot=1, uptime_s=0, next_seq=1, *, node=NODE, incarnation=INCARNATION, first_held=0,
    sensors="radar,sht4x", platform="esp32", firmware="0.1.0", kit="pavement-radar",
):  # fmt: skip
    return streetwire.Hello(node, incarnation, boot, uptime_s, first_held, next_seq, 0, firmware, kit, sensors, platform)


def minute(
    seq, bin_start, ab=0, ba=0, *, previous=None, boot=1, total=None, uptime_end_s=60, covered_s=60, flags=0,
    climate=None, node=NODE, incarnation=INCARNATION,
):  # fmt: skip
    """A record on its way. `previous` is the number before it, `total` (ab, ba) since boot: this minute's share by default;
    `climate` is (centi-degrees, half percents, readings)."""
    total_ab, total_ba = total if total is not None else (ab, ba)
    readings = climate if climate is not None else (streetwire.NO_TEMPERATURE, streetwire.NO_HUMIDITY, 0)
    record = streetwire.Record(seq, boot, bin_start, uptime_end_s, covered_s, ab, ba, total_ab, total_ba, *readings, flags)
    return streetwire.RecordMessage(node, incarnation, seq - 1 if previous is None else previous, record)


def records(first: int, last: int, ab: int = 2, *, previous: int | None = None):
    """Records of whole minutes, one to a minute from T0 on, `ab` people each; `previous` is the number before the first."""
    return [
        minute(
            seq, T0 + 60 * (seq - 1), ab, total=(ab * seq, 0), uptime_end_s=60 * seq, climate=(2000, 100, 6),
            previous=previous if seq == first else None,
        )
        for seq in range(first, last + 1)
    ]  # fmt: skip


def live(boot=1, uptime_s=10, ab=0, ba=0, objects=(), *, covered_s=None, node=NODE, incarnation=INCARNATION):
    if covered_s is not None:
        objects = [*objects, (streetwire.ID_OF["covered_s"], covered_s)]
    return streetwire.Live(node, incarnation, boot, uptime_s, ab, ba, objects)


KEY_ID = 0xC0FFEE
AIR = "ble:test"


def advert(
    counter, ab=0, ba=0, at_s: float = T0 + 75, *, boot=1, incarnation=INCARNATION, node=NODE, key_id=KEY_ID,
    steady_s: float | None = None,
):  # fmt: skip
    """One that was believed, heard at a moment; totals as they are on the node."""
    told = streetwire.Advert(counter, streetwire.boot_tag(incarnation, boot), ab & 0xFFFF, ba & 0xFFFF, 2050, 48)
    return Advertised(node, key_id, told, AIR, -71, int(at_s * 1000), None if steady_s is None else int(steady_s * 1000))


def site_everywhere(_name: str, _at_s: int) -> str | None:
    return "bahnhof"


def rules(known: Iterable[int] = (NODE, OTHER), site_of=site_everywhere, on_air: Iterable[int] = (), rate: int = RATE) -> Rules:
    names, air = {node_name(number) for number in known}, {node_name(number) for number in on_air}
    return Rules(lambda name: name in names, site_of, lambda _site: rate, is_on_air=lambda name: name in air)


def of_kind(effects, kind):
    return [effect for effect in effects if isinstance(effect, kind)]


def replies(effects, kind):
    """The messages of one streetwire kind among the replies."""
    return [effect.message for effect in of_kind(effects, Reply) if effect.message.kind == kind]


def acked(effects):
    """The watermark that the last acknowledgement names, None where there is none."""
    found = replies(effects, streetwire.ACK)
    return found[-1].watermark if found else None


def placed(effects) -> tuple[int, int]:
    """(bin, quality bits) of the record that was accepted."""
    (accept,) = of_kind(effects, Accept)
    return accept.bin_start, accept.q


def losses(effects) -> list[tuple[str, int, int]]:
    """(reason, people, bound)."""
    return [(loss.reason, loss.people, loss.bound) for loss in of_kind(effects, Loss)]


def gaps(effects) -> list[tuple[str, int, int, int]]:
    """(reason, from, until, bound), after T0."""
    return [(gap.reason, gap.start_s - T0, gap.until_s - T0, gap.bound) for gap in of_kind(effects, Gap)]


def salvaged(effects) -> list[tuple[int, int, int, int]]:
    """(bin after T0, ab, ba, seconds watched)."""
    return [(found.bin_start - T0, found.ab, found.ba, found.covered_s) for found in of_kind(effects, Salvage)]


class Desk:
    """A session and its store, in memory unless a path is given; commits as the service does."""

    def __init__(self, path: Path | str = ":memory:", rules_=None) -> None:
        self.rules = rules_ or rules()
        self.store = Store(Path(path), keeps_received=True)
        self.session = Session(self.rules)
        self.now_s = T0

    def hear(
        self, message: streetwire.Message | bytes, at_s: float | None = None, link: str = LINK, steady_s: float | None = None
    ) -> list[Effect]:
        """One payload at a moment, by default the last one named; its effects, committed. The steady clock is UTC unless named."""
        if at_s is not None:
            self.now_s = at_s
        payload = message if isinstance(message, bytes) else message.encode()
        steady_ms = None if steady_s is None else int(steady_s * 1000)
        effects = self.session.hear(Received(payload, link, int(self.now_s * 1000), steady_ms))
        return self.commit(effects)

    def hear_advert(self, told: Advertised) -> list[Effect]:
        self.now_s = told.received_ms / 1000
        return self.commit(self.session.hear_advert(told))

    def commit(self, effects: list[Effect]) -> list[Effect]:
        kept = [effect for effect in effects if not isinstance(effect, (Reply, GiveTime, Fetch, Told, Note))]
        if kept:
            self.store.commit(kept, int(self.now_s))
        return effects

    def restart(self) -> None:
        """A new session from what the store has."""
        self.session = Session(self.rules, self.store.streams(), self.store.silences(), self.store.floors())

    def counts(self) -> dict[int, tuple[int, int]]:
        """All of the store's bins: start -> (ab, ba)."""
        found: dict[int, tuple[int, int]] = {}
        for bin_ in self.store.count_bins_since(0):
            ab, ba = found.get(bin_.start_s, (0, 0))
            found[bin_.start_s] = (ab + bin_.ab, ba + bin_.ba)
        return found

    def covered(self) -> dict[int, tuple[int, int]]:
        """All of the store's bins: start -> (seconds watched, quality bits)."""
        return {bin_.start_s: (bin_.covered_s, bin_.q) for bin_ in self.store.count_bins_since(0)}

    def facts(self, measurement: str) -> dict[int, dict]:
        """What would be published now: time -> fields."""
        return {ref.time_s: self.store.facts(ref) for ref in self.store.waiting(10_000) if ref.measurement == measurement}


def climb(desk: Desk, *totals: int) -> None:
    """Records whose totals climb so high; between them, most people are gone."""
    for seq, total in enumerate(totals, 1):
        desk.hear(minute(seq, T0, 0, total=(total, 0)), T0 + 61)
