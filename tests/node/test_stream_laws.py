# How a stream is cut into reads says nothing about who passed.

from attack import Port, Watched
from dialect import Chance
from walks import SECONDS, beam_readings, radar_reports

from node.counters.lidar import Lidar
from node.counters.radar import Radar


def word(value):
    raw = value | 0x8000 if value >= 0 else -value
    return bytes([raw & 255, raw >> 8])


def report(targets):
    slots = b"".join([word(x) + word(y) + word(speed) + b"\x68\x01" for x, y, speed in targets])
    return b"\xaa\xff\x03\x00" + slots + bytes(24 - len(slots)) + b"\x55\xcc"


def reading(mm):
    frame = b"\x59\x59" + bytes([mm // 10 & 255, mm // 10 >> 8, 232, 3, 0, 8])
    return frame + bytes([sum(frame) & 255])


class Meagre(Port):
    """Every read gives a few bytes, however many wait."""

    def __init__(self, chance, most):
        super().__init__()
        self._chance = chance
        self._most = most

    def readinto(self, buffer):
        few = bytearray(min(len(buffer), 1 + self._chance.below(self._most)))
        got = super().readinto(few) or 0
        for i in range(got):
            buffer[i] = few[i]
        return got or None


def reports(seed):
    """What the radar sends between two polls, as the bytes of its only port."""
    for _ms, targets in radar_reports(seed):
        yield (report(targets),)


def readings(seed):
    """What the beams send between two polls, as the bytes of both ports."""
    waiting = [b"", b""]
    for ms, beam, mm in beam_readings(seed):
        waiting[beam] += reading(mm)
        if beam and ms % 100 == 80:
            yield tuple(waiting)
            waiting = [b"", b""]


def told(kind, ports, arriving):
    def arrive(ms):
        row = next(arriving)
        for i in range(len(ports)):
            ports[i].arrive(row[i])

    return Watched(kind, ports).run(SECONDS, arrive)


def held_back(arriving, chance):
    """The same bytes, of which up to half a poll's come a poll later."""
    rest = {}
    for row in arriving:
        late = []
        for i, data in enumerate(row):
            whole = rest.get(i, b"") + data
            kept = len(whole) - chance.below(1 + len(data) // 2)
            late.append(whole[:kept])
            rest[i] = whole[kept:]
        yield late


KINDS = ((Radar, 1, reports), (Lidar, 2, readings))


def test_short_reads_give_the_same_passages_to_the_millisecond():
    for kind, n_ports, stream in KINDS:
        whole = told(kind, [Port() for _ in range(n_ports)], stream(0))
        assert len(whole.told) > 15
        for most in (1, 7, 50):
            chance = Chance(most)
            cut = told(kind, [Meagre(chance, most) for _ in range(n_ports)], stream(0))
            assert (cut.told, cut.counter.frames) == (whole.told, whole.counter.frames), (kind, most)


def test_bytes_that_are_read_a_poll_later_give_the_same_directions():
    for kind, n_ports, stream in KINDS:
        for seed in range(2):
            whole = told(kind, [Port() for _ in range(n_ports)], stream(seed)).told
            late = told(kind, [Port() for _ in range(n_ports)], held_back(stream(seed), Chance(seed))).told
            assert [direction for _, direction in late] == [direction for _, direction in whole], kind
            assert max([abs(late[i][0] - whole[i][0]) for i in range(len(whole))]) <= 100
