"""gateway.session: who is heard, what is accepted, what is acknowledged, what is refused; and that nothing grows for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streetwire
from gateway import acceptance, complaints, moments
from gateway import session as room
from gateway.model import Accept, GiveTime, Loss, Note, Passport, Received, Status
from gateway.session import Session
from tests.gateway.parts import (
    INCARNATION,
    LINK,
    NAME,
    NODE,
    OTHER,
    STRANGER,
    T0,
    Desk,
    acked,
    hello,
    live,
    minute,
    of_kind,
    replies,
    rules,
)  # fmt: skip

# -- accepted once, in order


def test_a_record_is_accepted_into_the_minute_that_the_node_names_and_acknowledged(desk):
    effects = desk.hear(minute(1, T0, 3, 4), T0 + 61)
    assert [(a.record.seq, a.bin_start, a.site) for a in of_kind(effects, Accept)] == [(1, T0, "bahnhof")]
    assert acked(effects) == 1


def test_replies_stand_behind_what_they_depend_on(desk):
    effects = desk.hear(minute(1, T0, 3, 4), T0 + 61)
    kinds = [type(effect).__name__ for effect in effects]
    assert kinds.index("Accept") < kinds.index("Reply")


def test_a_duplicate_is_acknowledged_and_changes_nothing(desk):
    desk.hear(minute(1, T0, 3, 4), T0 + 61)
    effects = desk.hear(minute(1, T0, 3, 4), T0 + 65)
    assert acked(effects) == 1
    assert not of_kind(effects, Accept)
    assert desk.session.dropped == {"duplicate": 1}
    assert desk.counts() == {T0: (3, 4)}


def test_a_record_that_follows_a_missing_one_waits_until_that_one_came(desk):
    early = desk.hear(minute(3, T0 + 120), T0 + 181)
    assert acked(early) == 0
    assert not of_kind(early, Accept)
    assert desk.session.dropped == {"out of order": 1}
    for seq in (1, 2, 3):
        assert acked(desk.hear(minute(seq, T0 + 60 * seq), T0 + 400)) == seq


def test_a_node_that_leaves_out_what_this_store_never_had_is_asked_for_it_once_after_each_hello(desk):
    for _ in range(2):
        desk.hear(hello(next_seq=9), T0 + 100)
        asked = [replies(desk.hear(minute(n, T0 + 60), T0 + 181), streetwire.COMMAND) for n in (7, 8, 8)]
        assert [[(c.verb, c.argument) for c in commands] for commands in asked] == [[(streetwire.RESEND_FROM, 1)], [], []]
    desk.hear(minute(1, T0), T0 + 200)
    desk.hear(hello(next_seq=9), T0 + 201)
    assert replies(desk.hear(minute(7, T0 + 60), T0 + 202), streetwire.COMMAND)[0].argument == 2


def test_skipped_sequence_numbers_are_no_hole(desk):
    desk.hear(minute(2, T0, previous=0), T0 + 61)
    effects = desk.hear(minute(256, T0 + 60, previous=2), T0 + 121)
    assert acked(effects) == 256
    assert acked(desk.hear(minute(257, T0 + 120, previous=256), T0 + 181)) == 257


def test_previous_below_the_watermark_is_enough(desk):
    desk.hear(minute(5, T0, previous=0), T0 + 61)
    assert acked(desk.hear(minute(9, T0 + 60, previous=3), T0 + 121)) == 9


def test_the_watermark_never_moves_back(desk):
    desk.hear(minute(9, T0, previous=0), T0 + 61)
    for seq in (8, 1, 9):
        assert acked(desk.hear(minute(seq, T0, previous=0), T0 + 90)) == 9


def test_two_incarnations_of_a_node_are_two_streams(desk):
    desk.hear(minute(1, T0, 1), T0 + 61)
    desk.hear(hello(incarnation=INCARNATION + 1), T0 + 62)
    effects = desk.hear(minute(1, T0, 1, incarnation=INCARNATION + 1), T0 + 63)
    assert len(of_kind(effects, Accept)) == 1
    assert desk.counts() == {T0: (2, 0)}


def test_nodes_do_not_share_a_watermark(desk):
    desk.hear(minute(7, T0, previous=0), T0 + 61)
    desk.hear(hello(node=OTHER), T0 + 62)
    assert acked(desk.hear(minute(1, T0, node=OTHER), T0 + 63)) == 1


def test_two_records_of_one_minute_add_up(desk):
    desk.hear(minute(1, T0, 2, 1, covered_s=20), T0 + 30)
    desk.hear(minute(2, T0, 3, 0, total=(5, 1), covered_s=30), T0 + 61)
    assert desk.counts() == {T0: (5, 1)}


# -- refused, and said


@pytest.mark.parametrize("message", [hello(node=STRANGER), minute(1, T0, node=STRANGER), live(node=STRANGER)])
def test_an_unlisted_node_gets_no_answer_and_leaves_no_trace(message):
    desk = Desk()
    effects = desk.hear(message, T0)
    assert [type(effect) for effect in effects] == [Note]
    assert desk.session.dropped == {"unknown node": 1}
    assert desk.store.streams() == []


def test_who_has_not_introduced_itself_is_asked_to(desk):
    for message in (minute(1, T0, 1, node=OTHER), live(node=OTHER)):
        effects = desk.hear(message, T0 + 61)
        assert [c.verb for c in replies(effects, streetwire.COMMAND)] == [streetwire.SAY_HELLO]
        assert acked(effects) is None
    assert desk.session.dropped == {"not introduced": 2}
    introduced = desk.hear(hello(node=OTHER), T0 + 62)
    assert [note.event for note in of_kind(introduced, Note)] == ["node introduced"]
    assert acked(desk.hear(minute(1, T0, 1, node=OTHER), T0 + 63)) == 1


def test_a_record_from_the_future_is_refused_while_its_time_has_not_come(desk):
    refused = desk.hear(minute(1, T0 + 180), T0 + 59)
    assert acked(refused) is None
    assert not of_kind(refused, Accept)
    assert of_kind(refused, Note)
    assert acked(desk.hear(minute(1, T0 + 180), T0 + 60)) == 1


def test_a_gateway_without_time_accepts_nothing_and_keeps_nothing():
    desk = Desk()
    for message in (hello(), minute(1, T0), live()):
        effects = desk.hear(message, moments.EARLIEST_S - 1)
        assert not [e for e in effects if not isinstance(e, Note)]
    assert desk.session.dropped == {"gateway has no time": 3}
    desk.hear(hello(), moments.EARLIEST_S)
    assert acked(desk.hear(minute(1, moments.EARLIEST_S), moments.EARLIEST_S + 60)) == 1


def test_a_record_of_a_time_without_a_site_is_kept_on_the_node():
    desk = Desk(rules_=rules(site_of=lambda _name, at_s: "bahnhof" if at_s >= T0 + 600 else None))
    desk.hear(hello(), T0)
    assert acked(desk.hear(minute(1, T0 + 540), T0 + 700)) is None
    desk.rules = rules()
    desk.restart()
    assert acked(desk.hear(minute(1, T0 + 540), T0 + 760)) == 1


def test_the_site_is_that_of_the_minute_not_of_the_arrival():
    desk = Desk(rules_=rules(site_of=lambda _name, at_s: "jahnplatz" if at_s >= T0 + 60 else "bahnhof"))
    desk.hear(hello(), T0)
    sites = [of_kind(desk.hear(minute(n, T0 + 60 * (n - 1)), T0 + 9000), Accept)[0].site for n in (1, 2)]
    assert sites == ["bahnhof", "jahnplatz"]


def test_a_refusal_is_said_once_in_ten_minutes_whatever_the_clock_does(desk):
    said = [len(of_kind(desk.hear(live(node=STRANGER), T0 + s), Note)) for s in (0, 1, 599, 600, 601, -7200, -7199)]
    assert said == [1, 0, 0, 1, 0, 1, 0]


def test_a_refusal_names_the_node_and_each_of_them_once():
    session = Session(rules(known=()))
    heard = [session.hear(Received(live(node=node).encode(), LINK, T0 * 1000)) for node in (NODE, OTHER, NODE)]
    assert [[note.data["node"] for note in notes] for notes in heard] == [["tr-a3f1c2"], ["tr-0000b2"], []]


def test_a_node_that_counts_backwards_is_said(desk):
    desk.hear(minute(500, T0, previous=0), T0 + 61)
    assert not [n for n in of_kind(desk.hear(hello(next_seq=501), T0 + 62), Note) if n.level == "error"]
    assert [n for n in of_kind(desk.hear(hello(next_seq=500), T0 + 63), Note) if n.level == "error"]


@given(st.binary(max_size=260))
def test_any_bytes_are_heard_without_an_exception_and_never_acknowledged(payload):
    effects = Session(rules()).hear(Received(payload, LINK, T0 * 1000))
    assert acked(effects) in (None, 0)


FEW = st.integers(0, 6)
BOOT = FEW | st.integers(0xFFFD, 0xFFFF)
U32 = FEW | st.integers(0, 2**32 - 1)
START = st.sampled_from([0, 0, T0 - 60, T0, T0 + 60]) | st.integers(0, (1 << 26) - 1).map(lambda n: 60 * n)
TOTAL = FEW | st.integers(0, 2**28 - 1)


@given(
    st.lists(
        st.one_of(
            st.builds(hello, BOOT, U32, U32, sensors=st.just("radar,sht4x") | st.text(max_size=8), platform=st.text(max_size=4)),
            st.builds(live, BOOT, U32, TOTAL, TOTAL),
            st.builds(
                minute, U32, START, st.integers(0, 4095), previous=FEW, boot=BOOT, total=st.tuples(TOTAL, TOTAL),
                uptime_end_s=U32, covered_s=st.integers(0, 60),
            ),
        ),
        max_size=12,
    )
)  # fmt: skip
def test_any_messages_are_heard_and_stored_and_no_bin_is_before_the_first_street(messages):
    desk = Desk()
    for message in messages:
        desk.hear(message, T0)
    assert all(moments.EARLIEST_S <= start <= T0 + acceptance.FUTURE_S for start in desk.counts())
    desk.store.close()


@pytest.mark.parametrize("sensors", ["ra\ndar", "ra dar", "radar, sht4x", "a=b,c", "radar\\", "r\u00e4dar", "\x00", 'r"'])
def test_a_sensor_name_that_is_no_tag_introduces_nobody(sensors):
    desk = Desk()
    effects = desk.hear(hello(sensors=sensors), T0)
    assert not of_kind(effects, Passport)
    assert acked(desk.hear(minute(1, T0, 1), T0 + 61)) is None


# -- time, greeting, status


def test_hello_is_answered_with_the_watermark_and_the_time(desk):
    desk.hear(minute(9, T0, previous=0), T0 + 61)
    effects = desk.hear(hello(boot=2), T0 + 62)
    assert acked(effects) == 9
    assert len(of_kind(effects, GiveTime)) == 1


def test_the_passport_is_kept_when_it_changes_and_only_then(desk):
    assert not of_kind(desk.hear(hello(boot=2)), Passport)
    changed = of_kind(desk.hear(hello(boot=3, firmware="0.2.0")), Passport)
    assert [(p.firmware, p.count_sensor, p.climate_sensor, p.is_simulated) for p in changed] == [("0.2.0", "radar", "sht4x", False)]
    assert of_kind(desk.hear(hello(platform="unix")), Passport)[0].is_simulated


def test_after_a_restart_of_the_gateway_the_first_payload_gets_the_watermark_and_the_time(desk):
    desk.hear(minute(4, T0, previous=0), T0 + 61)
    desk.restart()
    effects = desk.hear(live(), T0 + 70)
    assert acked(effects) == 4
    assert len(of_kind(effects, GiveTime)) == 1
    again = desk.hear(live(), T0 + 80)
    assert acked(again) is None
    assert not of_kind(again, GiveTime)


def test_a_node_gets_the_time_every_ten_minutes(desk):
    given_at = [s for s in range(10, 1900, 10) if of_kind(desk.hear(live(uptime_s=s), T0 + s), GiveTime)]
    assert given_at == [600, 1200, 1800]


def test_a_clock_that_went_back_does_not_stop_the_time_nor_the_status(desk):
    desk.hear(live(uptime_s=5), T0 + 5)
    effects = desk.hear(live(uptime_s=15), T0 - 3 * 3600)
    assert len(of_kind(effects, GiveTime)) == 1
    assert len(of_kind(effects, Status)) == 1


def test_status_goes_with_a_record_every_five_minutes(desk):
    effects = {}
    for n in range(1, 17):
        for second in range(0, 60, 10):
            at_s = 60 * n + second
            effects[at_s] = of_kind(desk.hear(live(uptime_s=at_s), T0 + at_s), Status)
        effects[60 * n + 61] = of_kind(desk.hear(minute(n, T0 + 60 * n), T0 + 60 * n + 61), Status)
    told = {at_s: found[0].at_s - T0 for at_s, found in effects.items() if found}
    assert told == {60: 60, 361: 350, 661: 650, 961: 950}  # the first one waits for nothing


def test_an_old_status_is_not_told_again_with_records_alone(desk):
    desk.hear(live(uptime_s=5), T0 + 5)
    assert not [n for n in range(1, 16) if of_kind(desk.hear(minute(n, T0 + 60 * n), T0 + 60 * n + 61), Status)]


def test_without_records_a_live_message_brings_the_status_after_six_minutes(desk):
    objects = [(streetwire.ID_OF["resets"], 3), (streetwire.ID_OF["heap_free_b"], 50_000), (streetwire.ID_OF["battery_v"], 3700)]
    told = [s for s in range(0, 900, 10) if of_kind(desk.hear(live(5, s, objects=objects), T0 + s), Status)]
    assert told == [0, 360, 720]
    status = of_kind(desk.hear(live(5, 1080, objects=objects), T0 + 1080), Status)[0]
    assert status.fields == {
        "uptime_s": 1080, "boot": 5, "resets": 3, "heap_free_b": 50_000, "battery_mv": 3700,
        "fw": "0.1.0", "passport": "pavement-radar esp32",
    }  # fmt: skip


def test_a_line_from_the_node_is_a_note_with_its_level(desk):
    notes = [of_kind(desk.hear(streetwire.Log(NODE, INCARNATION, n, 12, "hot")), Note)[0] for n in (3, 4, 5, 6)]
    assert [note.level for note in notes] == ["warning", "warning", "info", "info"]
    assert notes[0].data == {"node": NAME, "uptime_s": 12, "text": "hot"}


def test_what_only_a_gateway_says_is_ignored_from_a_node(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    for message in (
        streetwire.Ack(NODE, INCARNATION, 99),
        streetwire.Time(NODE, INCARNATION, 5),
        streetwire.Command(NODE, INCARNATION, streetwire.RESEND_FROM, 1),
    ):
        assert desk.hear(message, T0 + 70) == []
    assert acked(desk.hear(minute(2, T0 + 60, total=(3, 0)), T0 + 121)) == 2


# -- bounded


def test_streams_are_bounded():
    assert room.MAX_NODES == 256
    session = Session(rules())
    for n in range(room.MAX_NODES + 50):
        session.hear(Received(hello(incarnation=n).encode(), LINK, T0 * 1000))
    assert len(session._streams) == room.MAX_NODES
    assert session.dropped == {"too many nodes": 50}


def test_boots_are_bounded_and_the_one_with_records_stays(desk):
    desk.hear(minute(1, T0, 5, boot=1), T0 + 61)
    for boot in range(2, 40):
        desk.hear(hello(boot=boot), T0 + 62)
    assert len(desk.session._streams[NODE, INCARNATION].boots) == 8
    desk.restart()
    losses = of_kind(desk.hear(minute(2, T0 + 60, 1, boot=1, total=(6, 0)), T0 + 122), Loss)
    assert losses == []


def test_complaints_are_bounded():
    session = Session(rules(known=()))
    for n in range(5000):
        session.hear(Received(live(node=n).encode(), LINK, T0 * 1000))
    assert len(session._complaints._said_ms) <= complaints.MOST
    assert session.dropped == {"unknown node": 5000}


def test_bytes_without_meaning_are_said_once_in_ten_minutes_for_each_link():
    session = Session(rules())
    notes = [session.hear(Received(b"?" * n, link, T0 * 1000)) for n in range(50) for link in ("a", "b")]
    said = [note.data for effects in notes for note in effects]
    assert said == [{"link": link, "detail": "too short"} for link in ("a", "b")]
    assert session.dropped == {"undecodable": 100}
