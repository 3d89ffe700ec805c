"""gateway.heard: which of a node's streams is shown, and how many people its live totals know of."""

from __future__ import annotations

import streetwire
from gateway.heard import health, nodes_now, status_fields
from gateway.model import BootState, Gap, Heard, Stream
from streetwire import TOTAL_MASK
from tests.gateway.parts import NAME, NODE, OTHER, T0


def stream(incarnation: int, last_bin: int, heard_ms: int = 0, **boot: int) -> Stream:
    made = Stream(NODE, incarnation, last_bin=last_bin)
    if heard_ms:
        made.heard = Heard(heard_ms, "serial:x", live_ms=heard_ms, boot=1)
    if boot:
        made.boots[1] = BootState(NODE, incarnation, 1, **boot)
    return made


def test_of_a_node_that_was_wiped_the_stream_that_was_heard_last_is_shown():
    old, new = stream(1, T0 + 600, heard_ms=5000), stream(2, T0, heard_ms=9000)
    for order in ([old, new], [new, old]):
        (now,) = nodes_now(order, {})
        assert (now.node, now.last_bin_s) == (NAME, T0)


def test_after_a_restart_when_nothing_was_heard_yet_the_newest_record_decides():
    old, new = stream(1, T0), stream(2, T0 + 600)
    for order in ([old, new], [new, old]):
        assert nodes_now(order, {})[0].last_bin_s == T0 + 600


def test_nodes_come_in_the_order_of_their_numbers_with_their_gaps():
    other = Stream(OTHER, 1, last_bin=T0)
    silent = Gap("bahnhof", NODE, "silent", T0 + 60, T0 + 120, -1)
    found = nodes_now([stream(1, T0), other], {NODE: silent})
    assert [(now.node, now.silent_since_s) for now in found] == [("tr-0000b2", 0), (NAME, T0 + 60)]


def test_people_since_the_last_record_also_where_the_totals_begin_anew():
    near_the_end = {"total_ab": TOTAL_MASK - 1, "live_ab": 3, "total_ba": 7, "live_ba": 9}
    (now,) = nodes_now([stream(1, T0, heard_ms=9000, **near_the_end)], {})
    assert (now.open_ab, now.open_ba) == (5, 2)


def test_a_live_message_older_than_the_newest_record_knows_of_nobody():
    (now,) = nodes_now([stream(1, T0, heard_ms=9000, total_ab=10, live_ab=8)], {})
    assert now.open_ab == 0


def test_what_a_live_message_tells_becomes_the_fields_of_node_status():
    objects = [(0xC5, streetwire.HEALTH["blocked"] | streetwire.HEALTH["supply_low"]), (0x0C, 3300), (0xC6, -1250), (0xC3, 2)]
    live = streetwire.Live(NODE, 1, 3, 600, 0, 0, objects)
    told = health(stream(1, T0), live)
    assert status_fields(Heard(0, "serial:x", health=told)) == {
        "uptime_s": 600, "boot": 3, "health": 72, "battery_mv": 3300, "probe_c": -12.5
    }  # fmt: skip
