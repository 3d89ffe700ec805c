# The air around the box: what the street told last. Data '<hH': hundredths of a degree, hundredths of a percent.

import struct

from streetclock import AIR, clock


class _Air:
    def __init__(self, stream):
        self._stream = stream
        self._data = struct.pack("<hH", 2000, 5000)  # a room, until the street has told anything

    def now(self):
        """(temperature in centi-degrees, humidity in centi-percent)"""
        while self._stream.next_ms <= clock.now_ms:
            self._data = self._stream.take()
        return struct.unpack("<hH", self._data)


air = _Air(clock.stream(AIR))
