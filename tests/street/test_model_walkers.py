"""Walkers: the contract's truth rule on hand-built paths, and a day that follows its curve."""

from collections import Counter
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.street.parties import share_ab, walk_day
from tools.street.walkers import STREET_END_MM, Pavement, Walker, crossings, pram_path

PAVEMENT = Pavement()
FLAT = [300.0] * 24


def truth(*t_x, kind="adult"):
    walker = Walker(7, kind, 3, tuple((t_ms, x_mm, 1500) for t_ms, x_mm in t_x))
    return [(crossing.t_ms, crossing.direction) for crossing in crossings([walker])]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param([(0, -7000), (10_000, 7000)], [(5000, "ab")], id="transit"),
        pytest.param([(0, 7000), (10_000, -7000)], [(5000, "ba")], id="transit back"),
        pytest.param([(0, -7000), (5000, 400), (6000, 400), (11_000, -7000)], [], id="turns inside the band"),
        pytest.param([(0, -7000), (5000, 500), (10_000, -7000)], [], id="touches the far edge"),
        pytest.param([(0, -7000), (7501, 501), (15_009, -7000)], [(7000, "ab"), (8002, "ba")], id="turns beyond it"),
        pytest.param([(0, -7000), (5000, -600), (10_000, -7000)], [], id="turns before it"),
        pytest.param([(0, -7000), (7200, 200), (67_200, 200), (74_000, 7000)], [(7000, "ab")], id="loiters past the line"),
        pytest.param([(0, -7000), (6900, -100), (66_900, -100), (74_000, 7000)], [(67_000, "ab")], id="loiters before the line"),
        pytest.param(
            [(0, -7000), (7200, 200), (7600, -200), (14_800, 7000)],
            [(7800, "ab")],
            id="to and fro in the band: its last passage of x = 0",
        ),
        pytest.param([(0, -100), (1000, 7000)], [], id="began inside the band"),
        pytest.param([(0, -7000), (1000, 0), (2000, 0), (3000, 7000)], [(1000, "ab")], id="stands on the line"),
    ],
)
def test_truth_rule(path, expected):
    assert truth(*path) == expected


@pytest.mark.parametrize(("kind", "counts"), [("adult", 1), ("child", 1), ("pram", 1), ("bike", 1), ("dog", 0)])
def test_who_counts(kind, counts):
    assert len(truth((0, -7000), (10_000, 7000), kind=kind)) == counts


def test_a_pram_rolls_ahead_and_swings_round_only_when_its_pusher_turns():
    walk_and_turn = ((0, -7000, 1500), (5000, 900, 1500), (6000, 950, 1600), (7000, 900, 1500), (12_000, -7000, 1500))
    assert pram_path(walk_and_turn) == (
        (0, -6300, 1500),
        (5000, 1600, 1500),
        (6000, 1650, 1600),
        (7000, 200, 1500),
        (12_000, -7700, 1500),
    )


def test_position_is_straight_between_points_and_none_outside():
    walker = Walker(0, "adult", 0, ((1000, -7000, 1000), (8000, 0, 2000), (9000, 0, 2000), (10_000, 7000, 2000)))
    assert walker.at(999) is None
    assert walker.at(1000) == (-7000, 1000)
    assert walker.at(4500) == (-3500, 1500)
    assert walker.at(8500) == (0, 2000)
    assert walker.at(10_000) == (7000, 2000)
    assert walker.at(10_001) is None


@pytest.mark.parametrize("seed", range(3))
def test_totals_follow_the_curve_within_chance(seed):
    rates = [0, 0, 20, 50, 100, 150, 200, 250, 300, 350, 400, 450, 450, 400, 350, 300, 250, 200, 150, 100, 50, 20, 0, 0]
    walkers = walk_day(Random(seed), rates, 0, 86_400, PAVEMENT)
    found = Counter(crossing.t_ms // 3_600_000 for crossing in crossings(walkers))
    # People come in parties: the count's variance is rate * E[size^2] / E[size], about 2 * rate. Five sigmas.
    for hour, rate in enumerate(rates):
        assert abs(found[hour] - rate) <= 5 * (2 * rate) ** 0.5 + 3
    total = sum(rates)
    assert abs(found.total() - total) <= 5 * (2 * total) ** 0.5


def test_rates_are_those_of_the_hour_of_day():
    rates = [0.0] * 24
    rates[9] = 400.0
    walkers = walk_day(Random(1), rates, 8 * 3600 + 1800, 3 * 3600, PAVEMENT)
    assert walkers
    assert all(1_800_000 <= walker.points[0][0] < 5_460_000 for walker in walkers)


def test_the_mix_of_kinds_parties_and_directions():
    walkers = walk_day(Random(5), FLAT, 0, 86_400, PAVEMENT)
    kinds = Counter(walker.kind for walker in walkers)
    people = kinds.total() - kinds["dog"]
    assert set(kinds) == {"adult", "child", "pram", "bike", "dog"}
    assert 0.01 < kinds["bike"] / people < 0.035
    assert 0.005 < kinds["dog"] / people < 0.02
    assert 0.05 < kinds["child"] / people < 0.2
    sizes = Counter(Counter(walker.group for walker in walkers if walker.kind != "dog").values())
    assert sizes[1] / sizes.total() == pytest.approx(0.62, abs=0.03)
    assert max(sizes) == 4
    by_hour = [Counter(), Counter()]
    for crossing in crossings(walkers):
        by_hour[crossing.t_ms >= 12 * 3_600_000][crossing.direction] += 1
    assert by_hour[0]["ab"] > by_hour[0]["ba"]
    assert by_hour[1]["ab"] < by_hour[1]["ba"]
    assert share_ab(0) == 0.65
    assert share_ab(86_399) == pytest.approx(0.35)
    turners = [walker for walker in walkers if walker.points[0][1] == walker.points[-1][1]]
    assert 0.005 < len(turners) / len(walkers) < 0.03


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), start_s=st.integers(0, 86_399), width_m=st.sampled_from([1.5, 3.0, 5.0]))
def test_paths_are_sound(seed, start_s, width_m):
    pavement = Pavement(width_m=width_m)
    walkers = walk_day(Random(seed), FLAT, start_s, 1200, pavement)
    assert [walker.points[0][0] for walker in walkers] == sorted(walker.points[0][0] for walker in walkers)
    assert len({walker.person for walker in walkers}) == len(walkers)
    for walker in walkers:
        times = [t_ms for t_ms, _, _ in walker.points]
        assert times == sorted(set(times))
        assert times[0] >= 0 and times[-1] < 1_200_000  # the street opens and closes empty
        for value in (value for point in walker.points for value in point):
            assert type(value) is int
        assert abs(walker.points[0][1]) == abs(walker.points[-1][1]) == STREET_END_MM
        for _, _, y_mm in walker.points:
            assert pavement.near_mm <= y_mm <= pavement.near_mm + pavement.width_mm
        for (t0, x0, _), (t1, x1, _) in pairwise(walker.points):
            speed_mm_s = abs(x1 - x0) / (t1 - t0) * 1000
            assert speed_mm_s < 400 or 530 < speed_mm_s < 5300  # sways, or walks


def test_a_seed_is_a_street():
    def day(seed):
        return walk_day(Random(seed), FLAT, 0, 7200, PAVEMENT)

    assert day(1) == day(1)
    assert day(1) != day(2)


@pytest.mark.parametrize("rates", [[100.0] * 23, [100.0] * 23 + [-1.0]])
def test_bad_rates_are_refused(rates):
    with pytest.raises(ValueError, match="24 rates"):
        walk_day(Random(0), rates, 0, 3600, PAVEMENT)
