# DS18B20, alone on its wire: after a reset a command for its ROM, then one for itself. A scratchpad that was never measured
# holds 85 degrees, as after power-on. What it cannot show: a search among several, parasite power.

from streetclock import clock
from streetparts.air import air

_ROM = b"\x28\x01\x02\x03\x04\x05\x06"  # family, serial number
_SKIP_ROM, _READ_ROM, _CONVERT, _READ_SCRATCHPAD = 0xCC, 0x33, 0x44, 0xBE
_CONVERT_MS = 750  # at 12 bits
_POWER_ON = 0x0550


class DS18B20:
    def __init__(self):
        self._raw = _POWER_ON
        self._measured_ms = None
        self._is_selected = False
        self._answer = b""
        self._at = 0

    def reset(self):
        self._is_selected = False
        self._answer = b""
        return True

    def write(self, value):
        if not self._is_selected:
            self._is_selected = value == _SKIP_ROM
            if value == _READ_ROM:
                self._say(_ROM)
        elif value == _CONVERT:
            self._measured_ms = clock.now_ms + _CONVERT_MS
        elif value == _READ_SCRATCHPAD:
            self._measure()
            self._say(bytes((self._raw & 0xFF, self._raw >> 8, 0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10)))

    def read(self):
        """The next byte; whoever has nothing to say leaves the wire high."""
        if self._at >= len(self._answer):
            return 0xFF
        self._at += 1
        return self._answer[self._at - 1]

    def _measure(self):
        if self._measured_ms is not None and clock.now_ms >= self._measured_ms:
            self._raw = (air.now()[0] * 16 + 50) // 100 & 0xFFFF
            self._measured_ms = None

    def _say(self, data):
        self._answer = data + bytes((_crc(data),))
        self._at = 0


def _crc(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc
