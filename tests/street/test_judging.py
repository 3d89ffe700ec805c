"""Each kind of part is held to its own floor; an index to none."""

from collections import Counter

import pytest

from tools.street import judging
from tools.street.judging import Tally


def tally(kind: str, sensor: str, truth: int, counted: int, hours: float = 1.0) -> Tally:
    return Tally(sensor, kind, hours, Counter(ab=truth), Counter(ab=counted), Counter(ab=counted))


@pytest.mark.parametrize(("density", "floor"), [(50, 0.16), (100, 0.16), (101, 0.15), (300, 0.15), (450, 0.20), (1000, 0.28)])
def test_a_pavements_floor_depends_on_the_density(density, floor):
    assert judging.floor_for("pavement", density) == floor


@pytest.mark.parametrize(
    ("kind", "density", "floor"), [("door", 500, 0.10), ("door", 501, None), ("pavement", 2000, None), ("index", 5, None)]
)
def test_where_nothing_is_promised_no_floor_is_told(kind, density, floor):
    verdict = judging.verdicts([tally(kind, "any", density, density // 2)])[0]
    assert verdict.told()["error_floor"] == floor
    assert verdict.is_good == (floor is None)


def test_parts_of_one_kind_are_judged_together_by_the_hours_that_they_were_there():
    pavement, door = judging.verdicts([
        tally("pavement", "radar", 600, 580, hours=6), tally("pavement", "lidar", 100, 50, hours=0.5), tally("door", "tof", 50, 47)
    ])  # fmt: skip
    assert (pavement.sensors, pavement.people, pavement.counted) == (("radar", "lidar"), 700, 630)
    assert pavement.told() == {"error": -0.1, "error_floor": 0.15}  # 700 in 6.5 h are 108 an hour
    assert door.told() == {"error": -0.06, "error_floor": 0.10}


def test_no_sensor_hides_behind_another_of_its_kind():
    many = tally("pavement", "radar", 1500, 1450, hours=6)
    for counted, is_good in ((76, True), (74, False), (0, False)):
        pooled = [many, tally("pavement", "lidar", 100, counted, hours=0.5)]
        assert judging.verdicts(pooled)[0].is_good
        radar, lidar = judging.alone(pooled)
        assert radar.is_good
        assert lidar.is_good == is_good, counted
    assert judging.alone([tally("index", "pir", 100, 0)])[0].is_good


def test_two_nodes_with_the_same_sensor_are_one_row():
    found = judging.by_sensor([tally("pavement", "radar", 5, 4), tally("pavement", "radar", 7, 7), tally("index", "pir", 3, 1)])
    assert found == {
        "radar": {"truth": {"ab": 12, "ba": 0}, "counted": {"ab": 11, "ba": 0}, "stored": {"ab": 11, "ba": 0}},
        "pir": {"truth": {"ab": 3, "ba": 0}, "counted": {"ab": 1, "ba": 0}, "stored": {"ab": 1, "ba": 0}},
    }
