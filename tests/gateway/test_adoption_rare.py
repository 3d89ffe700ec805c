"""gateway.adoption where a store is lost and something rare comes with it: nothing counts twice, what is missing is flagged."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway import healing, keeping
from gateway.errors import StoreDamaged
from gateway.model import Q_THINNED
from gateway.tables import QUEUED, SENT
from gateway.uplink.base import UplinkError, tags_of
from tests.gateway.parts import INCARNATION, NAME, NEW, RATE, SERIES, T0, hello, minute, records, rules
from tests.gateway.readback import MemoryServer
from tests.gateway.test_adoption import LATER, STATUS, Generation, publish

TAGS = tags_of({"site": "bahnhof", "node": NAME, "sensor": "radar"})


@pytest.fixture
def server():
    return MemoryServer()


def people(server: MemoryServer) -> int:
    return sum(ab + ba for ab, ba in server.counts().values())


# -- minutes that were acknowledged and not sent


@pytest.fixture
def half_sent(server) -> Generation:
    """Two hours of backlog, of which the newest minutes and the oldest are on the server; the store is then lost."""
    first = Generation(server, now_s=T0 + 7205)
    first.adopt()
    first.office.sending._size.points = 20
    first.hear(hello(uptime_s=7205, next_seq=121), *records(1, 120))
    asyncio.run(first.office.sending.send_batch())
    assert min(server.counts()) == T0 and max(server.counts()) == T0 + 7140
    return Generation(server, now_s=T0 + 7500)


def test_what_a_lost_store_had_acknowledged_and_not_sent_is_flagged_with_its_bound(server, half_sent):
    unsent_s = sorted({T0 + 60 * n for n in range(120)} - set(server.counts()))
    half_sent.adopt()
    half_sent.hear(hello(uptime_s=7500, next_seq=125, first_held=121), *records(121, 124, previous=0))
    (gap,) = half_sent.told("gaps")
    assert gap == {"until": unsent_s[-1] + 60, "bound": RATE * len(unsent_s), "resolved": 0}
    assert half_sent.told("losses") == []
    half_sent.send()
    assert [time_s for _, time_s in server.of("gaps")] == unsent_s[:1]


def test_what_the_node_still_holds_of_it_is_counted_and_only_the_rest_is_flagged(server, half_sent):
    half_sent.adopt()
    half_sent.hear(hello(uptime_s=7500, next_seq=125, first_held=41), *records(41, 124, previous=0))
    half_sent.send()
    ((_, start_s), gap), *more = server.of("gaps").items()
    assert not more and gap["until"] == T0 + 2400 and gap["bound"] == RATE * (T0 + 2400 - start_s) // 60
    assert all(T0 + 60 * n in server.counts() for n in range(40, 124))


def test_where_the_node_holds_all_of_it_nothing_is_flagged(server, half_sent):
    half_sent.adopt()
    half_sent.hear(hello(uptime_s=7500, next_seq=125), *records(1, 124))
    half_sent.send()
    assert people(server) == 2 * 124
    assert half_sent.told("gaps") == half_sent.told("losses") == []


def test_it_is_flagged_once_and_though_the_gateway_starts_again_between(server, half_sent):
    half_sent.adopt()
    half_sent.desk.restart()
    half_sent.hear(hello(uptime_s=7500, next_seq=125, first_held=100), *records(100, 110, previous=0))
    half_sent.desk.restart()
    half_sent.hear(hello(uptime_s=7500, next_seq=125, first_held=100), *records(111, 124))
    told = half_sent.told("gaps")
    assert len(told) == 1
    half_sent.desk.restart()
    half_sent.hear(hello(uptime_s=7600, next_seq=126, first_held=100), *records(125, 125))
    assert half_sent.told("gaps") == told
    half_sent.desk.store.read("DELETE FROM facts")  # what has been told is not looked for again
    half_sent.desk.restart()
    half_sent.hear(hello(uptime_s=7700, next_seq=127, first_held=100), *records(126, 126))
    assert half_sent.told("gaps") == []


def test_a_node_that_was_wiped_meanwhile_tells_nothing_of_it_and_it_is_flagged(server, half_sent):
    half_sent.adopt()
    half_sent.hear(hello(incarnation=NEW, uptime_s=90), minute(1, T0 + 7500, 1, incarnation=NEW))
    assert any(gap["until"] - 60 in server.counts() or gap["bound"] > RATE * 60 for gap in half_sent.told("gaps"))
    flagged = sum(gap["bound"] for gap in half_sent.told("gaps"))
    assert people(server) + flagged >= 2 * 120


def test_of_a_node_that_never_comes_back_the_silence_begins_where_something_is_missing(server, half_sent):
    first_missing_s = min({T0 + 60 * n for n in range(120)} - set(server.counts()))
    half_sent.adopt()
    half_sent.desk.commit(half_sent.desk.session.check_silence(T0 + 7 * 3600))
    (silence,) = half_sent.desk.store.silences()
    assert (silence.reason, silence.start_s, silence.bound) == ("silent", first_missing_s, -1)


def test_minutes_without_a_record_that_a_gap_has_told_of_are_not_flagged_again(server):
    told = [*records(1, 3), hello(boot=2), minute(9, T0 + 600, 1, boot=2, previous=3, total=(1, 0))]
    first = publish(server, *told)
    second = Generation(server)
    second.adopt()
    later = minute(10, T0 + 660, 1, boot=2, previous=0, total=(2, 0), uptime_end_s=120)
    second.hear(hello(boot=2, uptime_s=700, next_seq=11), later)
    assert second.told("gaps") == first.told("gaps") != []


def test_a_gap_of_another_node_tells_nothing_of_this_one(server, half_sent):
    server.points["gaps", tags_of({"site": "bahnhof", "node": "tr-0000b2", "reason": "dark"}), T0] = {
        "until": T0 + 7200, "bound": 9, "resolved": 0,
    }  # fmt: skip
    half_sent.office.auditing._nodes.add("tr-0000b2")
    half_sent.adopt()
    half_sent.hear(hello(uptime_s=7500, next_seq=125, first_held=121), *records(121, 124, previous=0))
    assert len(half_sent.told("gaps")) == 2


def test_a_minute_that_a_wrong_clock_has_placed_far_before_the_others_makes_no_gap(server):
    early = minute(3, T0 - 86_400, 1, total=(5, 0), uptime_end_s=180)
    publish(server, *records(1, 2), early, minute(4, T0 + 180, 1, total=(6, 0), uptime_end_s=240))
    second = Generation(server)
    second.adopt()
    second.hear(hello(uptime_s=400, next_seq=6), minute(5, T0 + 240, 1, previous=0, total=(7, 0), uptime_end_s=300))
    assert [gap["bound"] for gap in second.told("gaps")] == [0], "the one that the totals have told of"


def test_a_bin_that_was_damaged_and_whose_record_is_held_no_longer_is_flagged(server, tmp_path):
    first = Generation(server, tmp_path / "store.db")
    first.adopt()
    first.hear(hello(uptime_s=700, next_seq=11), *records(1, 10))
    damage(first, "UPDATE bins SET ab = 1 WHERE start = ?", T0 + 180)
    healing.heal(first.desk.store, LATER)
    first.adopt()
    first.hear(hello(uptime_s=700, next_seq=12, first_held=11), *records(11, 11, previous=0))
    first.send()
    assert people(server) == 20
    assert [(time_s, gap["bound"]) for (_, time_s), gap in server.of("gaps").items()] == [(T0 + 180, RATE)]


def damage(generation: Generation, change: str, *values: object) -> None:
    store = generation.desk.store
    store.read("PRAGMA wal_checkpoint(TRUNCATE)")
    store.read(change, values)
    store.read("PRAGMA wal_checkpoint(TRUNCATE)")
    with pytest.raises(StoreDamaged):
        store.count_bins_since(0)


# -- a clock that is behind


def test_a_clock_that_is_days_behind_finds_what_it_has_published(server):
    untimed = [minute(n + 1, 0, 4, total=(4 * (n + 1), 0), uptime_end_s=60 * (n + 1)) for n in range(3)]
    first = publish(server, hello(uptime_s=200), *untimed)
    first.desk.store.add_gateway_status("gateway", LATER, STATUS)
    first.send()
    second = Generation(server, now_s=LATER - 30 * 86_400)
    assert second.adopt()
    second.office.now_s = second.desk.now_s = LATER + 1800
    second.hear(hello(boot=2, uptime_s=100, next_seq=4), *untimed)
    second.send()
    assert people(server) == 12


def test_a_clock_that_another_gateway_has_ahead_moves_nothing(server):
    publish(server, *records(1, 5))
    server.points["gateway_status", tags_of({"gateway": "another"}), LATER + 9 * 86_400] = dict(STATUS)
    server.points["passages", TAGS, LATER + 9 * 86_400] = quarter(7, 99)
    second = Generation(server)
    second.adopt()
    assert max(second.desk.counts()) == T0 + 240


def test_a_store_that_was_put_back_is_noticed_though_the_clock_is_behind(server, tmp_path):
    first = publish(server, *records(1, 5), path=tmp_path / "store.db")
    first.desk.store.add_gateway_status("gateway", LATER, STATUS)
    server.points["gateway_status", tags_of({"gateway": "gateway"}), LATER + 3600] = dict(STATUS)
    first.office.now_s = LATER - 5 * 86_400
    assert first.adopt()


# -- a sensor or a site with another name


def test_records_that_come_again_under_another_sensor_count_once(server):
    publish(server, *records(1, 5))
    second = Generation(server)
    second.adopt()
    second.hear(hello(uptime_s=400, next_seq=7, sensors="tof,sht4x"), *records(1, 6))
    second.send()
    assert sum(fields["count_ab"] for fields in server.of("passages").values()) == 12


def test_records_that_come_again_at_another_site_count_once_with_and_without_a_time(server):
    untimed = minute(6, 0, 4, total=(14, 0), uptime_end_s=360)
    publish(server, hello(uptime_s=400), *records(1, 5), untimed)
    second = Generation(server, now_s=LATER + 600)  # and so it is placed elsewhere
    second.desk.rules = rules(site_of=lambda _name, _at_s: "markt")
    second.adopt()
    second.hear(hello(uptime_s=400, next_seq=7), *records(1, 5), untimed)
    second.send()
    assert sum(fields["count_ab"] for fields in server.of("passages").values()) == 14


# -- both stores have told something of the same time


@pytest.mark.parametrize("is_cut_off", [False, True], ids=["adopts at once", "is cut off once"])
def test_losses_of_an_hour_in_which_both_have_flagged_are_added(server, is_cut_off):
    publish(server, *records(1, 1), *records(7, 7, previous=1))
    second = Generation(server)
    second.hear(
        hello(boot=2, uptime_s=700, next_seq=40, first_held=8),
        minute(8, T0 + 600, 1, boot=2, previous=0, total=(1, 0), uptime_end_s=60),
        minute(12, T0 + 840, 1, boot=2, previous=8, total=(6, 0), uptime_end_s=300),
    )
    assert [loss["people"] for loss in second.told("losses")] == [4]
    if is_cut_off:
        server.before = fails_at("tally", 4)
        with pytest.raises(UplinkError):
            second.adopt()
        server.before = lambda _question: None
    second.adopt()
    assert [(loss["people"], loss["bound"]) for loss in second.told("losses")] == [(14, 14)]
    second.send()
    for state in (SENT, QUEUED):  # the second as if the answer had been lost
        second.desk.store.read("UPDATE facts SET state = ?", (state,))
        second.desk.store.note("adopted", 0)
        second.adopt()
        assert [(loss["people"], loss["bound"]) for loss in second.told("losses")] == [(14, 14)]


def fails_at(question: str, times: int):
    """Lets the server fail at so many questions of a kind."""
    left = [times]

    def before(asked: str) -> None:
        left[0] -= asked == question
        if not left[0]:
            raise UplinkError("uplink-silent", url="memory:")

    return before


def quarter(ab: int, seq: int) -> dict[str, object]:
    return {
        "count": ab, "count_ab": ab, "count_ba": 0, "period_s": 900, "coverage": 1.0, "q": 64 + Q_THINNED, "rev": 3,
        "revised_at": T0, "schema": 1, "incarnation": INCARNATION, "seq": seq,
    }  # fmt: skip


def test_minutes_that_were_counted_before_their_quarter_could_be_read_are_in_it(server):
    server.points["passages", TAGS, T0] = quarter(28, 14)
    second = Generation(server)
    second.hear(hello(uptime_s=1800, next_seq=16), *records(1, 15))
    second.adopt()
    second.send()
    assert server.counts() == {T0: (30, 0)}
    assert server.points["passages", TAGS, T0]["seq"] == 15
    second.hear(hello(uptime_s=1800, next_seq=16), *records(1, 15))
    second.send()
    assert server.counts() == {T0: (30, 0)}


def test_of_a_minute_of_two_records_nobody_knows_whether_its_quarter_holds_one_and_it_is_flagged(server):
    server.points["passages", TAGS, T0] = quarter(2, 1)
    second = Generation(server)
    more = minute(2, T0, 3, boot=2, total=(3, 0), uptime_end_s=10, covered_s=10)
    second.hear(hello(uptime_s=60, next_seq=3), *records(1, 1), more)
    second.adopt()
    second.send()
    assert server.counts() == {T0: (2, 0)}
    assert sum(loss["bound"] for loss in second.told("losses") if loss["people"] < 0) >= 3


def test_minutes_that_are_there_are_taken_out_of_a_quarter_that_waits(server):
    publish(server, *records(1, 5))
    second = Generation(server)
    second.hear(hello(uptime_s=1000, next_seq=16), *records(1, 15))
    with second.desk.store.transaction():
        keeping._thin_quarter(second.desk.store, T0, LATER)
    assert second.desk.counts() == {T0: (30, 0)}
    for _ in range(2):  # as if the first had been cut off
        second.desk.store.note("adopted", 0)
        second.adopt()
    second.send()
    assert people(server) == 30


# -- the store is made anew while it adopts


def test_an_adoption_begins_again_when_the_store_was_made_anew_between_two_questions(server, tmp_path):
    two = [
        minute(1, T0, 3, total=(3, 0), uptime_end_s=20, covered_s=20),
        minute(2, T0, 4, boot=2, total=(4, 0), uptime_end_s=30, covered_s=30),
    ]
    publish(server, two[0], hello(boot=2), two[1])
    second = Generation(server, tmp_path / "store.db")

    def meet_damage(question: str) -> None:
        if question == "tally" and server.questions[-1] == ("tally", "climate"):
            server.before = lambda _question: None
            damage(second, "UPDATE bins SET ab = 1 WHERE start = ?", T0)
            healing.heal(second.desk.store, LATER)

    server.before = meet_damage
    second.adopt()
    assert second.desk.counts() == {T0: (7, 0)}
    held = minute(2, T0, 4, boot=2, previous=0, total=(4, 0), uptime_end_s=30, covered_s=30)
    second.hear(hello(boot=2, uptime_s=100, next_seq=3, first_held=2), held)
    second.send()
    assert server.counts() == {T0: (7, 0)}


# -- records without a time of their own


def test_one_whose_minute_never_arrived_is_counted_though_the_minute_made_between_has_grown(server):
    between_s = (LATER - 120) // 60 * 60
    first = Generation(server)
    first.adopt()
    untimed = minute(1, 0, 5, total=(5, 0), uptime_end_s=60)
    for message in (hello(uptime_s=100), untimed):
        first.desk.hear(message, LATER - 3600)
    later = [
        minute(2, between_s, 1, boot=2, total=(1, 0), uptime_end_s=20, covered_s=20),
        minute(3, 0, 2, boot=3, total=(2, 0), uptime_end_s=10, covered_s=10),
        minute(4, between_s, 1, boot=4, total=(1, 0), uptime_end_s=10, covered_s=10),
    ]
    first.desk.now_s = LATER
    first.hear(hello(boot=2, uptime_s=20, next_seq=2), *later)
    first.send()
    server.lose(min((place for place in server.points if place[0] == "passages"), key=lambda place: place[2]))
    second = Generation(server, now_s=LATER + 60)
    second.adopt()
    second.hear(hello(boot=4, uptime_s=100, next_seq=5), untimed, *later)
    second.send()
    assert people(server) == 9


BETWEEN_S = (LATER - 300) // 60 * 60
UNSURE = {  # what came after it, from the second record on, and how many of the first minutes never arrived
    "a minute that was made between has grown": (1, [
        minute(2, BETWEEN_S, 1, boot=2, total=(1, 0), uptime_end_s=20, covered_s=20),
        minute(3, 0, 2, boot=3, total=(2, 0), uptime_end_s=10, covered_s=10),
        minute(4, BETWEEN_S + 60, 2, boot=4, total=(2, 0), uptime_end_s=20, covered_s=10),
        minute(5, BETWEEN_S + 60, 2, boot=4, total=(4, 0), uptime_end_s=30, covered_s=10),
        minute(6, BETWEEN_S, 1, boot=5, total=(1, 0), uptime_end_s=10, covered_s=10),
    ]),
    "a minute that was made between did not arrive either": (2, [
        minute(2, BETWEEN_S, 1, boot=2, total=(1, 0), uptime_end_s=20, covered_s=20),
        minute(3, 0, 2, boot=3, total=(2, 0), uptime_end_s=10, covered_s=10),
        minute(4, BETWEEN_S + 60, 2, boot=4, total=(2, 0), uptime_end_s=20, covered_s=10),
    ]),
}  # fmt: skip


@pytest.mark.parametrize(("lost", "later"), UNSURE.values(), ids=UNSURE)
def test_one_of_which_nobody_can_be_sure_is_not_counted_but_flagged(server, lost, later):
    # The first record may be in the minute that names another one without a time, or have had its own.
    first = Generation(server)
    first.adopt()
    untimed = minute(1, 0, 5, total=(5, 0), uptime_end_s=60)
    for message in (hello(uptime_s=100), untimed):
        first.desk.hear(message, LATER - 3600)
    first.desk.now_s = LATER
    first.hear(hello(boot=2, uptime_s=20, next_seq=2), *later)
    first.send()
    minutes = sorted((place for place in server.points if place[0] == "passages"), key=lambda place: place[2])
    server.lose(*minutes[:lost])
    second = Generation(server, now_s=LATER + 60)
    second.adopt()
    second.hear(hello(boot=later[-1].record.boot, uptime_s=100, next_seq=9), untimed, *later)
    second.send()
    assert people(server) == sum(message.record.d_ab for message in later)
    flagged, before = (sum(loss["bound"] for loss in generation.told("losses")) for generation in (second, first))
    assert flagged == before + 5


# -- a minute that was forgotten


def test_the_newest_minute_of_a_node_is_kept_so_that_it_can_go_on_in_it(server, tmp_path: Path):
    first = publish(server, *records(1, 3))
    first.office.round()
    first.office.now_s = first.desk.now_s = T0 + 41 * 86_400
    keeping.forget(first.desk.store, first.office.now_s)
    assert first.desk.counts() == {T0 + 120: (2, 0)}
    assert first.desk.store.count_bin(SERIES, T0 + 120) is not None
    second = minute(4, T0 + 120, 5, boot=2, total=(5, 0), uptime_end_s=20, covered_s=20)
    first.hear(hello(boot=2, uptime_s=30, next_seq=5), second)
    first.send()
    assert server.counts()[T0 + 120] == (7, 0)
