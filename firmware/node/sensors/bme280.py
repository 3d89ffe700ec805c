# Bosch BME280: temperature, relative humidity and air pressure over I2C, datasheet BST-BME280-DS002.
#
# Theory of operation
#   chip id   0x60. A BMP280 says 0x58, measures no humidity and is often sold as a BME280: the fault says what was found.
#   words     every part has 18 calibration words of its own, read once; after a fault of the bus they are read again, since
#             what comes back may be another part.
#   reading   forced mode: the part measures once, without filter and with one sample each (9.3 ms at most), and sleeps again.
#             Measuring all the time it heats itself by about 1 K, and humidity reads 5 % low for that. Heat of its board's
#             regulator remains: the box's calibration takes care of it.
#   doubt     the part sends no checksum. So everything is read twice and must agree, the control registers must say what was
#             told, a quantity that was not measured (0x80000, 0x8000) or stands at an end of its scale is refused, and so is a
#             reading whose air pressure, for which a record has no room, is none of this planet's streets.
# Compensation is Bosch's in integers, pressure that of 64 bits. On an ESP32 an integer beyond 30 bits is an object: about
# thirty a reading, which the next collection frees.

import struct

from node.sensors.base import ClimatePart, clear

CHIP_ID = 0x60
_ID = 0xD0
_WORDS = 0x88
_WORDS_OF_HUMIDITY = 0xE1
_CONTROL = 0xF2
_HUMIDITY_1X = 0x01
_ASLEEP_1X = 0x24  # temperature and pressure one sample each; what 0x25, measure now, becomes when it is done
MEASURE = b"\xf2\x01\xf5\x00\xf4\x25"  # pairs of register and value: humidity 1x, no filter, all 1x now
MEASURE_MS = 12
_BUSY = 0x09  # of the status: measuring, or copying its words
_LOWEST_PA = 30000
_HIGHEST_PA = 110000


class BME280(ClimatePart):
    """`i2c` needs writeto and readfrom_mem_into."""

    high_centi = 8500

    def __init__(self, i2c, address=0x76):
        super().__init__()
        self._i2c = i2c
        self._address = address
        self._words = None
        self._answer = bytearray(13)
        self._again = bytearray(13)

    async def _measure(self, sleep_ms):
        try:
            if self._words is None:
                self._words = self._read_words()
            self._i2c.writeto(self._address, MEASURE)
            await sleep_ms(MEASURE_MS)
            self._read_twice(_CONTROL, self._answer, self._again)
        except OSError:
            self._words = None
            raise
        return decode(self._answer, self._words)

    def _read_words(self):
        found = bytearray(1)
        self._read_twice(_ID, found, bytearray(1))
        if found[0] != CHIP_ID:
            raise OSError("chip id 0x%02X, expected 0x60 of a BME280" % found[0])
        first, second = bytearray(26), bytearray(7)
        self._read_twice(_WORDS, first, bytearray(26))
        self._read_twice(_WORDS_OF_HUMIDITY, second, bytearray(7))
        words = unpack_words(first, second)
        if words is None:
            raise OSError("no calibration words")
        return words

    def _read_twice(self, register, buffer, again):
        clear(buffer)
        clear(again, 0xFF)  # so that a byte that never arrives differs
        self._i2c.readfrom_mem_into(self._address, register, buffer)
        self._i2c.readfrom_mem_into(self._address, register, again)
        if buffer != again:
            raise OSError("register 0x%02X read twice differs" % register)


def unpack_words(first, second):
    """Registers 0x88 to 0xA1 and 0xE1 to 0xE7 -> words (of temperature, pressure, humidity), None where there are none."""
    unpacked = struct.unpack("<HhhHhhhhhhhhBB", first)  # 0xA0 is reserved
    h2, h3, high_4, low_4_and_5, high_5, h6 = struct.unpack("<hBbBbb", second)
    if unpacked[0] in (0, 0xFFFF) or h2 in (0, -1):  # never written, or a bus that is stuck
        return None
    return unpacked[:3], unpacked[3:12], (unpacked[13], h2, h3, high_4 << 4 | low_4_and_5 & 15, high_5 << 4 | low_4_and_5 >> 4, h6)


def decode(answer, words):
    """Registers 0xF2 to 0xFE -> hundredths of degrees and percents, None for what nobody measured."""
    if answer[0] & 7 != _HUMIDITY_1X or answer[1] & _BUSY or answer[2] != _ASLEEP_1X:
        return None
    adc_p = answer[5] << 12 | answer[6] << 4 | answer[7] >> 4
    adc_t = answer[8] << 12 | answer[9] << 4 | answer[10] >> 4
    adc_h = answer[11] << 8 | answer[12]
    if adc_p in (0, 0x80000, 0xFFFFF) or adc_t in (0, 0x80000, 0xFFFFF) or adc_h in (0, 0x8000, 0xFFFF):
        return None
    fine = fine_temperature(adc_t, words[0])
    if not _LOWEST_PA <= pressure_pa(adc_p, fine, words[1]) <= _HIGHEST_PA:
        return None
    return temperature_centi(fine), humidity_centi(adc_h, fine, words[2])


def fine_temperature(adc, words):
    """1/5120 of a degree; pressure and humidity are compensated with it."""
    t1, t2, t3 = words
    linear = ((adc >> 3) - (t1 << 1)) * t2 >> 11
    off = (adc >> 4) - t1
    return linear + ((off * off >> 12) * t3 >> 14)


def temperature_centi(fine):
    return (fine * 5 + 128) >> 8


def pressure_pa(adc, fine, words):
    """0 where the words allow none."""
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = words
    off = fine - 128000
    offset = off * off * p6 + (off * p5 << 17) + (p4 << 35)
    scale = ((1 << 47) + (off * off * p3 >> 8) + (off * p2 << 12)) * p1 >> 33
    if scale <= 0:
        return 0
    p = (((1048576 - adc) << 31) - offset) * 3125 // scale
    square = p9 * (p >> 13) * (p >> 13) >> 25
    return (((p + square + (p8 * p >> 19)) >> 8) + (p7 << 4)) >> 8


def humidity_centi(adc, fine, words):
    h1, h2, h3, h4, h5, h6 = words
    off = fine - 76800
    wet = ((adc << 14) - (h4 << 20) - h5 * off + 16384) >> 15
    slope = ((((off * h6 >> 10) * ((off * h3 >> 11) + 32768)) >> 10) + 2097152) * h2 + 8192 >> 14
    wet *= slope
    wet -= ((wet >> 15) * (wet >> 15) >> 7) * h1 >> 4
    return (min(max(wet, 0), 100 << 22) >> 12) * 100 + 512 >> 10
