"""gateway.advertised: totals of adverts are carried on within a boot that is known; what does not fit is fetched; counters rise."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Fetch, Floor, Status
from tests.gateway.parts import (
    AIR,
    KEY_ID,
    NEW,
    NODE,
    RATE,
    STRANGER,
    T0,
    Desk,
    advert,
    gaps,
    hello,
    live,
    minute,
    of_kind,
    rules,
    salvaged,
)

WRAP = 1 << 16


def on_air(total: int = 0, rate: int = RATE) -> Desk:
    """A node without a cable, of which one record has been fetched: the minute from T0, with totals as given."""
    desk = Desk(rules_=rules(on_air=[NODE], rate=rate))
    desk.hear(hello(), T0, link=AIR)
    desk.hear(minute(1, T0, 0, total=(total, total)), T0 + 61, link=AIR)
    return desk


def open_people(desk: Desk) -> tuple[int, int]:
    """Whom adverts know of beyond the records."""
    (now,) = desk.session.nodes_now()
    return now.open_ab, now.open_ba


def is_fetched(effects) -> bool:
    return of_kind(effects, Fetch) == [Fetch(AIR, NODE)]


def test_totals_are_carried_on_from_the_newest_record():
    desk = on_air()
    effects = desk.hear_advert(advert(1, 7, 3))
    assert not is_fetched(effects)
    assert of_kind(effects, Floor) == [Floor(NODE, KEY_ID, 1)]
    assert open_people(desk) == (7, 3)


def test_totals_are_carried_on_across_the_wrap_and_whatever_was_lost_between():
    desk = on_air(total=5 * WRAP - 10)
    desk.hear_advert(advert(1, 5 * WRAP - 8, 5 * WRAP - 10))
    assert open_people(desk) == (2, 0)
    desk.hear_advert(advert(90, 5 * WRAP + 30, 5 * WRAP - 1, T0 + 300))
    assert open_people(desk) == (40, 9)


@given(st.integers(0, (1 << 28) - 1), st.lists(st.tuples(st.integers(0, 20), st.integers(1, 30), st.booleans()), max_size=40))
def test_however_many_are_lost_totals_are_exact(base, steps):
    desk = on_air(total=base)
    total, at_s, counter, heard = base, T0 + 75, 1, None
    for people, ticks, is_lost in steps:
        total, at_s, counter = total + people, at_s + 10 * ticks, counter + ticks
        if not is_lost:
            assert not is_fetched(desk.hear_advert(advert(counter, total, base, at_s)))
            heard = total
    if heard is not None:
        assert open_people(desk) == (heard - base, 0)


def test_a_boot_that_no_record_or_message_tells_of_is_fetched_and_changes_nothing():
    desk = on_air()
    assert is_fetched(desk.hear_advert(advert(1, 4, boot=2)))
    assert is_fetched(desk.hear_advert(advert(2, 4, incarnation=NEW)))
    assert open_people(desk) == (0, 0)
    assert is_fetched(Desk().hear_advert(advert(1)))  # a node that was never heard otherwise


def test_totals_that_went_back_or_leap_further_than_people_can_are_fetched():
    desk = on_air(total=50)
    assert is_fetched(desk.hear_advert(advert(1, 49, 50)))
    assert is_fetched(desk.hear_advert(advert(2, 50 + 3 * RATE, 50)))
    assert open_people(desk) == (0, 0)
    assert not is_fetched(desk.hear_advert(advert(3, 51, 50)))


def test_totals_of_which_nobody_can_tell_how_often_they_wrapped_are_fetched():
    most = RATE * 60  # a day and a half at that rate are beyond 2**16
    desk = on_air(rate=most)
    at_s = T0 + 60 + WRAP * 60 // most + 60
    assert is_fetched(desk.hear_advert(advert(1, 5, 0, at_s)))
    assert not is_fetched(on_air(rate=most).hear_advert(advert(1, 5, 0, at_s - 200)))


def test_a_live_message_of_a_session_fixes_a_boot_as_well():
    desk = Desk(rules_=rules(on_air=[NODE]))
    desk.hear(hello(), T0 + 10, link=AIR)
    assert is_fetched(desk.hear_advert(advert(1, 2, 0, T0 + 25)))
    desk.hear(live(uptime_s=30, ab=2), T0 + 30, link=AIR)
    assert not is_fetched(desk.hear_advert(advert(2, 5, 0, T0 + 45)))
    assert open_people(desk) == (5, 0)


def test_what_was_heard_before_the_node_itself_said_more_changes_nothing():
    desk = on_air()
    late = advert(1, 3, 0, T0 + 125)
    desk.hear(minute(2, T0 + 60, 9, total=(9, 0), uptime_end_s=120), T0 + 126, link=AIR)
    assert not is_fetched(desk.hear_advert(late))
    assert open_people(desk) == (0, 0)
    desk.hear_advert(advert(2, 11, 0, T0 + 135))
    assert open_people(desk) == (2, 0)


def test_no_more_of_an_open_minute_was_watched_than_its_boot_is_old():
    desk = Desk(rules_=rules(on_air=[NODE]))
    desk.hear(hello(uptime_s=3), T0 + 40, link=AIR)
    desk.hear(live(uptime_s=3), T0 + 40, link=AIR)
    desk.hear_advert(advert(1, 4, 0, T0 + 55))
    desk.hear(hello(2, next_seq=2), T0 + 70, link=AIR)
    assert salvaged(desk.hear(minute(1, T0 + 60, boot=2, uptime_end_s=50), T0 + 121, link=AIR)) == [(0, 4, 0, 13)]


def test_a_counter_is_accepted_once_and_none_below_it_ever_again():
    desk = on_air()
    desk.hear_advert(advert(8, 4))
    for counter in (8, 7, 0):
        assert not of_kind(desk.hear_advert(advert(counter, 40, 0, T0 + 200)), Floor)
    assert desk.session.dropped["advert counts backwards"] == 3
    assert open_people(desk) == (4, 0)
    desk.restart()
    assert not of_kind(desk.hear_advert(advert(8, 4)), Floor)
    assert of_kind(desk.hear_advert(advert(9, 4)), Floor)


def test_another_key_of_a_node_has_a_counter_of_its_own():
    desk = on_air()
    desk.hear_advert(advert(1000, 4))
    assert of_kind(desk.hear_advert(advert(0, 4, key_id=KEY_ID + 1)), Floor) == [Floor(NODE, KEY_ID + 1, 0)]
    desk.restart()
    assert not of_kind(desk.hear_advert(advert(1000, 4)), Floor)


def test_a_counter_is_spent_also_where_its_advert_does_not_fit():
    desk = on_air()
    assert of_kind(desk.hear_advert(advert(5, boot=9)), Floor) == [Floor(NODE, KEY_ID, 5)]


def test_adverts_of_nodes_that_are_not_listed_and_without_a_clock_are_dropped():
    desk = on_air()
    assert of_kind(desk.hear_advert(advert(1, node=STRANGER)), Floor) == []
    assert desk.session.dropped["unknown node"] == 1
    assert of_kind(desk.hear_advert(advert(1, at_s=100)), Floor) == []
    assert desk.session.dropped["gateway has no time"] == 1
    assert desk.store.floors() == {}


def test_adverts_are_a_sign_of_life_and_health_says_how_strong():
    desk = on_air()
    effects = [effect for tick in range(45) for effect in desk.hear_advert(advert(tick, 0, 0, T0 + 75 + 10 * tick))]
    (status,) = of_kind(effects, Status)[:1]
    assert (status.fields["rssi_dbm"], status.fields["boot"]) == (-71, 1)
    (now,) = desk.session.nodes_now()
    assert now.heard is not None
    assert (now.heard.link, now.heard.at_ms // 1000) == (AIR, T0 + 515)


def silence(desk: Desk, at_s: int) -> list[tuple[str, int, int, int]]:
    return gaps(desk.commit(desk.session.check_silence(at_s)))


def test_a_node_whose_adverts_are_heard_is_not_silent_while_its_records_wait_for_the_hour():
    desk = on_air()
    for at_s in range(T0 + 75, T0 + 3600, 60):
        desk.hear_advert(advert(at_s - T0, 0, 0, at_s))
        assert silence(desk, at_s) == []
    assert silence(desk, at_s + 900) == []
    assert silence(desk, at_s + 901) == [("silent", 60, at_s - T0 + 901, -1)]


def test_a_node_that_is_heard_and_never_delivers_is_silent_all_the_same():
    desk = on_air()
    for at_s in range(T0 + 75, T0 + 60 + 5400, 60):
        desk.hear_advert(advert(at_s - T0, 0, 0, at_s))
        assert silence(desk, at_s) == []
    desk.hear_advert(advert(9000, 0, 0, T0 + 5462))
    assert silence(desk, T0 + 5462) == [("silent", 60, 5462, -1)]


def test_a_gateway_that_has_just_started_has_heard_nobody_and_blames_nobody_for_it():
    desk = on_air()
    desk.restart()
    assert silence(desk, T0 + 3000) == []
    assert silence(desk, T0 + 3900) == []
    assert silence(desk, T0 + 3901) == [("silent", 60, 3901, -1)]
    cabled = Desk()
    cabled.hear(hello(), T0)
    cabled.hear(minute(1, T0), T0 + 61)
    cabled.restart()
    assert silence(cabled, T0 + 3000) == [("silent", 60, 3000, -1)]


def test_whom_only_adverts_told_before_the_power_was_cut_is_in_the_minute_they_were_told_in():
    desk = on_air()
    desk.hear_advert(advert(1, 3, 1, T0 + 265))
    desk.hear(minute(2, T0 + 60, 1, total=(1, 0), uptime_end_s=120), T0 + 400, link=AIR)
    desk.hear(minute(3, T0 + 120, 0, total=(1, 0), uptime_end_s=180), T0 + 400, link=AIR)
    desk.hear(minute(4, T0 + 180, 1, total=(2, 0), uptime_end_s=240), T0 + 400, link=AIR)
    effects = desk.hear(minute(300, T0 + 360, boot=2, previous=4, uptime_end_s=30), T0 + 421, link=AIR)
    assert salvaged(effects) == [(240, 1, 1, 20)]
    assert sum(ab + ba for ab, ba in desk.counts().values()) == 4


def test_the_tick_before_it_was_heard_tells_how_much_of_the_minute_was_watched():
    desk = on_air()
    desk.hear_advert(advert(1, 1, 0, T0 + 102.6))
    (state,) = [s for stream in desk.session._streams.values() for s in stream.boots.values()]
    assert (state.live_covered_s, state.live_uptime_s) == (40, 100)
    desk.hear_advert(advert(2, 1, 0, T0 + 112.4))  # that of the tick before, as long as a slow clock may not have come to the next
    (state,) = [s for stream in desk.session._streams.values() for s in stream.boots.values()]
    assert (state.live_covered_s, state.live_uptime_s) == (40, 100)


def test_a_site_that_is_not_known_yet_lets_nothing_be_judged():
    desk = Desk(rules_=replace(rules(on_air=[NODE]), site_of=lambda _name, _at_s: None))
    desk.hear(hello(), T0, link=AIR)
    desk.hear(live(uptime_s=30, ab=2), T0 + 30, link=AIR)
    assert is_fetched(desk.hear_advert(advert(1, 5)))
