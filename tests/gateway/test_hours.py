"""gateway.books: what is marked as audited is on the server, what is missing is sent again, and the ledger adds up."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway import books
from gateway.books import FIELDS, HOUR_S
from gateway.model import ClimateBin, CountBin, Loss, Series
from gateway.store import AUDITED, DEAD, QUEUED, SENT, SUPPRESSED, Store
from gateway.uplink.base import Row, tags_of
from tests.gateway.parts import CLIMATE, NAME, NODE, OTHER, SERIES, T0
from tests.gateway.readback import MemoryServer

SPAN = (T0, T0 + 3 * HOUR_S)
ELSEWHERE = Series("markt", "tr-0000b2", "radar")
HERE, LACKING, OLD = "here", "lacking", "old"

# A bin of the books: its minute, people, revision, state; and what a server has of it.
bins = st.lists(
    st.tuples(
        st.integers(0, 179), st.sampled_from([SERIES, ELSEWHERE]), st.integers(0, 5), st.integers(0, 5), st.integers(0, 3),
        st.sampled_from([QUEUED, SENT, SENT, AUDITED, DEAD, SUPPRESSED]), st.sampled_from([HERE, HERE, HERE, LACKING, OLD]),
    ),
    max_size=30, unique_by=lambda bin_: bin_[:2],
)  # fmt: skip


def counted(minute: int, series: Series = SERIES, ab: int = 0, ba: int = 0, rev: int = 0) -> CountBin:
    return CountBin(series, T0 + 60 * minute, ab, ba, 60, 0, rev, T0, 77, minute + 1)


def tags(series: Series):
    return tags_of({"site": series.site, "node": series.node, "sensor": series.sensor})


def on_server(server: MemoryServer, bin_: CountBin) -> None:
    fields = {"count_ab": bin_.ab, "count_ba": bin_.ba, "rev": bin_.rev}
    server.points["passages", tags(bin_.series), bin_.start_s] = dict(fields)


def drawn(found) -> tuple[Store, MemoryServer, dict]:
    """Books, a server, and how each point stands: (series, start) -> (state, what the server has)."""
    store, server, how = Store(":memory:"), MemoryServer(), {}
    with store.transaction():
        for minute, series, ab, ba, rev, state, there in found:
            bin_ = counted(minute, series, ab, ba, rev)
            store.put_bin(bin_, state)
            if there == OLD and rev:  # the revision before, which held fewer
                on_server(server, counted(minute, series, ab // 2, ba // 2, rev - 1))
            elif there == HERE:
                on_server(server, bin_)
            how[series, bin_.start_s] = (state, there == HERE)
    return store, server, how


def state_of(store: Store, series: Series, start_s: int) -> int:
    ((state,),) = store.read("SELECT state FROM bins WHERE series = ? AND start = ?", (store.series_id(series), start_s))
    return state


def compare(store: Store, server: MemoryServer, span=SPAN):
    before = books.tally(store, "passages", *span)
    return books.settle(store, "passages", span, before, server.tally("passages", FIELDS["passages"], *span))


def repair(store: Store, server: MemoryServer, keys, span=SPAN, state=QUEUED):
    audited, holes = 0, []
    for hour_s in sorted({hour_s for _, hour_s in keys}):
        here = (max(span[0], hour_s), min(span[1], hour_s + HOUR_S))
        before = books.tally(store, "passages", *here)
        some = [key for key in keys if key[1] == hour_s]
        more = books.mend(store, "passages", some, here, before, server.read("passages", *here), state)
        audited, holes = audited + more[0], holes + more[1]
    return audited, holes


@given(bins)
def test_what_is_audited_is_on_the_server(found):
    store, server, how = drawn(found)
    compare(store, server)
    for (series, start_s), (state, is_there) in how.items():
        now = state_of(store, series, start_s)
        assert now == state or (state, now, is_there) == (SENT, AUDITED, True)


@given(bins)
@example([(0, SERIES, 2, 1, 0, SENT, LACKING), (1, SERIES, 4, 2, 1, DEAD, OLD)])  # what is there looks like what is not
@example([(0, SERIES, 2, 1, 0, SENT, LACKING), (1, SERIES, 4, 2, 1, SUPPRESSED, OLD)])
def test_after_settling_and_mending_every_point_of_an_idle_hour_has_its_true_state(found):
    store, server, how = drawn(found)
    waiting = {(series, start_s // HOUR_S) for (series, start_s), (state, _) in how.items() if state == QUEUED}
    audited, differing = compare(store, server)
    more, holes = repair(store, server, differing)
    became_audited = 0
    for (series, start_s), (state, is_there) in how.items():
        now = state_of(store, series, start_s)
        if state not in (SENT, AUDITED) or (series, start_s // HOUR_S) in waiting:
            assert now == state, "left alone"
        else:
            assert now == (AUDITED if is_there else QUEUED)
            became_audited += state == SENT and is_there
    assert audited + more == became_audited
    lacking = [
        place for place, (state, is_there) in how.items()
        if state in (SENT, AUDITED) and not is_there and (place[0], place[1] // HOUR_S) not in waiting
    ]  # fmt: skip
    assert sum(hole.points for hole in holes) == len(lacking)
    held = {place: store.count_bin(*place) for place in lacking}
    assert sum(hole.people for hole in holes) == sum(bin_.ab + bin_.ba for bin_ in held.values())


@given(bins, bins)
def test_the_ledger_of_every_hour_adds_up_whatever_happened(found, others):
    store, server, _ = drawn(found)
    for some in (found, others):
        with store.transaction():
            for minute, series, ab, ba, rev, state, _ in some:
                store.put_bin(counted(minute, series, ab, ba, rev), state)
        repair(store, server, compare(store, server)[1])
        books.write_ledger(store, *SPAN)
        truth: dict = {}
        for bin_ in store.count_bins_since(0):
            key = (bin_.series, bin_.start_s // HOUR_S * HOUR_S)
            truth[key] = truth.get(key, 0) + bin_.ab + bin_.ba
        for (series, hour_s), people in truth.items():
            row = store.fact("ledger", {"site": series.site, "node": series.node}, hour_s)
            assert row is not None and row["counted"] == people
            assert row["counted"] == row["delivered"] + row["unaudited"] + row["held"] + row["suppressed"]


@given(bins)
@settings(max_examples=50)
def test_the_revision_of_an_hour_rises_only_with_a_change(found):
    store, _, _ = drawn(found)
    written = books.write_ledger(store, *SPAN)
    assert written == len({(series, start_s // HOUR_S) for start_s, series in ((T0 + 60 * bin_[0], bin_[1]) for bin_ in found)})
    assert books.write_ledger(store, *SPAN) == 0
    for minute, series, *_ in found[:1]:
        with store.transaction():
            store.put_bin(counted(minute, series, 99), SENT)
        assert books.write_ledger(store, *SPAN) == 1
        row = store.fact("ledger", {"site": series.site, "node": series.node}, (T0 + 60 * minute) // HOUR_S * HOUR_S)
        assert row is not None and row["rev"] == 1


def test_where_the_people_of_an_hour_are():
    store = Store(":memory:")
    with store.transaction():
        for minute, state in enumerate([QUEUED, SENT, DEAD, SUPPRESSED, AUDITED]):
            store.put_bin(counted(minute, ab=10**minute), state)
    books.write_ledger(store, T0, T0 + HOUR_S)
    assert store.fact("ledger", {"site": "bahnhof", "node": NAME}, T0) == {
        "counted": 11111, "delivered": 10000, "unaudited": 10, "suppressed": 1000, "held": 101, "rev": 0,
    }  # fmt: skip


def test_an_hour_in_which_something_changed_while_the_server_was_asked_is_left_alone():
    store, server = Store(":memory:"), MemoryServer()
    with store.transaction():
        store.put_bin(counted(0, ab=3), SENT)
    before = books.tally(store, "passages", *SPAN)
    with store.transaction():
        store.put_bin(counted(0, ab=4, rev=1), SENT)  # grew, and was sent meanwhile
    assert books.settle(store, "passages", SPAN, before, server.tally("passages", FIELDS["passages"], *SPAN)) == (0, [])
    keys = list(before)
    assert books.mend(store, "passages", keys, SPAN, before, [], QUEUED) == (0, [])
    assert state_of(store, SERIES, T0) == SENT


def test_an_hour_in_which_something_waits_is_left_alone_also_point_by_point():
    store = Store(":memory:")
    with store.transaction():
        store.put_bin(counted(0, ab=3), SENT)
        store.put_bin(counted(1, ab=3), QUEUED)
    before = books.tally(store, "passages", *SPAN)
    assert books.mend(store, "passages", list(before), SPAN, before, [], QUEUED) == (0, [])
    assert state_of(store, SERIES, T0) == SENT


def test_a_dead_letter_of_which_the_server_has_an_older_revision_holds_up_no_other_point():
    store, server = Store(":memory:"), MemoryServer()
    with store.transaction():
        store.put_bin(counted(0, ab=4, rev=1), DEAD)
        store.put_bin(counted(1, ab=5), SENT)
    on_server(server, counted(0, ab=3))
    on_server(server, counted(1, ab=5))
    audited, differing = compare(store, server)
    assert (audited, len(differing)) == (0, 1)
    assert repair(store, server, differing) == (1, [])
    assert [state_of(store, SERIES, T0 + 60 * n) for n in (0, 1)] == [DEAD, AUDITED]


def test_points_that_the_books_do_not_know_are_named_and_left_alone():
    store, server = Store(":memory:"), MemoryServer()
    with store.transaction():
        store.put_bin(counted(0, ab=3), SENT)
    on_server(server, counted(0, ab=3))
    on_server(server, counted(7, ab=9))
    on_server(server, counted(70, ELSEWHERE, ab=9))
    before = dict(server.points)
    _, differing = compare(store, server)
    audited, holes = repair(store, server, differing)
    assert [(hole.tags, hole.hour_s, hole.points, hole.unknown) for hole in holes] == [
        (tags(SERIES), T0, 0, 1), (tags(ELSEWHERE), T0 + HOUR_S, 0, 1),
    ]  # fmt: skip
    assert audited == 1 and server.points == before
    assert state_of(store, SERIES, T0) == AUDITED


def test_the_ends_of_a_span_hold_only_what_lies_inside():
    store, server = Store(":memory:"), MemoryServer()
    with store.transaction():
        for minute in (0, 29, 30, 59, 60):
            store.put_bin(counted(minute, ab=1), SENT)
    for minute in (29, 30):
        on_server(server, counted(minute, ab=1))
    audited, differing = compare(store, server, (T0 + 29 * 60, T0 + 31 * 60))
    assert (audited, differing) == (2, [])
    assert [state_of(store, SERIES, T0 + 60 * minute) for minute in (0, 29, 30, 59)] == [SENT, AUDITED, AUDITED, SENT]


def test_climate_and_facts_are_compared_too():
    store, server = Store(":memory:"), MemoryServer()
    with store.transaction():
        store.put_climate(ClimateBin(CLIMATE, T0, 12000, 600, 6, 0, 0, T0), SENT)
        store.keep_loss(Loss("bahnhof", NODE, "power_cut", T0, 4, 4))
        store.keep_loss(Loss("bahnhof", OTHER, "power_cut", T0, 5, 5))
        store.change(f"UPDATE facts SET state = {SENT}", [()])
    server.points["climate", tags(CLIMATE), T0] = {"n": 6, "rev": 0}
    place = tags_of({"site": "bahnhof", "node": NAME, "reason": "power_cut"})
    server.points["losses", place, T0] = {"people": 4, "bound": 4, "rev": 0}
    for measurement, is_whole in (("climate", True), ("losses", False)):
        before = books.tally(store, measurement, *SPAN)
        audited, differing = books.settle(store, measurement, SPAN, before, server.tally(measurement, FIELDS[measurement], *SPAN))
        assert (audited, bool(differing)) == (1, not is_whole)
        _, holes = books.mend(store, measurement, differing, SPAN, before, server.read(measurement, *SPAN), QUEUED)
        assert sum(hole.points for hole in holes) == (not is_whole)
    assert store.read("SELECT state FROM climate") == [(AUDITED,)]
    assert dict(store.read("SELECT json_extract(tags, '$.node'), state FROM facts")) == {NAME: AUDITED, "tr-0000b2": QUEUED}


def test_the_books_begin_with_whatever_is_read_back():
    store = Store(":memory:")
    assert books.oldest(store, 123) == 123
    with store.transaction():
        store.keep_fact("gateway_status", {"gateway": "g"}, T0 - 9000, {"dead_letters": 1})
        store.put_climate(ClimateBin(CLIMATE, T0, 12000, 600, 6, 0, 0, T0), SENT)
    assert books.oldest(store, 123) == T0
    with store.transaction():
        store.keep_loss(Loss("bahnhof", NODE, "wiped", T0 - 3600, 4, 4))
        store.put_bin(counted(-10), SENT)
    assert books.oldest(store, 123) == T0 - 3600


def test_the_first_days_that_begin_after_a_moment_and_have_bins():
    store = Store(":memory:")
    midnight = T0 // 86_400 * 86_400
    with store.transaction():
        for day in (-1, 0, 1, 2, 2.5, 400, 9000):
            store.put_bin(counted(round((midnight - T0) / 60 + 1440 * day)), SENT)
    days = [midnight + 86_400 * day for day in (1, 2, 400, 9000)]
    assert [books.days_ahead(store, midnight + after_s) for after_s in (0, 86_399, 86_400)] == [days, days, days[1:]]
    assert books.days_ahead(store, midnight, most=2) == days[:2]


def test_a_row_read_back_without_a_compared_field_is_no_point():
    store = Store(":memory:")
    with store.transaction():
        store.put_bin(counted(0, ab=3), AUDITED)
    before = books.tally(store, "passages", *SPAN)
    rows = [Row(dict(tags(SERIES)), T0, {"count_ab": 3, "count_ba": 0})]
    _, holes = books.mend(store, "passages", list(before), SPAN, before, rows, QUEUED)
    assert [(hole.points, hole.people) for hole in holes] == [(1, 3)]
