"""gateway.store: one transaction, bins that only grow, an outbox of references, and what is known after a restart."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import asdict

import pytest

from gateway import model
from gateway.errors import StoreDamaged, StoreError
from gateway.keeping import KEEP_S, forget
from gateway.model import Q_TIME_HELD, Accept, BootState, Gap, Loss, OutboxRef, Passport, Salvage, Status
from gateway.store import AUDITED, DEAD, QUEUED, SENT, SUPPRESSED, Store
from gateway.tables import VERSION
from tests.gateway.parts import CLIMATE, INCARNATION, NAME, NODE, SERIES, T0, Desk, hello, live, minute

TABLES = ("streams", "boots", "received", "series", "bins", "climate", "facts", "silences", "outbox", "dead_letters")


def accept(
    seq, start=T0, ab=1, ba=0, *, q=0, covered_s=60, climate=None, node=NODE, boot=1, site="bahnhof", sensors=("radar", "sht4x")
):
    record = minute(seq, start, ab, ba, covered_s=covered_s, climate=climate, boot=boot).record
    return Accept(node, INCARNATION, record, site, start, *sensors, q, (start + 61) * 1000)


def everything(store: Store) -> dict[str, list]:
    return {table: store._db.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}


def refs(store: Store, measurement: str = "passages") -> list[OutboxRef]:
    return [ref for ref in store.waiting(1000) if ref.measurement == measurement]


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store.db", keeps_received=True)
    yield store
    store.close()


# -- one transaction


class Poison:
    """An iterable that fails in the middle, as a bug or a signal would."""

    def __init__(self, *effects: model.Effect) -> None:
        self.effects = effects

    def __iter__(self):
        yield from self.effects
        raise KeyboardInterrupt


def test_a_failure_in_the_middle_of_a_batch_leaves_nothing(store):
    store.commit([accept(1)], T0 + 61)
    before = everything(store)
    passport = Passport(NODE, INCARNATION, "0.1.0", "kit", "esp32", "radar", "sht4x")
    batch = Poison(
        passport, BootState(NODE, INCARNATION, 1, 5), Gap("bahnhof", NODE, "silent", T0, T0 + 60, -1),
        Loss("bahnhof", NODE, "given_up", T0, 1, 1), Status("bahnhof", NODE, T0, {"uptime_s": 1, "boot": 1}),
        accept(2, T0 + 60, climate=(2000, 100, 3)),
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        store.commit(batch, T0 + 121)
    assert everything(store) == before
    assert store.commit([accept(2, T0 + 60)], T0 + 121) != []  # and it works on


def test_a_statement_that_fails_leaves_nothing_and_the_store_works_on(store):
    broken = BootState(NODE, None, 1)  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        store.commit([accept(1), broken], T0 + 121)
    assert not any(everything(store).values())
    assert len(store.commit([accept(1), accept(2, T0 + 60)], T0 + 121)) == 2


def test_the_journal_and_the_sync_are_those_that_survive_a_power_cut(store):
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)


# -- records and bins


def test_a_record_that_is_there_changes_nothing_though_the_session_says_accept(store):
    store.commit([accept(1, ab=3, climate=(2000, 100, 3))], T0 + 61)
    before = everything(store)
    assert store.commit([accept(1, ab=3, climate=(2000, 100, 3))], T0 + 99) == []
    assert store.commit([accept(1, T0 + 60, ab=4)], T0 + 99) == []
    assert everything(store) == before


def test_a_bin_is_the_sum_of_its_records_and_its_revision_rises(store):
    grown = [
        store.commit([accept(seq, ab=ab, ba=ba, covered_s=covered_s, q=q)], T0 + 61 + seq)[0]
        for seq, ab, ba, covered_s, q in ((1, 3, 1, 20, 1), (2, 0, 0, 30, 8), (3, 2, 2, 30, 0))
    ]
    seen = [(b.ab, b.ba, b.covered_s, b.q, b.rev, b.revised_at - T0) for b in grown]
    assert seen == [(3, 1, 20, 1, 0, 62), (3, 1, 50, 9, 1, 63), (5, 3, 60, 9, 2, 64)]
    assert store.count_bin(SERIES, T0) == grown[-1]


def test_commit_returns_each_changed_bin_once_as_it_is_now(store):
    changed = store.commit([accept(1), accept(2), accept(3, T0 + 60)], T0 + 130)
    assert [(b.start_s, b.ab) for b in changed] == [(T0, 2), (T0 + 60, 1)]


def test_sites_nodes_and_sensors_do_not_mix(store):
    store.commit([accept(1), accept(2, site="jahnplatz"), accept(3, sensors=("pir", "")), accept(1, node=5)], T0 + 61)
    series = {(b.series.site, b.series.node, b.series.sensor): b.ab for b in store.count_bins_since(0)}
    assert series == {
        ("bahnhof", NAME, "radar"): 1, ("jahnplatz", NAME, "radar"): 1, ("bahnhof", NAME, "pir"): 1,
        ("bahnhof", "tr-000005", "radar"): 1,
    }  # fmt: skip


def test_climate_is_the_mean_over_readings_not_over_records(store):
    store.commit([accept(1, climate=(2000, 100, 1)), accept(2, climate=(2300, 130, 2))], T0 + 61)
    found = store.climate_bin(CLIMATE, T0)
    assert (found.temperature_centi_sum, found.humidity_half_sum, found.n, found.rev) == (6600, 360, 3, 1)


def test_a_reading_that_was_not_made_is_no_climate(store):
    from streetwire import NO_HUMIDITY, NO_TEMPERATURE

    readings = [(NO_TEMPERATURE, NO_HUMIDITY, 0), (NO_TEMPERATURE, 100, 3), (2000, NO_HUMIDITY, 3)]
    store.commit([accept(n, climate=climate) for n, climate in enumerate(readings, 1)], T0 + 61)
    assert store.climate_bin(CLIMATE, T0) is None
    assert refs(store, "climate") == []


def test_implausible_climate_does_not_stain_the_count(store):
    q = model.Q_CLIMATE_IMPLAUSIBLE | model.Q_SATURATED
    store.commit([accept(1, q=q, climate=(2000, 100, 1))], T0 + 61)
    assert store.count_bin(SERIES, T0).q == model.Q_SATURATED
    assert store.climate_bin(CLIMATE, T0).q & model.Q_CLIMATE_IMPLAUSIBLE


def test_a_node_that_only_measures_climate_has_no_count(store):
    store.commit([accept(1, climate=(2000, 100, 1), sensors=("", "sht4x"))], T0 + 61)
    assert [ref.measurement for ref in store.waiting(9)] == ["climate"]


def test_the_watermark_and_the_last_bin_never_move_back(store):
    store.commit([accept(9, T0 + 600)], T0 + 661)
    store.commit([accept(5, T0)], T0 + 662)
    (stream,) = store.streams()
    assert (stream.watermark, stream.last_bin) == (9, T0 + 600)


# -- the outbox holds references


def test_one_reference_for_each_series_and_time(store):
    store.commit([accept(1, climate=(2000, 100, 1)), accept(2), accept(3, T0 + 60)], T0 + 130)
    assert sorted((ref.measurement, ref.time_s, ref.rev) for ref in store.waiting(99)) == [
        ("climate", T0, 0), ("passages", T0, 1), ("passages", T0 + 60, 0),
    ]  # fmt: skip


def test_the_oldest_goes_first_and_the_limit_is_kept(store):
    store.commit([accept(n, T0 + 60 * (9 - n)) for n in range(1, 9)], T0 + 600)
    assert [ref.time_s for ref in store.waiting(3)] == [T0 + 60, T0 + 120, T0 + 180]


def test_what_is_flagged_and_what_was_salvaged_goes_before_all_bins(store):
    store.commit([accept(n, T0 + 60 * n) for n in range(1, 9)], T0 + 600)
    salvaged = Salvage(NODE, INCARNATION, 1, "bahnhof", T0, "radar", 3, 0, 20, 0, 0)
    gap = Gap("bahnhof", NODE, "dark", T0 + 560, T0 + 620, 9)
    store.commit([Loss("bahnhof", NODE, "power_cut", T0 + 500, -1, 9), salvaged, gap], T0 + 661)
    first = [("losses", T0 // 3600 * 3600), ("gaps", T0 + 560), ("passages", T0)]
    for fresh_s in (T0 + 300, 1 << 62):
        assert [(ref.measurement, ref.time_s) for ref in store.waiting(3, fresh_s)] == first
        refs = store.waiting(99, fresh_s)
        assert len(refs) == len(set(refs)) == 11


def test_what_grows_while_it_is_being_sent_goes_on_waiting(store):
    store.commit([accept(1, ab=3)], T0 + 61)
    (sent,) = store.waiting(9)
    store.commit([accept(2, ab=4)], T0 + 62)
    store.settle([sent], SENT)
    assert [(ref.id, ref.rev) for ref in store.waiting(9)] == [(sent.id, 1)]
    store.settle(store.waiting(9), SENT)
    assert store.waiting(9) == []


@pytest.mark.parametrize("state", [SENT, DEAD, SUPPRESSED])
def test_what_is_settled_waits_again_when_it_grows(store, state):
    store.commit([accept(1, ab=3)], T0 + 61)
    store.settle(store.waiting(9), state)
    assert store.waiting(9) == []
    store.commit([accept(2, ab=4)], T0 + 62)
    (ref,) = store.waiting(9)
    assert (ref.rev, store.count_bin(SERIES, T0).ab) == (1, 7)


def test_a_buried_line_is_kept_with_its_reason_and_blocks_nobody(store):
    store.commit([accept(1), accept(2, T0 + 60)], T0 + 130)
    bad, good = store.waiting(9)
    store.bury(bad, "passages bad", "x" * 9000, T0 + 140)
    assert store.waiting(9) == [good]
    ((line, reason),) = store.dead_letters()
    assert (line, len(reason)) == ("passages bad", 500)


def test_burying_an_old_revision_does_not_bury_the_new_one(store):
    store.commit([accept(1)], T0 + 61)
    (old,) = store.waiting(9)
    store.commit([accept(2)], T0 + 62)
    store.bury(old, "passages old", "no", T0 + 63)
    assert [ref.rev for ref in store.waiting(9)] == [1]
    assert len(store.dead_letters()) == 1


def test_the_state_of_the_outbox(store):
    assert store.outbox_state() == (0, 0, 0)
    store.commit([accept(n, T0 + 60 * n) for n in (1, 2, 3)], T0 + 300)
    first, second, _ = store.waiting(9)
    store.settle([second], SENT)
    store.bury(first, "line", "reason", T0 + 300)
    assert store.outbox_state() == (1, T0 + 180, 1)


def test_a_nodes_health_is_queued(store):
    fields = {"uptime_s": 9, "boot": 2, "fw": "0.1.0"}
    store.commit([Status("bahnhof", NODE, T0 + 5, fields)], T0 + 5)
    (ref,) = store.waiting(9)
    assert (ref.measurement, ref.tags, ref.time_s) == ("node_status", {"site": "bahnhof", "node": NAME}, T0 + 5)
    assert store.facts(ref) == fields


def test_facts_are_queued_again_when_they_change(store):
    for until, bound in ((T0 + 900, -1), (T0 + 1200, 40)):
        store.commit([Gap("bahnhof", NODE, "silent", T0, until, bound)], until)
        (ref,) = refs(store, "gaps")
        assert store.facts(ref) == {"until": until, "bound": bound, "resolved": 0}
        store.settle([ref], SENT)
    store.add_gateway_status("gw", T0, {"outbox_points": 1, "outbox_age_s": 2, "dead_letters": 0})
    assert [(ref.measurement, ref.tags, ref.time_s) for ref in store.waiting(9)] == [("gateway_status", {"gateway": "gw"}, T0)]


# -- what is known after a restart


def test_a_restart_knows_what_the_session_knew():
    desk = Desk()
    desk.hear(hello(boot=3, uptime_s=7, firmware="9"), T0)
    desk.hear(minute(4, T0, 3, 2, previous=0, boot=3, total=(8, 2)), T0 + 61)
    desk.hear(live(3, 400, 9, 3), T0 + 390)
    desk.hear(hello(boot=4, uptime_s=1), T0 + 500)
    desk.hear(hello(incarnation=5, platform="unix"), T0 + 501)
    desk.commit(desk.session.check_silence(T0 + 4000))
    known = {key: stream for key, stream in desk.session._streams.items() if stream.passport}
    desk.restart()
    found = desk.session._streams
    assert set(found) == set(known) == {(NODE, INCARNATION), (NODE, 5)}
    for key, stream in known.items():
        here, there = asdict(stream), asdict(found[key])
        for name in ("node", "incarnation", "watermark", "last_bin", "last_boot", "passport", "boots"):
            assert there[name] == here[name], name
    assert [(gap.start_s, gap.until_s) for gap in desk.store.silences()] == [(T0 + 60, T0 + 4000)]
    desk.store.close()


@pytest.mark.parametrize("number", ["node", "incarnation", "watermark", "last_bin", "last_boot", "adopted"])
def test_no_number_of_a_stream_is_believed_that_was_not_written_so(store, number):
    store.commit([accept(9)], T0)
    (stream,) = store.streams()
    assert stream.watermark == 9
    store.read("DROP TRIGGER stream_moved")  # a bit that flips on the disk calls none
    store.read(f"UPDATE streams SET {number} = {number} + 64")
    with pytest.raises(StoreDamaged):
        store.streams()
    assert store.is_damaged


def test_of_many_boots_the_newest_are_kept_across_the_wrap(store):
    boots = [(0xFFF8 + n) & 0xFFFF for n in range(20)]
    for boot in boots:
        store.commit([Passport(NODE, INCARNATION, "", "", "esp32", "radar", ""), BootState(NODE, INCARNATION, boot)], T0)
    (stream,) = store.streams()
    assert set(stream.boots) == set(boots[-8:])


def test_silences_end_with_their_gap(store):
    silence = Gap("bahnhof", NODE, "silent", T0, T0 + 900, -1)
    store.commit([silence], T0 + 900)
    assert store.silences() == [silence]
    store.commit([Gap("bahnhof", NODE, "silent", T0, T0, 0, T0 + 1000)], T0 + 1000)
    assert store.silences() == []


def test_only_boards_are_not_simulated(store):
    for node, platform in ((1, "esp32"), (2, "unix"), (3, "")):
        store.commit([Passport(node, 1, "", "", platform, "radar", "")], T0)
    store.commit([Passport(1, 0, "", "", "esp32", "radar", "")], T0)
    assert store.simulated_nodes() == {"tr-000002", "tr-000003"}


# -- housekeeping


def test_forget_drops_what_was_settled_long_ago_and_nothing_else(store):
    store.commit([accept(1, climate=(2000, 100, 1)), accept(2, T0 + 60), Loss("bahnhof", NODE, "given_up", T0, 1, 1)], T0 + 130)
    store.settle(store.waiting(99), SENT)
    forget(store, T0 + 60 + KEEP_S, received_s=KEEP_S - 100)
    assert [b.start_s for b in store.count_bins_since(0)] == [T0 + 60]
    left = everything(store)
    assert [len(left[table]) for table in ("received", "climate", "facts", "outbox")] == [0, 0, 0, 1]
    assert len(left["streams"]) == 1


def test_forget_never_drops_what_waits(store):
    losses = Loss("bahnhof", NODE, "given_up", T0, 1, 1)
    store.commit([accept(1, climate=(2000, 100, 1)), losses, Gap("bahnhof", NODE, "dark", T0, T0 + 60, 5)], T0 + 130)
    waiting = store.waiting(99)
    assert len(waiting) == 4
    forget(store, T0 + 100 * KEEP_S)
    assert store.waiting(99) == waiting
    assert store.count_bin(SERIES, T0) is not None
    assert store.climate_bin(CLIMATE, T0) is not None
    assert all(store.facts(ref) for ref in waiting if ref.measurement in ("losses", "gaps"))


@pytest.mark.parametrize("waits", ["passages", "climate"])
def test_of_count_and_climate_each_waits_for_itself(store, waits):
    store.commit([accept(1, climate=(2000, 100, 1))], T0 + 61)
    store.settle([ref for ref in store.waiting(9) if ref.measurement != waits], SENT)
    store.commit([accept(2, T0 + 60)], T0 + 121)  # the newest minute is kept in any case
    forget(store, T0 + 100 * KEEP_S)
    assert (store.count_bin(SERIES, T0) is not None) == (waits == "passages")
    assert (store.climate_bin(CLIMATE, T0) is not None) == (waits == "climate")


def test_the_watermark_outlives_the_records(store):
    store.commit([accept(7)], T0 + 61)
    store.settle(store.waiting(9), SENT)
    forget(store, T0 + 2 * KEEP_S)
    assert [stream.watermark for stream in store.streams()] == [7]


def test_states_are_what_the_files_on_disk_hold():
    assert (QUEUED, SENT, DEAD, SUPPRESSED, AUDITED) == (0, 1, 2, 3, 4)


def test_a_store_opens_again_with_everything_in_it(tmp_path):
    store = Store(tmp_path / "store.db")
    store.commit([accept(1, climate=(2000, 100, 1))], T0 + 61)
    before = everything(store)
    store.close()
    again = Store(tmp_path / "store.db")
    assert everything(again) == before
    again.close()
    assert sqlite3.connect(tmp_path / "store.db").execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_what_each_record_and_each_batch_costs_does_not_grow_with_the_store(store):
    # Every statement on its way into the store and out of it is found by an index.
    statements: set[str] = set()
    store._db.set_trace_callback(statements.add)
    flags = [Loss("bahnhof", NODE, "given_up", T0, 1, 1), Gap("bahnhof", NODE, "silent", T0, T0 + 60, -1)]
    records = [accept(1, climate=(2000, 100, 1)), accept(2, T0 + 60), accept(3, T0 + 120, q=Q_TIME_HELD)]
    store.commit([*records, *flags, Status("bahnhof", NODE, T0, {"uptime_s": 1, "boot": 1})], T0 + 181)
    store.add_gateway_status("gateway", T0 + 180, {"outbox_points": 1})
    found = store.waiting(100, T0 + 60)
    for ref in found:
        store.facts(ref) if ref.measurement not in ("passages", "climate") else store.count_bin(SERIES, ref.time_s)
    store.settle(found, SENT)
    store._db.set_trace_callback(None)
    of_rows = [text for text in statements if text.split()[0] in ("SELECT", "UPDATE", "DELETE", "INSERT")]
    assert len(of_rows) > 20
    plans = {text: [row[3] for row in store.read(f"EXPLAIN QUERY PLAN {text}")] for text in of_rows}
    scans = [(text, step) for text, plan in plans.items() for step in plan if re.match(r"SCAN (bins|climate|facts)$", step)]
    assert scans == []
