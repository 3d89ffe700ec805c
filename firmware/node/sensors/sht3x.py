# Sensirion SHT30/31/35: temperature and relative humidity over I2C, datasheet version 7.
#
# Command 0x2400 measures once with high repeatability and without stretching the clock (15.5 ms at most); an answer before
# that is not acknowledged. Six bytes: temperature, CRC, humidity, CRC. Unlike an SHT4x:
# T = -45 + 175 raw / 65535 degC, RH = 100 raw / 65535 %.
# A temperature word of 0 or 0xFFFF would be -45 or 130 degC: a broken sensor behind a valid checksum, as is a humidity of 0.
# A humidity of 0xFFFF is 100 %, and fog.

from node.sensors.sensirion import RAIL_HIGH, RAIL_LOW, Sensirion, scaled, temperature_centi, word

MEASURE = b"\x24\x00"
MEASURE_MS = 16


class SHT3x(Sensirion):
    def __init__(self, i2c, address=0x44):
        super().__init__(i2c, address, MEASURE, MEASURE_MS, decode)


def decode(answer):
    """Six bytes -> hundredths of degrees and percents, None where a checksum fails or a word is impossible."""
    raw_t = word(answer, 0)
    raw_h = word(answer, 3)
    if raw_t in (None, RAIL_LOW, RAIL_HIGH) or raw_h in (None, RAIL_LOW):
        return None
    return temperature_centi(raw_t), scaled(10000, raw_h)
