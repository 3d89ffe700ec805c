# The node's end of the street's clock, and of what the street lets its sensors see.
#
# Theory of operation
#   The street grants time: "run until T", together with the radar reports and the climate up to T. Inside its grant the node
#   jumps from one deadline to the next by itself. It stops, reports and waits for the next grant when its next deadline lies
#   beyond T, or when it may have written to its port: what the other side answers must be able to reach it at that moment.
#   grant   '<IHHH': until_ms, raw temperature, raw humidity, n; then n reports of '<I30s': t_ms, bytes
#   report  '<IIB': now_ms, next deadline in ms, 1 if the port may have been written to
# All times are milliseconds since the street began.

import os
import struct

NEVER = 0xFFFFFFFF
_GRANT = "<IHHH"
_FRAME = 34


class StreetClock:
    def __init__(self, grants, reports, now_ms):
        self._grants = grants
        self._reports = reports
        self.now_ms = now_ms
        self._granted_ms = now_ms
        self.spoke = False
        self.temperature_raw = 0
        self.humidity_raw = 0
        self.radar_frames = []  # [(t_ms, 30 bytes), ...] not yet due
        self.watchdog_ends_ms = NEVER

    def sleep(self, timeout_ms):
        """Until `timeout_ms` from now (below zero: for ever) on the street's clock."""
        target = self.now_ms + timeout_ms if timeout_ms >= 0 else NEVER
        while self.spoke or target > self._granted_ms:
            if not self.spoke:
                self.now_ms = max(self.now_ms, self._granted_ms)
            if self.now_ms > self.watchdog_ends_ms:
                raise SystemExit(43)
            self._reports.write(struct.pack("<IIB", self.now_ms, target, self.spoke))
            self.spoke = False
            self._take_grant()
        if target > self.watchdog_ends_ms:
            raise SystemExit(43)
        self.now_ms = target

    def _take_grant(self):
        until, self.temperature_raw, self.humidity_raw, n = struct.unpack(_GRANT, self._read(struct.calcsize(_GRANT)))
        self._granted_ms = until
        raw = self._read(n * _FRAME)
        for i in range(n):
            t_ms = struct.unpack_from("<I", raw, i * _FRAME)[0]
            self.radar_frames.append((t_ms, raw[i * _FRAME + 4 : (i + 1) * _FRAME]))

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
