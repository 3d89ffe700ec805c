"""A law: each record lands at exactly the site where its node stood in that minute, whoever was retired, replaced or moved before
it arrived, in whatever order; so the sum over sites is the sum over nodes, and nothing is missing that was delivered."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model import Gap, Loss, node_name
from tests.gateway.parts import NODE, OTHER, T0, acked, hello, minute, of_kind
from tests.registry.technician import Street
from tools.registry import steps
from tools.registry.steps import RegistryError

THIRD = 0x0000C3
NODES = (NODE, OTHER, THIRD)
MINUTES = 40
changes = st.tuples(
    st.integers(1, MINUTES - 2), st.sampled_from(["retire", "replace", "add"]), st.sampled_from(NODES), st.sampled_from(NODES),
    st.sampled_from(["bahnhof", "jahnplatz"]), st.integers(-5, 3),
)  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(st.lists(changes, max_size=6), st.lists(st.tuples(st.integers(0, MINUTES), st.sampled_from(NODES)), max_size=20))
def test_a_record_lands_where_its_node_stood_in_its_minute(wanted, deliveries):
    with tempfile.TemporaryDirectory() as folder:
        street = Street(Path(folder) / "store.db")
        work = sorted(
            [(at, 0, change) for at, *change in wanted] + [(at, 1, [node]) for at, node in deliveries], key=lambda it: it[:2]
        )
        sent = dict.fromkeys(NODES, 0)
        for at, kind, what in work:
            if kind:
                deliver(street, what[0], sent, at)
            else:
                change(street, T0 + 60 * at, *what)
        for node in NODES:
            deliver(street, node, sent, MINUTES)
        places = street.config.site_of
        booked = {(site, node, start): ab for (site, node), found in street.counted().items() for start, ab in found}
        named = {node_name(node): node for node in NODES}
        assert all(places(node, T0 + start) == site for site, node, start in booked)
        told = {
            (places(name, T0 + 60 * n), name, 60 * n): people(node, n) for name, node in named.items() for n in range(sent[node])
        }
        assert booked == {key: ab for key, ab in told.items() if key[0] is not None}


def people(node: int, n: int) -> int:
    return (node + n) % 7


def deliver(street: Street, node: int, sent: dict[int, int], until: int) -> None:
    """All that the node holds of the minutes before that one, each kept until it is acknowledged."""
    now_s = T0 + 60 * until + 1
    name = node_name(node)
    if name not in street.config.nodes:
        return
    street.desk.hear(hello(1, 60 * until, until + 1, node=node), now_s)
    for n in range(sent[node], until):
        total = sum(people(node, m) for m in range(n + 1))
        said = minute(n + 1, T0 + 60 * n, people(node, n), total=(total, 0), uptime_end_s=60 * (n + 1), node=node)
        effects = street.desk.hear(said, now_s)
        assert not of_kind(effects, Loss)
        assert not [gap for gap in of_kind(effects, Gap) if gap.bound]
        if acked(effects) != n + 1:
            break
        sent[node] = n + 1


def change(street: Street, now_s: int, verb: str, node: int, other: int, site: str, later: int) -> None:
    name, at_s = node_name(node), now_s + 60 * later
    try:
        if verb == "retire":
            street.change(steps.retire, name, at_s)
        elif verb == "replace":
            street.change(steps.replace, name, node_name(other), at_s)
        else:
            street.change(steps.add, name, site, "", at_s, now_s, False)
    except RegistryError:
        return
