"""Making way: nobody walks through anybody where there is room, and x is left alone."""

from itertools import combinations
from random import Random

import pytest

from tools.street.evasion import ROOM_MM, evaded, in_turn
from tools.street.parties import walk_day
from tools.street.walkers import Pavement, Walker, crossings

LOW, HIGH = 750, 3450


def walk(person, x0, x1, y, start_ms=0, ms=10_000, kind="adult", group=None):
    return Walker(person, kind, person if group is None else group, ((start_ms, x0, y), (start_ms + ms, x1, y)))


def gap_mm(walkers, t_ms):
    return abs(walkers[0].at(t_ms)[1] - walkers[1].at(t_ms)[1])


def test_who_meet_head_on_step_aside_each_by_half_and_back():
    met = evaded([walk(0, -7000, 7000, 2000), walk(1, 7000, -7000, 2000)], LOW, HIGH)
    assert gap_mm(met, 5000) == ROOM_MM
    assert sorted(walker.at(5000)[1] for walker in met) == [1700, 2300]
    for walker in met:
        assert walker.at(3400)[1] == walker.at(6600)[1] == 2000
        assert [t_ms for t_ms, _, _ in walker.points] == [0, 3500, 5000, 6500, 10_000]


def test_who_overtakes_does_too():
    overtaken = evaded([walk(0, -7000, 7000, 2000, 0, 12_000), walk(1, -7000, 7000, 2200, 2000, 8000)], LOW, HIGH)
    assert gap_mm(overtaken, 6000) == ROOM_MM


@pytest.mark.parametrize(("edge", "inwards"), [(LOW, 1), (HIGH, -1)])
def test_at_either_edge_the_other_steps_aside_alone(edge, inwards):
    met = evaded([walk(0, -7000, 7000, edge), walk(1, 7000, -7000, edge + inwards * 100)], LOW, HIGH)
    assert [walker.at(5000)[1] for walker in met] == [edge, edge + inwards * ROOM_MM]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(walk(1, 7000, -7000, 2600), id="with room enough"),
        pytest.param(walk(1, 7000, -7000, 2000, kind="dog"), id="a dog"),
        pytest.param(walk(1, 7000, -7000, 2000, group=0), id="company"),
        pytest.param(walk(1, 7000, -7000, 2000, start_ms=11_000), id="later"),
    ],
)
def test_nobody_evades(other):
    walkers = [walk(0, -7000, 7000, 2000), other]
    assert evaded(walkers, LOW, HIGH) == walkers


def test_on_a_busy_street_bodies_keep_apart_and_the_truth_stays_what_it_is(monkeypatch):
    monkeypatch.setattr("tools.street.parties.evaded", lambda walkers, low, high: walkers)
    straight = walk_day(Random(3), [450.0] * 24, 0, 3600, Pavement())
    bent = evaded(straight, LOW, HIGH)
    assert [(c.person, c.direction) for c in crossings(bent)] == [(c.person, c.direction) for c in crossings(straight)]
    before = {(c.person, c.direction): c.t_ms for c in crossings(straight)}
    assert all(abs(before[c.person, c.direction] - c.t_ms) <= 2 for c in crossings(bent) if (c.person, c.direction) in before)

    def collisions(walkers):
        found = 0
        for t_ms in range(0, 3_600_000, 200):
            places = [
                (walker.group, walker.at(t_ms))
                for walker in walkers
                if walker.points[0][0] <= t_ms <= walker.points[-1][0] and walker.kind != "dog"
            ]
            for (group_a, a), (group_b, b) in combinations(places, 2):
                found += group_a != group_b and abs(a[0] - b[0]) < 200 and abs(a[1] - b[1]) < 300
        return found

    assert collisions(straight) > 20
    assert collisions(bent) < 0.5 * collisions(straight)


def test_in_a_door_the_second_waits_until_the_first_is_through():
    first, second = in_turn(Random(1), [walk(0, -7000, 7000, 700), walk(1, 7000, -7000, 700, start_ms=100)])
    assert first == walk(0, -7000, 7000, 700)
    assert second.points[0][0] == 858  # the first leaves at 5.429 s, and it is 4.571 s to the door


def test_who_follows_keeps_a_step_but_does_not_wait():
    for seed in range(20):
        first, second = in_turn(Random(seed), [walk(0, -7000, 7000, 700), walk(1, -7000, 7000, 700, start_ms=100)])
        assert 500 <= second.points[0][0] - first.points[0][0] <= 1500


def test_who_comes_towards_two_waits_for_the_slower_of_them():
    slow, fast = walk(0, -7000, 7000, 700, ms=28_000), walk(1, -7000, 7000, 700, start_ms=9700, ms=7000)
    third = in_turn(Random(1), [slow, fast, walk(2, 7000, -7000, 700, start_ms=8500)])[-1]
    assert third.person == 2
    assert third.at(15_200)[0] == pytest.approx(600, abs=2)  # the fast one follows the slow one in, and is out before it


def test_nobody_passes_one_who_stands_in_the_door():
    standing = Walker(0, "adult", 0, ((0, -7000, 700), (5000, 0, 700), (25_000, 0, 700), (30_000, 7000, 700)))
    second = in_turn(Random(1), [standing, walk(1, -7000, 7000, 700, start_ms=1000)])[1]
    assert second.at(25_429)[0] == pytest.approx(-600, abs=2)
