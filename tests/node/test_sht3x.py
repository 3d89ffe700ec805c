# SHT3x: its own command, wait and humidity; checksums, words that no air has, and a part that is not ready.

from climate_bench import I2C, read, refuses_every_flipped_bit
from dialect import Chance, vectors

from node.sensors import crc8
from node.sensors.sht3x import SHT3x, decode

VECTORS = vectors("climate.json")


def answer(raw_t, raw_h):
    out = b""
    for raw in (raw_t, raw_h):
        word = bytes([raw >> 8, raw & 255])
        out += word + bytes([crc8.sensirion(word, 0)])
    return out


GOOD = answer(26214, 32768)


def test_bytes_that_nobody_here_made():
    for row in VECTORS["sht3x"]:
        assert decode(bytes.fromhex(row["hex"])) == (round(row["t_c"] * 100), round(row["rh"] * 100))


def test_the_scales_end_where_the_datasheet_says():
    assert decode(answer(1, 1)) == (-4500, 0)
    assert decode(answer(65534, 65534)) == (13000, 10000)
    assert decode(answer(26214, 65535)) == (2500, 10000)  # fog


def test_a_word_that_no_air_has_is_refused_behind_a_valid_checksum():
    assert decode(answer(0, 32768)) is None
    assert decode(answer(65535, 32768)) is None
    assert decode(answer(26214, 0)) is None


def test_every_flipped_bit_is_refused():
    refuses_every_flipped_bit(decode, GOOD)


def test_a_stuck_bus_and_garbage_are_no_reading():
    assert decode(bytes(6)) is None
    assert decode(b"\xff" * 6) is None
    chance = Chance(7)
    assert len([1 for _ in range(2000) if decode(chance.bytes(6))]) <= 1  # two checksums of eight bits


def test_it_measures_once_without_stretching_the_clock():
    bus = I2C([GOOD])
    assert read(SHT3x(bus, 0x45), bus.sleep_ms) == decode(GOOD)
    assert bus.log == [("write", 0x45, b"\x24\x00"), ("sleep", 16), ("read", 0x45)]


def test_no_acknowledgement_a_stuck_bus_and_an_answer_cut_short_are_three_faults():
    part = SHT3x(I2C([None, bytes(6), GOOD[:4], GOOD]))
    assert read(part) is None
    assert part.faults == 3
    assert read(part) == decode(GOOD)
