# The node's end of the street's clock, and of what the street lets its sensors see.
#
# Theory of operation
#   The street grants time: "run until T", together with all that happens before the sensors up to T. Inside its grant the node
#   jumps from one deadline to the next by itself. It stops, reports and waits for the next grant when its next deadline lies
#   beyond T, or when it may have written to its port: what the other side answers must be able to reach it at that moment.
#   grant   '<IH': until_ms, number of blocks; for each '<BH': number of its stream, bytes of events; an event is '<IH': t_ms,
#           bytes of data; and the data
#   report  '<IIB': now_ms, next deadline in ms, 1 if the port may have been written to
#   A stream is one thing that is sensed, by its number; what its data are, the part that reads it knows (streetparts).
#   Edges of pins come at their moments, between two deadlines too, as interrupts do.
# All times are milliseconds since the street began.

import os
import struct

NEVER = 0xFFFFFFFF
AIR = 0  # the stream of the weather, which every climate part reads
RADIO = 4  # what happens at the node's radio
_GRANT = "<IH"
_BLOCK = "<BH"
_EVENT = "<IH"
_EVENT_SIZE = 6


class Stream:
    """What happens before one sensor, oldest first."""

    def __init__(self):
        self._events = []
        self.next_ms = NEVER

    def add(self, packed):
        at = 0
        while at < len(packed):
            t_ms, size = struct.unpack_from(_EVENT, packed, at)
            at += _EVENT_SIZE + size
            self._events.append((t_ms, packed[at - size : at]))
        self.next_ms = self._events[0][0]

    def take(self):
        """The data of the next event; there must be one."""
        data = self._events.pop(0)[1]
        self.next_ms = self._events[0][0] if self._events else NEVER
        return data


class StreetClock:
    def __init__(self, grants, reports, now_ms):
        self._grants = grants
        self._reports = reports
        self.now_ms = now_ms
        self._granted_ms = now_ms
        self._streams = {}
        self.spoke = False
        self.interrupts = []  # each with the moment of its next edge, `next_ms`, and `interrupt()`
        self.watchdog_ends_ms = NEVER

    def stream(self, number):
        if number not in self._streams:
            self._streams[number] = Stream()
        return self._streams[number]

    def sleep(self, timeout_ms):
        """Until `timeout_ms` from now (below zero: for ever) on the street's clock."""
        target = self.now_ms + timeout_ms if timeout_ms >= 0 else NEVER
        while self.spoke or target > self._granted_ms:
            if not self.spoke:
                self._go_to(max(self.now_ms, self._granted_ms))
            if self.now_ms > self.watchdog_ends_ms:
                raise SystemExit(43)
            self._reports.write(struct.pack("<IIB", self.now_ms, target, self.spoke))
            self.spoke = False
            self._take_grant()
        if target > self.watchdog_ends_ms:
            raise SystemExit(43)
        self._go_to(target)

    def _go_to(self, to_ms):
        while self.interrupts:
            first = self.interrupts[0]
            for pin in self.interrupts:
                if pin.next_ms < first.next_ms:
                    first = pin
            if first.next_ms > to_ms:
                break
            self.now_ms = max(self.now_ms, first.next_ms)
            first.interrupt()
        self.now_ms = to_ms

    def _take_grant(self):
        self._granted_ms, blocks = self._unpacked(_GRANT)
        for _ in range(blocks):
            number, size = self._unpacked(_BLOCK)
            self.stream(number).add(self._read(size))

    def _unpacked(self, form):
        return struct.unpack(form, self._read(struct.calcsize(form)))

    def _read(self, size):
        data = b""
        while len(data) < size:
            part = self._grants.read(size - len(data))
            if not part:  # the street is over
                raise SystemExit(0)
            data += part
        return data


def _open():
    grants = open("/dev/fd/" + os.getenv("STREET_GRANTS", ""), "rb", buffering=0)
    reports = open("/dev/fd/" + os.getenv("STREET_REPORTS", ""), "wb", buffering=0)
    return StreetClock(grants, reports, int(os.getenv("STREET_NOW_MS") or 0))


clock = _open()
