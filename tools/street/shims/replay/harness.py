# One recorded trace through the node's own part and detector, under MicroPython and CPython alike: `harness.py SENSOR NODE_JSON`.
#
# Theory of operation
#   stdin   one event after another: time in ms (4 bytes), number of the stream (1), how much arrived (4), little-endian, and then
#           that. A part reads its bytes straight from there, so no event is ever held here, however long it is.
#   stdout  `complaint TEXT` for every wrong setting, `passage T_MS DIRECTION` as they are decided, at the end
#           `summary FRAMES REJECTED_BYTES SATURATED_MS BLOCKED_MS HEAP_PEAK_B`.
#   ticks   are those of a board: 30 bits, and they wrap a minute into the trace.
#   heap    is what gc.mem_alloc() says after every event, before any collection; the highest value is told. A collection comes
#           before the first event, so that compiling these sources does not count, and then every ten seconds of the trace, as
#           on the node itself. CPython has no such heap and tells -1.

import gc
import sys

from node.config import Config

TICKS_MASK = 0x3FFFFFFF
TICKS_HALF = 0x20000000
FIRST_TICK = TICKS_MASK - 60000
COLLECT_MS = 10000
HEAD_SIZE = 9

_stdin = sys.stdin.buffer
_IS_MICROPYTHON = sys.implementation.name == "micropython"


def read_some(buffer, size):
    if _IS_MICROPYTHON:
        return _stdin.readinto(buffer, size)  # without a slice: it would count as the part's heap
    return _stdin.readinto(memoryview(buffer)[:size])


def heap_b():
    return gc.mem_alloc() if _IS_MICROPYTHON else -1


def ticks_add(ticks, delta):
    return (ticks + delta) & TICKS_MASK


def ticks_diff(end, start):
    return ((end - start + TICKS_HALF) & TICKS_MASK) - TICKS_HALF


TICKS = (None, ticks_diff, ticks_add)  # a trace tells its own time


class Uart:
    """What one read returned, as a port on which that much has arrived."""

    def __init__(self):
        self.waiting = 0

    def any(self):
        return self.waiting

    def readinto(self, buffer):
        got = read_some(buffer, min(len(buffer), self.waiting))
        if not got:
            raise EOFError("the trace ends inside an event")
        self.waiting -= got
        return got

    def write(self, data):
        """Nobody listens behind a trace."""


# -- sensors


class Radar:
    """ld2450: one stream of bytes, for the firmware's own counter."""

    def __init__(self, node_json, on_passage):
        from node.counters.radar import Radar as Counter

        self.settings = Config(Counter.settings, node_json)
        self._uart = Uart()
        self._counter = Counter((self._uart,), self.settings, TICKS, on_passage)
        self.detector = self._counter.detector

    def take(self, ticks, stream, size):
        self._uart.waiting = size
        while self._uart.waiting:
            self._counter.poll(ticks)

    @property
    def frames(self):
        return self._counter.frames

    @property
    def rejected_bytes(self):
        return self._counter.rejected_bytes


class Beams(Radar):
    """tfluna: a stream of bytes for each beam."""

    def __init__(self, node_json, on_passage):
        from node.counters.lidar import Lidar as Counter

        self.settings = Config(Counter.settings, node_json)
        self._uarts = (Uart(), Uart())
        self._counter = Counter(self._uarts, self.settings, TICKS, on_passage)
        self.detector = self._counter.detector

    def take(self, ticks, stream, size):
        self._uarts[stream].waiting = size
        while self._uarts[stream].waiting:
            self._counter.poll_beam(stream, ticks)


class Zones:
    """vl53l1x: what the part has measured, for the firmware's detector."""

    def __init__(self, node_json, on_passage):
        from node.counters.door import detector

        self.settings = Config(("pavement", "door"), node_json)
        self._sample = bytearray(4)
        self.frames = 0
        self.rejected_bytes = 0
        self.detector = detector(self.settings, TICKS, on_passage)

    def take(self, ticks, stream, size):
        if size:
            read_some(self._sample, size)
            self.detector.feed(ticks, self._sample[0], self._sample[1] | self._sample[2] << 8, self._sample[3])
            self.frames += 1


class Switches:
    """pir: edges, for the firmware's detector."""

    def __init__(self, node_json, on_passage):
        from node.counters.switches import detector

        self.settings = Config(("pavement", "switches"), node_json)
        self._edge = bytearray(2)
        self._levels = [0, 0]
        self.frames = 0
        self.rejected_bytes = 0
        self.detector = detector(self.settings, TICKS, on_passage)

    def take(self, ticks, stream, size):
        if size:
            read_some(self._edge, size)
            self._levels[self._edge[0]] = self._edge[1]
            self.frames += 1
        self.detector.feed(ticks, self._levels[0], self._levels[1])


# Each is built from the node's settings and who wants to know of passages; take() gets each event's ticks, its stream and how many
# bytes of it wait on stdin. `frames`, `rejected_bytes`, `detector.is_saturated` and `.is_blocked` say how it went, and
# `settings.complaints` what was wrong with the geometry.
SENSORS = {
    "ld2450": Radar,
    "tfluna": Beams,
    "vl53l1x": Zones,
    "pir": Switches,
}


# -- the trace


class Replay:
    def __init__(self, sensor, node_json):
        self._now_ms = 0
        self._now_ticks = FIRST_TICK
        self._sensor = SENSORS[sensor](node_json, self._on_passage)
        for complaint in self._sensor.settings.complaints:
            print("complaint", complaint)
        self._head = bytearray(HEAD_SIZE)
        self._collect_at_ms = COLLECT_MS
        self._saturated_ms = 0
        self._blocked_ms = 0
        self._heap_peak_b = -1

    def run(self):
        gc.collect()
        while self._read_head():
            self._set_time(_number(self._head, 0))
            self._sensor.take(self._now_ticks, self._head[4], _number(self._head, 5))
            self._heap_peak_b = max(self._heap_peak_b, heap_b())
            if self._now_ms >= self._collect_at_ms:
                gc.collect()
                self._collect_at_ms = self._now_ms + COLLECT_MS
        counts = self._sensor.frames, self._sensor.rejected_bytes
        print("summary", *counts, self._saturated_ms, self._blocked_ms, self._heap_peak_b)

    def _read_head(self):
        got = read_some(self._head, HEAD_SIZE)
        if got and got < HEAD_SIZE:
            raise EOFError("the trace ends inside the head of an event")
        return got

    def _set_time(self, now_ms):
        if self._sensor.detector.is_saturated:
            self._saturated_ms += now_ms - self._now_ms
        if self._sensor.detector.is_blocked:
            self._blocked_ms += now_ms - self._now_ms
        self._now_ms = now_ms
        self._now_ticks = (now_ms + FIRST_TICK) & TICKS_MASK

    def _on_passage(self, ticks, direction):
        print("passage", self._now_ms + ticks_diff(ticks, self._now_ticks), direction)


def _number(data, at):
    return data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24


def main(sensor, node_json):
    Replay(sensor, node_json).run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
