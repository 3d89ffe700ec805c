# BME280: Bosch's compensation, words of its own, one measurement at a time, and doubt where no checksum helps.

import struct

from climate_bench import leaves_the_heap_as_it_was, read
from dialect import Chance, vectors

from node.sensors.bme280 import (
    BME280,
    fine_temperature,
    humidity_centi,
    pressure_pa,
    temperature_centi,
    unpack_words,
)

ROWS = vectors("climate.json")["bme280"]
REAL = ROWS[1]
REAL_READING = (2479, 6867)


def words_of(row):
    """Registers 0x88 to 0xA1 and 0xE1 to 0xE7 of a part with these words."""
    h1, h2, h3, h4, h5, h6 = row["dig_H"]
    t, p = row["dig_T"], row["dig_P"]
    first = struct.pack("<Hhh", t[0], t[1], t[2]) + struct.pack("<H", p[0])
    first += b"".join([struct.pack("<h", word) for word in p[1:]]) + bytes([0, h1])
    shared = h4 & 15 | (h5 & 15) << 4
    return first, struct.pack("<hBbBbb", h2, h3, h4 >> 4, shared, h5 >> 4, h6)


class Bus:
    """A part in its registers. It measures when told; of the register `torn[0]` only `torn[1]` bytes arrive, `noise` spoils all."""

    def __init__(self, row=REAL):
        self.registers = bytearray(256)
        self.registers[0xD0] = 0x60
        self.registers[0x88:0xA2], self.registers[0xE1:0xE8] = words_of(row)
        self.measures(row["adc_T"], row["adc_P"], row["adc_H"])
        self.is_there = True
        self.is_busy = False
        self.torn = None, 0
        self.noise = None
        self.reads = []
        self.writes = 0

    def measures(self, adc_t, adc_p, adc_h):
        twenty = [bytes([adc >> 12, adc >> 4 & 255, (adc & 15) << 4]) for adc in (adc_p, adc_t)]
        self.measured = twenty[0] + twenty[1] + bytes([adc_h >> 8, adc_h & 255])

    def writeto(self, address, data):
        if not self.is_there or address != 0x76:
            raise OSError(19)
        self.writes += 1
        for at in range(0, len(data), 2):
            self.registers[data[at]] = data[at + 1]
        if self.registers[0xF4] & 3:
            self.registers[0xF7:0xFF] = self.measured
            self.registers[0xF3] = 8 if self.is_busy else 0
            self.registers[0xF4] &= 0xFC

    def readfrom_mem_into(self, address, register, buffer):
        if not self.is_there:
            raise OSError(19)
        self.reads.append(register)
        n = self.torn[1] if self.torn[0] == register else len(buffer)
        buffer[:n] = self.registers[register : register + n]
        if self.noise:
            for i in range(n):
                buffer[i] ^= self.noise.below(256)

    def steady(self):
        """Keeps no log."""
        self.reads = None
        self.readfrom_mem_into = self._quiet
        return self

    def _quiet(self, address, register, buffer):
        buffer[:] = self.registers[register : register + len(buffer)]


def test_values_that_nobody_here_made():
    for row in ROWS:
        fine = fine_temperature(row["adc_T"], row["dig_T"])
        assert temperature_centi(fine) == round(row["t_c"] * 100)
        assert pressure_pa(row["adc_P"], fine, row["dig_P"]) == int(row["p_pa"])
        if "dig_H" in row:
            assert humidity_centi(row["adc_H"], fine, row["dig_H"]) == round(row["rh"] * 100)


def test_humidity_ends_at_nothing_and_at_a_hundred():
    fine = fine_temperature(REAL["adc_T"], REAL["dig_T"])
    assert humidity_centi(1, fine, REAL["dig_H"]) == 0
    assert humidity_centi(0xFFFE, fine, REAL["dig_H"]) == 10000


def test_words_are_put_together_from_registers_also_negative_ones():
    row = {"dig_T": [65534, -32768, 32767], "dig_P": [1, -1, 2, -3, 4, -5, 6, -7, 32767]}
    row["dig_H"] = [255, 376, 254, -2048, 2047, -128]
    t, p, h = unpack_words(*words_of(row))
    assert (list(t), list(p), list(h)) == (row["dig_T"], row["dig_P"], row["dig_H"])
    row["dig_H"][3:5] = [2047, -2048]
    assert list(unpack_words(*words_of(row))[2]) == row["dig_H"]


def test_it_measures_once_each_time_and_reads_its_words_once():
    bus = Bus()
    part = BME280(bus)
    slept = []

    async def sleep_ms(ms):
        slept.append(ms)

    for _ in range(3):
        assert read(part, sleep_ms) == REAL_READING
    assert part.faults == 0
    assert slept == [12] * 3
    assert bus.writes == 3
    assert bus.reads == [0xD0] * 2 + [0x88] * 2 + [0xE1] * 2 + [0xF2] * 6
    assert (bus.registers[0xF2], bus.registers[0xF4], bus.registers[0xF5]) == (1, 0x24, 0)


def test_another_chip_is_refused_and_named():
    bus = Bus()
    bus.registers[0xD0] = 0x58
    part = BME280(bus)
    assert read(part) is None
    assert (part.faults, part.fault, bus.writes) == (3, "chip id 0x58, expected 0x60 of a BME280", 0)


def test_a_part_without_words_is_refused():
    first, second = words_of(REAL)
    for empty in (b"\x00", b"\xff"):
        assert unpack_words(empty * 26, second) is None
        assert unpack_words(first, empty * 7) is None
    bus = Bus()
    bus.registers[0xE1:0xE8] = bytes(7)
    part = BME280(bus)
    assert read(part) is None
    assert (part.faults, part.fault) == (3, "no calibration words")


def test_words_without_a_scale_give_no_pressure():
    assert pressure_pa(REAL["adc_P"], 128000, [0] * 9) == 0


def test_what_was_not_measured_is_refused():
    t, p, h = REAL["adc_T"], REAL["adc_P"], REAL["adc_H"]
    for skipped in ((0x80000, p, h), (t, 0x80000, h), (t, p, 0x8000), (0, p, h), (0xFFFFF, p, h), (t, p, 0), (t, p, 0xFFFF)):
        bus = Bus()
        bus.measures(*skipped)
        assert read(BME280(bus)) is None, skipped
    bus = Bus()
    bus.is_busy = True
    assert read(BME280(bus)) is None


def test_a_pressure_of_no_street_is_refused():
    # 300 and 1100 hPa, and the next step beyond
    for adc_p, is_read in ((771784, True), (771790, False), (268822, True), (268816, False), (1, False), (0xFFFFE, False)):
        bus = Bus()
        bus.measures(REAL["adc_T"], adc_p, REAL["adc_H"])
        assert (read(BME280(bus)) is not None) == is_read, adc_p


def test_a_part_that_forgot_what_it_was_told_is_refused():
    for register in (0xF2, 0xF4):
        bus = Bus()
        part = BME280(bus)
        assert read(part) == REAL_READING
        bus.writeto = lambda address, data: None  # acknowledged by a part that starts anew
        bus.registers[register] = 0
        assert read(part) is None, register
        assert part.faults == 3


def test_every_bit_that_flips_in_one_of_two_reads_is_refused():
    class Flips(Bus):
        at = bit = 0

        def readfrom_mem_into(self, address, register, buffer):
            Bus.readfrom_mem_into(self, address, register, buffer)
            if register == 0xF2 and len([1 for r in self.reads if r == 0xF2]) == 1:
                buffer[self.at] ^= 1 << self.bit

    for at in range(13):
        for bit in range(8):
            bus = Flips()
            bus.at, bus.bit = at, bit
            part = BME280(bus)
            assert read(part) == REAL_READING
            assert part.faults == 1, (at, bit)


def test_a_part_that_comes_back_tells_its_own_words():
    bus = Bus()
    part = BME280(bus)
    assert read(part) == REAL_READING
    bus.is_there = False
    assert read(part) is None
    bus.is_there = True
    bus.registers[0x88] ^= 0x40
    warmer = read(part)
    assert warmer is not None
    assert warmer != REAL_READING


def test_an_answer_cut_short_is_no_reading():
    for register, size in ((0xD0, 1), (0x88, 26), (0xE1, 7), (0xF2, 13)):
        for arrived in range(size):
            bus = Bus()
            bus.torn = register, arrived
            part = BME280(bus)
            assert read(part) is None, (register, arrived)
            bus.torn = None, 0
            assert read(part) == REAL_READING


def test_an_answer_cut_short_is_never_completed_from_the_one_before():
    bus = Bus()
    bus.measures(REAL["adc_T"], REAL["adc_P"], 0x76FF)
    part = BME280(bus)
    assert read(part) is not None
    bus.torn = 0xF2, 12
    assert read(part) is None


def test_buses_that_are_stuck_and_garbage_are_no_reading():
    for stuck in (0, 255):
        bus = Bus()
        bus.registers[0x88:0xD0] = bytes([stuck]) * (0xD0 - 0x88)
        bus.registers[0xD1:] = bytes([stuck]) * (256 - 0xD1)
        bus.writeto = lambda address, data: None
        assert read(BME280(bus)) is None, stuck
    bus = Bus()
    part = BME280(bus)
    assert read(part) == REAL_READING
    bus.noise = Chance(280)
    for _ in range(300):
        assert read(part) is None


def test_no_words_and_no_measurement_make_it_stumble():
    chance = Chance(17)
    bus = Bus()
    for _ in range(500):
        bus.registers[0x88:0xA2] = chance.bytes(26)
        bus.registers[0xE1:0xE8] = chance.bytes(7)
        bus.measured = chance.bytes(8)
        reading = read(BME280(bus))
        assert reading is None or 0 <= reading[1] <= 10000


def test_readings_and_faults_leave_the_heap_as_it_was():
    leaves_the_heap_as_it_was(BME280(Bus().steady()))
    bus = Bus().steady()
    bus.is_there = False
    leaves_the_heap_as_it_was(BME280(bus))
