# Laws that every detector keeps, whatever the street does: nothing depends on where ticks wrap or on which side is called A.

from dialect import ticks_add, ticks_diff
from walks import beam_readings, radar_reports, switch_levels, walkers, zone_readings

from node.passage.lidar_pair import LidarPair
from node.passage.pir_pair import PirPair
from node.passage.radar import LineCrossing
from node.passage.tof import TwoZones

SEEDS = 2
WRAPS = ((1 << 30) - 1, (1 << 30) - 45000, (1 << 29) - 45000)  # at once, in the middle; where the sign of a difference turns


class Told:
    """`passages` as [(ms, direction), ...], from a street that begins at tick `first`."""

    def __init__(self, first):
        self.first = first
        self.passages = []

    def __call__(self, ticks, direction):
        self.passages.append((ticks_diff(ticks, self.first), direction))


def radar(seed, first=0, is_mirrored=False):
    told = Told(first)
    detector = LineCrossing(600, 3000, told)
    flat = [0] * 9
    for ms, targets in radar_reports(seed):
        for i, (x, y, speed) in enumerate(targets):
            flat[3 * i], flat[3 * i + 1], flat[3 * i + 2] = -x if is_mirrored else x, y, speed
        detector.feed(ticks_add(first, ms), flat, len(targets))
    return told.passages


def lidar(seed, first=0, is_mirrored=False):
    told = Told(first)
    detector = LidarPair(600, 3000, 300, told, ticks_diff, ticks_add)
    for ms, beam, mm in beam_readings(seed):
        detector.feed(1 - beam if is_mirrored else beam, ticks_add(first, ms), mm)
    return told.passages


def door(seed, first=0, is_mirrored=False):
    told = Told(first)
    detector = TwoZones(told, ticks_diff, ticks_add)
    for ms, zone, mm, status in zone_readings(seed):
        detector.feed(ticks_add(first, ms), 1 - zone if is_mirrored else zone, mm, status)
    return told.passages


def switches(seed, first=0, is_mirrored=False):
    told = Told(first)
    detector = PirPair(told, ticks_diff, ticks_add)
    for ms, one, other in switch_levels(seed):
        levels = (other, one) if is_mirrored else (one, other)
        detector.feed(ticks_add(first, ms), levels[0], levels[1])
    return told.passages


def test_the_streets_are_busy_and_most_who_pass_are_told():
    people = sum([len(walkers(seed)) for seed in range(SEEDS)])
    assert people > 40
    for detector, least_permille in ((radar, 700), (lidar, 700), (door, 600), (switches, 150)):
        told = sum([len(detector(seed)) for seed in range(SEEDS)])
        assert told * 1000 > people * least_permille, detector


def test_where_ticks_wrap_changes_nothing():
    for detector in (radar, lidar, door, switches):
        for seed in range(SEEDS):
            passages = detector(seed)
            for first in WRAPS:
                assert detector(seed, first) == passages, (detector, seed, first)


def test_a_mirrored_street_gives_the_mirrored_passages():
    for detector in (radar, lidar, door, switches):
        for seed in range(SEEDS):
            mirrored = [(ms, -direction) for ms, direction in detector(seed, 0, True)]
            assert sorted(mirrored) == sorted(detector(seed)), (detector, seed)
