"""gateway.adoption: a store that is new, or older than what it published, takes over what the server has; nothing counts twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable

import pytest

from gateway import adoption
from gateway.model import CountBin
from gateway.store import AUDITED, Store
from gateway.uplink.base import UplinkError, tags_of
from tests.gateway.parts import CLIMATE, INCARNATION, NAME, OTHER, SERIES, T0, Desk, acked, hello, live, minute, records
from tests.gateway.readback import MemoryServer, Office, away

LATER = T0 + 7200
STATUS: dict[str, int | float | str] = {"outbox_points": 0, "outbox_age_s": 0, "dead_letters": 0, "disk_free_mb": 1}


class Generation:
    """One life of a gateway's store: a desk that hears nodes and an office that sends; `adopt` as the service does it."""

    def __init__(self, server, path=":memory:", now_s: int = LATER, nodes: Iterable[str] = (NAME,)) -> None:
        self.desk = Desk(path)
        self.desk.restart()
        self.office = Office(self.desk.store, server, now_s, nodes)
        self.desk.now_s = now_s

    def adopt(self) -> bool:
        done = self.office.adopt()
        self.desk.restart()
        return done

    def hear(self, *messages) -> list:
        return [effect for message in messages for effect in self.desk.hear(message, self.office.now_s)]

    def send(self) -> None:
        self.office.send()

    def told(self, measurement: str) -> list[dict]:
        """All that its books say of losses or gaps."""
        rows = self.desk.store.read("SELECT fields FROM facts WHERE measurement = ? ORDER BY time", (measurement,))
        return [json.loads(text) for (text,) in rows]


@pytest.fixture
def server():
    return MemoryServer()


def publish(server, *messages, path=":memory:", nodes=(NAME,)) -> Generation:
    """A first generation that has adopted, heard and sent."""
    first = Generation(server, path, nodes=nodes)
    first.adopt()
    first.hear(hello(), *messages)
    first.send()
    return first


def test_a_new_store_takes_over_and_what_comes_again_changes_nothing(server):
    publish(server, *records(1, 30))
    before = dict(server.points)
    second = Generation(server)
    assert second.adopt()
    effects = second.hear(hello(uptime_s=1800, next_seq=31), *records(1, 30))
    assert acked(effects) == 30
    second.send()
    assert server.points == before
    assert second.told("losses") == second.told("gaps") == []


def test_what_is_new_comes_on_top(server):
    publish(server, *records(1, 30))
    before = server.counts()
    second = Generation(server)
    second.adopt()
    second.hear(hello(uptime_s=1800, next_seq=36), *records(1, 35))
    second.send()
    assert server.counts() == before | {T0 + 60 * n: (2, 0) for n in range(30, 35)}
    assert second.told("losses") == second.told("gaps") == []


def test_a_node_that_holds_nothing_of_before_is_no_loss(server):
    publish(server, *records(1, 30))
    second = Generation(server)
    second.adopt()
    second.hear(hello(uptime_s=1800, next_seq=32, first_held=31), *records(31, 31, previous=0))
    second.send()
    assert len(server.counts()) == 31
    assert second.told("losses") == second.told("gaps") == []


def test_what_a_node_gave_up_after_the_adoption_is_still_proved(server):
    publish(server, *records(1, 30))
    second = Generation(server)
    second.adopt()
    second.hear(hello(uptime_s=2000, next_seq=34), *records(31, 31, previous=0), *records(34, 34, previous=31))
    assert [loss["people"] for loss in second.told("losses")] == [4]


def test_a_minute_of_two_records_is_told_apart(server):
    two = [
        minute(1, T0, 3, total=(3, 0), uptime_end_s=20, covered_s=20),
        minute(2, T0, 4, boot=2, total=(4, 0), uptime_end_s=30, covered_s=30),
    ]
    publish(server, two[0], hello(boot=2), two[1])
    assert server.counts() == {T0: (7, 0)}
    second = Generation(server)
    second.adopt()
    second.hear(hello(boot=2, uptime_s=60, next_seq=3), *two)
    second.send()
    assert server.counts() == {T0: (7, 0)}


def test_of_a_minute_of_which_only_the_first_record_was_published_the_second_is_added(server):
    publish(server, minute(1, T0, 3, total=(3, 0), uptime_end_s=20, covered_s=20))
    second = Generation(server)
    second.adopt()
    second.hear(
        hello(boot=2, uptime_s=60, next_seq=3),
        minute(1, T0, 3, total=(3, 0), uptime_end_s=20, covered_s=20),
        minute(2, T0, 4, boot=2, total=(4, 0), uptime_end_s=30, covered_s=30),
    )
    second.send()
    assert server.counts() == {T0: (7, 0)}
    ((_, fields),) = server.of("passages").items()
    assert fields["rev"] == 1 and fields["coverage"] == 0.8333


def test_people_of_whom_only_live_totals_told_stay(server):
    first = publish(server, *records(1, 2))
    first.hear(live(uptime_s=150, ab=4 + 5, covered_s=30))
    first.hear(hello(boot=2), minute(3, T0 + 180, 1, boot=2, total=(1, 0)))
    first.send()
    before = server.counts()
    assert sum(ab for ab, _ in before.values()) == 2 + 2 + 5 + 1
    second = Generation(server)
    second.adopt()
    effects = second.hear(hello(boot=2, uptime_s=300, next_seq=4), *records(1, 2), minute(3, T0 + 180, 1, boot=2, total=(1, 0)))
    assert acked(effects) == 3
    second.send()
    assert server.counts() == before
    assert second.told("losses") == first.told("losses"), "said once"


def test_records_without_a_time_of_their_own_are_known_again_though_they_are_placed_elsewhere(server):
    ends = (20, 60, 120, 180)  # of the uptimes at which they were closed: two of them share a minute
    untimed = [
        minute(n + 1, 0, n + 1, total=(sum(range(n + 2)), 0), uptime_end_s=end_s, covered_s=20 if n == 0 else 40 if n == 1 else 60)
        for n, end_s in enumerate(ends)
    ]
    publish(server, hello(uptime_s=240), *untimed)
    assert [ab for ab, _ in server.counts().values()] == [1 + 2, 3, 4]
    before = dict(server.points)
    for late_s in (-50, -20, 20, 50):  # the moment of its start is known no better than that
        second = Generation(server, now_s=LATER + 600)
        second.adopt()
        second.hear(hello(uptime_s=840 + late_s, next_seq=5), *untimed)
        second.send()
        assert server.points == before


def test_a_record_without_a_time_of_its_own_is_known_again_though_a_later_one_shares_its_minute(server):
    untimed = minute(1, 0, 5, total=(5, 0), uptime_end_s=60)
    publish(server, hello(uptime_s=200), untimed)  # placed by a clock that is a quarter of an hour ahead
    (placed_s,) = server.counts()
    later = [minute(2, placed_s - 600, 1, total=(6, 0), uptime_end_s=120), minute(3, placed_s, 2, total=(8, 0), uptime_end_s=780)]
    second = Generation(server)
    second.adopt()
    second.hear(hello(uptime_s=800, next_seq=4), untimed, *later)
    second.send()
    assert server.counts() == {placed_s: (7, 0), placed_s - 600: (1, 0)}
    third = Generation(server)
    third.adopt()
    third.hear(hello(uptime_s=900, next_seq=4), untimed, *later)
    third.send()
    assert server.counts() == {placed_s: (7, 0), placed_s - 600: (1, 0)}


def test_a_record_without_a_time_of_its_own_whose_minute_never_arrived_is_counted_though_a_later_such_minute_did(server):
    told = [
        hello(uptime_s=600),
        minute(1, 0, 5, total=(5, 0), uptime_end_s=60),
        minute(2, (LATER - 400) // 60 * 60, 1, total=(6, 0), uptime_end_s=200),
        minute(3, 0, 2, total=(8, 0), uptime_end_s=400),
    ]
    publish(server, *told)
    before = server.counts()
    assert [ab for _, (ab, _) in sorted(before.items())] == [5, 1, 2]
    del server.points[min((place for place in server.points if place[0] == "passages"), key=lambda place: place[2])]
    second = Generation(server)
    second.adopt()
    second.hear(*told)
    second.send()
    assert server.counts() == before


def test_a_record_from_the_future_that_was_placed_by_its_uptime_is_known_again(server):
    first = Generation(server)
    first.adopt()
    ahead = minute(1, T0 + 86_400, 7, total=(7, 0), uptime_end_s=60)
    first.hear(hello(uptime_s=120), ahead)
    first.office.now_s += 3700  # it has been refused for an hour
    first.hear(ahead)
    first.send()
    before = server.counts()
    assert sum(ab for ab, _ in before.values()) == 7
    second = Generation(server, now_s=LATER + 2 * 86_400)
    second.adopt()
    second.hear(hello(uptime_s=120), ahead)
    second.send()
    assert server.counts() == before


def test_a_node_that_was_wiped_meanwhile_counts_on(server):
    publish(server, *records(1, 30))
    before = server.counts()
    second = Generation(server)
    second.adopt()
    anew = [minute(1, T0 + 1860, 6, incarnation=78), minute(2, T0 + 1920, 1, incarnation=78, total=(7, 0))]
    second.hear(hello(incarnation=78), *anew)
    second.send()
    assert server.counts() == before | {T0 + 1860: (6, 0), T0 + 1920: (1, 0)}


def test_no_bin_shrinks_when_a_gateway_lost_patience_and_counted_before_it_could_read(server):
    publish(server, minute(1, T0, 2, total=(2, 0), covered_s=20), *records(2, 5))
    second = Generation(server)
    # The node holds the second record of the first minute, and one of a minute that is there.
    second.hear(hello(boot=2, uptime_s=60, next_seq=8), minute(6, T0, 4, boot=2, previous=0, total=(4, 0), covered_s=30))
    second.adopt()
    second.send()
    assert {start: ab for start, (ab, _) in server.counts().items()} == {T0: 6} | {T0 + 60 * n: 2 for n in range(1, 5)}


def test_an_adoption_that_was_cut_off_and_begun_again_gives_the_same(server):
    publish(server, minute(1, T0, 2, total=(2, 0), covered_s=20), *records(2, 5))
    second = Generation(server)
    second.hear(hello(boot=2, uptime_s=60, next_seq=8), minute(6, T0, 4, boot=2, previous=0, total=(4, 0), covered_s=30))
    left = [2]

    def cut(question: str) -> None:
        if question == "read":
            left[0] -= 1
            if left[0] == 0:
                raise UplinkError("uplink-silent", url="memory:")

    for server.before in (cut, away("uplink-unreached")):
        with pytest.raises(UplinkError):
            second.adopt()
        assert adoption.is_due(second.desk.store)
    server.before = lambda _question: None
    assert second.adopt()
    second.send()
    assert server.counts()[T0] == (6, 0)
    assert not adoption.is_due(second.desk.store)


def test_an_adoption_that_has_nothing_left_to_take_is_one_that_the_session_has_to_know_of(server):
    publish(server, *records(1, 5))
    second = Generation(server)
    server.before = lambda question: away()(question) if server.questions[-1] == ("tally", "ledger") else None
    with pytest.raises(UplinkError):
        second.adopt()
    server.before = lambda _question: None
    assert second.adopt()
    second.hear(hello(uptime_s=400, next_seq=7, first_held=6), *records(6, 6, previous=0))
    assert second.told("losses") == []


def test_other_nodes_of_the_same_database_are_neither_adopted_nor_touched(server):
    other = Generation(server, nodes=["tr-0000b2"])
    other.adopt()
    other.hear(hello(node=OTHER), *(minute(n, T0 + 60 * n, n, node=OTHER, total=(n * (n + 1) // 2, 0)) for n in range(1, 6)))
    other.send()
    publish(server, *records(1, 5))
    before = dict(server.points)
    third = Generation(server)
    third.adopt()
    third.hear(hello(uptime_s=400, next_seq=6), *records(1, 5))
    third.send()
    third.office.round()
    assert {place: server.points[place] for place in before} == before
    assert {bin_.series.node for bin_ in third.desk.store.count_bins_since(0)} == {NAME}


def test_points_of_before_bins_named_their_records_do_not_count_twice(server):
    publish(server, *records(1, 5))
    for place, fields in server.points.items():
        if place[0] == "passages":
            del fields["incarnation"], fields["seq"]
    before = server.counts()
    second = Generation(server)
    second.adopt()
    second.hear(hello(uptime_s=400, next_seq=7), *records(1, 6))
    second.send()
    assert server.counts() == before | {T0 + 300: (2, 0)}


# -- a store that is older than what it published


def restored(server, tmp_path, *then, live_after=None) -> Generation:
    """A store of which a copy was made after ten minutes, went on for `then`, and was replaced by its copy."""
    place = tmp_path / "store.db"
    first = publish(server, *records(1, 10), path=place)
    first.desk.store.add_gateway_status("gateway", LATER, STATUS)
    if live_after:
        first.hear(live_after)
        first.desk.store.commit([first.desk.session._streams[0xA3F1C2, INCARNATION].boots[1]], LATER)
    first.send()
    first.desk.store.read("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(place, tmp_path / "copy.db")
    first.hear(*then)
    first.desk.store.add_gateway_status("gateway", LATER + 60, STATUS)
    first.send()
    first.desk.store.close()
    (tmp_path / "copy.db").replace(place)
    for end in ("-wal", "-shm"):
        place.with_name(place.name + end).unlink(missing_ok=True)
    return Generation(server, place, now_s=LATER + 120)


def test_a_store_that_was_put_back_is_noticed_and_what_it_forgot_is_adopted(server, tmp_path):
    again = restored(server, tmp_path, *records(11, 20))
    before = server.counts()
    assert len(before) == 20
    assert again.adopt()
    effects = again.hear(hello(uptime_s=1200, next_seq=23), *records(11, 22))
    assert acked(effects) == 22
    again.send()
    assert server.counts() == before | {T0 + 1200: (2, 0), T0 + 1260: (2, 0)}
    assert again.told("losses") == again.told("gaps") == []


def test_a_store_that_was_put_back_does_not_call_lost_what_the_server_has(server, tmp_path):
    again = restored(server, tmp_path, *records(11, 20))
    again.adopt()
    again.hear(hello(uptime_s=1200, next_seq=22, first_held=21), *records(21, 21, previous=0))
    assert again.told("losses") == again.told("gaps") == []
    again.send()
    assert len(server.counts()) == 21


def test_live_totals_of_before_block_no_node(server, tmp_path):
    again = restored(server, tmp_path, *records(11, 20), live_after=live(uptime_s=620, ab=21, covered_s=20))
    again.adopt()
    effects = again.hear(hello(uptime_s=1200, next_seq=21), *records(11, 21))
    assert acked(effects) == 21


def test_a_bin_that_grew_after_the_copy_is_as_large_as_on_the_server(server, tmp_path):
    again = restored(server, tmp_path, hello(boot=2), minute(11, T0 + 540, 9, boot=2, total=(9, 0), covered_s=10))
    assert again.desk.counts()[T0 + 540] == (2, 0)
    again.adopt()
    assert again.desk.counts()[T0 + 540] == (11, 0)
    again.hear(hello(boot=2, uptime_s=100, next_seq=12), minute(11, T0 + 540, 9, boot=2, previous=10, total=(9, 0), covered_s=10))
    assert again.desk.counts()[T0 + 540] == (11, 0)
    assert not any("count" in str(place) for place in again.desk.facts("passages"))


def test_a_store_that_only_stopped_is_not_older(server, tmp_path):
    place = tmp_path / "store.db"
    first = publish(server, *records(1, 3), path=place)
    first.desk.store.add_gateway_status("gateway", LATER, STATUS)
    first.send()
    first.desk.store.close()
    assert Generation(server, place, now_s=LATER + 60).adopt() is False


def test_a_clock_that_was_put_back_makes_no_store_older(server, tmp_path):
    place = tmp_path / "store.db"
    first = publish(server, *records(1, 3), path=place)
    for now_s in (LATER + 3600, LATER):
        first.desk.store.add_gateway_status("gateway", now_s, STATUS)
    first.send()
    first.desk.store.close()
    assert Generation(server, place, now_s=LATER + 60).adopt() is False


def test_the_status_of_another_gateway_says_nothing(server, tmp_path):
    place = tmp_path / "store.db"
    first = publish(server, *records(1, 3), path=place)
    first.desk.store.close()
    server.points["gateway_status", (("gateway", "another"),), LATER + 60] = {"outbox_points": 0}
    assert Generation(server, place, now_s=LATER + 60).adopt() is False


# -- what else is taken over


def test_climate_losses_gaps_and_ledger_are_taken_over_as_they_were(server):
    first = publish(server, *records(1, 3), hello(boot=2), minute(9, T0 + 600, 1, boot=2, previous=3, total=(1, 0)))
    first.office.round()
    first.send()
    before = dict(server.points)
    second = Generation(server)
    second.adopt()
    second.send()
    second.office.round()
    second.send()
    assert {place: fields for place, fields in server.points.items() if place[0] != "ledger"} == {
        place: fields for place, fields in before.items() if place[0] != "ledger"
    }
    climate = second.desk.store.climate_bin(CLIMATE, T0)
    assert climate is not None and (climate.temperature_centi_sum, climate.humidity_half_sum, climate.n) == (12000, 600, 6)
    assert second.told("losses") == first.told("losses") != []
    assert second.told("gaps") == first.told("gaps") != []
    (hour,) = second.office.ledger().values()
    assert (hour["counted"], hour["delivered"], hour["rev"]) == (7, 7, first.office.ledger()[T0]["rev"])


def test_a_silence_that_an_earlier_store_has_said_ends_when_the_node_is_back(server):
    first = publish(server, *records(1, 3))
    first.desk.commit(first.desk.session.check_silence(LATER))
    first.send()
    assert [gap["resolved"] for gap in first.told("gaps")] == [0]
    second = Generation(server, now_s=LATER + 600)
    second.adopt()
    second.hear(hello(uptime_s=8000, next_seq=5), *records(4, 4, previous=0))
    second.send()
    assert {fields["resolved"] for fields in server.of("gaps").values()} == {LATER + 600}


def test_a_silence_whose_end_was_never_sent_ends_with_the_first_minute_after_it(server):
    first = publish(server, *records(1, 3))
    first.desk.commit(first.desk.session.check_silence(LATER))
    first.send()
    ((place, _),) = server.of("gaps").items()
    first.hear(minute(4, T0 + 600, 2, total=(8, 0), uptime_end_s=640))
    first.send()
    server.points["gaps", place[0], place[1]] |= {"resolved": 0, "bound": -1}
    second = Generation(server, now_s=LATER + 600)
    second.adopt()
    second.send()
    gaps = server.of("gaps")
    assert gaps[place] == {"until": T0 + 600, "bound": 0, "resolved": LATER + 600}
    assert second.desk.store.silences() == []


STRANGE = {
    "no seconds of a minute": {"time": 7},
    "a field is missing": {"rev": None},
    "fewer than nobody": {"count_ab": -1},
    "more than all of the time": {"coverage": 1.5},
    "coverage that is no number": {"coverage": "all"},
    "another period": {"period_s": 3600},
    "a tag of somebody else": {"tag": ("room", "7")},
    "no site": {"tag": ("site", "")},
}


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
def test_a_row_that_is_not_made_as_ours_are_is_left_alone_and_stops_nobody(server, strange):
    publish(server, *records(1, 2))
    ((name, tags, time_s), fields) = next(item for item in server.points.items() if item[0][0] == "passages")
    odd = {key: value for key, value in {**fields, **strange}.items() if value is not None and key not in ("time", "tag")}
    about = dict(tags) | dict([strange["tag"]] if "tag" in strange else [])
    place = (name, tags_of(about), time_s + 1200 + strange.get("time", 0))
    server.points[place] = odd
    second = Generation(server)
    second.adopt()
    assert [bin_.start_s for bin_ in second.desk.store.count_bins_since(0)] == [T0, T0 + 60]
    second.send()
    second.office.round()
    assert server.points[place] == odd


def test_a_quarter_of_an_hour_is_taken_over_as_one(server):
    tags = tags_of({"site": "bahnhof", "node": NAME, "sensor": "radar"})
    server.points["passages", tags, T0 + 900] = {
        "count": 30, "count_ab": 20, "count_ba": 10, "period_s": 900, "coverage": 1.0, "q": 64 + 256, "rev": 3, "revised_at": T0,
        "schema": 1, "incarnation": INCARNATION, "seq": 30,
    }  # fmt: skip
    new = Generation(server)
    new.adopt()
    assert new.desk.store.count_bin(SERIES, T0 + 900) == CountBin(SERIES, T0 + 900, 20, 10, 900, 256, 3, T0, INCARNATION, 30, 900)
    new.hear(hello(uptime_s=1800, next_seq=31), *records(16, 30, previous=0))
    new.send()
    assert server.of("passages")[tags, T0 + 900]["count_ab"] == 20
    assert new.office.states() == {T0 + 900: AUDITED}


def test_rows_are_taken_in_one_transaction(server, monkeypatch):
    publish(server, *records(1, 5))
    rows = server.read("passages", 0, 1 << 40)
    store = Store(":memory:")
    put, taken = store.put_bin, []

    def fail(*bin_and_state) -> None:
        taken.append(put(*bin_and_state))
        if len(taken) == 3:
            raise RuntimeError("cut")

    monkeypatch.setattr(store, "put_bin", fail)
    with pytest.raises(RuntimeError):
        adoption.take(store, "passages", rows, {NAME}, LATER)
    assert store.count_bins_since(0) == []
