# Whatever a climate part's bus says: no read fails, nothing is believed that is no air, and the first bad reading is flagged.

from climate_bench import no_sleep, read
from dialect import Chance, finish

import streetwire
from node.climate import Climate
from node.minutes import Minutes
from node.sensors.bme280 import BME280
from node.sensors.dht22 import DHT22
from node.sensors.ds18b20 import DS18B20
from node.sensors.sht3x import SHT3x
from node.sensors.sht4x import SHT4x

ROUNDS = 60  # of ten seconds


class Bus:
    """I2C, a DHT's pin and a 1-Wire bus at once: every byte that is read is what `fill(buffer)` puts there; it may raise."""

    def __init__(self, fill):
        self._fill = fill

    def writeto(self, address, data):
        self._fill(bytearray(len(data)))
        return len(data)

    def readfrom_into(self, address, buffer):
        self._fill(buffer)

    def readfrom_mem_into(self, address, register, buffer):
        self._fill(buffer)

    def ask(self, pin, buffer):
        self._fill(buffer)

    def reset(self):
        return True

    def writebyte(self, value):
        pass

    def readinto(self, buffer):
        self._fill(buffer)


def parts(fill):
    bus = Bus(fill)
    return SHT4x(bus), SHT3x(bus), BME280(bus), DHT22(bus.ask, None), DS18B20(bus)


def holding(value):
    def fill(buffer):
        for i in range(len(buffer)):
            buffer[i] = value

    return fill


def untouched(buffer):
    pass


def nobody(buffer):
    raise OSError(19)


class Stop(Exception):
    pass


def flags_of(part):
    """The health and what was told of each reading, as the app's task makes them, and the minute's record."""
    minutes = Minutes()
    lines = []
    climate = Climate(part, "climate", lambda level, text: lines.append(text), minutes)
    seen = []

    async def sleep_ms(ms):
        if ms == 10000:
            seen.append((climate.health, climate.last))
            if len(seen) == ROUNDS:
                raise Stop

    try:
        finish(climate.run(sleep_ms))
    except Stop:
        pass
    return seen, lines, minutes.close(0, 60)


def test_a_bus_that_is_stuck_or_empty_is_silent_from_the_first_reading_on_and_told_once():
    for fill in (holding(0), holding(0xFF), holding(0x55), untouched, nobody):
        for part in parts(fill):
            seen, lines, record = flags_of(part)
            assert seen == [(streetwire.HEALTH["climate_silent"], None)] * ROUNDS, part
            assert len(lines) == 1
            assert record.n_climate == 0
            assert part.faults == 3 * ROUNDS


def test_noise_on_the_bus_is_silent_or_implausible_and_never_believed():
    bad = (streetwire.HEALTH["climate_silent"], streetwire.HEALTH["climate_implausible"])
    for seed in range(5):
        chance = Chance(seed)

        def noise(buffer):
            for i in range(len(buffer)):
                buffer[i] = chance.below(256)  # noqa: B023  called at once

        for part in parts(noise):
            seen, _lines, record = flags_of(part)
            assert {health for health, _ in seen} <= set(bad)
            assert {last for _, last in seen} == {None}
            assert record.n_climate == 0


def test_a_bus_that_answers_now_and_then_raises_nothing():
    chance = Chance(3)

    def moody(buffer):
        if chance.below(3) == 0:
            raise OSError(110)
        value = chance.below(256)
        for i in range(len(buffer)):
            buffer[i] = value

    for part in parts(moody):
        for _ in range(200):
            read(part, no_sleep)


def test_noise_behind_a_true_chip_id_and_read_twice_alike_raises_nothing():
    chance = Chance(9)

    class Alike(Bus):
        def __init__(self):
            self.content = {}

        def writeto(self, address, data):
            return len(data)

        def readfrom_mem_into(self, address, register, buffer):
            if register not in self.content:
                self.content[register] = b"\x60" if register == 0xD0 else chance.bytes(len(buffer))
                if register == 0xF2:
                    self.content[register] = b"\x01\x00\x24" + self.content[register][3:]
            buffer[:] = self.content[register]

    for _ in range(300):
        read(BME280(Alike()), no_sleep)
