"""gateway.session: a node that is not heard is said, and when it is back, what became of that time."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gateway.model import Gap, Loss
from tests.gateway.parts import INCARNATION, NODE, OTHER, RATE, T0, Desk, gaps, hello, live, minute, of_kind, rules

WEEK_S = 7 * 86_400


def kept_gaps(desk) -> dict[tuple[str, int], dict]:
    """What the store says: (reason, from) -> fields."""
    rows = desk.store.read("SELECT tags, time, fields FROM facts WHERE measurement = 'gaps'")
    return {(json.loads(tags)["reason"], time_s - T0): json.loads(fields) for tags, time_s, fields in rows}


def silence(desk, at_s) -> list[tuple[str, int, int, int]]:
    return gaps(desk.commit(desk.session.check_silence(at_s)))


def test_a_silent_node_is_said_after_a_quarter_of_an_hour_and_only_once(desk):
    desk.hear(minute(1, T0), T0 + 61)
    assert silence(desk, T0 + 60 + 900) == []
    assert silence(desk, T0 + 60 + 901) == [("silent", 60, 961, -1)]
    assert silence(desk, T0 + 60 + 960) == []


def test_a_silence_is_remembered_across_a_restart_of_the_gateway(desk):
    desk.hear(minute(1, T0), T0 + 61)
    silence(desk, T0 + 1000)
    desk.restart()
    assert silence(desk, T0 + 1060) == []


def test_when_the_record_that_follows_arrives_the_silence_is_resolved(desk):
    desk.hear(minute(1, T0), T0 + 61)
    silence(desk, T0 + 1000)
    effects = desk.hear(minute(2, T0 + 60), T0 + 2000)
    assert [(g.reason, g.start_s, g.until_s, g.bound, g.resolved_s) for g in of_kind(effects, Gap)] == [
        ("silent", T0 + 60, T0 + 60, 0, T0 + 2000)
    ]
    assert desk.facts("gaps") == {T0 + 60: {"until": T0 + 60, "bound": 0, "resolved": T0 + 2000}}
    assert desk.store.silences() == []
    assert silence(desk, T0 + 2060) != []  # and the next one is a new one


def test_a_node_that_was_dark_meanwhile_keeps_its_gap_with_a_bound(desk):
    desk.hear(minute(1, T0, boot=1), T0 + 61)
    silence(desk, T0 + 1000)
    effects = desk.hear(minute(256, T0 + 1800, previous=1, boot=2), T0 + 1861)
    assert gaps(effects) == [("silent", 60, 1800, 0), ("dark", 60, 1800, RATE * 1740 // 60)]
    assert kept_gaps(desk) == {
        ("silent", 60): {"until": T0 + 1800, "bound": 0, "resolved": T0 + 1861},
        ("dark", 60): {"until": T0 + 1800, "bound": RATE * 1740 // 60, "resolved": 0},
    }


def test_a_silence_is_closed_where_it_was_opened_though_the_node_has_moved():
    desk = Desk(rules_=rules(site_of=lambda _name, at_s: "jahnplatz" if at_s >= T0 + 1500 else "bahnhof"))
    desk.hear(hello(), T0)
    desk.hear(minute(1, T0, boot=1), T0 + 61)
    silence(desk, T0 + 1000)
    desk.rules = replace(desk.rules, greatest_rate={"jahnplatz": RATE, "bahnhof": RATE * 5}.__getitem__)
    desk.rules = replace(desk.rules, next_change=lambda _name, at_s: T0 + 1500 if at_s < T0 + 1500 else None)
    desk.restart()
    effects = desk.hear(minute(256, T0 + 1800, previous=1, boot=2), T0 + 1861)
    silent, *dark = of_kind(effects, Gap)
    assert (silent.site, silent.until_s, silent.resolved_s) == ("bahnhof", T0 + 1500, T0 + 1861)
    there, here = (RATE * 5 * 24, RATE * 5)  # each by the people that can pass there
    assert [(gap.site, gap.until_s, gap.bound) for gap in dark] == [("bahnhof", T0 + 1500, there), ("jahnplatz", T0 + 1800, here)]


def test_the_silence_of_a_wiped_node_ends_with_its_new_log(desk):
    desk.hear(minute(40, T0, previous=0), T0 + 61)
    silence(desk, T0 + 1000)
    desk.hear(hello(incarnation=INCARNATION + 1), T0 + 1100)
    effects = desk.hear(minute(1, T0 + 1140, incarnation=INCARNATION + 1), T0 + 1201)
    assert gaps(effects) == [("silent", 60, 1140, 0), ("wiped", 60, 1140, RATE * 1080 // 60)]
    assert silence(desk, T0 + 1260) == []


@pytest.mark.parametrize("new", [INCARNATION - 1, INCARNATION + 1])
def test_the_newest_log_of_a_node_decides_whether_it_is_silent(desk, new):
    desk.hear(minute(40, T0, previous=0), T0 + 61)
    desk.hear(hello(incarnation=new), T0 + 400)
    desk.hear(minute(1, T0 + 840, incarnation=new), T0 + 901)
    desk.restart()  # streams come back in any order
    assert silence(desk, T0 + 1500) == []
    assert [start_s for _, start_s, _, _ in silence(desk, T0 + 1900)] == [900]


def test_no_silence_begins_before_a_node_was_heard(desk):
    assert [gap for gap in of_kind(desk.session.check_silence(T0 + 9000), Gap) if gap.start_s < T0] == []


def test_of_a_node_that_never_delivered_the_silence_begins_when_it_was_first_heard():
    desk = Desk()
    desk.hear(hello(uptime_s=3600), T0 + 30)
    desk.hear(live(uptime_s=3900), T0 + 330)
    assert silence(desk, T0 + 900) == []
    assert silence(desk, T0 + 901) == [("silent", 0, 901, -1)]
    assert gaps(desk.hear(minute(1, T0), T0 + 1000)) == [("silent", 0, 0, 0)]


def test_every_node_has_a_silence_of_its_own(desk):
    desk.hear(hello(node=OTHER), T0)
    desk.hear(minute(1, T0), T0 + 61)
    desk.hear(minute(1, T0 + 600, node=OTHER), T0 + 661)
    assert [gap.node for gap in of_kind(desk.commit(desk.session.check_silence(T0 + 1000)), Gap)] == [NODE]
    assert [gap.node for gap in of_kind(desk.commit(desk.session.check_silence(T0 + 1600)), Gap)] == [OTHER]


def test_a_clock_that_leaps_does_not_lose_a_silence(desk):
    desk.hear(minute(1, T0), T0 + 61)
    assert silence(desk, T0 + 10 * 86_400) != []
    assert silence(desk, T0 + 120) == []
    assert [g.resolved_s for g in of_kind(desk.hear(minute(2, T0 + 60), T0 + 125), Gap)] == [T0 + 125]


def test_after_a_week_of_silence_with_everything_on_flash_nothing_is_missing(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    assert silence(desk, T0 + 1000) == [("silent", 60, 1000, -1)]
    back_s = T0 + WEEK_S
    found = []
    for n in range(2, 300):  # the backlog, which takes a while
        found += desk.hear(minute(n, T0 + 60 * (n - 1), 2, total=(3 + 2 * (n - 1), 0)), back_s + n)
    assert gaps(found) == [("silent", 60, 60, 0)]
    assert of_kind(found, Loss) == []
    assert kept_gaps(desk) == {("silent", 60): {"until": T0 + 60, "bound": 0, "resolved": back_s + 2}}


def test_after_a_week_of_silence_in_the_dark_the_week_is_bounded(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    silence(desk, T0 + 1000)
    back_s = T0 + WEEK_S
    desk.hear(hello(boot=2), back_s)
    effects = desk.hear(minute(256, back_s, previous=1, boot=2), back_s + 61)
    week = RATE * (WEEK_S - 60) // 60
    assert gaps(effects) == [("silent", 60, WEEK_S, 0), ("dark", 60, WEEK_S, week)]
    assert [(loss.reason, loss.bound) for loss in of_kind(effects, Loss)] == [("power_cut", RATE * 62 // 60)]
    assert kept_gaps(desk)["silent", 60]["resolved"] == back_s + 61


def test_a_silence_ends_however_the_clock_was_set_meanwhile(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    silence(desk, T0 + 5000)
    effects = desk.hear(minute(2, T0 + 60, total=(3, 0)), T0 + 30)  # the clock went back behind the begin of the silence
    assert gaps(effects) == [("silent", 60, 60, 0)]
    assert desk.store.silences() == []


def test_a_silence_never_ends_later_than_it_was_resolved(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    silence(desk, T0 + 1000)
    effects = desk.hear(minute(2, T0 + 1080, total=(3, 0)), T0 + 1000)  # the node's clock is ahead, but not by much
    assert gaps(effects)[0] == ("silent", 60, 1000, 0)


def test_nothing_is_missing_of_a_time_at_which_the_node_stood_nowhere(desk):
    desk.hear(minute(1, T0, 3), T0 + 61)
    moved = rules(site_of=lambda _name, at_s: "jahnplatz" if at_s >= T0 + 600 else None)
    desk.rules = replace(moved, next_change=lambda _name, at_s: T0 + 600 if at_s < T0 + 600 else None)
    desk.restart()
    effects = desk.hear(minute(256, T0 + 1800, previous=1, boot=2), T0 + 1861)
    assert [(gap.site, gap.reason) for gap in of_kind(effects, Gap)] == [("jahnplatz", "dark")]
    assert gaps(effects) == [("dark", 600, 1800, RATE * 1200 // 60)]
