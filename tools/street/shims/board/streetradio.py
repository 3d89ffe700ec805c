# The node's end of the street's air: what its radio is told goes to the street as messages, what happens on the air comes as events
# of a stream, at their moments.
#
# Theory of operation
#   message  '<BH': its kind, bytes of content; the content. The node stops at its next wait, as if it had written to its port.
#   event    of the stream RADIO: its kind, then its fields. Kinds are those of MicroPython's interrupts, and ROOM, which tells how
#            many notifications of this connection were taken so far and how many packets have not left yet.
#   Values are held here: an event of a write brings the bytes. Handles are the numbers of the characteristics, from 1 on.

import os
import struct

from streetclock import RADIO, clock

ACTIVE, SERVICES, ADVERTISE, NOTIFY, HANG_UP = 1, 2, 3, 4, 5
_CONNECTED, _DISCONNECTED, _WRITTEN, _MTU_EXCHANGED, _ROOM = 1, 2, 3, 21, 100
_BUFFER = 20  # bytes of a value, until the firmware asks for more
_LEAST_MTU = 23
_ANY = b"\x00\x00\x00\x00\x00\x00"  # nobody asks who connects


class Value:
    def __init__(self):
        self.data = b""
        self.size = _BUFFER
        self.appends = False


class StreetRadio:
    """`values` by handle less one; `mtus` of the connections that there are; `handler(event, data)` as MicroPython calls it."""

    def __init__(self):
        self.values = []
        self.mtus = {}
        self.handler = None
        self._sent = 0  # notifications
        self._taken = 0  # of them
        self._waiting = 0  # packets of these
        self._messages = open("/dev/fd/" + os.getenv("STREET_RADIO", ""), "wb", buffering=0)
        self._events = clock.stream(RADIO)
        clock.interrupts.append(self)

    @property
    def under_way(self):
        return self._waiting + self._sent - self._taken

    def say(self, kind, content):
        self._messages.write(struct.pack("<BH", kind, len(content)) + content)
        clock.spoke = True
        if kind == NOTIFY:
            self._sent += 1

    @property
    def next_ms(self):
        return self._events.next_ms

    def interrupt(self):
        event = self._events.take()
        kind, connection = event[0], event[1]
        if kind == _ROOM:
            self._taken, self._waiting = struct.unpack_from("<IH", event, 1)
        elif kind == _CONNECTED:
            self._sent = self._taken = self._waiting = 0
            self.mtus[connection] = _LEAST_MTU
            self._tell(kind, (connection, 0, _ANY))
        elif kind == _DISCONNECTED:
            self.mtus.pop(connection, None)
            self._tell(kind, (connection, 0, _ANY))
        elif kind == _MTU_EXCHANGED:
            self.mtus[connection] = struct.unpack_from("<H", event, 2)[0]
            self._tell(kind, (connection, self.mtus[connection]))
        elif kind == _WRITTEN:
            value = self.values[event[2] - 1]
            value.data = ((value.data if value.appends else b"") + event[3:])[: value.size]
            self._tell(kind, (connection, event[2]))

    def _tell(self, kind, data):
        if self.handler:
            self.handler(kind, data)
