# What SHT3x and SHT4x have in common: a command, a time in which they do not answer, two words with a CRC behind each.

from streetclock import clock
from streetparts.air import air

_NOT_ACKNOWLEDGED = 5


class Sensirion:
    def __init__(self, command, measure_ms, low_humidity_centi, span_humidity_centi):
        self._command = command
        self._measure_ms = measure_ms
        self._low_humidity_centi = low_humidity_centi
        self._span_humidity_centi = span_humidity_centi
        self._ready_ms = None

    def write(self, data):
        self._ready_ms = clock.now_ms + self._measure_ms if data == self._command else None

    def readinto(self, buf):
        if self._ready_ms is None or clock.now_ms < self._ready_ms:
            raise OSError(_NOT_ACKNOWLEDGED)
        self._ready_ms = None
        temperature, humidity = air.now()
        humidity = word(humidity - self._low_humidity_centi, self._span_humidity_centi)
        buf[:6] = with_crc(word(temperature + 4500, 17500)) + with_crc(humidity)


def word(above_centi, span_centi):
    """The nearest of the 65536 words that divide the span."""
    return min(max((above_centi * 65535 * 2 + span_centi) // (2 * span_centi), 0), 65535)


def with_crc(value):
    data = bytes((value >> 8, value & 0xFF))
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31) & 0xFF if crc & 0x80 else crc << 1
    return data + bytes((crc,))
