"""A node that takes another one's place, through the real configuration, session and store: the site's series goes on without a gap
and without a minute counted by both, late records land where they were counted, and who is retired is missed by nobody."""

from __future__ import annotations

import pytest

from gateway import view
from gateway.model import Gap, Loss, Series
from gateway.shown import OutboxState
from gateway.view import Books as ViewBooks
from gateway.view import Now
from tests.gateway.parts import OTHER, RATE, T0, acked, gaps, hello, live, losses, minute, of_kind
from tests.registry.technician import FRESH, NEW, OLD, SWAP, Street
from tools.registry import steps


@pytest.fixture
def street(tmp_path):
    return Street(tmp_path / "store.db")


def test_the_sites_series_goes_on_without_a_gap_and_without_a_minute_counted_by_both(street):
    for seq in range(1, 11):
        street.old(seq)
    street.change(steps.replace, OLD, NEW, SWAP)
    street.introduce_new(SWAP + 5)
    for seq in range(1, 6):
        street.new(seq, SWAP + 60 * (seq - 1))
    site = sorted(start for (where, _), minutes in street.counted().items() if where == "bahnhof" for start, _ in minutes)
    assert site == [60 * n for n in range(15)]
    assert street.flagged() == []


def test_late_records_of_the_old_one_land_where_they_were_counted_and_later_ones_nowhere(street):
    for seq in range(1, 5):
        street.old(seq)
    street.change(steps.replace, OLD, NEW, SWAP)
    street.introduce_new(SWAP + 5)
    street.new(1, SWAP)
    for seq in range(5, 11):  # it was plugged in once more at the office
        assert acked(street.old(seq, heard_s=SWAP + 4000)) == seq
    assert acked(street.old(11, heard_s=SWAP + 4001)) is None
    assert street.counted()["bahnhof", OLD] == [(60 * n, 3) for n in range(10)]
    assert ("bahnhof", NEW) in street.counted()


def test_the_new_one_counts_for_the_site_from_that_minute_on_whatever_it_counted_on_the_desk(street):
    street.old(1)
    street.change(steps.replace, OLD, NEW, SWAP)
    street.introduce_new(SWAP + 300)
    for seq in range(1, 8):  # its first minutes were on a desk, and it holds them still
        assert acked(street.new(seq, SWAP - 300 + 60 * (seq - 1), heard_s=SWAP + 301)) == seq
    assert street.counted()["bahnhof", NEW] == [(600, 5), (660, 5)]
    assert [tags for measurement, tags in street.flagged() if NEW in tags] == []


def test_what_was_told_on_the_desk_before_the_power_was_cut_is_nobodys(street):
    street.old(1)
    street.change(steps.replace, OLD, NEW, SWAP)
    street.introduce_new(SWAP - 400)
    street.desk.hear(live(1, 90, 40, 0, covered_s=30, node=OTHER, incarnation=FRESH), SWAP - 270)
    street.new(1, SWAP - 360, heard_s=SWAP + 1)
    street.desk.hear(hello(2, 5, 256, node=OTHER, incarnation=FRESH), SWAP + 5)  # carried to the pole
    effects = street.desk.hear(minute(256, SWAP, 2, previous=1, boot=2, uptime_end_s=60, node=OTHER, incarnation=FRESH), SWAP + 61)
    assert acked(effects) == 256
    assert street.counted()["bahnhof", NEW] == [(600, 2)]
    assert gaps(effects) == []
    assert losses(effects) == []


def test_where_the_new_one_comes_late_its_minutes_are_missing_from_the_swap_on(street):
    street.old(1)
    street.change(steps.replace, OLD, NEW, SWAP)
    street.introduce_new(SWAP - 400)
    street.new(1, SWAP - 360, heard_s=SWAP + 1)
    effects = street.desk.hear(minute(256, SWAP + 180, 2, previous=1, boot=2, node=OTHER, incarnation=FRESH), SWAP + 241)
    assert gaps(effects) == [("dark", 600, 780, RATE * 3)]


def test_what_it_counts_before_it_has_a_site_again_is_kept_by_the_node_until_then(street):
    street.old(1)
    street.change(steps.retire, OLD, SWAP)
    street.old(2)
    street.old_total = 9
    on_desk = minute(3, SWAP + 60, 3, total=(9, 0), uptime_end_s=900)
    assert acked(street.desk.hear(on_desk, SWAP + 130)) is None  # somebody may yet say where it stood
    street.change(steps.add, OLD, "jahnplatz", "", SWAP + 1200, SWAP + 1000, False)
    assert acked(street.desk.hear(on_desk, SWAP + 1100)) is None
    assert acked(street.desk.hear(on_desk, SWAP + 1300)) == 3
    effects = street.desk.hear(minute(4, SWAP + 1200, 4, total=(13, 0), uptime_end_s=2000), SWAP + 1301)
    assert acked(effects) == 4
    assert of_kind(effects, Loss) == []
    assert street.counted() == {("bahnhof", OLD): [(0, 3), (60, 3)], ("jahnplatz", OLD): [(1800, 4)]}


def test_a_stream_that_was_passed_over_is_remembered_across_a_restart(street):
    street.old(1)
    street.change(steps.replace, OLD, NEW, SWAP)
    street.introduce_new(SWAP + 5)
    street.new(1, SWAP - 120, heard_s=SWAP + 6)
    street.desk.restart()
    street.introduce_new(SWAP + 70)
    assert acked(street.new(2, SWAP)) == 2
    assert street.counted()["bahnhof", NEW] == [(600, 5)]


# -- who is retired is missed by nobody


def test_a_retired_node_that_delivered_everything_is_never_silent(street):
    for seq in range(1, 11):
        street.old(seq)
    street.change(steps.retire, OLD, SWAP)
    assert street.desk.commit(street.desk.session.check_silence(SWAP + 86_400)) == []


def test_minutes_that_a_retired_node_owes_are_bounded_and_end_with_its_stay(street):
    street.old(1)
    street.change(steps.retire, OLD, SWAP)
    (gap,) = of_kind(street.desk.commit(street.desk.session.check_silence(SWAP + 86_400)), Gap)
    assert (gap.start_s, gap.until_s, gap.bound, gap.resolved_s) == (T0 + 60, SWAP, RATE * 9, 0)
    assert street.desk.commit(street.desk.session.check_silence(SWAP + 90_000)) == []


def test_a_silence_that_was_open_ends_with_the_stay(street):
    street.old(1)
    assert gaps(street.desk.commit(street.desk.session.check_silence(SWAP + 500))) == [("silent", 60, 1100, -1)]
    street.change(steps.retire, OLD, SWAP)
    assert gaps(street.desk.commit(street.desk.session.check_silence(SWAP + 560))) == [("silent", 60, 600, RATE * 9)]
    assert street.desk.session.nodes_now()[0].silent_since_s == 0
    assert street.desk.facts("gaps") == {T0 + 60: {"until": SWAP, "bound": RATE * 9, "resolved": 0}}


def test_what_it_delivers_after_all_resolves_that(street):
    street.old(1)
    street.change(steps.retire, OLD, SWAP)
    street.desk.commit(street.desk.session.check_silence(SWAP + 1000))
    street.old(2, heard_s=SWAP + 2000)
    assert street.desk.facts("gaps")[T0 + 60]["bound"] == 0
    assert street.desk.facts("gaps")[T0 + 60]["resolved"] == SWAP + 2000


def shown(street: Street, now_s: int) -> list[str]:
    now = Now(now_s, street.desk.session.nodes_now(), [], None)
    books = ViewBooks({}, {}, {}, OutboxState(0, 0, 0), 1000)
    return [node["node"] for node in view.assemble(street.config, "0", now, books)["nodes"]]


def test_the_page_shows_no_retired_node_and_names_the_others(street):
    street.change(steps.replace, OLD, NEW, SWAP)
    assert shown(street, SWAP - 60) == [NEW, OLD]
    assert shown(street, SWAP) == [NEW]


def test_the_series_of_a_renamed_node_is_the_same(street):
    street.old(1)
    street.change(steps.rename, OLD, "Süd")
    street.old(2)
    assert list(street.counted()) == [("bahnhof", OLD)]
    assert street.desk.store.count_bin(Series("bahnhof", OLD, "radar"), T0 + 60).ab == 3
    assert street.config.nodes[OLD].name == "Süd"
