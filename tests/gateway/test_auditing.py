"""gateway.auditing: holes are found in one round and repaired to equality; what cannot be read or repaired is said."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from contextlib import closing, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import auditing as room
from gateway.books import HOUR_S
from gateway.errors import EXIT_ENVIRONMENT, EXIT_UPLINK_AUTHORISATION, EXIT_UPLINK_UNREACHABLE, StoreError
from gateway.keeping import KEEP_S, forget
from gateway.model import CountBin, Loss, Series
from gateway.store import AUDITED, QUEUED, SENT, SUPPRESSED, Store
from gateway.uplink.base import Answer, Outcome
from gateway.uplink.influx_v1 import InfluxV1
from gateway.uplink.influx_v2 import InfluxV2
from tests.gateway.parts import NAME, NODE, SERIES, T0
from tests.gateway.readback import MemoryServer, Office, away, in_store
from tests.real_parts import needs
from tools.street.influxd import Influxd
from tools.street.victoria import Victoria

DAY_S = 86_400
PAST = T0 - 120 * DAY_S  # real servers keep what lies in their past


def fill(store: Store, start_s: int, minutes: int, series: Series = SERIES, state: int = QUEUED) -> None:
    with store.transaction():
        for minute in range(minutes):
            at_s = start_s + 60 * minute
            store.put_bin(CountBin(series, at_s, minute % 5, minute % 3, 60, 0, 0, at_s + 61, 77, minute + 1), state)


def filled(server=None, minutes: int = 120, start_s: int = T0, **keys) -> Office:
    """An office whose points have been sent; its clock is two hours after the newest."""
    office = Office(server=server, now_s=start_s + 60 * minutes + 7200, **keys)
    fill(office.store, start_s, minutes)
    office.send()
    return office


def passages(server: MemoryServer) -> list:
    return sorted(place for place in server.points if place[0] == "passages")


# -- what is there


def test_a_round_audits_what_is_there_and_a_second_one_finds_nothing_to_do():
    office = filled()
    found = office.round()
    assert (found.checked, found.audited, found.missing, found.lasting, found.unread) == (120, 120, 0, 0, None)
    assert set(office.states().values()) == {AUDITED}
    assert office.reports == [found] and office.auditing.last is found
    assert {hour: (row["counted"], row["delivered"], row["rev"]) for hour, row in office.ledger().items()} == {
        T0: (180, 180, 0), T0 + HOUR_S: (180, 180, 0),
    }  # fmt: skip
    office.send()
    again = office.round()
    assert (again.audited, again.missing, again.holes) == (2, 0, []), "the ledger's own rows"
    assert {row["rev"] for row in office.ledger().values()} == {0}
    assert again.round == found.round + 1


def test_what_is_younger_than_two_minutes_is_left_for_the_next_round():
    office = Office(now_s=T0 + 600)
    fill(office.store, T0, 10)
    office.send()
    office.round()
    assert [start for start, state in office.states().items() if state == SENT] == [T0 + 480, T0 + 540]


def test_an_hour_is_in_the_ledger_when_it_is_over():
    office = Office(now_s=T0 + HOUR_S + 119)
    fill(office.store, T0, 60)
    office.send()
    office.round()
    assert office.ledger() == {}
    office.now_s += 1
    office.round()
    assert list(office.ledger()) == [T0]


# -- holes


@pytest.mark.parametrize("which", [slice(7, 8), slice(0, 60), slice(30, 90), slice(0, 120)])
def test_holes_are_found_in_one_round_and_repaired(which):
    office = filled()
    office.round()
    office.send()
    before = dict(office.server.points)
    lost = passages(office.server)[which]
    people = sum(before[place]["count"] for place in lost)
    office.server.lose(*lost)
    found = office.round()
    assert (found.missing, sum(hole.people for hole in found.holes)) == (len(lost), people)
    assert {row["held"] for row in office.ledger().values()} != {0}
    office.send()
    last = office.round()
    assert (last.missing, last.lasting) == (0, 0)
    office.send()
    office.round()
    counted = {place: fields for place, fields in before.items() if place[0] == "passages"}
    assert {place: office.server.points[place] for place in counted} == counted
    assert all(row["counted"] == row["delivered"] for row in office.ledger().values())


def test_a_database_that_lost_everything_has_its_losses_and_ledger_again_too():
    office = filled()
    with office.store.transaction():
        office.store.keep_loss(Loss("bahnhof", NODE, "given_up", T0, 4, 4))
    for _ in range(2):
        office.send()
        office.round()
    office.send()
    before = dict(office.server.points)
    office.server.points.clear()
    for _ in range(3):
        office.round()
        office.send()
    assert {place: fields for place, fields in office.server.points.items() if place[0] != "ledger"} == {
        place: fields for place, fields in before.items() if place[0] != "ledger"
    }
    assert {(place, fields["delivered"]) for place, fields in office.server.of("ledger").items()} == {
        ((place[1], place[2]), fields["delivered"]) for place, fields in before.items() if place[0] == "ledger"
    }


@given(
    lost=st.sets(st.integers(0, 179)),
    old=st.sets(st.integers(0, 179)),
    refused=st.sets(st.integers(0, 179), max_size=3),
    faults=st.lists(st.sampled_from(["silent", "lost answer", "restart", "disk"]), max_size=4),
    after=st.lists(st.integers(1, 12), min_size=4, max_size=4),
)
@settings(max_examples=60)
def test_whatever_happens_on_the_way_server_and_books_are_equal_in_the_end(lost, old, refused, faults, after):
    server = MemoryServer()
    times = {str(T0 + 60 * minute).encode() for minute in refused}
    server.refuses = lambda line: line.startswith(b"passages") and line.rpartition(b" ")[2] in times
    office = filled(server, 180)
    for minute in sorted(lost - refused):
        server.lose(next(place for place in passages(server) if place[2] == T0 + 60 * minute))
    for place in passages(server):
        if (place[2] - T0) // 60 in old:
            server.points[place] |= {"rev": -1, "count_ab": 0}
    for fault, steps in zip(faults, after, strict=False):
        office = _disturbed(office, fault, steps)
        _ledger_adds_up(office)
    for _ in range(room.TRIES + 2):
        office.send()
        found = office.round()
        _ledger_adds_up(office)
    assert (found.missing, found.lasting, found.unread) == (0, 0, None)
    bins = {bin_.start_s: (bin_.ab, bin_.ba) for bin_ in office.store.count_bins_since(0)}
    assert server.counts() == {start: counts for start, counts in bins.items() if (start - T0) // 60 not in refused}
    states = office.states()
    assert {states[start] for start in server.counts()} <= {AUDITED}


def _disturbed(office: Office, fault: str, steps: int) -> Office:
    """A round and a sending with a fault after so many steps; the office that goes on."""
    server, left = office.server, [steps]

    def is_time() -> bool:
        left[0] -= 1
        return left[0] == 0

    if fault == "silent":
        server.before = lambda _question: away("uplink-silent")("") if is_time() else None
    elif fault == "lost answer":
        server.answers = lambda: Answer(Outcome.STORED)
        send = server.send

        def lose_answer(lines):
            answer = send(lines)
            return Answer(Outcome.RETRY, "cut off") if is_time() else answer

        server.send = lose_answer
    stops = _Stop if fault == "restart" else StoreError

    async def breaking(work, *arguments):
        if fault in ("restart", "disk") and is_time():
            raise stops("store-full", path="") if fault == "disk" else stops
        return work(*arguments)

    office.auditing._in_store = breaking
    with suppress(_Stop):
        office.round()
    office.auditing._in_store = in_store
    office.send()
    server.before = lambda _question: None
    server.__dict__.pop("send", None)
    return Office(office.store, server, office.now_s) if fault == "restart" else office


class _Stop(Exception):
    """The process ends here."""


def _ledger_adds_up(office: Office) -> None:
    for row in office.ledger().values():
        assert row["counted"] == row["delivered"] + row["unaudited"] + row["held"] + row["suppressed"]


def test_what_cannot_be_repaired_is_tried_a_bounded_number_of_times_and_said():
    office = filled()
    stubborn = passages(office.server)[5]

    def forgetful() -> None:
        office.server.points.pop(stubborn, None)

    sent = []
    for _ in range(30):
        forgetful()
        found = office.round()
        sent.append(found.missing)
        office.send()
    assert sum(sent) <= room.TRIES + 4
    assert sent[: room.TRIES] == [1] * room.TRIES
    assert office.states()[stubborn[2]] == SENT
    forgetful()
    found = office.round()
    assert found.lasting + found.missing == 1
    assert office.ledger()[T0]["counted"] > office.ledger()[T0]["delivered"]


def test_an_hour_that_was_repaired_may_be_lost_again_as_often_as_it_likes():
    office = filled()
    lost = passages(office.server)[5]
    for _ in range(3 * room.TRIES):
        office.server.lose(lost)
        assert office.round().missing == 1
        office.send()
        assert office.round().missing == 0


def test_a_server_that_keeps_the_higher_revision_is_not_asked_for_ever():
    office = filled()
    newer = passages(office.server)[5]
    for _ in range(30):
        office.server.points[newer] |= {"rev": 9}
        found = office.round()
        office.send()
        assert found.missing + found.lasting == 1
    assert office.server.batches < 20


# -- what is not ours, not sent, not there any more


def test_the_hours_of_a_node_that_is_no_longer_configured_are_repaired_too():
    office = filled(nodes=[])
    office.server.lose(passages(office.server)[3])
    assert office.round().missing == 1


def test_the_points_of_others_are_not_even_read():
    office = filled()
    office.server.points["passages", (("node", "tr-ffffff"), ("sensor", "radar"), ("site", "markt")), T0] = {
        "count_ab": 1, "count_ba": 1, "rev": 0,
    }  # fmt: skip
    before = dict(office.server.points)
    found = office.round()
    assert found.holes == [] and ("read", "passages") not in office.server.questions
    assert {place: office.server.points[place] for place in before} == before


def test_points_of_ours_that_the_books_do_not_know_are_named_and_hold_up_nobody():
    office = filled()
    place = ("passages", (("node", NAME), ("sensor", "radar"), ("site", "bahnhof")), T0 + 7)
    office.server.points[place] = {"count_ab": 1, "count_ba": 1, "rev": 0}
    found = office.round()
    assert [(hole.hour_s, hole.points, hole.unknown) for hole in found.holes] == [(T0, 0, 1)]
    assert found.audited == 120 and place in office.server.points


def test_a_site_that_moved_is_two_series():
    office = filled(minutes=30)
    fill(office.store, T0 + 1800, 30, Series("markt", NAME, "radar"))
    office.send()
    office.server.lose(passages(office.server)[0])
    found = office.round()
    assert [(dict(hole.tags)["site"], hole.points) for hole in found.holes] == [("bahnhof", 1)]
    sites = {json.loads(tags)["site"] for (tags,) in office.store.read("SELECT tags FROM facts WHERE measurement = 'ledger'")}
    assert sites == {"bahnhof", "markt"}


def test_quarters_and_withheld_points_stand_beside_minutes():
    office = Office(now_s=T0 + 7200)
    with office.store.transaction():
        office.store.put_bin(CountBin(SERIES, T0, 30, 10, 900, 256, 1, T0, 77, 15, 900), QUEUED)
        office.store.put_bin(CountBin(SERIES, T0 + 900, 3, 1, 60, 128, 0, T0, 77, 16), SUPPRESSED)
    fill(office.store, T0 + 1800, 20)
    office.send()
    found = office.round()
    assert (found.checked, found.audited, found.missing) == (21, 21, 0)
    row = office.ledger()[T0]
    assert (row["suppressed"], row["delivered"], row["counted"]) == (4, row["counted"] - 4, 44 + 40 + 19)


def test_days_that_a_wrong_clock_has_put_far_ahead_are_audited_and_repaired_too():
    office = filled()
    for years in (1, 30):
        fill(office.store, T0 + 365 * years * DAY_S, 5)
    office.send()
    office.server.lose(*[place for place in passages(office.server) if place[2] > T0 + 365 * DAY_S][2:6])
    assert office.round().missing == 4
    office.send()
    assert office.round().missing == 0
    assert set(office.states().values()) == {AUDITED}


def test_only_what_the_server_keeps_is_looked_for():
    office = Office(now_s=T0 + 3 * DAY_S, retention_days=1)
    fill(office.store, T0, 3 * 1440)
    office.send()
    office.server.lose(*(place for place in passages(office.server) if place[2] < office.now_s - DAY_S))
    found = office.round()
    assert (found.missing, found.checked) == (0, 23 * 60 - 2)
    assert found.from_s == office.now_s - 23 * HOUR_S


def test_of_an_hour_in_which_minutes_were_forgotten_the_ledger_stays():
    office = Office(now_s=T0 + KEEP_S)
    fill(office.store, T0 - T0 % DAY_S, 180)
    office.now_s = T0 - T0 % DAY_S + HOUR_S * 4
    office.send()
    office.round()
    office.send()
    day_s = T0 - T0 % DAY_S
    before = office.ledger()
    office.now_s = day_s + KEEP_S + 59  # just after a midnight
    forget(office.store, office.now_s)
    office.round()
    assert {hour: row for hour, row in office.ledger().items() if hour in before and hour > day_s} == {
        hour: row for hour, row in before.items() if hour > day_s
    }
    assert day_s not in office.ledger()


# -- when things go wrong


@pytest.mark.parametrize(
    ("key", "code"), [("uplink-forbidden", EXIT_UPLINK_AUTHORISATION), ("uplink-unreached", EXIT_UPLINK_UNREACHABLE)]
)
def test_a_server_that_cannot_be_read_is_said_once_a_round_and_the_ledger_goes_on(key, code):
    office = filled(minutes=2 * 1440)
    office.server.before = away(key)
    found = office.round()
    assert found.unread is not None and found.unread.exit_code == code
    assert len(office.server.questions) == 1, "not asked again in this round"
    assert all(row["unaudited"] == row["counted"] for row in office.ledger().values()) and len(office.ledger()) == 48
    office.send()
    assert len(office.server.of("ledger")) == 48, "sending goes on"


def test_a_disk_that_fails_in_the_middle_is_said_and_the_next_round_begins_anew():
    office = filled()

    async def fail(work, *arguments):
        if work is room.books.settle:
            raise StoreError("store-full", path="")
        return work(*arguments)

    office.auditing._in_store = fail
    found = office.round()
    assert found.unread is not None and found.unread.exit_code == EXIT_ENVIRONMENT
    office.auditing._in_store = in_store
    assert office.round().audited == 120


def test_a_mistake_in_an_uplink_is_an_answer_that_cannot_be_read():
    office = filled()

    def mistake(_question: str) -> None:
        raise KeyError("a bug")

    office.server.before = mistake
    assert "KeyError" in str(office.round().unread)
    assert set(office.states().values()) == {SENT}


def test_two_who_ask_at_once_get_a_round_each():
    office = filled()
    office.server.lose(passages(office.server)[3])

    async def both():
        return await asyncio.gather(office.auditing.round(), office.auditing.round())

    one, other = asyncio.run(both())
    assert (one.missing, other.missing, other.round - one.round) == (1, 0, 1)


def test_a_clock_that_is_put_back_marks_nothing_and_a_later_round_does():
    office = filled()
    office.now_s = T0 - 10 * DAY_S
    found = office.round()
    assert (found.checked, office.ledger()) == (0, {})
    office.now_s = T0 + 5 * HOUR_S
    assert office.round().audited == 120


def test_a_clock_that_steps_in_the_middle_of_a_round_does_not_move_its_end():
    office = Office(now_s=T0 + 1800)
    fill(office.store, T0, 30)
    office.send()

    def step(_question: str) -> None:
        office.now_s += DAY_S

    office.server.before = step
    office.round()
    assert [state for start, state in office.states().items() if start >= T0 + 1680] == [SENT, SENT]
    assert office.ledger() == {}


def test_after_a_long_outage_hours_that_wait_are_counted_as_such():
    office = Office(now_s=T0 + 2 * DAY_S)
    fill(office.store, T0, 1440)
    found = office.round()
    assert (found.waiting, found.checked, found.missing) == (1440, 0, 0)
    assert sum(row["held"] for row in office.ledger().values()) == sum(row["counted"] for row in office.ledger().values()) > 0


def test_thousands_of_hours_are_repaired_in_one_round():
    office = Office(now_s=T0 + 30 * DAY_S + 7200)
    for number in range(4):
        with office.store.transaction():
            for hour in range(720):
                series = Series("bahnhof", f"tr-00000{number}", "radar")
                office.store.put_bin(CountBin(series, T0 + HOUR_S * hour, 1, 0, 60, 0, 0, T0, 77, hour + 1), QUEUED)
    office.send()
    office.server.points.clear()
    found = office.round()
    assert (found.missing, len(found.holes), len(found.as_data()["holes"])) == (2880, 2880, 1000)
    office.send()
    assert office.round().missing == 0


# -- before anything is published


def prepared(office: Office, monkeypatch) -> bool:
    pauses = []

    async def at_once(seconds):
        """Pauses take no time."""
        pauses.append(seconds)
        assert len(pauses) < 1000, "it waits for ever"

    monkeypatch.setattr(room.asyncio, "sleep", at_once)
    return asyncio.run(office.auditing.prepare())


@pytest.mark.parametrize("key", ["uplink-denied", "uplink-forbidden", "uplink-missing"])
def test_who_may_not_be_read_gets_its_points_at_once(key, monkeypatch):
    office = Office()
    office.server.before = away(key)
    assert prepared(office, monkeypatch) is False
    assert len(office.server.questions) == 1


def test_who_answers_and_yet_cannot_be_read_gets_its_points_after_a_while(monkeypatch):
    office = Office()
    office.server.before = lambda question: away("uplink-copies")("") if question != "identify" else None
    assert prepared(office, monkeypatch) is False
    assert len(office.server.questions) == room.UNREAD_S // room.RETRY_S + 1
    assert not office.store.noted("adopted"), "the next start asks again"


NOBODY = ["unresolved", "unreached", "silent", "tls", "broken", "trouble", "folder"]


@pytest.mark.parametrize("cause", NOBODY)
def test_who_is_not_there_is_waited_for_as_long_as_it_takes(cause, monkeypatch):
    office = filled()
    new = Office(Store(":memory:"), office.server)
    left = [200]
    troubles = []

    def come_back(question: str) -> None:
        left[0] -= question != "identify"
        troubles.append(new.auditing.trouble)
        if left[0] > 0:
            away(f"uplink-{cause}")("")

    office.server.before = come_back
    assert prepared(new, monkeypatch) is True
    assert len(new.store.count_bins_since(0)) == 120
    assert (troubles[0], new.auditing.trouble) == (None, None)
    seen = troubles[150]
    assert (seen.since_s, seen.next_try_s - new.now_s) == (new.now_s, room.RETRY_S)
    assert seen.line("de") != seen.line("en") == seen.reason


def test_the_first_start_ever_is_quick(monkeypatch):
    office = Office()
    assert prepared(office, monkeypatch) is False
    assert office.server.questions.count(("tally", "passages")) == 1
    assert ("read", "passages") not in office.server.questions


# -- real servers


def real_round(office: Office) -> tuple[int, int]:
    found = office.round()
    assert not found.unread, found.unread
    return found.missing, found.lasting


def counts(server) -> dict[int, tuple]:
    rows = server.read("passages", PAST, PAST + 2 * DAY_S)
    return {row.time_s: (row.fields["count_ab"], row.fields["count_ba"]) for row in rows}


@needs("influxd")
@pytest.mark.parametrize(
    "loss",
    ["DELETE FROM passages WHERE time = {}s", "DELETE FROM passages WHERE time >= {}s AND time < {}s", "DROP"],
    ids=["a point", "an hour", "everything"],
)
def test_influxd_is_repaired_to_equality(influxd, database, loss):
    with closing(InfluxV1(influxd.url, database)) as server:
        office = filled(server, 150, PAST)
        assert real_round(office) == (0, 0)
        office.send()
        before = counts(server)
        if loss == "DROP":
            influxd.query(f'DROP DATABASE "{database}"')
            influxd.create_database(database)
        else:
            influxd.query(loss.format(PAST + 1800, PAST + 4200), db=database)
        found = office.round()
        lost = len(before) - len(counts(server))
        assert sum(hole.points for hole in found.holes if hole.measurement == "passages") == lost > 0
        office.send()
        assert (real_round(office), counts(server)) == ((0, 0), before)


@needs("influxd")
def test_an_influxd_of_which_an_older_copy_was_put_back_is_repaired(tmp_path):
    real = Influxd(tmp_path / "server")
    real.start()
    try:
        real.create_database("trottoir")
        with closing(InfluxV1(real.url, "trottoir")) as server:
            office = filled(server, 60, PAST)
            real.stop()
            shutil.copytree(tmp_path / "server", tmp_path / "copy")
            real.start()
            fill(office.store, PAST + 3600, 60)
            with office.store.transaction():
                office.store.put_bin(CountBin(SERIES, PAST, 9, 9, 60, 0, 1, PAST, 77, 99), QUEUED)
            office.now_s += 3600
            office.send()
            assert real_round(office) == (0, 0)
            office.send()
            before = counts(server)
            real.stop()
            shutil.rmtree(tmp_path / "server")
            (tmp_path / "copy").rename(tmp_path / "server")
            real.start()
            missing, lasting = real_round(office)
            assert (missing >= 61, lasting) == (True, 0)
            office.send()
            assert (real_round(office), counts(server)) == ((0, 0), before)
    finally:
        real.stop()


@needs("victoria-metrics")
def test_points_that_victoria_metrics_acknowledged_and_lost_are_sent_again(tmp_path):
    real = Victoria(tmp_path / "server")
    real.start()
    try:
        with closing(InfluxV2(real.url, "", "trottoir", None)) as server:
            office = filled(server, 150, PAST)
            before = {bin_.start_s: (bin_.ab, bin_.ba) for bin_ in office.store.count_bins_since(0)}
            real.kill()
            real.start()
            assert len(counts(server)) < 150
            found = office.round()
            assert found.missing > 0 and not found.unread
            office.send()
            real.flush()
            assert (real_round(office), counts(server)) == ((0, 0), before)
    finally:
        real.stop()


@needs("influxd")
def test_a_token_that_may_only_write_leaves_points_unaudited_and_a_read_token_audits_them(adapter, database):
    with (
        closing(InfluxV2(adapter.url, adapter.org, database, adapter.blind)) as blind,
        closing(InfluxV2(adapter.url, adapter.org, database, adapter.reader)) as reader,
    ):
        office = filled(blind, 90, PAST)
        found = office.round()
        assert found.unread is not None and (found.unread.exit_code, found.audited) == (EXIT_UPLINK_AUTHORISATION, 0)
        row = office.ledger()[PAST]
        assert (row["unaudited"], row["delivered"]) == (row["counted"], 0)
        office.send()
        assert office.store.outbox_state()[0] == 0, "sending goes on"
        reading = Office(office.store, reader, office.now_s)
        assert real_round(reading) == (0, 0)
        row = reading.ledger()[PAST]
        assert (row["unaudited"], row["delivered"], row["rev"]) == (0, row["counted"], 1)


def test_a_slow_server_does_not_keep_a_round_from_being_cancelled():
    office = filled()
    gate = threading.Event()
    office.server.before = lambda _question: gate.wait(10)

    async def scenario():
        task = asyncio.create_task(office.auditing.round())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.set()
        office.server.before = lambda _question: None
        return await office.auditing.round()

    assert asyncio.run(scenario()).audited == 120
    office.auditing.close()
