# Which readings are believed: possible ones, moving ones, and those that are near another one.

from dialect import Chance

from node.sensors.plausible import Plausible


class Part:
    low_centi = -4000
    high_centi = 8500
    still_readings = 360


def believed(*readings, part=Part):
    plausible = Plausible(part)
    return [plausible.believes(reading) for reading in readings]


def test_what_the_part_cannot_measure_is_not_believed_and_its_ends_are():
    for reading in ((-4001, 5000), (8501, 5000), (2000, -1), (2000, 10001)):
        assert believed(reading) == [False], reading
    for reading in ((-4000, 5000), (8500, 5000), (2000, 0), (2000, 10000), (2000, None)):
        assert believed(reading) == [True], reading


def test_an_outlier_costs_itself_only():
    assert believed((2000, 5000), (2501, 5000), (2000, 5000)) == [True, False, True]
    assert believed((2000, 5000), (2500, 5000), (3000, 5000)) == [True, True, True]
    assert believed((2000, 5000), (1499, 5000), (2000, 5000)) == [True, False, True]
    assert believed((2000, 5000), (2000, 8001), (2000, 5000)) == [True, False, True]
    assert believed((2000, 5000), (2000, 8000), (2000, 5000)) == [True, True, True]
    assert believed((2000, None), (2501, None), (2000, None)) == [True, False, True]


def test_a_new_level_is_believed_from_its_second_reading():
    assert believed((2000, 5000), (3200, 5000), (3210, 5000), (3220, 5000)) == [True, False, True, True]


def test_an_impossible_reading_vouches_for_no_other():
    assert believed((8000, 5000), (9000, 5000), (8501, 5000), (8400, 5000)) == [True, False, False, True]


def test_an_hour_of_the_same_is_stuck_until_it_moves():
    steady = [(2000, 5000)] * 362
    assert believed(*steady, (2000, 5001), (2000, 5001)) == [True] * 360 + [False] * 2 + [True] * 2


def test_a_value_that_moves_by_its_last_digit_is_never_stuck():
    assert all(believed(*[(2000 + n // 300 % 2, 5000) for n in range(3000)]))


def test_a_coarse_part_may_stand_still_for_longer():
    class Coarse(Part):
        still_readings = 2160

    assert believed(*[(0, None)] * 2161, part=Coarse) == [True] * 2160 + [False]


def test_no_reading_makes_it_stumble():
    chance = Chance(5)
    plausible = Plausible(Part)
    for _ in range(3000):
        temperature = chance.below(1 << 17) - (1 << 16)
        if plausible.believes((temperature, chance.below(1 << 17) - (1 << 16) if chance.below(2) else None)):
            assert -4000 <= temperature <= 8500
