# A storm of bad input leaves next to nothing on the heap: what a poll allocates is bounded, however many bytes or samples came.

from attack import Watched
from dialect import Chance, allocated

from node.counters.door import Door
from node.counters.lidar import Lidar
from node.counters.radar import Radar
from node.counters.switches import Switches

POLLS = 20
A_SLICE = 48  # what a read behind a cut report allocates: a view of the buffer's rest
READS = 36  # of a poll's kilobyte, at 30 bytes and more each


class Storm:
    """However much is read, there is always more of the pattern."""

    def __init__(self, pattern):
        self._pattern = pattern
        self._at = 0

    def any(self):
        return 5000

    def readinto(self, buffer):
        for i in range(len(buffer)):
            self._at = (self._at + 1) % len(self._pattern)
            buffer[i] = self._pattern[self._at]
        return len(buffer)

    def write(self, data):
        return len(data)


class Bus:
    """A part that is ready and whose every byte is one of the pattern; the registers of its set-up are a VL53L1X's."""

    def __init__(self, pattern):
        self._pattern = pattern
        self._at = 0
        self._register = 0

    def writeto(self, address, data):
        self._register = data[0] << 8 | data[1]
        return len(data)

    def readfrom_into(self, address, buffer):
        if self._register == 0x010F:
            buffer[0], buffer[1] = 0xEA, 0xCC
        elif self._register == 0x0089:
            for i in range(len(buffer)):
                self._at = (self._at + 1) % len(self._pattern)
                buffer[i] = self._pattern[self._at]
        else:
            buffer[0] = self._register == 0x00E5 or self._register == 0x0006


class Switch:
    def __init__(self):
        self._reads = 0

    def irq(self, handler, trigger):
        self.handler = handler

    def value(self):
        self._reads += 1
        return self._reads & 1


def left_by(watched, before_poll):
    """Bytes that a poll leaves, at most, once everything has been used."""
    poll = watched.counter.poll

    def polls():
        for i in range(POLLS):
            before_poll()
            poll(20 * i)

    polls()
    return (allocated(polls) + POLLS - 1) // POLLS


def nothing():
    pass


PATTERNS = (b"\xaa", b"\x59", b"\xaa\xff\x03\x00", bytes(range(256)), Chance(3).bytes(499), b"\x59\x59" + bytes(6) + b"\xb2")


def test_a_flood_of_bytes_leaves_no_more_than_its_reads():
    for pattern in PATTERNS:
        radar = Watched(Radar, (Storm(pattern),))
        assert left_by(radar, nothing) <= READS * A_SLICE, pattern
        lidar = Watched(Lidar, (Storm(pattern), Storm(pattern)))
        assert left_by(lidar, nothing) <= 2 * READS * A_SLICE, pattern


def test_a_bus_of_noise_leaves_nothing():
    for pattern in (b"\x09\x01\x02", b"\x00", b"\xff", Chance(4).bytes(499)):
        assert left_by(Watched(Door, (Bus(pattern), 0x29)), nothing) == 0, pattern


def test_switches_that_rattle_leave_nothing():
    pins = (Switch(), Switch())
    watched = Watched(Switches, (pins, 3))

    def rattle():
        for i in range(100):
            pins[i & 1].handler(pins[i & 1])

    assert left_by(watched, rattle) == 0
    assert watched.counter.rejected_bytes > 100 * POLLS
