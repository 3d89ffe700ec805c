"""What the node says of its own state: health bits in every live message, a line whenever it changes, LED and button."""

import pytest
from app_bench import INCARNATION, MINUTE, NODE, Bench
from dialect import ticks_add, ticks_diff
from ramflash import RamFlash

import streetwire
from node.config import Config
from node.counters.radar import Radar

ACK = (0, streetwire.Ack(NODE, INCARNATION, 0))
TIME = (0, streetwire.Time(NODE, INCARNATION, MINUTE * 1000))


def healths(bench):
    """[(t_ms, names of the bits), ...] of every live message."""
    key = streetwire.ID_OF["health"]
    found = [(t_ms, dict(live.objects)[key]) for t_ms, live in bench.told(streetwire.Live)]
    return [(t_ms, [name for name, bit in streetwire.HEALTH.items() if bits & bit]) for t_ms, bits in found]


def lines(bench, word):
    return [line.text for line in bench.messages(streetwire.Log) if word in line.text]


def test_every_live_message_says_that_nothing_is_wrong():
    assert [names for _, names in healths(Bench([], [ACK]).run(65_000))] == [[]] * 6


def test_a_counter_that_falls_silent_is_flagged_told_once_not_covered_and_told_when_it_is_back():
    bench = Bench([], [ACK])
    bench.reports_missing = [(12_050, 42_050)]
    bench.run(61_000)
    assert healths(bench)[:5] == [(10_000, []), (20_000, ["counter_silent"]), (30_000, ["counter_silent"]),
                                  (40_000, ["counter_silent"]), (50_000, [])]  # fmt: skip
    assert lines(bench, "radar") == ["radar: silent", "radar: good"]
    assert bench.records()[0].covered_s == 60 - 30


def test_a_counter_that_is_not_there_is_set_up_again_every_ten_seconds_at_most():
    bench = Bench([], [ACK])
    bench.answers = False
    bench.reports_missing = [(0, 100_000)]
    assert bench.run(60_900).set_ups == 1 + 6
    assert len(lines(bench, "radar")) == 1


@pytest.mark.parametrize("has_reports", [False, True])
def test_bytes_that_are_no_reports_are_flagged_within_ten_seconds_and_not_covered(has_reports):
    bench = Bench([], [ACK])
    bench.garbage = [(10_000, 100_000)]
    bench.reports_missing = [] if has_reports else [(10_000, 100_000)]
    bench.run(61_000)
    assert healths(bench)[1] == (20_000, ["counter_garbled"])
    assert lines(bench, "radar") == ["radar: garbled"]
    assert bench.records()[0].covered_s == 10


def test_a_few_refused_bytes_between_reports_are_no_garbage():
    bench = Bench([], [ACK])
    bench.garbage = [(t_ms, t_ms + 100) for t_ms in range(1000, 60_000, 1000)]
    bench.run(61_000)
    assert healths(bench)[-1][1] == []
    assert bench.records()[0].covered_s == 60


class Storm:
    """A port on which more has arrived whenever one looks."""

    def any(self):
        return 100_000

    def readinto(self, buffer):
        buffer[:] = b"\xaa" * len(buffer)
        return len(buffer)

    def write(self, data):
        return len(data)


def test_a_storm_of_bytes_holds_up_neither_the_watchdog_nor_the_minute_and_is_flagged():
    settings = Config(Radar.settings)
    radar = lambda on_passage: Radar((Storm(),), settings, (None, ticks_diff, ticks_add), on_passage)  # noqa: E731
    bench = Bench([], [ACK], counter_of=radar).run(61_000)
    assert 605 <= bench.feeds <= 611
    record = bench.records()[0]
    assert (record.d_ab, record.d_ba, record.covered_s, record.uptime_end_s) == (0, 0, 0, 60)
    assert healths(bench)[0] == (10_000, ["counter_garbled"])
    assert lines(bench, "radar") == ["radar: garbled"]


def test_a_blocked_view_flags_its_minutes_and_is_not_covered():
    bench = Bench([], [ACK])
    bench.is_blocked = True
    bench.run(61_000)
    assert healths(bench)[0] == (10_000, ["blocked"])
    assert (bench.records()[0].flags, bench.records()[0].covered_s) == (streetwire.BLOCKED, 0)


def test_saturation_is_told_live_and_is_covered():
    bench = Bench([], [ACK])
    bench.is_saturated = True
    bench.run(61_000)
    assert healths(bench)[0] == (10_000, ["saturated"])
    assert bench.records()[0].covered_s == 60


def test_climate_that_is_silent_or_not_plausible_is_told_live():
    assert healths(Bench([], [ACK], climate=[None]).run(15_000))[0][1] == ["climate_silent"]
    assert healths(Bench([], [ACK], climate=[(327670, 655350)]).run(15_000))[0][1] == ["climate_implausible"]
    assert healths(Bench([], [ACK], climate=[None, (2000, 5000)]).run(25_000))[1][1] == []


def test_a_log_that_cannot_be_written_is_told_until_it_can():
    bench = Bench([], [ACK])
    bench.before_send = lambda message: bench.flash.broken_calls.__init__({"write"} if 60_000 < bench.now_ms < 125_000 else ())
    bench.run(200_000)
    assert [t_ms for t_ms, names in healths(bench) if names == ["log_failed"]] == list(range(120_000, 180_000, 10_000))


def test_why_it_started_is_said_in_words_and_a_brown_out_is_a_bit():
    assert lines(Bench([], [ACK]).run(1000), "boot") == ["boot 1 after power on, next record 1"]
    assert healths(Bench([], [ACK], is_brown_out=True).run(11_000))[0][1] == ["brown_out"]


@pytest.mark.parametrize(
    ("pin_mv", "told_mv", "names"), [(0, None, []), (1650, 3300, ["supply_low"]), (1750, 3500, []), (65_000, 65_535, [])]
)
def test_the_battery_is_told_in_every_live_message_where_there_is_one(pin_mv, told_mv, names):
    bench = Bench([], [ACK])
    bench.pin_uv = pin_mv * 1000
    bench.run(11_000)
    assert dict(bench.messages(streetwire.Live)[0].objects).get(streetwire.ID_OF["battery_v"]) == told_mv
    assert healths(bench)[0][1] == names


class Probe:
    low_centi, high_centi, still_readings = -5500, 12500, 2160
    fault = "no probe on the wire"

    def __init__(self, *readings):
        self._readings = list(readings)

    async def read(self, sleep_ms):
        await sleep_ms(750)
        return self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]


def test_an_extra_probe_is_told_live_and_goes_into_no_record():
    bench = Bench([], [ACK], probe=Probe((812, None), None)).run(61_000)
    told = [dict(live.objects).get(streetwire.ID_OF["probe_c"]) for live in bench.messages(streetwire.Live)]
    assert told[:2] == [812, None]
    assert bench.records()[0].temperature_centi == 2150
    assert lines(bench, "probe") == ["probe: no probe on the wire"]
    assert healths(bench)[-1][1] == ["climate_silent"]


def test_the_button_starts_the_self_test_once_a_press():
    bench = Bench([], [ACK, TIME])
    bench.presses = [(5000, 8000), (20_000, 21_500)]
    bench.run(30_000)
    good = "self-test: counter good, climate good, log good, clock good, link good, supply absent, probe absent, radio absent"
    assert lines(bench, "self-test") == [good]
    assert {t_ms for t_ms in bench.lit if 7000 <= t_ms < 19_000} == set(range(7000, 19_000, 100))


def test_the_self_test_names_what_failed():
    bench = Bench([], [], climate=[None], flash=RamFlash(blocks=8))
    bench.reports_missing = [(0, 100_000)]
    bench.presses = [(15_000, 18_000)]
    bench.pin_uv = 1_600_000
    bench.run(19_000)
    bad = "self-test: counter silent, climate silent, log good, clock unheard, link unheard, supply low, probe absent, radio absent"
    assert lines(bench, "self-test") == [bad]


def test_the_led_flashes_for_passages_in_the_first_ten_minutes_only():
    beats = Bench([(30_050, 1), (700_050, 1)], [(t, streetwire.Ack(NODE, INCARNATION, 0)) for t in (0, 500_000)]).run(720_000).lit
    assert [t_ms for t_ms in beats if 30_000 <= t_ms < 33_000] == list(range(30_000, 30_600, 100))
    assert [t_ms for t_ms in beats if 700_000 <= t_ms < 703_000] == [702_000]
