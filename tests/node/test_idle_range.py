# What the empty scene looks like, and the share of the last minute.

from dialect import Chance

from node.passage.idle import SETTLE, IdleRange, MinuteShare

MS = 30


def learnt(*stretches):
    """An idle range after stretches of (readings, mm, is_near)."""
    idle = IdleRange()
    for n, mm, is_near in stretches:
        for _ in range(n):
            idle.learn(mm, MS, is_near)
    return idle


def test_the_first_readings_settle_it_even_if_the_very_first_is_wrong():
    for first in (200, 4000, 8000):
        idle = learnt((1, first, False), (SETTLE - 2, 4000, False))
        assert not idle.is_known
        idle.learn(4000, MS, False)
        assert idle.is_known
        assert abs(idle.mm - 4000) <= 80


def test_noise_moves_it_little_and_outliers_do_not():
    chance = Chance(91)
    idle = IdleRange()
    for _ in range(5000):
        idle.learn(8000 if chance.below(5) == 0 else 3950 + chance.below(100), MS, False)
    assert 3950 <= idle.mm <= 4060


def test_nothing_is_learnt_while_something_is_nearer():
    idle = learnt((5000, 4000, False))
    before = idle.mm
    for _ in range(60000 // MS):
        idle.learn(1500, MS, True)
    assert idle.mm == before
    assert idle.near_ms == 60000


def test_a_van_that_parks_belongs_to_the_scene_within_minutes_and_leaves_it_again():
    idle = learnt((5000, 4000, False), (180000 // MS, 1500, True))
    assert idle.mm == 1500
    for _ in range(60000 // MS):
        idle.learn(4000, MS, False)
    assert idle.mm == 4000


def test_a_gap_of_less_than_a_second_does_not_end_a_stay():
    idle = learnt((5000, 4000, False), (100, 1500, True), (30, 4000, False), (100, 1500, True))
    assert idle.near_ms == 200 * MS
    idle = learnt((5000, 4000, False), (100, 1500, True), (35, 4000, False), (100, 1500, True))
    assert idle.near_ms == 100 * MS


def test_the_share_of_the_last_minute():
    share = MinuteShare()
    assert share.permille == 0
    for _ in range(20 * 60000 // MS):
        share.add(MS, True)
    assert 990 <= share.permille <= 1000
    for i in range(20 * 60000 // MS):
        share.add(MS, i % 4 == 0)
    assert 240 <= share.permille <= 260
    for _ in range(20 * 60000 // MS):
        share.add(MS, False)
    assert share.permille <= 2
