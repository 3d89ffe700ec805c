# SHT4x: checksum, scaling, three tries, and a part that is not there.

from dialect import finish, vectors

from node.sensors.sht4x import MEASURE, SHT4x, crc8, decode

VECTORS = vectors("sensirion.json")


def answer(raw_t, raw_h):
    out = b""
    for raw in (raw_t, raw_h):
        word = bytes([raw >> 8, raw & 255])
        out += word + bytes([crc8(word, 0)])
    return out


GOOD = answer(26214, 32768)


class Bus:
    """Answers measurements with what the script says: bytes, or None for a part that does not answer."""

    def __init__(self, script):
        self.script = list(script)
        self.log = []

    def writeto(self, address, data):
        self.log.append(("write", address, bytes(data)))
        if self.script[0] is None:
            self.script.pop(0)
            raise OSError(19)

    def readfrom_into(self, address, buffer):
        self.log.append(("read", address))
        buffer[:] = self.script.pop(0)

    async def sleep_ms(self, ms):
        self.log.append(("sleep", ms))


def read(script, address=0x44):
    bus = Bus(script)
    part = SHT4x(bus, address)
    return finish(part.read(bus.sleep_ms)), part.faults, bus.log


def test_checksums_of_the_datasheet():
    for row in VECTORS["crc8"]:
        assert crc8(bytes.fromhex(row["hex"]), 0) == int(row["crc"], 16)
    assert crc8(b"\x00\xbe\xef", 1) == 0x92


def test_temperature_of_bytes_that_nobody_here_made():
    for row in VECTORS["frame"]:
        assert decode(bytes.fromhex(row["hex"]))[0] == round(row["t_c"] * 100)


def test_the_scales_end_where_the_datasheet_says():
    assert decode(answer(0, 3146)) == (-4500, 0)
    assert decode(answer(65535, 65535)) == (13000, 10000)
    assert decode(answer(0, 0)) == (-4500, 0)  # -6 % is cut off
    assert decode(answer(0, 55575)) == (-4500, 10000)
    assert decode(answer(0, 60000)) == (-4500, 10000)


def test_readings_are_rounded_to_the_nearest_hundredth():
    for raw in range(0, 65536, 77):
        temperature, humidity = decode(answer(raw, raw))
        assert abs(temperature - (-4500 + 17500 * raw / 65535)) <= 0.5
        exact = -600 + 12500 * raw / 65535
        assert abs(humidity - min(max(exact, 0), 10000)) <= 0.5


def test_every_flipped_bit_is_refused():
    for at in range(6):
        for bit in range(8):
            wrong = bytearray(GOOD)
            wrong[at] ^= 1 << bit
            assert decode(wrong) is None


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
    bus = Bus([None, None, None, GOOD])
    part = SHT4x(bus)
    assert finish(part.read(bus.sleep_ms)) is None
    assert finish(part.read(bus.sleep_ms)) == decode(GOOD)
    assert part.faults == 3
