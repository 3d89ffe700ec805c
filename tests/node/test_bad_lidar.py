# Whatever the two LiDARs' wires say while nobody passes: nobody is told, no poll fails, and health says so within ten seconds.

from attack import DAMAGE, FLAGGED_MS, Port, Watched
from dialect import Chance

from node.counters.lidar import Lidar

LEARNT_S = 6
A_POLL = 5  # readings


def reading(mm, amplitude=1000):
    cm = mm // 10
    frame = b"\x59\x59" + bytes([cm & 255, cm >> 8, amplitude & 255, amplitude >> 8, 0, 8])
    return frame + bytes([sum(frame) & 255])


WALL = reading(4500) * A_POLL
NOTHING = reading(0, 0) * A_POLL


def silent(chance, ms):
    return b""


def wall(chance, ms):
    return WALL


def attacked(arriving_a, arriving_b, seconds=15, learnt_s=LEARNT_S):
    """Two beams that have learnt the wall for so long, then what arrives on each."""
    chance = Chance(815)
    ports = (Port(), Port())

    def empty(ms):
        for port in ports:
            port.arrive(WALL)

    def arrive(ms):
        ports[0].arrive(arriving_a(chance, ms))
        ports[1].arrive(arriving_b(chance, ms))

    lidar = Watched(Lidar, ports).run(learnt_s, empty)
    assert lidar.flags == []
    assert lidar.forget() == []
    lidar.run(seconds, arrive)
    assert lidar.told == []
    return lidar


def is_flagged(name, arriving_a, arriving_b, learnt_s=LEARNT_S):
    lidar = attacked(arriving_a, arriving_b, 15, learnt_s)
    assert lidar.first_flags()[0] <= FLAGGED_MS
    assert name in lidar.last_flags(), lidar.flags
    return lidar


def one_and_both(name, arriving):
    for a, b in ((arriving, wall), (wall, arriving), (arriving, arriving)):
        is_flagged(name, a, b)


def test_an_empty_street_is_covered_however_its_bytes_arrive():
    at_once = lambda chance, ms: WALL * 5 if ms % 500 == 0 else b""  # noqa: E731
    for arriving in (wall, at_once):
        lidar = attacked(arriving, arriving)
        assert lidar.flags == []
        assert sum(lidar.covered) == 15


def test_a_beam_without_bytes_is_silent_and_nothing_is_covered():
    one_and_both("counter_silent", silent)
    assert sum(attacked(silent, wall).covered) == 0


def test_a_beam_of_bytes_that_are_no_readings_is_garbled():
    for pattern in (b"\x59", b"\x59\x59", b"\x00", WALL[:8]):
        one_and_both("counter_garbled", lambda chance, ms: pattern * (90 // len(pattern)))  # noqa: B023  called at once
    one_and_both("counter_garbled", lambda chance, ms: chance.bytes(60))


def test_a_beam_at_a_fifth_of_its_rate_is_silent():
    one_and_both("counter_silent", lambda chance, ms: WALL[:9])


def test_a_stream_of_which_every_fifth_byte_is_damaged_is_garbled():
    for damage in DAMAGE:
        one_and_both("counter_garbled", lambda chance, ms: damage(WALL, chance, 200))  # noqa: B023  called at once


def test_a_stream_that_is_damaged_now_and_then_tells_nobody():
    for damage in DAMAGE:
        for permille in (10, 50):
            spoilt = lambda chance, ms: damage(WALL, chance, permille)  # noqa: B023, E731  called at once
            attacked(spoilt, spoilt, 30)


def test_a_beam_that_ends_on_nothing_is_blocked():
    for learnt_s in (0, LEARNT_S):
        for dark in (NOTHING, reading(4500, 65535) * A_POLL, reading(0) * A_POLL):
            is_flagged("blocked", lambda chance, ms: dark, wall, learnt_s)  # noqa: B023  called at once
            is_flagged("blocked", wall, lambda chance, ms: dark, learnt_s)  # noqa: B023  called at once


def test_a_beam_that_ends_on_a_pole_is_blocked():
    for mm in (100, 300, 700):
        for learnt_s in (0, LEARNT_S):
            is_flagged("blocked", lambda chance, ms: reading(mm) * A_POLL, wall, learnt_s)  # noqa: B023  called at once


def test_readings_that_waited_out_a_stall_tell_nobody():
    for every_s in (1, 2, 5):
        burst = lambda chance, ms: WALL * (10 * every_s) if ms % (1000 * every_s) == 0 else b""  # noqa: B023, E731  called at once
        attacked(burst, burst, 30)
