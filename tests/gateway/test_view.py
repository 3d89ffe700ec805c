"""gateway.view: what is shown is what is known; unknown is null and never zero."""

from __future__ import annotations

import json
from datetime import datetime
from typing import get_type_hints
from zoneinfo import ZoneInfo

import pytest

import streetwire
from gateway import config, view
from gateway.model import Q_CLIMATE_IMPLAUSIBLE, Heard, Passport, Series
from gateway.pipeline import Live
from gateway.shown import ClimateMean, Counted, NodeNow, OutboxState, Trouble
from gateway.uplink.base import UplinkError
from gateway.view import Books, Now, assemble, day_start
from tests.gateway.parts import T0

TOML = """
[gateway]
id = "gw-1"
timezone = "Europe/Berlin"
[sites.bahnhof]
name = "Bahnhof"
a_to_b = "zur Stadt"
[sites.jahnplatz]
[nodes.tr-a3f1c2]
site = "bahnhof"
[nodes.tr-0000b2]
site = "jahnplatz"
"""
CONFIG = config.parse(TOML, "test", {})
SERIES = Series("bahnhof", "tr-a3f1c2", "radar")
NOW_S = T0 + 3605
PASSPORT = Passport(0xA3F1C2, 1, "0.1.0", "gehweg", "esp32", "radar", "sht4x")


def now(**changes) -> Now:
    heard = Heard((NOW_S - 5) * 1000, "serial:/dev/x", (NOW_S - 5) * 1000, 1, {"uptime_s": 99, "boot": 1, "fw": "0.1.0"})
    node = NodeNow("tr-a3f1c2", T0 + 3480, changes.pop("heard", heard), PASSPORT, changes.pop("silent_s", 0), 2, 1)
    windows = changes.pop("windows", [Live(SERIES, {900: (40, 31, 0.93333)})])
    return Now(changes.pop("now_s", NOW_S), [node], windows, changes.pop("trouble", None))


def books(**changes) -> Books:
    known = {
        "today": {SERIES: Counted(day_start(NOW_S, "Europe/Berlin"), 121, 118, 3000)},
        "newest": {SERIES: Counted(T0 + 3480, 3, 2, 57)},
        "climate": {"tr-a3f1c2": ClimateMean(T0 + 3480, 21.35, 48.5, 0)},
        "outbox": OutboxState(12, T0, 1),
        "disk_free_mb": 5000,
    }
    return Books(**{**known, **changes})


def node_of(shown, name: str = "tr-a3f1c2"):
    return next(node for node in shown["nodes"] if node["node"] == name)


def test_everything_that_is_known_is_shown():
    shown = assemble(CONFIG, "0.1.0", now(), books())
    node = node_of(shown)
    assert shown["gateway"] == {
        "id": "gw-1", "version": "0.1.0", "now_s": NOW_S, "zone": "Europe/Berlin", "is_simulated": False,
    }  # fmt: skip
    assert (node["site"], node["site_name"], node["a_to_b"]) == ("bahnhof", "Bahnhof", "zur Stadt")
    assert node["minute"] == {"from_s": T0 + 3480, "ab": 3, "ba": 2, "coverage": 0.95}
    assert node["open"] == {"from_s": T0 + 3540, "as_of_s": NOW_S - 5, "ab": 2, "ba": 1}
    assert node["quarter"] == {"ab": 40, "ba": 31, "coverage": 0.9333}
    elapsed_s = NOW_S // 60 * 60 - day_start(NOW_S, "Europe/Berlin")
    assert node["today"] == {"ab": 121, "ba": 118, "coverage": round(3000 / elapsed_s, 4)}
    assert node["climate"] == {"at_s": T0 + 3540, "temperature_c": 21.35, "humidity_pct": 48.5, "is_implausible": False}
    assert node["health"]["state"] == "good"
    assert (node["health"]["uptime_s"], node["health"]["boot"], node["health"]["firmware"]) == (99, 1, "0.1.0")
    assert shown["outbox"]["waiting"] == 12
    assert shown["outbox"]["oldest_s"] == T0
    assert shown["outbox"]["api"] is None  # the uplink is off
    assert shown["audit"] is None


def test_the_document_has_exactly_the_shape_that_is_promised():
    shown = json.loads(json.dumps(assemble(CONFIG, "0.1.0", now(), books())))
    node = node_of(shown)
    for part, shape in (
        (shown, view.View), (shown["gateway"], view.GatewayView), (shown["outbox"], view.OutboxView), (node, view.NodeView),
        (node["health"], view.Health), (node["minute"], view.Minute), (node["open"], view.Open),
        (node["climate"], view.ClimateView), (node["today"], view.Count), (node["quarter"], view.Count),
    ):  # fmt: skip
        assert set(part) == set(get_type_hints(shape)), shape


def test_a_node_that_is_listed_and_was_never_heard_is_shown_without_numbers():
    node = node_of(assemble(CONFIG, "0.1.0", now(), books()), "tr-0000b2")
    assert node["site"] == "jahnplatz"
    assert [node[key] for key in ("minute", "open", "quarter", "today", "climate")] == [None] * 5
    assert node["health"]["state"] == "never"
    assert node["health"]["heard_s"] is None


def test_nobody_passed_is_zero_with_its_coverage_and_nobody_counted_is_null():
    quiet = assemble(CONFIG, "0.1.0", now(windows=[Live(SERIES, {900: (0, 0, 1.0)})]), books())
    assert node_of(quiet)["quarter"] == {"ab": 0, "ba": 0, "coverage": 1.0}
    dark = assemble(CONFIG, "0.1.0", now(windows=[Live(SERIES, {900: (0, 0, 0.0)})]), books())
    assert node_of(dark)["quarter"] is None
    unknown = assemble(CONFIG, "0.1.0", now(windows=[]), books())
    assert node_of(unknown)["quarter"] is None


@pytest.mark.parametrize(
    ("heard_ago_s", "silent_s", "state"),
    [
        (0, 0, "good"), (60, 0, "good"), (61, 0, "quiet"), (5000, 0, "quiet"), (5, T0, "silent"), (5000, T0, "silent"),
        (None, T0, "silent"),
    ],
)  # fmt: skip
def test_the_state_of_a_node(heard_ago_s, silent_s, state):
    heard = None if heard_ago_s is None else Heard((NOW_S - heard_ago_s) * 1000, "serial:x")
    health = node_of(assemble(CONFIG, "0.1.0", now(heard=heard, silent_s=silent_s), books()))["health"]
    assert health["state"] == state
    assert health["silent_since_s"] == (silent_s or None)


@pytest.mark.parametrize("name", streetwire.HEALTH)
def test_a_node_that_says_that_it_cannot_count_is_not_good(name):
    def state(heard_ago_s, silent_s=0):
        heard = Heard((NOW_S - heard_ago_s) * 1000, "serial:x", health={"health": streetwire.HEALTH[name]})
        return node_of(assemble(CONFIG, "0.1.0", now(heard=heard, silent_s=silent_s), books()))["health"]["state"]

    assert state(5) == ("fault" if name in ("counter_silent", "counter_garbled", "blocked", "log_failed") else "good")
    assert (state(61), state(61, silent_s=T0)) == ("quiet", "silent")  # what it said then says nothing of now


@pytest.mark.parametrize(
    ("last_bin_ago_s", "live_ago_s", "is_running"),
    [
        (120, 0, True), (120, 10, True), (60, 0, True), (179, 60, True),
        (240, 0, False), (6 * 3600, 0, False),  # a backlog is under way: these people are not of this minute
        (None, 0, False),  # a new store: totals of days, and no record yet
        (120, None, False), (300, 200, False), (120, -6, False),  # heard by a clock that was ahead
    ],
)  # fmt: skip
def test_the_running_minute_is_shown_only_where_live_totals_speak_of_it(last_bin_ago_s, live_ago_s, is_running):
    live_ms = 0 if live_ago_s is None else (NOW_S - live_ago_s) * 1000
    last_bin_s = 0 if last_bin_ago_s is None else NOW_S - last_bin_ago_s
    node = NodeNow("tr-a3f1c2", last_bin_s, Heard(NOW_S * 1000, "serial:x", live_ms), PASSPORT, 0, 2, 1)
    shown = assemble(CONFIG, "0.1.0", Now(NOW_S, [node], [], None), books())
    assert (node_of(shown)["open"] is not None) is is_running


@pytest.mark.parametrize(("later_s", "is_shown"), [(3600, True), (7260, False)])
def test_of_a_node_without_a_cable_all_is_shown_that_its_adverts_tell_of_since_it_was_spoken_to(later_s, is_shown):
    now_s = NOW_S + later_s
    node = NodeNow("tr-a3f1c2", NOW_S - 65, Heard(now_s * 1000, "ble:hci0", (now_s - 20) * 1000), PASSPORT, 0, 210, 190)
    shown = node_of(assemble(CONFIG, "0.1.0", Now(now_s, [node], [], None), books()))["open"]
    assert shown == ({"from_s": NOW_S - 5, "as_of_s": now_s - 20, "ab": 210, "ba": 190} if is_shown else None)


def test_between_a_record_and_the_next_live_message_the_running_minute_is_known_up_to_the_record():
    node = NodeNow("tr-a3f1c2", NOW_S - 65, Heard(NOW_S * 1000, "serial:x", (NOW_S - 12) * 1000), PASSPORT, 0, 0, 0)
    shown = node_of(assemble(CONFIG, "0.1.0", Now(NOW_S, [node], [], None), books()))["open"]
    assert shown == {"from_s": NOW_S - 5, "as_of_s": NOW_S - 5, "ab": 0, "ba": 0}


def test_what_was_heard_by_a_clock_that_was_ahead_is_not_fresh():
    for ago_s, state in ((-5, "good"), (-6, "quiet"), (-10_800, "quiet")):
        heard = Heard((NOW_S - ago_s) * 1000, "serial:x")
        assert node_of(assemble(CONFIG, "0.1.0", now(heard=heard), books()))["health"]["state"] == state


def test_a_node_with_a_sum_of_today_and_no_newest_minute_still_shows_the_sum():
    assert node_of(assemble(CONFIG, "0.1.0", now(), books(newest={})))["today"]["ab"] == 121


def test_coverage_never_exceeds_the_whole():
    many = books(newest={SERIES: Counted(T0, 1, 1, 61)})
    assert node_of(assemble(CONFIG, "0.1.0", now(), many))["minute"]["coverage"] == 1.0


def test_nodes_stand_in_the_order_of_their_sites():
    names = [(node["site"], node["node"]) for node in assemble(CONFIG, "0.1.0", now(), books())["nodes"]]
    assert names == [("bahnhof", "tr-a3f1c2"), ("jahnplatz", "tr-0000b2")]


def test_trouble_with_the_server_is_told():
    outbox = assemble(CONFIG, "0.1.0", now(trouble=Trouble("HTTP 401", T0, T0 + 600)), books())["outbox"]
    assert (outbox["trouble_since_s"], outbox["next_try_s"]) == (T0, T0 + 600)
    assert outbox["trouble"] == {"en": "HTTP 401", "de": "HTTP 401"}  # the server's own words


def test_what_is_ours_to_say_of_trouble_is_told_in_every_language():
    error = UplinkError("uplink-silent", url="http://x")
    trouble = Trouble(error.line(), T0, T0 + 600, error.message)
    told = assemble(CONFIG, "0.1.0", now(trouble=trouble), books())["outbox"]["trouble"]
    assert told == {"en": error.line("en"), "de": error.line("de")}


def test_a_minute_that_is_booked_at_this_very_moment_is_not_open_as_well():
    booked = books(newest={SERIES: Counted(T0 + 3540, 4, 2, 60)})
    node = node_of(assemble(CONFIG, "0.1.0", now(), booked))
    assert (node["minute"]["from_s"], node["open"]) == (T0 + 3540, None)


def test_an_empty_outbox_has_no_oldest_point():
    assert assemble(CONFIG, "0.1.0", now(), books(outbox=OutboxState(0, 0, 0)))["outbox"]["oldest_s"] is None


def test_an_implausible_climate_is_marked():
    climate = {"tr-a3f1c2": ClimateMean(T0, 99.0, 0.0, Q_CLIMATE_IMPLAUSIBLE | 1)}
    assert node_of(assemble(CONFIG, "0.1.0", now(), books(climate=climate)))["climate"]["is_implausible"]


def test_a_node_that_has_moved_shows_nothing_that_it_counted_elsewhere():
    old = Series("jahnplatz", "tr-a3f1c2", "radar")
    both = books(newest={old: Counted(T0 + 9000, 9, 9, 60), SERIES: Counted(T0, 1, 1, 60)})
    assert node_of(assemble(CONFIG, "0.1.0", now(), both))["minute"]["ab"] == 1
    only_old = books(newest={old: Counted(T0, 9, 9, 60)})
    assert node_of(assemble(CONFIG, "0.1.0", now(), only_old))["minute"] is None


def test_simulated_nodes_make_the_whole_page_say_so():
    simulated = Passport(0xA3F1C2, 1, "0.1.0", "gehweg", "linux", "radar", "sht4x")
    node = NodeNow("tr-a3f1c2", T0, Heard(NOW_S * 1000, "serial:x"), simulated, 0)
    shown = assemble(CONFIG, "0.1.0", Now(NOW_S, [node], [], None), books())
    assert shown["gateway"]["is_simulated"]
    assert node_of(shown)["health"]["is_simulated"]


@pytest.mark.parametrize(
    ("moment", "midnight"),
    [
        ("2026-05-12T10:00:00", "2026-05-12T00:00:00"), ("2026-05-12T00:00:00", "2026-05-12T00:00:00"),
        ("2026-03-29T23:59:59", "2026-03-29T00:00:00"), ("2026-10-25T23:59:59", "2026-10-25T00:00:00"),
    ],
)  # fmt: skip
def test_a_day_begins_at_local_midnight_also_when_the_clocks_change(moment, midnight):
    zone = ZoneInfo("Europe/Berlin")
    at_s, from_s = (int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) for text in (moment, midnight))
    assert day_start(at_s, "Europe/Berlin") == from_s


def test_just_after_midnight_there_is_no_share_of_a_day_to_cover():
    midnight = day_start(NOW_S, "Europe/Berlin")
    shown = assemble(CONFIG, "0.1.0", now(now_s=midnight + 30), books(today={SERIES: Counted(midnight, 0, 0, 0)}))
    assert node_of(shown)["today"]["coverage"] == 0.0
