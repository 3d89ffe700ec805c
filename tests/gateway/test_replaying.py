"""gateway.replaying: the points follow from the received records and from nothing else."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import keeping
from gateway.replaying import replay
from gateway.store import QUEUED, Store
from tests.gateway.parts import SERIES, T0, Desk, hello, live, minute
from tests.gateway.readback import MemoryServer, Office

# A record: of the minute after, people, whether the power was cut before it, and what the live totals knew then.
days = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.booleans(), st.integers(0, 5)), min_size=1, max_size=25)


def lived(day) -> Desk:
    desk, boot, total, at_s, uptime_s = Desk(), 1, 0, T0, 0
    desk.hear(hello(), T0)
    for seq, (step, people, is_cut, unseen) in enumerate(day, 1):
        at_s += 60 * step
        if is_cut:
            desk.hear(live(boot, uptime_s + 20, total + unseen, covered_s=20), at_s)
            boot, total, uptime_s = boot + 1, 0, 0
            desk.hear(hello(boot, next_seq=seq), at_s + 1)
        total, uptime_s = total + people, uptime_s + 60
        record = minute(
            seq, at_s, people, boot=boot, total=(total, 0), uptime_end_s=uptime_s, covered_s=30, climate=(2000 + people, 90, 6)
        )
        desk.hear(record, at_s + 90)
    return desk


@given(days)
@settings(max_examples=60)
def test_the_same_records_give_the_same_bins(day):
    desk, into = lived(day), Store(":memory:")
    found = replay(desk.store, into)
    assert (found.received >= len(day), found.different) == (True, [])
    assert into.count_bins_since(0) == desk.store.count_bins_since(0)
    assert into.climate_since(0, 1 << 40) == desk.store.climate_since(0, 1 << 40)
    assert found.bins == len(desk.store.count_bins_since(0))


def test_a_bin_that_somebody_changed_is_named():
    desk = lived([(1, 3, False, 0)] * 5)
    was = desk.store.count_bin(SERIES, T0 + 120)
    assert was is not None
    with desk.store.transaction():
        desk.store.put_bin(replace(was, ab=4), QUEUED)
    assert replay(desk.store, Store(":memory:")).different == [(replace(was, ab=4), was)]


def test_nothing_kept_is_nothing_replayed():
    found = replay(Store(":memory:"), Store(":memory:"))
    assert (found.received, found.bins, found.different) == (0, 0, [])


def test_a_bin_whose_first_record_has_been_forgotten_is_not_compared():
    desk = lived([(1, 3, False, 0), (0, 2, False, 0), (1, 4, False, 0)])
    ((first,),) = desk.store.read("SELECT min(id) FROM received")
    with desk.store.transaction():
        desk.store.change("DELETE FROM received WHERE id = ?", [(first,)])
    found = replay(desk.store, Store(":memory:"))
    assert (found.received, found.bins, found.different) == (2, 1, [])


def test_quarters_that_were_thinned_are_not_compared_with_their_minutes():
    desk = lived([(1, 3, False, 0)] * 40)
    later_s = T0 + 10 * 86_400
    assert keeping.make_room(desk.store, later_s, 0).thinned_minutes
    assert desk.store.count_bin(SERIES, T0 + 900).period_s == 900
    found = replay(desk.store, Store(":memory:"))
    assert found.different == []


def test_what_was_adopted_from_a_server_is_not_compared():
    server = MemoryServer()
    first = lived([(1, 3, False, 0)] * 6)
    office = Office(first.store, server)
    office.send()
    second = Desk()
    Office(second.store, server).adopt()
    second.restart()
    second.hear(hello(uptime_s=500, next_seq=8), T0 + 600)
    for seq in range(4, 8):  # all that the node still holds, and one more
        record = minute(
            seq, T0 + 60 * seq, 3, previous=0 if seq == 4 else None, total=(3 * seq, 0), uptime_end_s=60 * seq, covered_s=30
        )
        second.hear(record, T0 + 700)
    found = replay(second.store, Store(":memory:"))
    assert (found.received, found.bins, found.different) == (4, 1, [])
