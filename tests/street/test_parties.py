"""Who comes: errands at the line, formations, doors, strays; and the speeds of kinds."""

from collections import Counter, defaultdict
from itertools import pairwise
from random import Random

import pytest

from tools.street.evasion import DOOR_MM
from tools.street.parties import STREET, Mix, strays, through_door, walk_day
from tools.street.walkers import Pavement, crossings

PAVEMENT, DOOR = Pavement(), Pavement(width_m=1.0, near_m=0.2)
HOUR_S = 3600


def street(seed, rate=200.0, **mix):
    return walk_day(Random(seed), [rate] * 24, 13 * HOUR_S, HOUR_S, PAVEMENT, Mix(**mix))


def parties(walkers):
    found = defaultdict(list)
    for walker in walkers:
        found[walker.group].append(walker)
    return list(found.values())


def stands(walker):
    """The legs on which it goes no faster than somebody who sways: how long, and where."""
    return [(t1 - t0, x0, y0) for (t0, x0, y0), (t1, x1, _) in pairwise(walker.points) if abs(x1 - x0) < 0.4 * (t1 - t0)]


def test_loiterers_stand_at_the_line_sway_and_go_on_or_back():
    walkers = street(1, loiterers=1.0, with_dog=0.0)
    assert len(walkers) > 100
    back = 0
    for walker in walkers:
        stood = stands(walker)
        assert 4_900 <= sum(ms for ms, _, _ in stood) <= 60_100
        assert max(abs(x) for _, x, _ in stood) < 900 + 3 * 150 + 3 * 80
        back += walker.points[0][1] == walker.points[-1][1]
    assert 0.15 < back / len(walkers) < 0.45
    assert sum(len({x for _, x, _ in stands(walker)}) > 3 for walker in walkers) > len(walkers) / 2


def test_turns_are_before_inside_and_beyond_the_band():
    walkers = street(2, turners=1.0, with_dog=0.0, sizes=((1, 1.0),))
    reach = Counter()
    for walker in walkers:
        sign = -1 if walker.points[0][1] > 0 else 1
        furthest = max(sign * x for _, x, _ in walker.points)
        reach[-1 if furthest < -500 else 1 if furthest > 500 else 0] += 1
        assert walker.points[0][1] == walker.points[-1][1]
    assert min(reach[-1], reach[0], reach[1]) > 0.2 * len(walkers)
    assert len(crossings(walkers)) == 2 * reach[1]


def test_who_stopped_goes_on_or_back_as_fast_as_he_came():
    went = set()
    for walker in street(5, rate=40, loiterers=0.5, turners=0.5, with_dog=0.0):
        (t0, x0, _), (t1, x1, _), *_, (t2, x2, _), (t3, x3, _) = walker.points
        assert abs(x3 - x2) / (t3 - t2) == pytest.approx(abs(x1 - x0) / (t1 - t0), rel=0.02)
        went.add("back" if x3 == x0 else "on")
    assert went == {"on", "back"}


def test_cyclists_lead_no_dogs():
    assert {walker.kind for walker in street(6, bikes=1.0, with_dog=1.0)} == {"bike"}
    assert "dog" in {walker.kind for walker in street(6, bikes=0.0, with_dog=1.0)}


@pytest.mark.parametrize(("formation", "low_mm", "high_mm"), [("abreast", 0, 450), ("staggered", 150, 800), ("file", 600, 1200)])
def test_company_walks_in_its_formation(formation, low_mm, high_mm):
    couples = {"sizes": ((2, 1.0),), "formations": ((formation, 1.0),)}
    gaps = []
    for first, second in parties(street(3, rate=30, bikes=0.0, with_dog=0.0, turners=0.0, loiterers=0.0, **couples)):
        t_ms = (first.points[0][0] + first.points[-1][0]) // 2
        (x0, _), (x1, _) = first.at(t_ms), second.at(t_ms)
        gaps.append(abs(x1 - x0))
    assert low_mm <= sum(gaps) / len(gaps) <= high_mm


def test_the_pace_is_everybodys_and_the_slowest_of_a_kind_sets_it():
    def speeds(**mix):
        of_kind = defaultdict(list)
        for walker in street(4, rate=400, turners=0.0, loiterers=0.0, **mix):
            of_kind[walker.kind].append(14_000_000 / (walker.points[-1][0] - walker.points[0][0]))
        return {kind: sum(found) / len(found) for kind, found in of_kind.items()}

    usual, slow = speeds(bikes=0.2), speeds(bikes=0.2, pace=0.5)
    assert usual["child"] < usual["adult"] < 1500 < 3000 < usual["bike"]
    for kind, speed in usual.items():
        assert slow[kind] == pytest.approx(speed / 2, rel=0.01)
    assert speeds(prams=1.0)["pram"] < 0.97 * usual["adult"]


def in_door(walker):
    """Times at which somebody is in the door, in steps of 50 ms."""
    start, end = walker.points[0][0], walker.points[-1][0]
    return [t_ms for t_ms in range(start, end, 50) if abs(walker.at(t_ms)[0]) < DOOR_MM - 20]


@pytest.mark.parametrize("seed", range(3))
def test_in_a_door_nobody_meets_anybody_but_some_follow_closely(seed):
    walkers = through_door(Random(seed), 500, HOUR_S, DOOR, Mix(turners=0.05, loiterers=0.01, with_dog=0.0))
    assert 350 < len(walkers) < 650
    inside = defaultdict(list)
    followed = 0
    for walker in walkers:
        heading = walker.points[-1][1] - walker.points[0][1]
        for t_ms in in_door(walker):
            inside[t_ms // 50].append(heading)
    for headings in inside.values():
        if len(headings) > 1:
            followed += 1
            assert 0 not in headings  # who stands or turns is alone there
            assert len(set(headings)) == 1
    assert followed > 10
    directions = Counter(crossing.direction for crossing in crossings(walkers))
    assert min(directions.values()) > 120
    assert all(walker.points[-1][0] < HOUR_S * 1000 for walker in walkers)


def test_strays_are_dogs_and_no_passage():
    walkers = strays(Random(1), 30, 4 * HOUR_S, PAVEMENT)
    assert 80 < len(walkers) < 160
    assert {walker.kind for walker in walkers} == {"dog"}
    assert crossings(walkers) == []


def test_a_night_is_empty():
    assert walk_day(Random(1), [0.0] * 24, 0, HOUR_S, PAVEMENT) == []
    assert strays(Random(1), 0, HOUR_S, PAVEMENT) == []


def test_the_mean_party_is_that_of_the_shares():
    assert Mix(sizes=((1, 0.5), (3, 0.5))).mean_size == 2
    assert pytest.approx(1.52) == STREET.mean_size
