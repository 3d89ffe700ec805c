# Maxim DS18B20: a temperature probe on a 1-Wire bus, alone on its wire and with a supply of its own.
#
# Scratchpad, nine bytes: temperature (little-endian, sixteenths of a degree, two's complement), two alarms, configuration,
# three reserved, CRC-8 of the eight before. 93 01 7F 80 7F FF 0D 10 BD -> 25.1875 degC.
# Bits 5 and 6 of the configuration are the resolution; the bits of the temperature below it mean nothing. Its other bits are
# fixed, which tells a wire held low: nine zero bytes have a fitting CRC.
# A probe that lost its power while it measured says 85 degC with a valid CRC. It is believed only next to readings like it.

from node.sensors import crc8
from node.sensors.base import COARSE_STILL_READINGS, ClimatePart, clear

SKIP_ROM = 0xCC
CONVERT = 0x44
READ_SCRATCHPAD = 0xBE
MEASURE_MS = 750  # at 12 bits, the longest
POWER_ON_CENTI = 8500
NEAR_CENTI = 200  # as far as a probe in hot air moves in ten seconds


class DS18B20(ClimatePart):
    """`wire` needs reset() -> is anybody there, writebyte and readinto: onewire.OneWire. It has no humidity."""

    low_centi = -5500
    still_readings = COARSE_STILL_READINGS

    def __init__(self, wire):
        super().__init__()
        self._wire = wire
        self._scratchpad = bytearray(9)
        self._last_centi = 0

    async def _measure(self, sleep_ms):
        self._command(CONVERT)
        await sleep_ms(MEASURE_MS)
        self._command(READ_SCRATCHPAD)
        clear(self._scratchpad)
        self._wire.readinto(self._scratchpad)
        temperature = decode(self._scratchpad)
        if temperature is None:
            return None
        if temperature == POWER_ON_CENTI and abs(temperature - self._last_centi) > NEAR_CENTI:
            raise OSError("85 degC, the value after power-on")
        self._last_centi = temperature
        return temperature, None

    def _command(self, command):
        if not self._wire.reset():
            raise OSError("no probe on the wire")
        self._wire.writebyte(SKIP_ROM)
        self._wire.writebyte(command)


def decode(scratchpad):
    """Nine bytes -> hundredths of a degree, None where the CRC or the fixed bits are wrong."""
    if crc8.maxim(scratchpad, 8) != scratchpad[8] or scratchpad[4] & 0x9F != 0x1F:
        return None
    raw = scratchpad[1] << 8 | scratchpad[0]
    if raw & 0x8000:
        raw -= 0x10000
    meaningless_bits = 3 - (scratchpad[4] >> 5)
    raw = raw >> meaningless_bits << meaningless_bits
    return (25 * raw + 2) // 4
