"""tools.pole.walking: walk by walk what was counted, and what to change where somebody was missed."""

from __future__ import annotations

import pytest

from gateway.words import LANGUAGES
from tools.pole.walking import SETTLE_MS, Aim

ACROSS = [-900, 1800, 120]
STEP_MS = 200


class Street:
    """Somebody walks before a sensor of a kind, five sights a second."""

    def __init__(self, kind: str = "radar", wanted: int = 10) -> None:
        self.aim = Aim(kind, wanted)
        self.now_ms = 0
        self.totals = [0, 0]
        self.sights([])

    def sights(self, *seen) -> None:
        for one in seen:
            self.now_ms += STEP_MS
            self.aim.on_sight((self.totals[0], self.totals[1]), one, self.now_ms)

    def walk(self, *seen, counted: str = "right") -> None:
        """`counted`: right, wrong, twice or missed; then the walker says that he has walked."""
        direction = 0 if self.aim.direction == "ab" else 1
        self.sights(*seen)
        if counted == "missed":
            self.aim.end_walk()
            return
        self.totals[1 - direction if counted == "wrong" else direction] += 2 if counted == "twice" else 1
        self.sights(*([[]] * (SETTLE_MS // STEP_MS + 2)))

    def advice(self) -> list[str]:
        assert all(found.line(language) for found in self.aim.advice() for language in LANGUAGES)
        return [found.key.removeprefix("aim.advice-") for found in self.aim.advice()]


def test_walks_go_to_and_fro_and_ten_that_are_counted_are_good():
    street = Street()
    for n in range(10):
        assert street.aim.direction == ("ba" if n % 2 else "ab")
        street.walk(ACROSS)
    assert street.aim.is_over
    assert street.aim.is_good
    assert (street.aim.counted("ab"), street.aim.walked("ba")) == (5, 5)
    assert street.advice() == []


def test_a_walk_is_over_a_moment_after_its_count_and_who_is_counted_twice_is_noticed():
    street = Street()
    street.totals[0] += 1
    street.sights([])
    assert street.aim.ab == 1
    assert street.aim.walks == []
    street.totals[0] += 1
    street.sights(*([[]] * (SETTLE_MS // STEP_MS)))
    assert [walk.ab for walk in street.aim.walks] == []
    street.sights([], [])
    assert [walk.ab for walk in street.aim.walks] == [2]
    assert not street.aim.walks[0].is_good


def test_a_walk_that_is_not_counted_ends_when_the_walker_says_so():
    street = Street(wanted=2)
    street.walk(ACROSS, counted="missed")
    assert [walk.ab + walk.ba for walk in street.aim.walks] == [0]
    street.walk(counted="missed")
    street.aim.end_walk()
    assert len(street.aim.walks) == 2


def test_totals_wrap_and_a_node_that_starts_anew_counts_nobody():
    aim = Aim("radar", 2)
    aim.on_sight((65535, 7), [], 0)
    aim.on_sight((0, 7), [], 200)
    assert aim.ab == 1
    aim.end_walk()
    aim.on_sight((40_000, 7), [], 400)
    aim.on_sight((0, 0), [], 600)
    assert (aim.ab, aim.ba) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "seen", "advice"),
    [
        ("radar", [[], []], "nobody-radar"),
        ("radar", [[-900, 1800, 100], [100, 1800, 100]], "turn"),
        ("radar", [[-900, 5200, 100], [900, 5300, 100]], "band"),
        ("lidar", [[3000, 3000], [3000, 3010]], "nobody-lidar"),
        ("lidar", [[3000, 3000], [1200, 3010]], "one"),
        ("lidar", [[3000, 3000], [1200, 3000], [3000, 1200]], "both-lidar"),
        ("lidar", [[-1, -1]], "nobody-lidar"),
        ("door", [[2400, 2400], [2350, 2400]], "nobody-door"),
        ("door", [[2400, 2400], [900, 2400]], "one"),
        ("door", [[2400, 2400], [900, 900]], "both-door"),
        ("switches", [[0, 0]], "nobody-switches"),
        ("switches", [[0, 0], [0, 1]], "one"),
        ("switches", [[1, 0], [0, 1]], "both-switches"),
    ],
)
def test_who_was_missed_is_explained_by_what_was_seen(kind, seen, advice):
    street = Street(kind, wanted=4)
    for _ in range(4):
        street.walk(*seen, counted="missed")
    assert street.advice() == [advice]


def test_the_sensor_that_noticed_nobody_is_named():
    street = Street("switches", wanted=2)
    for _ in range(2):
        street.walk([0, 0], [0, 1], counted="missed")
    (advice,) = street.aim.advice()
    assert advice.line("en").startswith("Only B noticed the walks that were missed, A did not")


def test_what_is_counted_the_other_way_round_or_twice_is_said():
    street = Street(wanted=4)
    for _ in range(4):
        street.walk(ACROSS, counted="wrong")
    assert street.advice() == ["swapped"]
    street = Street("lidar", wanted=4)
    for counted in ("right", "twice", "right", "right"):
        street.walk([3000, 3000], counted=counted)
    assert street.advice() == ["twice-lidar"]


def test_nine_of_ten_in_each_direction_are_enough_and_fewer_are_not():
    for missed, is_good in ((1, True), (3, False)):
        street = Street(wanted=20)
        for n in range(20):
            street.walk(ACROSS, counted="missed" if n % 2 == 0 and n < 2 * missed else "right")
        assert street.aim.is_good is is_good
        assert (street.advice() == []) is is_good


def test_of_a_walk_that_is_over_nothing_is_carried_into_the_next():
    street = Street("lidar", wanted=2)
    street.walk([3000, 3000], [1200, 3000], counted="missed")
    street.walk([3000, 3000], counted="missed")
    assert [sorted(walk.seen.least.items()) for walk in street.aim.walks] == [
        [("A", 1200), ("B", 3000)],
        [("A", 3000), ("B", 3000)],
    ]
