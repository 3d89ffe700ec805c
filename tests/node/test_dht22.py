# DHT22: the sum, the sign, the rest between two questions, and wires that say nothing or the same for ever.

from climate_bench import leaves_the_heap_as_it_was, read, refuses_every_flipped_bit
from dialect import vectors

from node.sensors.dht22 import DHT22, decode

VECTORS = vectors("climate.json")
GOOD = bytes.fromhex(VECTORS["dht22"][0]["hex"])
PIN = object()


def answer(humidity_tenths, temperature_tenths):
    raw = abs(temperature_tenths) | (0x8000 if temperature_tenths < 0 else 0)
    four = bytes([humidity_tenths >> 8, humidity_tenths & 255, raw >> 8, raw & 255])
    return four + bytes([sum(four) & 255])


class Wire:
    """`script` as of climate_bench.I2C; the last entry stays. `log` holds when it was asked and how long was slept."""

    def __init__(self, *script):
        self.script = list(script)
        self.log = []

    def readinto(self, pin, buffer):
        assert pin is PIN
        self.log.append("asked")
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if answer is None:
            raise OSError(116)
        buffer[: len(answer)] = answer

    async def sleep_ms(self, ms):
        self.log.append(ms)

    def part(self):
        return DHT22(self.readinto, PIN)


def test_bytes_that_nobody_here_made():
    for row in VECTORS["dht22"]:
        assert decode(bytes.fromhex(row["hex"])) == (round(row["t_c"] * 100), round(row["rh"] * 100))


def test_the_sign_is_a_bit():
    assert decode(b"\x02\x8c\x80\x65\x73") == (-1010, 6520)
    assert decode(answer(999, -1)) == (-10, 9990)
    assert decode(b"\x01\x4a\x80\x00\xcb") == (0, 3300)


def test_the_ends_of_its_range():
    assert decode(answer(0, -400)) == (-4000, 0)
    assert decode(answer(1000, 800)) == (8000, 10000)


def test_every_flipped_bit_is_refused():
    refuses_every_flipped_bit(decode, GOOD)


def test_a_wire_that_stays_low_or_high_is_no_reading():
    assert decode(bytes(5)) is None  # though its sum is right
    assert decode(b"\xff" * 5) is None


def test_two_seconds_pass_before_every_question():
    wire = Wire(bytes(5), None, GOOD)
    part = wire.part()
    assert read(part, wire.sleep_ms) == (2600, 3300)
    assert read(part, wire.sleep_ms) == (2600, 3300)
    assert part.faults == 2
    assert wire.log == [2000, "asked"] * 4


def test_an_answer_cut_short_silence_and_low_are_three_faults():
    part = Wire(GOOD, GOOD[:4], None, bytes(5)).part()
    assert read(part) == (2600, 3300)
    assert read(part) is None
    assert part.faults == 3


def test_readings_and_faults_leave_the_heap_as_it_was():
    leaves_the_heap_as_it_was(DHT22(lambda pin, buffer: None, PIN))
