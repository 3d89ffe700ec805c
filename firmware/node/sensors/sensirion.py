# What SHT3x and SHT4x have in common: a command, a wait, and six bytes: temperature, CRC, humidity, CRC.

from node.sensors import crc8
from node.sensors.base import ClimatePart, clear

RAIL_LOW = 0
RAIL_HIGH = 0xFFFF  # with either word at an end of its scale the converter has no sensor to measure


class Sensirion(ClimatePart):
    """`i2c` needs writeto and readfrom_into."""

    def __init__(self, i2c, address, command, measure_ms, decode):
        super().__init__()
        self._i2c = i2c
        self._address = address
        self._command = command
        self._measure_ms = measure_ms
        self._decode = decode
        self._answer = bytearray(6)

    async def _measure(self, sleep_ms):
        self._i2c.writeto(self._address, self._command)
        await sleep_ms(self._measure_ms)
        clear(self._answer)
        self._i2c.readfrom_into(self._address, self._answer)
        return self._decode(self._answer)


def word(answer, at):
    """The word at `at`, None where its checksum fails."""
    if crc8.sensirion(answer, at) != answer[at + 2]:
        return None
    return answer[at] << 8 | answer[at + 1]


def temperature_centi(raw):
    return -4500 + scaled(17500, raw)


def scaled(span, raw):
    return (span * raw * 2 + 65535) // (2 * 65535)
