"""Scenes by name: as many people as they say, of the kind they say, on ground that differs by seed."""

from __future__ import annotations

import pytest

from tools.street.scenes import DOOR_WIDTH_M, NEAR_M, PACE, SCENES, WIDTH_M

HOUR_S = 3600


@pytest.mark.parametrize("name", [name for name, scene in SCENES.items() if scene.people_per_hour])
def test_as_many_come_as_the_name_says(name):
    scene = SCENES[name]
    people = sum(walker.kind != "dog" for seed in range(4) for walker in scene.play(str(seed), HOUR_S).walkers)
    assert people / 4 == pytest.approx(scene.people_per_hour, rel=0.2)


def test_ground_and_pace_differ_by_seed_and_stay_within_bounds():
    plays = [SCENES["steady"].play(str(seed), 600) for seed in range(12)]
    assert len({play.ground for play in plays}) == 12
    for play in plays:
        assert WIDTH_M[0] <= play.ground.width_m <= WIDTH_M[1]
        assert NEAR_M[0] <= play.ground.near_m <= NEAR_M[1]

    def mean_walk_ms(play):
        found = [walker.points[-1][0] - walker.points[0][0] for walker in play.walkers if walker.kind == "adult"]
        return sum(found) / len(found)

    slowest, fastest = max(map(mean_walk_ms, plays)), min(map(mean_walk_ms, plays))
    assert 1.05 < slowest / fastest < 1.6 * PACE[1] / PACE[0]


def test_scenes_begin_at_any_hour_between_the_commuters_so_either_direction_may_prevail():
    def share_ab(play):
        directions = [crossing.direction for crossing in play.truth]
        return directions.count("ab") / len(directions)

    shares = [share_ab(SCENES["packed"].play(str(seed), 600)) for seed in range(8)]
    assert min(shares) < 0.45
    assert max(shares) > 0.55


def test_stress_turns_and_loiters_by_quarters():
    walkers = SCENES["stress"].play("1", 4 * HOUR_S).walkers
    there_and_back = sum(walker.points[0][1] == walker.points[-1][1] for walker in walkers) / len(walkers)
    assert there_and_back == pytest.approx(0.25 + 0.3 * 0.25, abs=0.05)
    assert sum(walker.points[-1][0] - walker.points[0][0] > 22_000 for walker in walkers) > 0.1 * len(walkers)


def test_nobody_is_in_the_empty_street_but_dogs():
    play = SCENES["empty"].play("1", 4 * HOUR_S)
    assert play.truth == []
    assert {walker.kind for walker in play.walkers} == {"dog"}


@pytest.mark.parametrize("name", ["door300", "door500"])
def test_through_a_door_all_walk_within_its_width(name):
    play = SCENES[name].play("1", HOUR_S)
    assert play.ground.width_m == DOOR_WIDTH_M
    for walker in play.walkers:
        assert walker.kind != "bike"
        assert all(play.ground.near_mm <= y <= play.ground.far_mm for _, _, y in walker.points)
    assert {crossing.direction for crossing in play.truth} == {"ab", "ba"}


@pytest.mark.parametrize("name", SCENES)
def test_everybody_has_a_number_and_a_seed_is_a_scene(name):
    scene = SCENES[name]
    play = scene.play("7", 1200)
    assert len({walker.person for walker in play.walkers}) == len(play.walkers)
    starts = [walker.points[0][0] for walker in play.walkers]
    assert starts == sorted(starts)
    assert play == scene.play("7", 1200)
    assert play != scene.play("8", 1200)
