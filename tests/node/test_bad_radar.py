# Whatever the radar's wire says on an empty street: nobody is told, no poll fails, and health says so within ten seconds.

from attack import DAMAGE, FLAGGED_MS, Port, Watched
from dialect import Chance

from node.counters.radar import Radar
from node.sensors.refused import REJECTED_MASK

EMPTY = b"\xaa\xff\x03\x00" + bytes(24) + b"\x55\xcc"


def word(value):
    raw = value | 0x8000 if value >= 0 else -value
    return bytes([raw & 255, raw >> 8])


def report(*targets):
    slots = b"".join([word(x) + word(y) + word(speed) + b"\x68\x01" for x, y, speed in targets])
    return b"\xaa\xff\x03\x00" + slots + bytes(24 - len(slots)) + b"\x55\xcc"


def attacked(arriving, seconds=15, every_ms=100):
    """`arriving(chance, ms)` gives the bytes of one poll."""
    chance = Chance(4711)
    port = Port()
    radar = Watched(Radar, (port,))
    return radar.run(seconds, lambda ms: port.arrive(arriving(chance, ms)), every_ms)


def is_flagged(arriving, name):
    radar = attacked(arriving)
    at_ms, _names = radar.first_flags()
    assert radar.told == []
    assert at_ms <= FLAGGED_MS
    assert name in radar.last_flags(), radar.flags
    return radar


def is_quiet(arriving, every_ms=100):
    radar = attacked(arriving, every_ms=every_ms)
    assert radar.told == []
    assert radar.flags == []
    assert sum(radar.covered) >= 14


def test_an_empty_street_is_covered_however_its_bytes_arrive():
    is_quiet(lambda chance, ms: EMPTY)
    is_quiet(lambda chance, ms: EMPTY * 10 if ms % 1000 == 500 else b"")
    stream = EMPTY * 2
    is_quiet(lambda chance, ms: stream[ms // 3 % 30 : ms // 3 % 30 + 1], every_ms=3)
    is_quiet(lambda chance, ms: stream[7:37] if ms > 100 else stream[7:30])


def test_what_is_no_report_is_garbled_and_not_covered():
    for pattern in (b"\xaa", b"\xaa\xff\x03\x00", b"\x55\xcc", b"\x00", b"\xff", EMPTY[:29], EMPTY[1:]):
        radar = is_flagged(lambda chance, ms: pattern * (200 // len(pattern)), "counter_garbled")  # noqa: B023  called at once
        assert sum(radar.covered) == 0
    assert sum(is_flagged(lambda chance, ms: chance.bytes(300), "counter_garbled").covered) == 0
    assert sum(is_flagged(lambda chance, ms: b"", "counter_silent").covered) == 0


def test_a_report_a_second_is_not_watching():
    assert sum(is_flagged(lambda chance, ms: EMPTY if ms % 1000 == 0 else b"", "counter_silent").covered) == 0


def test_a_stream_of_which_every_fifth_byte_is_damaged_is_garbled_and_tells_nobody():
    for damage in DAMAGE:
        for one in (EMPTY, report((-450, 1800, 8))):
            is_flagged(lambda chance, ms: damage(one, chance, 200), "counter_garbled")  # noqa: B023  called at once


def test_a_stream_that_is_damaged_now_and_then_tells_nobody():
    for damage in DAMAGE:
        for permille in (2, 10, 50):
            assert attacked(lambda chance, ms: damage(EMPTY, chance, permille), 30).told == []  # noqa: B023  called at once


def test_targets_where_none_can_be_are_garbled():
    absurd = [(0, 0, 8), (5, -1800, 8), (32767, 32767, 8), (-32767, 1800, 8), (300, 32767, 8), (300, 1800, 32700)]
    for target in absurd:
        is_flagged(lambda chance, ms: report(target), "counter_garbled")  # noqa: B023  called at once
    is_flagged(lambda chance, ms: b"\xaa\xff\x03\x00" + b"\xff" * 24 + b"\x55\xcc", "counter_garbled")


def test_random_words_for_targets_tell_nobody_and_are_flagged():
    radar = attacked(lambda chance, ms: b"\xaa\xff\x03\x00" + chance.bytes(24) + b"\x55\xcc", 60)
    assert radar.told == []
    assert radar.first_flags()[0] <= FLAGGED_MS
    assert radar.last_flags() == ["counter_garbled"]


def test_targets_that_never_change_are_blocked_until_they_do():
    for targets in ([(-300, 1800, 8)], [(0, 1800, 0)] * 3, [(0, 5900, 8), (400, 5900, 8)]):
        assert "blocked" in is_flagged(lambda chance, ms: report(*targets), "blocked").last_flags()  # noqa: B023  called at once
    radar = attacked(lambda chance, ms: report((-600, 1800 + (chance.below(9) if ms > 12000 else 0), 8)))
    assert [names for _, names in radar.flags] == [["blocked"], []]


def test_somebody_who_stands_there_flickers_and_is_not_blocked():
    is_quiet(lambda chance, ms: report((-600 + chance.below(9), 1800 + chance.below(9), 8)))


def test_a_target_that_jumps_over_the_line_and_back_is_nobody():
    is_quiet(lambda chance, ms: report((1000 if ms % 200 else -1000, 1800, 8 * chance.below(20))))
    is_quiet(lambda chance, ms: report((340 if ms % 200 else -340, 1800, 8 * chance.below(20))))
    is_quiet(lambda chance, ms: report((1000 if ms % 2000 < 1000 else -1000, 1800, 8 * chance.below(20))))


def test_a_box_that_is_covered_is_blocked():
    is_flagged(lambda chance, ms: report((chance.below(200) - 100, 50 + chance.below(50), 8)), "blocked")


def test_reports_that_waited_out_a_stall_tell_nobody():
    radar = attacked(lambda chance, ms: report((-600 + chance.below(9), 1800, 8)) * 34 if ms % 3400 == 0 else b"", 20)
    assert radar.told == []


def test_a_flood_of_a_day_stays_within_small_ints_and_is_still_garbled():
    chance = Chance(1)
    port = Port()
    radar = Watched(Radar, (port,))
    radar.run(2, lambda ms: port.arrive(EMPTY))
    radar.counter._part.rejected_bytes = REJECTED_MASK - 100
    radar.run(12, lambda ms: port.arrive(chance.bytes(300)))
    assert 0 <= radar.counter.rejected_bytes < 12 * 3000
    assert radar.last_flags() == ["counter_garbled"]
