# SHT4x: checksum, scaling, words that no air has, three tries, answers cut short, and a part that is not there.

from climate_bench import I2C, leaves_the_heap_as_it_was, refuses_every_flipped_bit
from climate_bench import read as read_once
from dialect import vectors

from node.sensors import crc8
from node.sensors.sht4x import MEASURE, SHT4x, decode

VECTORS = vectors("sensirion.json")


def answer(raw_t, raw_h):
    out = b""
    for raw in (raw_t, raw_h):
        word = bytes([raw >> 8, raw & 255])
        out += word + bytes([crc8.sensirion(word, 0)])
    return out


GOOD = answer(26214, 32768)


def read(script, address=0x44):
    bus = I2C(script)
    part = SHT4x(bus, address)
    return read_once(part, bus.sleep_ms), part.faults, bus.log


def test_checksums_of_the_datasheet():
    for row in VECTORS["crc8"]:
        assert crc8.sensirion(bytes.fromhex(row["hex"]), 0) == int(row["crc"], 16)
    assert crc8.sensirion(b"\x00\xbe\xef", 1) == 0x92


def test_temperature_of_bytes_that_nobody_here_made():
    for row in VECTORS["frame"]:
        assert decode(bytes.fromhex(row["hex"]))[0] == round(row["t_c"] * 100)


def test_the_scales_end_where_the_datasheet_says():
    assert decode(answer(1, 3146)) == (-4500, 0)
    assert decode(answer(65534, 55575)) == (13000, 10000)
    assert decode(answer(26214, 1)) == (2500, 0)  # -6 % is cut off
    assert decode(answer(26214, 65534)) == (2500, 10000)


def test_a_word_that_no_air_has_is_refused_behind_a_valid_checksum():
    for rail in (0, 65535):
        assert decode(answer(rail, 32768)) is None
        assert decode(answer(26214, rail)) is None


def test_readings_are_rounded_to_the_nearest_hundredth():
    for raw in range(1, 65535, 77):
        temperature, humidity = decode(answer(raw, raw))
        assert abs(temperature - (-4500 + 17500 * raw / 65535)) <= 0.5
        exact = -600 + 12500 * raw / 65535
        assert abs(humidity - min(max(exact, 0), 10000)) <= 0.5


def test_every_flipped_bit_is_refused():
    refuses_every_flipped_bit(decode, GOOD)


def test_a_stuck_bus_is_no_reading():
    assert decode(bytes(6)) is None
    assert decode(b"\xff" * 6) is None


def test_one_good_answer_is_enough():
    reading, faults, log = read([GOOD], address=0x45)
    assert reading == decode(GOOD)
    assert faults == 0
    assert log == [("write", 0x45, MEASURE), ("sleep", 10), ("read", 0x45)]
    assert MEASURE == b"\xfd"


def test_refused_answers_are_counted_and_tried_again_up_to_three_times():
    assert read([bytes(6), GOOD])[:2] == (decode(GOOD), 1)
    assert read([bytes(6), None, GOOD])[:2] == (decode(GOOD), 2)
    reading, faults, log = read([bytes(6), bytes(6), bytes(6), GOOD])
    assert (reading, faults) == (None, 3)
    assert len([entry for entry in log if entry[0] == "write"]) == 3


def test_an_absent_part_is_no_reading_and_no_error():
    assert read([None, None, None])[:2] == (None, 3)


def test_a_part_that_comes_back_is_read_again():
    bus = I2C([None, None, None, GOOD])
    part = SHT4x(bus)
    assert read_once(part) is None
    assert read_once(part) == decode(GOOD)
    assert part.faults == 3


def test_an_answer_cut_short_is_never_completed_from_the_one_before():
    bus = I2C([GOOD, GOOD[:3], b"", GOOD[:5]])
    part = SHT4x(bus)
    assert read_once(part) == decode(GOOD)
    assert read_once(part) is None
    assert part.faults == 3


def test_the_last_fault_says_what_it_was():
    part = SHT4x(I2C([bytes(6), bytes(6), bytes(6), None, None, None]))
    read_once(part)
    assert part.fault == "checksum or impossible value"
    read_once(part)
    assert "19" in part.fault


class Steady:
    """Says the same for ever and keeps no log."""

    def __init__(self, answer):
        self.answer = answer

    def writeto(self, address, data):
        pass

    def readfrom_into(self, address, buffer):
        buffer[:] = self.answer


def test_readings_and_faults_leave_the_heap_as_it_was():
    leaves_the_heap_as_it_was(SHT4x(Steady(GOOD)))
    leaves_the_heap_as_it_was(SHT4x(Steady(bytes(6))))
