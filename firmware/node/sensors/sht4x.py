# Sensirion SHT40/41/45: temperature and relative humidity over I2C, datasheet version 6.
#
# Command 0xFD measures with high precision (8.3 ms at most); the answer is six bytes: temperature, CRC, humidity, CRC.
# CRC-8, polynomial 0x31, start 0xFF (0xBE 0xEF -> 0x92). T = -45 + 175 raw / 65535 degC, RH = -6 + 125 raw / 65535 %.

MEASURE = b"\xfd"
MEASURE_MS = 10
TRIES = 3


class SHT4x:
    """`i2c` needs writeto and readfrom_into. Readings are in hundredths. `faults` counts answers that were refused."""

    def __init__(self, i2c, address=0x44):
        self._i2c = i2c
        self._address = address
        self._answer = bytearray(6)
        self.faults = 0

    async def read(self, sleep_ms):
        """(temperature in centi-degrees, humidity in centi-percent), or None after three tries."""
        for _ in range(TRIES):
            try:
                self._i2c.writeto(self._address, MEASURE)
                await sleep_ms(MEASURE_MS)
                self._i2c.readfrom_into(self._address, self._answer)
            except OSError:  # nobody at this address, or the bus is stuck
                self.faults += 1
                continue
            reading = decode(self._answer)
            if reading is not None:
                return reading
            self.faults += 1
        return None


def decode(answer):
    """Six bytes -> hundredths of degrees and percents, None where a checksum fails."""
    if crc8(answer, 0) != answer[2] or crc8(answer, 3) != answer[5]:
        return None
    temperature = -4500 + _scaled(17500, answer[0] << 8 | answer[1])
    humidity = -600 + _scaled(12500, answer[3] << 8 | answer[4])
    return temperature, min(max(humidity, 0), 10000)


def _scaled(span, raw):
    return (span * raw * 2 + 65535) // (2 * 65535)


def crc8(data, at):
    """Of the two bytes at `at`."""
    crc = 0xFF
    for i in range(at, at + 2):
        crc ^= data[i]
        for _ in range(8):
            crc = (crc << 1) ^ 0x31 if crc & 0x80 else crc << 1
        crc &= 0xFF
    return crc
