# DS18B20: checksum, resolution, the value after power-on, and wires without a probe or with two.

from climate_bench import leaves_the_heap_as_it_was, read, refuses_every_flipped_bit
from dialect import Chance, vectors

from node.sensors import crc8
from node.sensors.ds18b20 import DS18B20, decode

VECTORS = vectors("climate.json")
GOOD = bytes.fromhex(VECTORS["ds18b20"][0]["hex"])
POWER_ON = 85 * 16


def answer(sixteenths, configuration=0x7F):
    eight = bytes([sixteenths & 255, sixteenths >> 8 & 255, 0x4B, 0x46, configuration, 0xFF, 0x0C, 0x10])
    return eight + bytes([crc8.maxim(eight, 8)])


class Wire:
    """`script`: scratchpads, which may end early, or None for no probe; the last stays. Logs what a bus would show."""

    def __init__(self, *script):
        self.script = list(script)
        self.log = []

    def reset(self):
        self.log.append("reset")
        if self.script[0] is None:
            if len(self.script) > 1:
                self.script.pop(0)
            return False
        return True

    def writebyte(self, value):
        self.log.append(value)

    def readinto(self, buffer):
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        buffer[: len(answer)] = answer

    async def sleep_ms(self, ms):
        self.log.append(("sleep", ms))


def readings(*script):
    part = DS18B20(Wire(*script))
    return [read(part) for _ in script], part.faults


def test_bytes_that_nobody_here_made():
    for row in VECTORS["ds18b20"]:
        assert decode(bytes.fromhex(row["hex"])) == 2519 == round(row["t_c"] * 100)
    for row in VECTORS["crc8_maxim"]:
        assert crc8.maxim(bytes.fromhex(row["hex"]), 8) == int(row["crc"], 16)


def test_the_ends_of_its_range_and_the_sign():
    for sixteenths, centi in ((-880, -5500), (2000, 12500), (0, 0), (-1, -6), (1, 6), (-8, -50), (8, 50)):
        assert decode(answer(sixteenths)) == centi


def test_bits_below_its_resolution_mean_nothing():
    assert decode(answer(0x0197, 0x1F)) == 2500
    assert decode(answer(0x0197, 0x3F)) == 2525
    assert decode(answer(0x0197, 0x5F)) == 2538
    assert decode(answer(0x0197, 0x7F)) == 2544
    assert decode(answer(-1, 0x1F)) == -50


def test_every_flipped_bit_is_refused():
    refuses_every_flipped_bit(decode, GOOD)


def test_a_wire_that_stays_low_or_high_and_garbage_are_no_reading():
    assert decode(bytes(9)) is None  # though its checksum is right
    assert decode(b"\xff" * 9) is None
    chance = Chance(18)
    assert len([1 for _ in range(4000) if decode(chance.bytes(9)) is not None]) <= 4  # 8 bits of checksum, 6 that are fixed


def test_it_starts_a_measurement_waits_and_reads():
    wire = Wire(GOOD)
    assert read(DS18B20(wire), wire.sleep_ms) == (2519, None)
    assert wire.log == ["reset", 0xCC, 0x44, ("sleep", 750), "reset", 0xCC, 0xBE]


def test_the_value_after_power_on_is_refused():
    part = DS18B20(Wire(answer(POWER_ON)))
    assert read(part) is None
    assert part.faults == 3
    assert "85" in part.fault
    assert readings(GOOD, answer(POWER_ON), GOOD) == ([(2519, None)] * 3, 1)


def test_85_degrees_are_believed_next_to_readings_like_it():
    hot = [answer(POWER_ON - 30), answer(POWER_ON), answer(POWER_ON)]
    assert readings(*hot) == ([(8313, None), (8500, None), (8500, None)], 0)
    part = DS18B20(Wire(answer(POWER_ON - 40), answer(POWER_ON)))
    assert read(part) == (8250, None)
    assert read(part) is None


def test_an_answer_cut_short_no_probe_and_a_wire_held_low_are_three_faults():
    part = DS18B20(Wire(GOOD, GOOD[:6], None, bytes(9), GOOD))
    assert read(part) == (2519, None)
    assert read(part) is None
    assert part.faults == 3
    assert read(part) == (2519, None)


def test_a_probe_that_is_gone_before_it_is_read_is_a_fault():
    wire = Wire(GOOD)
    answers = [True, False] * 3
    wire.reset = lambda: answers.pop(0)
    part = DS18B20(wire)
    assert read(part) is None
    assert (part.faults, part.fault) == (3, "no probe on the wire")


def test_readings_and_faults_leave_the_heap_as_it_was():
    class Steady(Wire):
        def writebyte(self, value):
            pass

        def reset(self):
            return True

    leaves_the_heap_as_it_was(DS18B20(Steady(GOOD)))
    leaves_the_heap_as_it_was(DS18B20(Steady(bytes(9))))
