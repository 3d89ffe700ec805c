# Sensirion SHT40/41/45: temperature and relative humidity over I2C, datasheet version 6.
#
# Command 0xFD measures with high precision (8.3 ms at most); the answer is six bytes: temperature, CRC, humidity, CRC.
# T = -45 + 175 raw / 65535 degC, RH = -6 + 125 raw / 65535 %.
# A raw word of 0 or 0xFFFF would be -45 or 130 degC, -6 or 119 %: no air, but a broken sensor behind a valid checksum.

from node.sensors.sensirion import RAIL_HIGH, RAIL_LOW, Sensirion, scaled, temperature_centi, word

MEASURE = b"\xfd"
MEASURE_MS = 10


class SHT4x(Sensirion):
    def __init__(self, i2c, address=0x44):
        super().__init__(i2c, address, MEASURE, MEASURE_MS, decode)


def decode(answer):
    """Six bytes -> hundredths of degrees and percents, None where a checksum fails or a word is impossible."""
    raw_t = word(answer, 0)
    raw_h = word(answer, 3)
    if raw_t in (None, RAIL_LOW, RAIL_HIGH) or raw_h in (None, RAIL_LOW, RAIL_HIGH):
        return None
    return temperature_centi(raw_t), min(max(-600 + scaled(12500, raw_h), 0), 10000)
