# What counts, each part with its detector: what the app is told of it, and that no storm of bytes holds up a poll.

from dialect import Chance, allocated, ticks_add, ticks_diff
from ports import Uart

from node.config import Config
from node.counters.base import Ration
from node.counters.door import Door
from node.counters.lidar import Lidar
from node.counters.radar import Radar
from node.counters.switches import Switches

TICKS = (lambda: 0, ticks_diff, ticks_add)
BEAT_MS = 100
QUIET = b"\xaa\xff\x03\x00" + bytes(24) + b"\x55\xcc"
ACK = b"\xfd\xfc\xfb\xfa\x04\x00\x90\x01\x00\x00\x04\x03\x02\x01"


class Storm(Uart):
    """However much is read, there is always more."""

    def __init__(self, pattern):
        super().__init__()
        self._pattern = pattern
        self.read = 0

    def any(self):
        return 5000

    def readinto(self, buffer):
        for i in range(len(buffer)):
            buffer[i] = self._pattern[(self.read + i) % len(self._pattern)]
        self.read += len(buffer)
        return len(buffer)


def made(kind, connection):
    told = []
    counter = kind(connection, Config(kind.settings), TICKS, lambda ticks, direction: told.append((ticks, direction)))
    return counter, told


def beam(mm, amplitude=1000):
    frame = bytearray(b"\x59\x59") + bytes([mm // 10 & 255, mm // 10 >> 8, amplitude & 255, amplitude >> 8, 0, 8])
    return bytes(frame) + bytes([sum(frame) & 255])


def word(value):
    raw = value | 0x8000 if value >= 0 else -value
    return bytes([raw & 255, raw >> 8])


def target(x, y):
    return b"\xaa\xff\x03\x00" + word(x) + word(y) + bytes(4) + bytes(16) + b"\x55\xcc"


def test_the_radar_counts_who_crosses_and_is_set_up_once_it_has_answered():
    uart = Uart()
    counter, told = made(Radar, (uart,))
    counter.set_up()
    assert len(uart.written) > 30
    assert not counter.is_set_up
    uart.received = ACK
    counter.poll(0)
    samples = 0
    for i in range(31):
        uart.received += target(-2000 + 130 * i, 1800)
        samples += counter.poll(BEAT_MS * i)
    assert counter.is_set_up
    assert [direction for _, direction in told] == [1]
    assert (samples, counter.frames) == (31, 31)
    assert counter.rejected_bytes == len(ACK)
    counter.forget()
    counter.poll(BEAT_MS * 40)
    assert not counter.is_set_up


def feed_beams(counter, uarts, ranges):
    """A beat of 100 ms for every pair of ranges, five readings each; returns the samples."""
    samples = 0
    for i in range(len(ranges)):
        for beam_number in range(2):
            mm = ranges[i][beam_number]
            uarts[beam_number].received += beam(mm) * 5 if mm is not None else b""
        samples += counter.poll(BEAT_MS * i)
    return samples


def test_two_beams_are_one_sample_and_count_who_breaks_them_in_turn():
    uarts = (Uart(), Uart())
    counter, told = made(Lidar, uarts)
    counter.set_up()
    assert uarts[0].written == uarts[1].written != b""
    away = [(5000, 5000)] * 20
    walk = [(2000, 5000)] * 2 + [(2000, 2000)] * 1 + [(5000, 2000)] * 2
    assert feed_beams(counter, uarts, away + walk + away) == 45 * 5
    assert [direction for _, direction in told] == [1]
    assert counter.frames == 2 * 45 * 5


def test_beams_are_set_up_once_both_have_been_heard_before_and_again_after_a_silence():
    uarts = (Uart(), Uart())
    counter, _told = made(Lidar, uarts)
    counter.set_up()
    assert not counter.is_set_up
    feed_beams(counter, uarts, [(5000, 5000)] * 3)
    assert not counter.is_set_up  # whether they were on when they were told is not known
    counter.set_up()
    assert counter.is_set_up
    counter.forget()
    counter.set_up()
    assert not counter.is_set_up


def test_one_beam_alone_gives_no_sample_whoever_was_ahead_before():
    uarts = (Uart(), Uart())
    counter, _told = made(Lidar, uarts)
    assert feed_beams(counter, uarts, [(5000, None)] * 100) == 0
    counter.set_up()
    assert not counter.is_set_up
    assert feed_beams(counter, uarts, [(None, 5000)] * 100) == 25  # half a second that the other was ahead
    assert feed_beams(counter, uarts, [(None, 5000)] * 100) == 0


class Bus:
    """Nobody, as long as `is_there` is False; else a part that is always ready, with 2000 mm in both zones."""

    def __init__(self):
        self.is_there = False
        self._register = 0

    def writeto(self, address, data):
        if not self.is_there:
            raise OSError(19)
        self._register = data[0] << 8 | data[1]
        return len(data)

    def readfrom_into(self, address, buffer):
        if not self.is_there:
            raise OSError(19)
        content = {0x010F: b"\xea\xcc", 0x00E5: b"\x01", 0x0031: b"\x00", 0x0006: b"\x80\x00"}.get(self._register, b"")
        if self._register == 0x0089:
            content = bytes([9]) + bytes(12) + b"\x07\xd0" + bytes(2)
        buffer[:] = content + bytes(len(buffer) - len(content))


def test_a_door_that_nobody_answers_at_gives_no_samples_until_it_is_set_up_again():
    bus = Bus()
    counter, _told = made(Door, (bus, 0x29))
    counter.set_up()
    assert [counter.poll(20 * i) for i in range(5)] == [0] * 5
    assert not counter.is_set_up
    bus.is_there = True
    assert counter.poll(100) == 0
    counter.set_up()
    assert sum([counter.poll(100 + 20 * i) for i in range(50)]) > counter.quiet_samples
    assert counter.is_set_up
    bus.is_there = False
    assert counter.poll(2000) == 0
    assert not counter.is_set_up


def test_a_door_that_was_forgotten_gives_no_sample_before_it_is_set_up_again():
    bus = Bus()
    bus.is_there = True
    counter, _told = made(Door, (bus, 0x29))
    counter.set_up()
    assert sum([counter.poll(20 * i) for i in range(50)]) > 0
    counter.forget()
    assert [counter.poll(1000 + 20 * i) for i in range(50)] == [0] * 50
    assert not counter.is_set_up


class Switch:
    level = 0

    def irq(self, handler, trigger):
        self.handler = handler

    def value(self):
        return self.level


def test_switches_count_ordered_rises_and_give_a_sample_a_poll():
    pins = (Switch(), Switch())
    counter, told = made(Switches, (pins, 3))
    counter.set_up()
    assert counter.is_set_up
    for i, levels in enumerate([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]):
        pins[0].level, pins[1].level = levels
        assert counter.poll(500 * i) == 1
    assert [direction for _, direction in told] == [1]


def test_a_storm_of_bytes_is_read_in_rations_and_is_no_sample():
    for pattern in (b"\xaa", b"\x59", bytes(range(256)), Chance(7).bytes(997), b"\xaa\xff\x03\x00"):
        storm = Storm(pattern)
        counter, told = made(Radar, (storm,))
        for i in range(5):
            before = storm.read
            assert counter.poll(BEAT_MS * i) == 0
            assert storm.read - before < 1024 + 120
        assert counter.rejected_bytes > 4 * 1024
        storms = (Storm(pattern), Storm(pattern))
        counter, told = made(Lidar, storms)
        counter.poll(0)
        assert max(storms[0].read, storms[1].read) < 1024 + 120
        assert told == []


def test_a_storm_of_reports_is_read_in_rations():
    storm = Storm(QUIET)
    counter, told = made(Radar, (storm,))
    assert counter.poll(0) < 40
    assert told == []


def test_a_ration_says_how_much_waits_and_gives_what_is_left():
    ration = Ration(Storm(b"x"), 100)
    buffer = bytearray(60)
    assert ration.any() == 5000
    assert [ration.readinto(buffer) for _ in range(3)] == [60, 60, None]
    ration.renew()
    assert ration.readinto(buffer) == 60


def test_no_poll_allocates():
    uarts = (Uart(), Uart())
    lidar, _told = made(Lidar, uarts)
    storm, _told = made(Radar, (Storm(QUIET),))
    pins, _told = made(Switches, ((Switch(), Switch()), 3))
    pins.set_up()
    for counter in (lidar, storm, pins):
        counter.poll(0)
        # The slice of a read that begins behind a cut report is the one thing that is allocated, and at once given back.
        assert allocated(lambda: counter.poll(BEAT_MS)) <= 34 * 96, counter  # noqa: B023  called at once


def test_a_radar_that_was_silent_knows_nobody_any_more():
    uart = Uart()
    radar, _told = made(Radar, (uart,))
    for i in range(5):
        uart.received += target(-1500 + 130 * i, 1800)
        radar.poll(BEAT_MS * i)
    assert radar.detector.active == 1
    radar.forget()
    assert radar.detector.active == 0
