# Minutes: totals that never lose a passage, this minute's share of them, covered seconds, climate means and flags.

from dialect import Chance

import streetwire
from node.minutes import AB, BA, Minutes


def passed(minutes, ab=0, ba=0):
    for _ in range(ab):
        minutes.add_passage(AB)
    for _ in range(ba):
        minutes.add_passage(BA)


def shares(record):
    return record.d_ab, record.d_ba, record.total_ab, record.total_ba


def test_a_minute_tells_its_share_and_the_totals_since_boot():
    minutes = Minutes()
    passed(minutes, 3, 1)
    assert shares(minutes.close(600, 60)) == (3, 1, 3, 1)
    passed(minutes, 0, 5)
    assert shares(minutes.close(660, 120)) == (0, 5, 3, 6)
    assert shares(minutes.close(720, 180)) == (0, 0, 3, 6)
    assert (minutes.total_ab, minutes.total_ba) == (3, 6)


def test_a_record_says_when_it_ended_and_leaves_number_and_boot_to_the_log():
    record = Minutes().close(1700000040, 86400)
    assert (record.bin_start, record.uptime_end_s, record.seq, record.boot) == (1700000040, 86400, 0, 0)


def test_what_does_not_fit_into_a_record_waits_for_the_next():
    minutes = Minutes()
    passed(minutes, 10000, 4095)
    records = [minutes.close(60 * n, n) for n in range(1, 5)]
    assert [record.d_ab for record in records] == [4095, 4095, 1810, 0]
    assert [record.d_ba for record in records] == [4095, 0, 0, 0]
    assert [record.total_ab for record in records] == [4095, 8190, 10000, 10000]
    assert minutes.total_ab == 10000
    for record in records:
        assert streetwire.unpack_record(record.pack()) == record


def test_a_total_minus_its_share_is_the_total_before():
    chance = Chance(41)
    minutes = Minutes()
    before = (0, 0)
    for n in range(30):
        passed(minutes, chance.below(6000), chance.below(6000))
        record = minutes.close(60 * n, n)
        assert (record.total_ab - record.d_ab, record.total_ba - record.d_ba) == before
        before = (record.total_ab, record.total_ba)


def test_seconds_are_covered_when_the_sensor_was_counting_and_never_more_than_a_minute():
    minutes = Minutes()
    for n in range(50):
        minutes.add_second(n % 2 == 0, False)
    assert minutes.close(0, 60).covered_s == 25
    for _ in range(75):
        minutes.add_second(True, False)
    assert minutes.close(0, 120).covered_s == 60
    assert minutes.close(0, 180).covered_s == 0


def test_climate_is_the_mean_rounded_to_the_nearest():
    for temperatures, expected in (
        ([2150], 2150),
        ([2150, 2151], 2151),
        ([2150, 2150, 2151], 2150),
        ([2150, 2151, 2151], 2151),
        ([-3, -4], -3),
        ([-3, -4, -4], -4),
        ([-1, 0, 0], 0),
    ):
        minutes = Minutes()
        for temperature in temperatures:
            minutes.add_climate(temperature, 5000)
        record = minutes.close(0, 60)
        assert (record.temperature_centi, record.n_climate) == (expected, len(temperatures)), temperatures


def test_humidity_is_kept_in_half_percents():
    for humidity, expected in ((0, 0), (24, 0), (25, 1), (4850, 97), (4874, 97), (4875, 98), (10000, 200)):
        minutes = Minutes()
        minutes.add_climate(2000, humidity)
        minutes.add_climate(2000, humidity)
        assert minutes.close(0, 60).humidity_half == expected, humidity


def test_a_minute_without_a_reading_says_so():
    minutes = Minutes()
    minutes.add_climate(2000, 5000)
    minutes.close(0, 60)
    record = minutes.close(60, 120)
    assert record.temperature_centi == streetwire.NO_TEMPERATURE
    assert record.humidity_half == streetwire.NO_HUMIDITY
    assert record.n_climate == 0


def test_more_readings_than_a_record_can_tell_are_left_out_of_the_mean():
    minutes = Minutes()
    for _ in range(15):
        minutes.add_climate(2000, 5000)
    minutes.add_climate(2200, 9000)
    record = minutes.close(0, 60)
    assert (record.temperature_centi, record.humidity_half, record.n_climate) == (2000, 100, 15)


def test_the_greatest_and_smallest_readings_fit_a_record():
    for temperature, humidity in ((-4500, 0), (13000, 10000)):
        minutes = Minutes()
        for _ in range(6):
            minutes.add_climate(temperature, humidity)
        record = minutes.close(0, 60)
        assert streetwire.unpack_record(record.pack()) == record


def test_saturation_of_any_second_flags_its_minute_only():
    minutes = Minutes()
    minutes.add_second(True, False)
    minutes.add_second(True, True)
    minutes.add_second(True, False)
    assert minutes.close(0, 60).flags == streetwire.SATURATED
    minutes.add_second(True, False)
    assert minutes.close(60, 120).flags == 0


def test_a_reading_that_was_not_believed_flags_its_minute_only_and_leaves_the_mean_to_the_others():
    minutes = Minutes()
    minutes.add_climate(2000, 5000)
    minutes.doubt_climate()
    minutes.add_climate(2100, 5000)
    record = minutes.close(0, 60)
    assert (record.flags, record.n_climate, record.temperature_centi) == (streetwire.CLIMATE_IMPLAUSIBLE, 2, 2050)
    assert minutes.close(60, 120).flags == 0


def test_a_probe_without_humidity_has_a_temperature_and_says_that_humidity_is_missing():
    minutes = Minutes()
    minutes.add_climate(2500, None)
    minutes.add_climate(2519, None)
    record = minutes.close(0, 60)
    assert (record.temperature_centi, record.humidity_half, record.n_climate) == (2510, streetwire.NO_HUMIDITY, 2)
    assert streetwire.unpack_record(record.pack()) == record
    minutes.add_climate(2400, 5000)
    assert minutes.close(180, 240).flags == 0


def test_a_drifting_clock_is_flagged_beside_the_rest():
    minutes = Minutes()
    minutes.add_second(True, True)
    assert minutes.close(0, 60, True).flags == streetwire.SATURATED | streetwire.DRIFTING
    assert minutes.close(60, 120, True).flags == streetwire.DRIFTING
    assert minutes.close(120, 180, False).flags == 0


def test_empty_means_that_nothing_was_counted_or_watched():
    minutes = Minutes()
    assert minutes.is_empty
    minutes.add_second(False, False)
    minutes.add_climate(2000, 5000)
    assert minutes.is_empty
    for happen in (
        lambda: minutes.add_second(True, False),
        lambda: minutes.add_passage(AB),
        lambda: minutes.add_passage(BA),
    ):
        happen()
        assert not minutes.is_empty
        minutes.close(0, 60)
        assert minutes.is_empty
    passed(minutes, 5000)
    minutes.close(60, 120)
    assert not minutes.is_empty  # 905 wait
