"""From a seed to an explicit plan: who is there, and which fault strikes when. Everything else follows from it.

A schedule draws a few kinds of faults and several strokes of each, so that many have only one kind at work and the law is
sharp for it. Strokes have moments in active time, which stands still while everything is switched off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from tools.simulate.street import Street

MINUTE_MS = 60_000
ALL_OFF = "all_off"
ON_AIR = 1 / 3  # of the nodes
_WRAP = 1 << 28  # of running totals


@dataclass(frozen=True)
class NodePlan:
    """A device and its place. `sectors` of `sector_size` bytes are its flash; `ticks_before_wrap_ms` is where its tick counter
    starts; `first_total` and `first_boot` are what its counters had reached before, 0 where it is new."""

    number: int
    site: str
    link: str
    street: Street
    sectors: int
    sector_size: int
    has_climate: bool
    ticks_before_wrap_ms: int
    first_total: int = 0
    first_boot: int = 0
    is_on_air: bool = False  # no cable: adverts and conversations

    @property
    def spare(self) -> int:
        """The number of the device that is put in its place when it breaks."""
        return self.number + 0x100


@dataclass(frozen=True)
class Stroke:
    """A fault at a moment; `node` is the index of the device that it strikes, `numbers` belong to the kind of fault."""

    at_ms: int
    fault: str
    node: int
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Plan:
    """One schedule. Moments are milliseconds of active time since its start, which is in that minute of an hour."""

    seed: int
    nodes: tuple[NodePlan, ...]
    active_ms: int
    first_minute: int  # of the hour, in which it starts
    batch_points: int
    audit_minutes: int
    strokes: tuple[Stroke, ...]

    def moments(self) -> tuple[list[int], int]:
        """When each stroke falls and when the last one is over, in milliseconds since the start, rests included."""
        rest_ms = 0
        moments = []
        for stroke in self.strokes:
            moments.append(stroke.at_ms + rest_ms)
            if stroke.fault == ALL_OFF:
                rest_ms += stroke.numbers[0]
        return moments, self.active_ms + rest_ms

    @property
    def links(self) -> list[str]:
        """Every cable: one a node that has one, and one for its twin where there will be one."""
        own = [node.link for node in self.nodes if not node.is_on_air]
        twins = [twin_of(self.nodes[s.node].link) for s in self.strokes if s.fault.startswith("twin")]
        return list(dict.fromkeys(own + twins))


def twin_of(link: str) -> str:
    return f"{link}-twin"


def draw(seed: int, kinds: dict[str, float]) -> Plan:
    """The schedule of a seed. `kinds` are the faults that may be drawn, with their weights."""
    from tools.simulate.faults import FAULTS

    rng = Random(f"schedule {seed}")
    count = rng.choices((1, 2, 3), (75, 20, 5))[0]
    nodes = tuple(_without_cable(seed, _node(rng, k)) for k in range(count))
    active_ms = int((6 + min(60.0, rng.expovariate(1 / 9))) / count**0.7 * MINUTE_MS)
    chosen = rng.choices(list(kinds), list(kinds.values()), k=rng.choice((0, 1, 1, 1, 2, 2, 3, 4))) if kinds else []
    strokes: list[Stroke] = []
    for fault in dict.fromkeys(chosen):
        for _ in range(rng.choice((1, 1, 2, 3, 5))):
            at_ms = rng.randrange(active_ms)
            strokes.append(Stroke(at_ms, fault, rng.randrange(count), FAULTS[fault].draw(rng)))
    strokes.sort(key=lambda stroke: stroke.at_ms)
    # Where the server forgets nothing it is hardly read back: an audit would repair what a mutant has broken.
    needs_audit = any(FAULTS[stroke.fault].forgets for stroke in strokes)
    audit_minutes = rng.choice((2, 5, 15)) if needs_audit else rng.choice((15, 1440, 1440, 1440))
    return Plan(seed, nodes, active_ms, rng.randrange(60), rng.choice((1, 3, 20, 500)), audit_minutes, tuple(strokes))


def _without_cable(seed: int, node: NodePlan) -> NodePlan:
    """Some have none. Drawn by itself, so that nothing else of a schedule depends on it."""
    is_on_air = Random(f"air {seed} {node.number}").random() < ON_AIR
    return replace(node, link=f"air-{node.number}", is_on_air=True) if is_on_air else node


def _node(rng: Random, k: int) -> NodePlan:
    rate = rng.choice((4, 10, 30, 60, 120, 240))
    is_old = rng.random() < 0.15
    sectors, size = rng.choice(((2, 256), (3, 256), (6, 256), (4, 1024), (16, 4096)))
    return NodePlan(
        number=0xA00001 + k,
        site=f"site-{k + 1}",
        link=f"cable-{k + 1}",
        street=Street(rate, rng.choice((0.0, 0.05, 1.0, 5.0))),
        sectors=sectors,
        sector_size=size,
        has_climate=rng.random() < 0.15,
        ticks_before_wrap_ms=rng.choice((0, 0, 0, rng.randrange(1, 15 * MINUTE_MS))),
        first_total=_WRAP - rng.randrange(1, 300) if is_old else 0,
        first_boot=0xFFFF - rng.randrange(3) if is_old else 0,
    )
