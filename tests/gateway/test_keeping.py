"""gateway.keeping: what is forgotten with time, and what gives way when the store has outgrown its allowance."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import keeping
from gateway.keeping import FRESH_S, STATUS_S, Yielded, end_contact, forget, make_contact, make_room, used_b
from gateway.model import PERIOD_S, Q_SATURATED, Q_THINNED, Series, Status
from gateway.pipeline import Pipeline
from gateway.store import QUARTER_S, QUEUED, SENT, Store
from tests.gateway.parts import CLIMATE, NODE, OTHER, SERIES, T0
from tests.gateway.test_store import accept, refs

LATER = T0 + FRESH_S + 86_400


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store.db")
    yield store
    store.close()


def minutes(store: Store, first: int, last: int, **about) -> None:
    store.commit([accept(n + 1, T0 + PERIOD_S * n, ab=n, ba=1, climate=(2000, 100, 3), **about) for n in range(first, last)], T0)


def everything_gone(store: Store, now_s: int = LATER) -> Yielded:
    """Down to nothing, as far as that goes."""
    given_up = Yielded()
    while more := make_room(store, now_s, 0):
        given_up += more
    return given_up


def sums(store: Store) -> dict[Series, tuple[int, int, int]]:
    found: dict[Series, Counter] = {}
    for bin_ in store.count_bins_since(0):
        found.setdefault(bin_.series, Counter()).update(ab=bin_.ab, ba=bin_.ba, covered_s=bin_.covered_s)
    return {series: (total["ab"], total["ba"], total["covered_s"]) for series, total in found.items()}


def test_a_store_within_its_allowance_is_left_alone(store):
    minutes(store, 0, 60)
    assert not make_room(store, LATER, used_b(store))
    assert len(store.count_bins_since(0)) == 60


def test_minutes_become_a_quarter_of_an_hour_that_says_so(store):
    minutes(store, 0, 30, q=0)
    store.commit([accept(31, T0 + 60 * 4, ab=5, q=Q_SATURATED)], T0)
    assert make_room(store, LATER, 0) == Yielded(thinned_minutes=60)
    first, second = store.count_bins_since(0)
    assert (first.start_s, first.period_s, first.ab, first.ba, first.covered_s) == (T0, QUARTER_S, sum(range(15)) + 5, 15, 900)
    assert (first.q, first.rev, first.revised_at, first.seq) == (Q_THINNED | Q_SATURATED, 2, LATER, 31)
    assert (second.start_s, second.ab, second.q) == (T0 + 900, sum(range(15, 30)), Q_THINNED)
    climate, _ = store.climate_since(0, LATER)
    assert (climate.temperature_centi_sum, climate.humidity_half_sum, climate.n, climate.q) == (90_000, 4500, 45, Q_THINNED)
    assert store.noted("thinned_minutes") == 60
    assert {ref.time_s for ref in refs(store)} == {T0, T0 + 900}


def test_a_late_record_of_a_thinned_minute_grows_its_quarter_and_no_window(store):
    minutes(store, 0, 15)
    make_room(store, LATER, 0)
    (grown,) = store.commit([accept(99, T0 + 60 * 3, ab=7, climate=(2000, 100, 3))], LATER + 9)
    assert (grown.start_s, grown.period_s, grown.ab) == (T0, QUARTER_S, sum(range(15)) + 7)
    (climate,) = store.climate_since(0, LATER)
    assert (climate.start_s, climate.n) == (T0, 48)
    pipeline = Pipeline()
    pipeline.advance(LATER)
    pipeline.update([grown])
    assert pipeline.live() == []


def test_what_is_young_stays_in_minutes(store):
    minutes(store, 0, 30)
    now_s = T0 + FRESH_S + 20 * 60
    make_room(store, now_s, 0)
    assert [bin_.period_s for bin_ in store.count_bins_since(0)] == [QUARTER_S] + 15 * [PERIOD_S]


def test_a_quarter_of_which_a_minute_was_sent_is_not_touched(store):
    minutes(store, 0, 30)
    store.settle([ref for ref in refs(store) if ref.time_s == T0 + 120], SENT)
    make_room(store, LATER, 0)
    assert [(bin_.start_s, bin_.period_s) for bin_ in store.count_bins_since(0)] == [
        *((T0 + 60 * n, PERIOD_S) for n in range(15)), (T0 + 900, QUARTER_S),
    ]  # fmt: skip


def test_nothing_is_thinned_while_a_server_may_have_it(store):
    minutes(store, 0, 60)
    assert not make_contact(store)
    assert make_contact(store)
    assert not make_room(store, LATER, 0).thinned_minutes
    end_contact(store, T0 + 60 * 20)
    store.commit([accept(n + 1, T0 + PERIOD_S * n) for n in range(60, 61)], T0)
    make_room(store, LATER, 0)
    thinned = [bin_.start_s for bin_ in store.count_bins_since(0) if bin_.period_s == QUARTER_S]
    assert thinned == [T0 + 1800, T0 + 2700, T0 + 3600]


def test_the_last_contact_moves_only_on(store):
    end_contact(store, T0 + 60)
    end_contact(store, 0)
    end_contact(store, T0)
    assert store.noted(keeping.CONTACT) == T0 + 60


def test_what_cannot_be_thinned_goes_health_first_and_people_are_counted(store):
    minutes(store, 0, 70)
    minutes(store, 0, 10, node=OTHER)
    store.commit([Status("bahnhof", NODE, T0, {"uptime_s": 1, "boot": 1})], T0)
    steps = []
    while more := make_room(store, LATER, 0):
        steps.append([name for name in Yielded.__slots__ if getattr(more, name)])
    dropped = ["dropped_bins", "dropped_people"]
    assert steps == [["thinned_minutes"], ["dropped_rows"], ["dropped_rows"], dropped, dropped]
    assert store.count_bins_since(0) == []
    losses = {(ref.tags["node"], ref.tags["reason"], ref.time_s): store.facts(ref) for ref in refs(store, "losses")}
    assert {key: (told["people"], told["bound"]) for key, told in losses.items()} == {
        ("tr-a3f1c2", "dropped", T0): (sum(range(60)) + 60, sum(range(60)) + 60),
        ("tr-a3f1c2", "dropped", T0 + 3600): (sum(range(60, 70)) + 10, sum(range(60, 70)) + 10),
        ("tr-0000b2", "dropped", T0): (sum(range(10)) + 10, sum(range(10)) + 10),
    }
    assert store.noted("dropped_people") == sum(told["people"] for told in losses.values())


def test_the_hour_that_is_not_over_is_not_dropped(store):
    minutes(store, 0, 20)
    everything_gone(store, T0 + 1200)
    assert len(store.count_bins_since(0)) == 20


MINUTES = st.lists(
    st.tuples(
        st.integers(0, 100), st.integers(0, 9), st.integers(0, 60), st.sampled_from([NODE, OTHER]),
        st.sampled_from([QUEUED] * 5 + [SENT]),
    ),
    min_size=1, max_size=60,
)  # fmt: skip


@settings(max_examples=60)
@given(MINUTES, st.integers(0, 120))
def test_thinning_keeps_people_and_coverage_touches_nothing_sent_and_is_done_once(rows, contact_min):
    from pathlib import Path

    store = Store(Path(":memory:"))
    for seq, (minute, ab, covered_s, node, state) in enumerate(rows, 1):
        grown = store.commit([accept(seq, T0 + 60 * minute, ab=ab, covered_s=covered_s, node=node)], T0)
        if state == SENT and grown:
            store.settle([ref for ref in refs(store) if ref.time_s == grown[0].start_s], SENT)
    end_contact(store, T0 + 60 * contact_min)
    before, sent = sums(store), store.read("SELECT * FROM bins WHERE state = ?", (SENT,))
    contacted = [bin_ for bin_ in store.count_bins_since(0) if bin_.start_s < T0 + 60 * contact_min]
    with store.transaction():
        keeping._thin(store, LATER)
    assert sums(store) == before
    assert store.read("SELECT * FROM bins WHERE state = ?", (SENT,)) == sent
    assert [bin_ for bin_ in store.count_bins_since(0) if bin_.start_s < T0 + 60 * contact_min] == contacted
    with store.transaction():
        assert keeping._thin(store, LATER) == 0
    store.close()


# -- with time


def test_of_health_that_waits_long_one_row_an_hour_is_kept(store):
    told = {"uptime_s": 1, "boot": 1}
    store.commit([Status("bahnhof", node, T0 + 300 * n, told) for n in range(24) for node in (NODE, OTHER)], T0)
    forget(store, T0 + STATUS_S + 3600)
    kept = Counter(ref.time_s - T0 for ref in refs(store, "node_status"))
    assert kept == {0: 2, **{300 * n: 2 for n in range(12, 24)}}


def test_the_series_of_climate_is_thinned_alone_too(store):
    store.commit([accept(n + 1, T0 + 60 * n, climate=(2000, 100, 1), sensors=("", "sht4x")) for n in range(20)], T0)
    assert make_room(store, LATER, 0).thinned_minutes == 20
    assert [bin_.series for bin_ in store.climate_since(0, LATER)] == [CLIMATE, CLIMATE]
    assert store.count_bin(SERIES, T0) is None
