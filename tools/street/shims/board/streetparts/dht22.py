# DHT22: five bytes, tenths of a percent and of a degree (sign and magnitude) and their sum; silent for two seconds after each.

from streetclock import clock
from streetparts.air import air

_REST_MS = 2000
_TIMED_OUT = 110


class DHT22:
    def __init__(self):
        self._rests_until_ms = clock.now_ms + _REST_MS

    def readinto(self, buf):
        if clock.now_ms < self._rests_until_ms:
            raise OSError(_TIMED_OUT)
        self._rests_until_ms = clock.now_ms + _REST_MS
        temperature, humidity = air.now()
        tenths = (abs(temperature) + 5) // 10 | (0x8000 if temperature < 0 else 0)
        wet = (humidity + 5) // 10
        four = (wet >> 8, wet & 0xFF, tenths >> 8, tenths & 0xFF)
        buf[:5] = bytes(four + (sum(four) & 0xFF,))
