"""Every kind of fault in one table: how its numbers are drawn, what it does, and what it may cost.

A stroke that finds nothing to strike (a node that is off already, say) is not counted. Adding a fault is one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tools.simulate import air_faults
from tools.simulate.link import NOISE
from tools.simulate.schedule import ALL_OFF, MINUTE_MS, Stroke
from tools.simulate.server import STATUSES

if TYPE_CHECKING:
    from tools.simulate.world import World

Numbers = tuple[int, ...]
SECOND_MS = 1000
HOUR_MS = 60 * MINUTE_MS
YEAR_MS = 365 * 24 * HOUR_MS
DAY_S = 86_400


@dataclass(frozen=True)
class Fault:
    """`strike` is True where the fault took place. `moves_clock`: minutes cannot be held against true time any more.
    `forgets`: the server or the store lost what it had said to have."""

    draw: Callable[[Random], Numbers]
    strike: Callable[[World, Stroke], bool]
    numbers: tuple[str, ...] = ()  # what those that are drawn are called in its message
    weight: float = 1.0
    moves_clock: bool = False
    forgets: bool = False
    is_quiet: bool = False  # counts itself, by what it does to each frame or answer
    strikes_node: bool = False  # or its cable: else it strikes all


def _lasting(low_ms: int, high_ms: int) -> Callable[[Random], Numbers]:
    """How long it lasts, often near the lower end."""
    return lambda rng: (low_ms + int((high_ms - low_ms) * rng.random() ** 3),)


def _share_lost(rng: Random) -> Numbers:
    return (*_lasting(60_000, 3 * HOUR_MS)(rng), rng.choice((50, 80, 95, 100)))


def _strangers(rng: Random) -> Numbers:
    return (*_lasting(10_000, 10 * MINUTE_MS)(rng), rng.getrandbits(16))


def _reserve(rng: Random) -> Numbers:
    return (*_lasting(500, 60_000)(rng), rng.randrange(2))


# -- nodes


def _power_cut(world: World, stroke: Stroke) -> bool:
    return world.cut(stroke.node, stroke.numbers[0])


def _cut_in_write(world: World, stroke: Stroke) -> bool:
    node = world.nodes[stroke.node]
    node.flash.bytes_until_cut = stroke.numbers[0] if node.is_on else None
    return node.is_on


def _quick_reboots(world: World, stroke: Stroke) -> bool:
    times, pause_ms = stroke.numbers
    for k in range(times):
        world.timeline.after(k * pause_ms, world.cut, stroke.node, 200)
    return world.nodes[stroke.node].is_on


def _all_off(world: World, stroke: Stroke) -> bool:
    rest_ms = stroke.numbers[0]
    for index in range(len(world.nodes)):
        world.cut(index, rest_ms)
    world.gateway.power_cut(rest_ms)
    return True


def _flip(world: World, stroke: Stroke) -> bool:
    node = world.nodes[stroke.node]
    node.flash.flip(Random(stroke.numbers[0]))
    world.book_of(node).flips.append(world.timeline.now_ms)
    return True


def _wipe(world: World, stroke: Stroke) -> bool:
    node = world.nodes[stroke.node]
    world.cut(stroke.node, stroke.numbers[0])
    node.flash.wipe()
    world.book_of(node).wipes.append(world.timeline.now_ms)
    return True


def _swap(world: World, stroke: Stroke) -> bool:
    return world.swap(stroke.node)


def _twin_clone(world: World, stroke: Stroke) -> bool:
    return world.add_twin(stroke.node, is_clone=True)


def _twin_other(world: World, stroke: Stroke) -> bool:
    return world.add_twin(stroke.node, is_clone=False)


# -- cables


def _noise(kind: str) -> Fault:
    def strike(world: World, stroke: Stroke) -> bool:
        lasting_ms, percent = stroke.numbers
        cable = world.nodes[stroke.node].cable
        if cable is not None:
            cable.make_noise(kind, world.timeline.now_ms + lasting_ms, percent / 100)
        return cable is not None

    return Fault(
        lambda rng: (*_lasting(20_000, 10 * MINUTE_MS)(rng), rng.choice((5, 20, 50, 90))), strike, ("lasting_ms", "percent"),
        is_quiet=True, strikes_node=True,
    )  # fmt: skip


def _link_down(world: World, stroke: Stroke) -> bool:
    cable = world.nodes[stroke.node].cable
    if cable is not None:
        cable.out_until_ms = world.timeline.now_ms + stroke.numbers[0]
    return cable is not None


def _answers_lost(world: World, stroke: Stroke) -> bool:
    cable = world.nodes[stroke.node].cable
    if cable is not None:
        cable.mute_until_ms = world.timeline.now_ms + stroke.numbers[0]
    return cable is not None


# -- the gateway


def _kill(world: World, stroke: Stroke) -> bool:
    world.gateway.kill_after(*stroke.numbers)
    return world.gateway.is_up


def _stop(world: World, stroke: Stroke) -> bool:
    return world.gateway.stop(stroke.numbers[0])


def _step_clock(world: World, stroke: Stroke) -> bool:
    offset_ms, lasting_ms = stroke.numbers
    world.move_clock(offset_ms, lasting_ms)
    return True


def _lose_clock(world: World, stroke: Stroke) -> bool:
    # It boots without a network: its clock begins at 1970 until it has one.
    world.gateway.power_cut(2000)
    world.move_clock(-world.second(0) * 1000 - world.timeline.now_ms, stroke.numbers[0])
    return True


def _fill_disk(world: World, stroke: Stroke) -> bool:
    world.for_a_while(world.gateway.disk, "is_full", stroke.numbers[0])
    return True


def _fail_to_sync(world: World, stroke: Stroke) -> bool:
    world.for_a_while(world.gateway.disk, "fails_to_commit", stroke.numbers[0])
    return True


def _delete_store(world: World, stroke: Stroke) -> bool:
    world.gateway.kill(stroke.numbers[0])
    world.gateway.files.lose()
    world.forget_unpublished()
    return True


def _restore_store(world: World, stroke: Stroke) -> bool:
    def restore(files: dict[str, bytes]) -> None:
        if world.is_healing:
            return
        world.gateway.kill(5000)
        world.gateway.files.restore(files)

    world.timeline.after(stroke.numbers[0], restore, world.gateway.files.copy())
    return True


def _corrupt_store(world: World, stroke: Stroke) -> bool:
    world.gateway.kill(5000)
    world.gateway.files.corrupt(Random(stroke.numbers[0]), stroke.numbers[1])
    world.forget_unpublished()
    return True


# -- the server


def _server(mode: str, *arguments: int, weight: float = 1) -> Fault:
    def draw(rng: Random) -> Numbers:
        lasting = _lasting(10_000, 20 * MINUTE_MS)(rng)
        return (*lasting, rng.choice(arguments)) if arguments else lasting

    def strike(world: World, stroke: Stroke) -> bool:
        lasting_ms, *argument = stroke.numbers
        world.server_does(mode, argument[0] if argument else 0, lasting_ms)
        return True

    return Fault(draw, strike, ("lasting_ms", "argument")[: 2 if arguments else 1], weight)


def _server_killed(world: World, stroke: Stroke) -> bool:
    return world.server.lose_since(world.timeline.now_ms - stroke.numbers[0]) > 0


def _server_wiped(world: World, _stroke: Stroke) -> bool:
    return world.server.lose_since(0) > 0


def _server_restored(world: World, stroke: Stroke) -> bool:
    return world.server.lose_since(world.timeline.now_ms - stroke.numbers[0]) > 0


def _server_keeps_days(world: World, stroke: Stroke) -> bool:
    world.server.oldest_s = lambda: world.second(world.timeline.now_ms) - stroke.numbers[0] * DAY_S
    return True


def _clock(*steps_ms: int, weight: float = 1) -> Fault:
    def draw(rng: Random) -> Numbers:
        return rng.choice(steps_ms), *_lasting(30_000, 20 * MINUTE_MS)(rng)

    return Fault(draw, _step_clock, ("step_ms", "lasting_ms"), weight, moves_clock=True)


_OFF = ("off_ms",)
_LASTING = ("lasting_ms",)

FAULTS: dict[str, Fault] = {
    # A node. In the middle of a write: after that many more bytes programmed or erased.
    "power_cut": Fault(_lasting(500, 30 * MINUTE_MS), _power_cut, _OFF, 3, strikes_node=True),
    "cut_in_write": Fault(
        lambda rng: (rng.randrange(rng.choice((1, 33, 65, 300, 1200))),), _cut_in_write, ("bytes",), 3, strikes_node=True
    ),
    "quick_reboots": Fault(
        lambda rng: (rng.randrange(2, 6), rng.choice((2000, 7000, 25_000, 61_000))),
        _quick_reboots,
        ("times", "pause_ms"),
        strikes_node=True,
    ),
    ALL_OFF: Fault(_lasting(HOUR_MS, 14 * 24 * HOUR_MS), _all_off, _OFF),
    "flash_bit_flipped": Fault(lambda rng: (rng.getrandbits(32),), _flip, ("seed",), strikes_node=True),
    "node_wiped": Fault(_lasting(500, 20 * MINUTE_MS), _wipe, _OFF, strikes_node=True),
    "hardware_swapped": Fault(lambda _rng: (), _swap, (), 0.5, strikes_node=True),
    "twin_clone": Fault(lambda _rng: (), _twin_clone, (), 0.5, strikes_node=True),
    "twin_other": Fault(lambda _rng: (), _twin_other, (), 0.5, strikes_node=True),
    # Its cable.
    **{kind: _noise(kind) for kind in NOISE},
    "link_down": Fault(_lasting(5000, 40 * MINUTE_MS), _link_down, _LASTING, 2, strikes_node=True),
    "answer_lost": Fault(_lasting(5000, 15 * MINUTE_MS), _answers_lost, _LASTING, is_quiet=True, strikes_node=True),
    # The air between nodes without a cable and the gateway.
    "adverts_lost": Fault(_share_lost, air_faults.adverts_lost, ("lasting_ms", "percent"), is_quiet=True, strikes_node=True),
    "adverts_replayed": Fault(_lasting(1000, 40 * MINUTE_MS), air_faults.adverts_replayed, ("after_ms",), strikes_node=True),
    "strange_adverts": Fault(_strangers, air_faults.strange_adverts, ("lasting_ms", "seed"), strikes_node=True),
    "scanner_deaf": Fault(_lasting(10_000, 40 * MINUTE_MS), air_faults.scanner_deaf, _LASTING),
    "adapter_gone": Fault(_lasting(5000, 40 * MINUTE_MS), air_faults.adapter_gone, _LASTING),
    "conversation_cut": Fault(lambda rng: (rng.randrange(30),), air_faults.cut_conversation, ("chunks",), is_quiet=True),
    "cut_in_reserve": Fault(_reserve, air_faults.cut_in_reserve, ("off_ms", "is_kept"), strikes_node=True),
    # The gateway: its process, its clock, its disk, its store.
    "gateway_killed": Fault(lambda rng: (rng.randrange(60), 2000 + int(60_000 * rng.random() ** 3)), _kill, ("step", "off_ms"), 5),
    "gateway_stopped": Fault(_lasting(5000, 60 * MINUTE_MS), _stop, _OFF, 1.5),
    "clock_stepped": _clock(-HOUR_MS, 3 * MINUTE_MS, -3 * MINUTE_MS, 20_000, -20_000, -240 * HOUR_MS),
    "clock_hour_ahead": _clock(HOUR_MS, weight=0.1),  # dear: a node's records have to wait until their hour has come
    "clock_years_off": _clock(-YEAR_MS, YEAR_MS, 10 * YEAR_MS, weight=0.1),
    "clock_lost": Fault(_lasting(10_000, 15 * MINUTE_MS), _lose_clock, _LASTING, moves_clock=True),
    "disk_full": Fault(_lasting(5000, 10 * MINUTE_MS), _fill_disk, _LASTING, 1.5),
    "disk_unsynced": Fault(_lasting(5000, 5 * MINUTE_MS), _fail_to_sync, _LASTING, 1.5),
    "store_deleted": Fault(_lasting(2000, 5 * MINUTE_MS), _delete_store, _OFF, forgets=True),
    "store_restored": Fault(_lasting(60_000, 10 * MINUTE_MS), _restore_store, ("after_ms",), forgets=True),
    "store_corrupted": Fault(
        lambda rng: (rng.getrandbits(32), rng.randrange(1, 50)), _corrupt_store, ("seed", "bytes"), forgets=True
    ),
    # The server.
    "server_away": _server("silent"),
    "server_status": _server("status", *STATUSES),
    "server_asks_to_wait": _server("asked-to-wait", 1, 30, 3600),
    "server_takes_little": _server("small", 1, 2, 10),
    "server_breaks_off": _server("reset", 1, 2, 10),
    "server_refuses_lines": _server("picky", 3, 10, 30),
    "server_answer_lost": _server("half-deaf"),
    "server_slow": _server("slow", 3, 20, 90, weight=2),
    "server_killed": Fault(_lasting(1000, 10_000), _server_killed, ("lost_ms",), forgets=True),
    "server_wiped": Fault(lambda _rng: (), _server_wiped, forgets=True),
    "server_keeps_days": Fault(lambda rng: (rng.choice((1, 7)),), _server_keeps_days, ("days",)),
    "server_restored": Fault(_lasting(60_000, 30 * MINUTE_MS), _server_restored, ("lost_ms",), forgets=True),
}

# Injected on demand, and not drawn among others: two boards under one number, of whose records nobody can tell whose they are; a
# clock that is off by years, which makes a schedule twenty times as dear; a server that keeps some days, which shows only where a
# schedule rests for longer.
NOT_DRAWN = {"twin_clone", "twin_other", "clock_years_off", "server_keeps_days"}


def drawn() -> dict[str, float]:
    """Faults that schedules draw, with their weights."""
    return {name: fault.weight for name, fault in FAULTS.items() if name not in NOT_DRAWN}
