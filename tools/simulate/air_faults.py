"""What strikes nodes without a cable, and the gateway's radio. A stroke at a node that has a cable strikes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.simulate.radio import strange_advert

if TYPE_CHECKING:
    from tools.simulate.schedule import Stroke
    from tools.simulate.world import World

STRANGE_EVERY_MS = 2000


def adverts_lost(world: World, stroke: Stroke) -> bool:
    radio = world.nodes[stroke.node].radio
    lasting_ms, percent = stroke.numbers
    if radio is not None:
        world.air.lose(radio.key.address, world.timeline.now_ms + lasting_ms, percent / 100)
    return radio is not None


def adverts_replayed(world: World, stroke: Stroke) -> bool:
    radio = world.nodes[stroke.node].radio
    if radio is None:
        return False
    recorded = list(world.air.broadcast_before.get(radio.key.address, ()))
    for data in recorded:
        world.timeline.after(stroke.numbers[0], world.air.say, radio.key.address, data)
    return bool(recorded)


def strange_adverts(world: World, stroke: Stroke) -> bool:
    # Somebody sends under the node's address what was made with another key, as often as the node does.
    radio = world.nodes[stroke.node].radio
    lasting_ms, seed = stroke.numbers
    if radio is None:
        return False
    for k in range(lasting_ms // STRANGE_EVERY_MS):
        world.timeline.after(k * STRANGE_EVERY_MS, world.air.say, radio.key.address, strange_advert(radio.key, seed, k))
    return True


def scanner_deaf(world: World, stroke: Stroke) -> bool:
    world.air.deaf_until_ms = world.timeline.now_ms + stroke.numbers[0]
    return world.has_air


def adapter_gone(world: World, stroke: Stroke) -> bool:
    world.air.gone_until_ms = world.timeline.now_ms + stroke.numbers[0]
    world.air.hang_up_all()
    return world.has_air


def cut_conversation(world: World, stroke: Stroke) -> bool:
    world.air.chunks_until_cut = stroke.numbers[0]
    return world.has_air


def cut_in_reserve(world: World, stroke: Stroke) -> bool:
    # A node reserves numbers for its adverts as soon as it has started: there the supply fails again.
    radio = world.nodes[stroke.node].radio
    if radio is None or not world.cut(stroke.node, stroke.numbers[0]):
        return False
    radio.nvs.cut_at_commit = bool(stroke.numbers[1])
    return True
