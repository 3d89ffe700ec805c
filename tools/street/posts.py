"""The posts of a street, by number: which kit hangs where, who passes it, its cable, or its key where it has none."""

from __future__ import annotations

import heapq
import random
from dataclasses import replace
from pathlib import Path

from gateway.model import node_name
from gateway.radio.keys import KeyStore, NodeKey
from tools.street import sights, walkers
from tools.street.aerial import Aerial
from tools.street.cable import Cable
from tools.street.climate import Weather
from tools.street.day_curve import site_curve
from tools.street.node import Identity
from tools.street.plan import Plan
from tools.street.sights import KITS
from tools.street.world import Post


def make_post(plan: Plan, index: int, folder: Path, state: Path) -> Post:
    """`folder` takes what is on the board and the port, `state` is the gateway's."""
    kit = KITS[index % len(KITS)]
    from_ms = plan.put_up_ms(kit)
    shown_ms = plan.duration_ms - from_ms
    rng = random.Random(f"{plan.seed}/{index}")
    people = kit.people(rng, site_curve(index)[2], plan.start_s + from_ms // 1000, shown_ms // 1000)
    crossings = [replace(crossing, t_ms=from_ms + crossing.t_ms) for crossing in walkers.crossings(people)]
    phase_ms = rng.randrange(100)
    seed = rng.getrandbits(32)
    nvs = None if kit.has_cable else folder / f"nvs{index}.txt"
    identity = Identity(f"24dcc351a{index:03x}", folder / f"flash{index}.bin", phase_ms, seed=seed, kit=kit.name, nvs=nvs)
    seen = ((from_ms + t_ms, stream, data) for t_ms, stream, data in kit.see(rng, people, shown_ms, phase_ms))
    air = sights.air(Weather(random.Random(f"{plan.seed}/weather"), plan.start_s), from_ms)
    events = heapq.merge(seen, air, key=lambda event: event[0])
    if nvs is not None:
        return Post(kit, identity, Aerial(_make_key(plan, identity, nvs, state)), events, crossings, from_ms)
    cable_rng = random.Random(f"{plan.seed}/cable/{index}")
    cable = Cable(folder / f"ttyNODE{index}", lambda data: post.node.hear(data), cable_rng)  # noqa: PLW0108  it comes later
    post = Post(kit, identity, cable, events, crossings, from_ms)
    return post


def _make_key(plan: Plan, identity: Identity, nvs: Path, state: Path) -> NodeKey:
    """The gateway has it in its store, the node in NVS."""
    address = bytes.fromhex(identity.mac).hex(":").upper()
    random_bytes = random.Random(f"{plan.seed}/key/{identity.mac}").randbytes
    key = KeyStore(state / "keys").make(node_name(identity.node), address, random_bytes)
    nvs.write_text(f"key {key.key.hex()}\ncounter 00000000\n", encoding="ascii")
    return key
