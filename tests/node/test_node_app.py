"""The node at work, between stand-ins: minutes, time, acknowledgements, and the faults of everything around it."""

import pytest
from app_bench import AB, BA, INCARNATION, MINUTE, NODE, Bench
from ramflash import RamFlash

import streetwire
from node.vitals import Vitals

ACK = (0, streetwire.Ack(NODE, INCARNATION, 0))


def utc(t_ms, unix_ms):
    """Hearing at t_ms that it is unix_ms now."""
    return t_ms, streetwire.Time(NODE, INCARNATION, unix_ms)


def ab(*seconds):
    return [(round(1000 * s), AB) for s in seconds]


def ba(*seconds):
    return [(round(1000 * s), BA) for s in seconds]


def shares(records):
    return [(r.bin_start, r.d_ab, r.d_ba) for r in records]


def test_the_first_word_is_hello_and_nothing_is_sent_behind_it_without_an_answer():
    bench = Bench(ab(5, 70)).run(200_000)
    hello = streetwire.decode(bench.said[0][1])
    assert isinstance(hello, streetwire.Hello)
    assert (hello.boot, hello.first_held, hello.next_seq, hello.sensors) == (1, 0, 1, "radar,sht4x")
    assert bench.records() == []
    assert len(bench.on_flash()) == 3


def test_records_go_out_in_order_once_the_gateway_has_answered():
    bench = Bench(ab(5, 70, 71) + ba(130), [(150_000, ACK[1])]).run(200_000)
    assert shares(bench.records()) == [(0, 1, 0), (0, 2, 0), (0, 0, 1)]
    assert [r.seq for r in bench.records()] == [1, 2, 3]
    assert bench.records() == bench.on_flash()


def test_a_record_is_on_flash_and_synced_before_it_is_sent():
    bench = Bench(ab(5), [ACK])
    seen = []

    def check(message):
        if isinstance(message, streetwire.RecordMessage):
            assert bench.flash.is_synced
            assert any(cells.find(message.record.pack()) > 0 for cells in bench.flash.content())
            seen.append(message)

    bench.before_send = check
    bench.run(200_000)
    assert len(seen) >= 3


def test_with_time_records_carry_their_minute():
    bench = Bench(ab(20, 40, 50, 110), [ACK, utc(0, MINUTE * 1000 + 30_000)]).run(160_000)
    assert shares(bench.records()) == [(MINUTE, 1, 0), (MINUTE + 60, 2, 0), (MINUTE + 120, 1, 0)]
    assert [r.covered_s for r in bench.records()] == [30, 60, 60]


def test_a_boot_that_counted_before_it_had_time_keeps_that_in_a_record_of_its_own():
    bench = Bench(ab(5, 20, 30), [ACK, utc(15_000, MINUTE * 1000 + 30_000)]).run(160_000)
    assert shares(bench.records())[:2] == [(0, 2, 0), (MINUTE, 1, 0)]
    assert bench.records()[0].covered_s == 25  # to the first tens of seconds of the new time that are no sooner than a tick


@pytest.mark.parametrize(("second", "first_bins"), [(0, [0, 60]), (40, [0, 60]), (52, [0, 60]), (53, [None, 60]), (58, [None, 60])])
def test_time_heard_before_anything_was_counted_names_the_first_minute_unless_it_ends_before_a_tick(second, first_bins):
    bench = Bench([], [ACK, utc(200, MINUTE * 1000 + 1000 * second)]).run(140_000)
    found = [r.bin_start - MINUTE if r.bin_start else None for r in bench.records()]
    assert found[:2] == first_bins


def test_a_step_that_is_taken_back_before_its_tick_changes_nothing():
    hears = [ACK, utc(0, MINUTE * 1000), utc(31_000, MINUTE * 1000 + 36_000), utc(33_000, MINUTE * 1000 + 33_000)]
    bench = Bench(ab(10, 40), hears).run(125_000)
    assert shares(bench.records()) == [(MINUTE, 2, 0), (MINUTE + 60, 0, 0)]
    assert [t_ms for t_ms, _ in bench.told(streetwire.Live)][:6] == [10_000, 20_000, 30_000, 40_000, 50_000, 60_000]


@pytest.mark.parametrize("off_ms", [-2000, -700, 700, 2000])
def test_a_small_correction_moves_the_end_of_the_minute_and_not_the_minute(off_ms):
    hears = [ACK, utc(0, MINUTE * 1000), utc(30_000, MINUTE * 1000 + 30_000 + off_ms)]
    bench = Bench(ab(10, 50, 70), hears).run(185_000)
    assert shares(bench.records()) == [(MINUTE, 2, 0), (MINUTE + 60, 1, 0), (MINUTE + 120, 0, 0)]
    assert bench.records()[0].uptime_end_s == (60_099 - off_ms) // 1000


@pytest.mark.parametrize("off_ms", [-900, 900])
def test_a_small_correction_across_the_end_of_a_minute_names_no_minute_twice(off_ms):
    at_ms = 60_500 if off_ms < 0 else 59_500
    hears = [ACK, utc(0, MINUTE * 1000), utc(at_ms, MINUTE * 1000 + at_ms + off_ms)]
    bench = Bench([], hears).run(250_000)
    starts = [r.bin_start for r in bench.records()]
    assert starts == [MINUTE + 60 * i for i in range(len(starts))]
    assert len(starts) == 4


@pytest.mark.parametrize("off_ms", [-3_600_000, -5000, 5000, 86_400_000])
def test_a_step_ends_the_open_minute_as_it_was_at_the_next_tens_of_seconds_of_the_new_time(off_ms):
    hears = [ACK, utc(0, MINUTE * 1000), utc(30_000, MINUTE * 1000 + 30_000 + off_ms)]
    bench = Bench(ab(10, 40), hears).run(100_000)
    first, second = bench.records()[:2]
    assert (first.bin_start, first.d_ab, first.covered_s) == (MINUTE, 1, 35 if abs(off_ms) == 5000 else 30)
    assert second.bin_start == (MINUTE * 1000 + 30_000 + off_ms) // 60_000 * 60
    assert second.d_ab == 1


@pytest.mark.parametrize("unix_ms", [0, 59_999, 2**40, 3_899_999_999_999, (2**26 - 1) * 60_000, 2**26 * 60_000, 2**62, 2**64 - 1])
def test_no_time_that_can_be_heard_stops_the_node(unix_ms):
    hears = [ACK, utc(0, MINUTE * 1000), utc(30_000, unix_ms), utc(150_000, MINUTE * 1000 + 150_000)]
    bench = Bench(ab(10, 40, 100, 160), hears).run(300_000)
    assert sum(r.d_ab for r in bench.records()) == 4
    assert bench.records()[-1].bin_start > MINUTE


def test_what_is_meant_for_another_node_or_another_life_is_not_heard():
    for node, incarnation in ((NODE + 1, INCARNATION), (NODE, INCARNATION ^ 1)):
        hears = [
            (500, streetwire.Ack(node, incarnation, 0)),
            (600, streetwire.Time(node, incarnation, MINUTE * 1000)),
            (1500, streetwire.Command(node, incarnation, streetwire.SAY_HELLO)),
            (1600, streetwire.Command(node, incarnation, streetwire.RESEND_FROM, 1)),
        ]
        bench = Bench([], hears).run(2900)
        assert bench.records() == []
        assert len(bench.messages(streetwire.Hello)) == 1
        assert bench.app._clock.is_set is False


def test_commands_are_obeyed_and_unknown_ones_are_not_minded():
    command = lambda t_ms, *what: (t_ms, streetwire.Command(NODE, INCARNATION, *what))  # noqa: E731
    hears = [ACK, command(70_000, streetwire.SAY_HELLO), command(71_000, 77, 5), (62_000, streetwire.Ack(NODE, INCARNATION, 1))]
    bench = Bench([], [*hears, command(80_000, streetwire.RESEND_FROM, 1)]).run(100_000)
    assert 70_000 in [t_ms for t_ms, _ in bench.told(streetwire.Hello)]
    assert [m.record.seq for t_ms, m in bench.told(streetwire.RecordMessage) if t_ms >= 80_000][0] == 1


def test_live_totals_come_every_ten_seconds_with_what_is_known():
    bench = Bench(ab(3, 13, 14) + ba(15), [ACK]).run(45_000)
    live = bench.told(streetwire.Live)
    assert [t_ms for t_ms, _ in live] == [10_000, 20_000, 30_000, 40_000]
    assert [(m.total_ab, m.total_ba) for _, m in live] == [(1, 0), (3, 1), (3, 1), (3, 1)]
    objects = dict(live[0][1].objects)
    assert objects[streetwire.ID_OF["temperature_c"]] == 2150
    assert objects[streetwire.ID_OF["resets"]] == 1


def test_a_second_counts_as_covered_with_five_reports_or_more():
    bench = Bench([], [ACK])
    bench.reports_missing = [(10_050, 20_050), (30_050, 30_550), (40_050, 40_650)]
    assert bench.run(61_000).records()[0].covered_s == 60 - 10 - 1


def test_saturation_of_the_detector_flags_the_minute():
    bench = Bench([], [ACK])
    bench.is_saturated = True
    assert bench.run(61_000).records()[0].flags == streetwire.SATURATED


def test_a_climate_sensor_that_is_absent_stops_nothing():
    bench = Bench(ab(5), [ACK], climate=[None]).run(61_000)
    assert bench.records()[0].temperature_centi == streetwire.NO_TEMPERATURE
    assert streetwire.ID_OF["temperature_c"] not in dict(bench.messages(streetwire.Live)[0].objects)


def test_a_climate_reading_that_failed_is_left_out_and_the_next_one_counts():
    bench = Bench([], [ACK], climate=[(2000, 5000), None, None, (2100, 5000)]).run(61_000)
    record = bench.records()[0]
    assert (record.n_climate, record.temperature_centi) == (4, 2075)


def test_a_reading_that_is_not_plausible_flags_its_minute_and_is_neither_averaged_nor_told():
    readings = [(2000, 5000)] * 3 + [(327670, 655350)] + [(2100, 5000)]
    bench = Bench([], [ACK], climate=readings).run(61_000)
    record = bench.records()[0]
    assert record.flags == streetwire.CLIMATE_IMPLAUSIBLE
    assert (record.n_climate, record.temperature_centi) == (5, 2040)
    told = [dict(live.objects).get(streetwire.ID_OF["temperature_c"]) for live in bench.messages(streetwire.Live)]
    assert set(told) == {2000, 2100, None}


def test_a_probe_without_humidity_tells_none():
    bench = Bench([], [ACK], climate=[(2519, None)]).run(61_000)
    assert bench.records()[0].humidity_half == streetwire.NO_HUMIDITY
    objects = dict(bench.messages(streetwire.Live)[0].objects)
    assert objects[streetwire.ID_OF["temperature_c"]] == 2519
    assert streetwire.ID_OF["humidity_pct"] not in objects


def test_a_climate_sensor_that_falls_silent_is_told_once_each_time_and_once_when_it_is_back():
    bench = Bench([], [ACK], climate=[(2000, 5000), None, None, (2000, 5000), None]).run(121_000)
    told = [line.text for line in bench.messages(streetwire.Log) if "climate" in line.text]
    assert told == ["climate: no answer", "climate: good", "climate: no answer"]


def test_the_radar_is_set_up_once():
    assert Bench().run(1000).set_ups == 1


def test_a_backlog_goes_out_a_few_records_a_beat():
    flash = RamFlash(blocks=8)
    Bench(flash=flash).run(1_300_000)
    told = [t_ms for t_ms, _ in Bench([], [ACK], flash=flash).run(50_000).told(streetwire.RecordMessage)]
    assert len(told) >= 8
    assert max(told.count(t_ms) for t_ms in told) == 4


def test_a_record_that_the_port_did_not_take_goes_out_a_second_later_or_as_soon_as_the_gateway_speaks():
    for heard, sent_ms in (([], 61_000), ([(60_500, ACK[1])], 60_500)):
        bench = Bench([], [ACK, *heard])
        bench.port_is_full = [(30_000, 60_450)]
        assert [t_ms for t_ms, _ in bench.run(62_000).told(streetwire.RecordMessage)] == [sent_ms]


def test_the_log_is_not_searched_at_every_beat_while_nobody_takes_its_records():
    def reads(*full):
        bench = Bench([], [ACK])
        bench.port_is_full = list(full)
        return bench.run(118_000).flash.reads

    asked_once = reads((59_000, 61_050)) - reads((59_000, 60_050))
    assert asked_once > 0
    assert reads((59_000, 117_050)) - reads() < 60 * asked_once


def test_a_port_that_takes_nothing_loses_no_record():
    bench = Bench(ab(5, 70, 130), [ACK])
    bench.port_is_full = [(30_000, 150_000)]
    bench.run(200_000)
    assert shares(bench.records()) == [(0, 1, 0), (0, 1, 0), (0, 1, 0)]


def test_what_is_said_to_the_technician_is_bounded_and_keeps_the_newest():
    bench = Bench()
    bench.port_is_full = [(0, 5000)]
    for i in range(50):
        bench.app.say(4, f"line {i}")
    bench.run(6000)
    told = [m.text for m in bench.messages(streetwire.Log)]
    assert told == [f"line {i}" for i in range(43, 50)] + ["boot 1 after power on, next record 1"]


def test_flash_that_fails_is_said_and_counting_goes_on_with_totals_that_prove_the_hole():
    bench = Bench(ab(5, 70, 71, 130), [ACK])
    bench.before_send = lambda message: bench.flash.broken_calls.__init__({"write"} if 60_000 < bench.now_ms < 125_000 else ())
    bench.run(200_000)
    first, second = bench.records()
    assert (first.total_ab, second.total_ab - second.d_ab) == (1, 3)
    assert any(m.level == 3 for m in bench.messages(streetwire.Log))


def test_a_power_cut_between_minutes_loses_no_record():
    flash = RamFlash(blocks=8)
    first = Bench(ab(5, 70), flash=flash).run(125_000)
    second = Bench(ab(5), [ACK], flash=flash).run(65_000)
    assert second.records()[:2] == first.on_flash()
    assert [r.boot for r in second.records()] == [1, 1, 2]


def test_the_watchdog_is_fed_by_the_beat_and_by_nothing_else():
    bench = Bench().run(60_000)
    assert bench.feeds == bench.polls
    assert 599 <= bench.feeds <= 601


def test_a_part_that_keeps_one_result_is_polled_between_the_beats_which_stay_where_they_are():
    bench = Bench([], [ACK])
    bench.poll_ms = 20
    live = bench.run(60_050).told(streetwire.Live)
    assert 599 <= bench.feeds <= 602
    assert 5 * bench.feeds - 5 <= bench.polls <= 5 * bench.feeds + 5
    assert [t_ms for t_ms, _ in live] == list(range(10_000, 60_001, 10_000))
    assert bench.records()[0].covered_s == 60


@pytest.mark.parametrize("stall_ms", [40, 1730, 3000])
def test_a_beat_that_came_late_does_not_shift_the_tick(stall_ms):
    bench = Bench([], [ACK])
    bench.stalls = [(5000, stall_ms)]
    live = bench.run(65_000).told(streetwire.Live)
    assert [t_ms // 10_000 for t_ms, _ in live] == [1, 2, 3, 4, 5, 6]
    assert all(t_ms % 10_000 < (1 if stall_ms < 100 else 100) for t_ms, _ in live[1:])


def test_a_stall_is_not_counted_as_watched():
    bench = Bench([], [ACK])
    bench.stalls = [(5000, 4000)]
    assert 55 <= bench.run(61_000).records()[0].covered_s <= 57


def test_a_radar_that_answered_is_set_up_once_and_one_that_did_not_every_ten_seconds():
    assert Bench().run(185_000).set_ups == 1
    mute = Bench()
    mute.answers = False
    assert mute.run(60_900).set_ups == 1 + 6


def test_a_radar_that_was_switched_off_is_set_up_again():
    bench = Bench()
    bench.reports_missing = [(10_050, 13_050)]
    assert bench.run(65_000).set_ups == 3  # at the start, while it was off, and when it was back
    assert bench.is_set_up


def test_the_free_heap_is_told_in_steps_that_stay_until_they_are_off_by_one():
    vitals = Vitals(None, None, None, None, None, None)
    told = []
    for free_b in (82_000, 81_900, 80_000, 78_000, 85_000, 90_111, 90_112, 77_000, 73_727):
        vitals._set_heap(free_b)
        told.append(vitals._heap_b)
    assert told == [81_920, 81_920, 81_920, 81_920, 81_920, 81_920, 90_112, 73_728, 73_728]


def test_lines_are_bounded_over_time_and_what_was_left_out_is_counted():
    bench = Bench()
    for i in range(200):
        bench.app.say(4, f"line {i}")
    bench.run(119_000)
    assert len(bench.messages(streetwire.Log)) <= 8  # what was kept of the sixty that may be said at once
    bench = Bench()
    for i in range(70):
        bench.app.say(4, f"line {i}")
    bench.run(60_500)
    bench.app.say(4, "later")
    assert bench.app._lines[-1][2] == "later (11 lines left out)"


def test_what_was_watched_is_told_live_in_tens_of_seconds():
    bench = Bench([], [ACK])
    bench.reports_missing = [(13_000, 17_000), (41_000, 42_000)]
    bench.run(59_000)
    covered = [dict(message.objects)[streetwire.ID_OF["covered_s"]] for message in bench.messages(streetwire.Live)]
    assert covered
    assert all(seconds % 10 == 0 for seconds in covered)
    assert covered[-1] < 60
