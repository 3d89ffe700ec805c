# Aosong DHT22, sold as AM2302 too: temperature and relative humidity over one wire of its own.
#
# Five bytes: humidity in tenths of a percent, temperature in tenths of a degree, sum of the four. The sign of the temperature
# is its highest bit; the rest is the magnitude. 02 8C 01 5F EE -> 65.2 %, 35.1 degC.
# It must not be asked twice within two seconds, nor in the first two after it got power. So every question waits first.
# The answer itself takes 5 ms in which the board hears no interrupt; the radar's UART holds more than that by itself.
# Five zero bytes have a fitting sum: a wire that is held low, and no air is that dry.

from node.sensors.base import COARSE_STILL_READINGS, ClimatePart, clear

REST_MS = 2000


class DHT22(ClimatePart):
    """`readinto(pin, buffer)` asks the part on `pin` and fills five bytes or raises OSError: machine.dht_readinto."""

    high_centi = 8000
    still_readings = COARSE_STILL_READINGS

    def __init__(self, readinto, pin):
        super().__init__()
        self._readinto = readinto
        self._pin = pin
        self._answer = bytearray(5)

    async def _measure(self, sleep_ms):
        await sleep_ms(REST_MS)
        clear(self._answer)
        self._readinto(self._pin, self._answer)
        return decode(self._answer)


def decode(answer):
    """Five bytes -> hundredths of degrees and percents, None where the sum is wrong or all is zero."""
    if (answer[0] + answer[1] + answer[2] + answer[3]) & 0xFF != answer[4] or not any(answer):
        return None
    magnitude = ((answer[2] & 0x7F) << 8 | answer[3]) * 10
    return -magnitude if answer[2] & 0x80 else magnitude, (answer[0] << 8 | answer[1]) * 10
