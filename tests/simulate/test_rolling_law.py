"""The law of rolling results sees one that is wrong, one that is missing and one that should not be there."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
from schedules import at, plan

from gateway import rolled, schema
from gateway.due import WINDOWS, Ends
from gateway.model import CountBin, Series
from tools.simulate.rolling_law import wrong_results
from tools.simulate.server import Server

T0 = 1_800_000_000
SERIES = Series("site-1", "tr-a00001", "radar")
DAY_S = 86_400
NOW_S = T0 + 2 * DAY_S


def a_world(*strokes):
    """Ten minutes, the third of them revised twice, and a server that has every result of them."""
    bins = [CountBin(SERIES, T0 + 60 * n, n, 1, 60, 0, 2 if n == 2 else 0, 0) for n in range(10)]
    server = Server(Counter())
    ends = [Ends(SERIES, w, T0 + window.every_s, T0 + 540 + w) for w, window in WINDOWS.items()]
    for result in rolled.made_of(ends, bins):
        if result.covered_s:
            server.write(schema.render(rolled.point_of(result)), 0)
    gateway = SimpleNamespace(clock=lambda: NOW_S * 1000, bins=lambda: bins)
    return SimpleNamespace(plan=plan(*strokes), server=server, gateway=gateway)


def key_of(world, window: str, end_s: int):
    return next(key for key in world.server.rows if key[0].endswith(b"window=" + window.encode()) and key[1] == end_s)


def change(world, window: str, end_s: int, old: bytes, new: bytes) -> None:
    key = key_of(world, window, end_s)
    assert old in world.server.rows[key]
    world.server.rows[key] = world.server.rows[key].replace(old, new)


def wrong(world) -> list[tuple[object, object]]:
    return [(about["window"], about["end"]) for _, about in wrong_results(world)]


def test_every_result_as_its_minutes_say_breaks_nothing():
    assert wrong(a_world()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"count=15i", b"count=14i"), (b"count_ab=10i", b"count_ab=9i"), (b"coverage=1.0", b"coverage=0.8"), (b"rev=7i", b"rev=6i")],
)
def test_a_number_that_is_not_that_of_its_minutes(old, new):
    world = a_world()
    change(world, "5m", T0 + 300, old, new)
    assert wrong(world) == [("5m", T0 + 300)]


def test_a_result_that_is_missing():
    world = a_world()
    del world.server.rows[key_of(world, "24h", T0 + 900)]
    assert wrong(world) == [("24h", T0 + 900)]


@pytest.mark.parametrize(("window", "end_s"), [("1m", T0), ("1m", T0 + 660), ("1h", T0 + 360), ("24h", T0 + DAY_S + 900)])
def test_a_result_of_a_window_that_holds_nothing_or_ends_off_its_grid(window, end_s):
    world = a_world()
    like = key_of(world, window, {"1m": T0 + 60, "1h": T0 + 300, "24h": T0 + 900}[window])
    world.server.rows[like[0], end_s] = world.server.rows[like]
    assert wrong(world) == [(window, end_s)]


def test_a_result_of_which_the_gateway_knows_no_minute():
    world = a_world()
    head, end_s = key_of(world, "1m", T0 + 60)
    world.server.rows[head.replace(b"tr-a00001", b"tr-a00002"), end_s] = world.server.rows[head, end_s]
    assert wrong(world) == [("1m", end_s)]


def test_what_was_refused_may_be_missing_or_be_as_it_was_before_and_nothing_else():
    world = a_world(at(1, "server_refuses_lines", 1, 3))
    for end_s in (T0 + 60, T0 + 120):
        head, _ = key_of(world, "1m", end_s)
        world.server.refused.add(b"%s %s %d" % (head, world.server.rows.pop((head, end_s)), end_s))
    assert wrong(world) == []
    del world.server.rows[key_of(world, "1m", T0 + 180)]
    assert wrong(world) == [("1m", T0 + 180)]


def test_what_a_server_does_not_keep_may_be_missing_and_what_it_has_of_it_is_right():
    world = a_world(at(1, "server_keeps_days", 1))
    world.server.oldest_s = lambda: T0 + 300
    del world.server.rows[key_of(world, "1m", T0 + 240)]
    assert wrong(world) == []
    del world.server.rows[key_of(world, "5m", T0 + 300)]
    change(world, "15m", T0 + 120, b"count_ab=1i", b"count_ab=2i")
    assert wrong(world) == [("15m", T0 + 120), ("5m", T0 + 300)]


@pytest.mark.parametrize("fault", ["server_killed", "server_wiped", "server_restored"])
def test_of_a_server_that_forgets_nothing_is_said(fault):
    world = a_world(at(1, fault, 1000))
    world.server.rows.clear()
    assert wrong(world) == []
