"""Bodies: the same person everywhere, plausible sizes, and nobody missed who is near."""

from random import Random

import pytest

from tests.street.crowd import KINDS
from tools.street.bodies import Passing, body_of, swing, time_near
from tools.street.walkers import Walker


def someone(person=0, kind="adult", points=((0, -7000, 2000), (10_000, 7000, 2000))):
    return Walker(person, kind, person, points)


def test_a_person_is_one_body_in_one_street():
    assert body_of(someone(3), 7) == body_of(someone(3), 7)
    assert body_of(someone(3), 7) != body_of(someone(4), 7)
    assert body_of(someone(3), 7) != body_of(someone(3), 8)


@pytest.mark.parametrize(
    ("kind", "low_mm", "high_mm"),
    [("adult", 1_450, 2_000), ("child", 900, 1_500), ("pram", 1_450, 2_000), ("bike", 1_400, 2_000), ("dog", 250, 700)],
)
def test_height_by_kind(kind, low_mm, high_mm):
    for person in range(200):
        parts = body_of(someone(person, kind), 1).parts
        assert low_mm <= max(part.top_mm for part in parts) <= high_mm
        assert all(0 <= part.bottom_mm < part.top_mm for part in parts)


def test_a_pram_reaches_ahead_of_its_pusher_and_its_forearms_keep_still():
    parts = body_of(someone(kind="pram"), 1).parts
    assert max(part.ahead_mm + part.half_length_mm for part in parts) > 900
    assert all(part.swing_mm == 0 for part in parts)


def test_forearms_swing_against_each_other_and_hang_when_their_owner_stands():
    stander = someone(points=((0, -1000, 2000), (1_000, 0, 2000), (9_000, 0, 2000)))
    passing = Passing([stander], 1, 1_500)
    left, right = [], []
    for t_ms in range(0, 1_000, 10):
        middle, *_, one, other = [x for x, _, part, _ in passing.at(t_ms) if part.swing_mm or part.hair]
        left.append(one - middle)
        right.append(other - middle)
    assert max(left) > 50
    assert all(abs(one + other) < 1e-6 for one, other in zip(left, right, strict=True))
    assert {x for x, _, part, _ in passing.at(5_000) if part.swing_mm} == {0.0}


def test_whoever_walks_back_faces_back():
    there = Passing([someone(kind="pram")], 1, 1_500).at(5_000)
    back = Passing([someone(kind="pram", points=((0, 7000, 2000), (10_000, -7000, 2000)))], 1, 1_500).at(5_000)
    assert [-x for x, *_ in there] == pytest.approx([x for x, *_ in back])


def test_who_sways_does_not_turn_his_pram():
    there = ((0, -3000, 2000), (3_000, 0, 2000))
    swaying = tuple((4_000 + 1_000 * i, (-200, 200)[i % 2], 2000) for i in range(6))
    passing = Passing([someone(kind="pram", points=there + swaying)], 1, 1_500)
    assert min(passing.at(t_ms)[-1][0] for t_ms in range(3_000, 9_000, 100)) > 400


def test_some_carry_a_rucksack():
    behind = [min(part.ahead_mm - part.half_length_mm for part in body_of(someone(person), 1).parts) for person in range(200)]
    assert 15 < sum(reach_mm < -300 for reach_mm in behind) < 50


def test_swing_is_nearly_a_sine():
    assert [swing(share) for share in (0, 0.25, 0.5, 0.75, 1, 7.25)] == pytest.approx([0, -1, 0, 1, 0, -1])


def test_time_near_is_the_hull_of_all_that_is_near():
    assert time_near(((0, -2000, 0), (4_000, 2000, 0)), 500) == (1_500, 2_500)
    assert time_near(((0, -2000, 0), (1_000, -1000, 0), (2_000, -2000, 0)), 500) is None
    there_and_back = ((0, -2000, 0), (2_000, 0, 0), (7_000, 0, 0), (9_000, -2000, 0))
    assert time_near(there_and_back, 500) == (1_500, 7_500)
    assert time_near(((0, 100, 0), (4_000, 100, 0)), 500) == (0, 4_000)


def test_passing_holds_exactly_those_who_are_near():
    rng = Random(5)
    walkers = [
        someone(person, KINDS[person % 5], ((start, -7000, 2000), (start + 9_000, 7000, 2000)))
        for person, start in enumerate(round(60_000 * rng.random()) for _ in range(40))
    ]
    passing = Passing(walkers, 1, 1_500)
    for t_ms in range(0, 80_000, 50):
        near = sum(len(body_of(walker, 1).parts) for walker in walkers if (place := walker.at(t_ms)) and abs(place[0]) <= 1_500)
        assert len(passing.at(t_ms)) == near
