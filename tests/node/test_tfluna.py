# The LiDAR driver: checksum, amplitude, being in step again after anything, and when each report was made.

from dialect import Chance, allocated, ticks_add, ticks_diff
from ports import Uart

from node.sensors.tfluna import FRAME_SIZE, TFLuna

BEAT_MS = 20
WRAP = 1 << 30


def report(cm, amplitude=1000):
    body = bytes([0x59, 0x59, cm & 255, cm >> 8, amplitude & 255, amplitude >> 8, 0x90, 0x08])
    return body + bytes([sum(body) & 255])


class Beam:
    """The driver with its uart, and what it told as [(ticks, mm), ...]."""

    def __init__(self):
        self.uart = Uart()
        self.driver = TFLuna(self.uart, ticks_diff, BEAT_MS)
        self.told = []

    def poll(self, data=b"", now=0):
        self.uart.received += data
        return self.driver.poll(now, self._on_sample, ticks_add)

    def _on_sample(self, ticks):
        self.told.append((ticks, self.driver.mm))

    def ranges(self):
        return [mm for _, mm in self.told]


def test_the_range_is_told_in_mm():
    beam = Beam()
    assert beam.poll(report(1) + report(255) + report(256) + report(800)) == 4
    assert beam.ranges() == [10, 2550, 2560, 8000]
    assert (beam.driver.frames, beam.driver.rejected_bytes) == (4, 0)


def test_a_range_without_a_reliable_echo_is_none():
    for amplitude, mm in ((0, 0), (99, 0), (100, 1230), (65534, 1230), (65535, 0)):
        beam = Beam()
        beam.poll(report(123, amplitude))
        assert beam.ranges() == [mm], amplitude
    beam = Beam()
    beam.poll(report(0))
    assert beam.ranges() == [0]


def test_every_flipped_bit_costs_this_report_and_no_other():
    for at in range(FRAME_SIZE):
        for bit in range(8):
            wrong = bytearray(report(300))
            wrong[at] ^= 1 << bit
            beam = Beam()
            beam.poll(bytes(wrong) + report(200))
            assert beam.ranges() == [2000], (at, bit)
            assert beam.driver.rejected_bytes == FRAME_SIZE


def test_a_byte_at_a_time_and_cut_anywhere_give_the_same_reports():
    stream = b"".join([report(cm) for cm in (100, 89, 22873, 400)])  # 22873 is 0x5959, a header within
    beam = Beam()
    for i in range(len(stream)):
        beam.poll(stream[i : i + 1])
    assert beam.ranges() == [1000, 890, 0, 4000]
    for at in range(len(stream)):
        beam = Beam()
        beam.poll(stream[:at])
        beam.poll(stream[at:])
        assert beam.ranges() == [1000, 890, 0, 4000]


def test_the_wrong_baud_rate_gives_no_report_and_the_right_one_is_found_again():
    chance = Chance(81)
    beam = Beam()
    for _ in range(300):
        beam.poll(bytes([chance.below(3) * 0x59 for _ in range(100)]))  # as much like headers as can be
    garbled = beam.driver.frames
    assert garbled * FRAME_SIZE < beam.driver.rejected_bytes // 50  # one byte is a weak checksum
    beam.poll(bytes(FRAME_SIZE) + report(200))
    assert beam.ranges()[-1] == 2000
    beam = Beam()
    for _ in range(300):
        beam.poll(bytes([chance.below(128) * 2 for _ in range(100)]))
    assert beam.driver.frames == 0
    assert beam.driver.rejected_bytes > 29900


def test_reports_in_one_read_are_a_beat_apart():
    beam = Beam()
    beam.poll(report(1) * 5, now=1000)
    assert [ticks for ticks, _ in beam.told] == [920, 940, 960, 980, 1000]


def test_a_late_reader_does_not_move_the_reports():
    chance = Chance(82)
    beam = Beam()
    for i in range(200):
        beam.poll(report(100), now=BEAT_MS * i + chance.below(15))
    late = [ticks - BEAT_MS * i for i, (ticks, _) in enumerate(beam.told)][20:]
    assert max(late) - min(late) <= 2


def test_a_report_is_never_later_than_it_was_read():
    chance = Chance(83)
    beam = Beam()
    for i in range(500):
        now = (BEAT_MS - 1) * i + chance.below(10)  # the part is a little faster than it says
        beam.poll(report(100), now=now)
        assert beam.told[-1][0] <= now


def test_another_rate_than_was_asked_for_is_measured():
    for beat in (10, 30, 100):
        beam = Beam()
        for i in range(9000 // beat):
            beam.told = []
            beam.poll(report(100), now=beat * i)
        beam.poll(report(100) * 4, now=beat * (9000 // beat + 3))
        ticks = [at for at, _ in beam.told[-4:]]
        steps = [ticks[i + 1] - ticks[i] for i in range(3)]
        assert max([abs(step - beat) for step in steps]) <= beat // 10 + 1, (beat, steps)


def test_one_read_that_was_late_hardly_makes_the_beat_longer():
    beam = Beam()
    for i in range(100):
        beam.poll(report(100), now=BEAT_MS * i)
    beam.poll(report(100), now=100 * BEAT_MS + 100)  # over two seconds a twentieth too long
    beam.told = []
    beam.poll(report(100) * 40, now=3500)
    assert 39 * BEAT_MS <= ticks_diff(beam.told[-1][0], beam.told[0][0]) <= 39 * BEAT_MS + 15


def test_a_time_in_which_nobody_read_is_no_measure():
    for pause_ms in (5000, (1 << 29) + 1000):  # the second is too long to tell from a step back
        beam = Beam()
        beam.poll(report(100), now=0)
        beam.poll(report(100), now=pause_ms)
        beam.told = []
        beam.poll(report(100) * 5, now=pause_ms + 1000)
        assert [ticks_diff(ticks, pause_ms + 1000) for ticks, _ in beam.told] == [-4 * BEAT_MS + BEAT_MS * i for i in range(5)]


def test_a_pause_is_no_other_rate():
    beam = Beam()
    for i in range(600):
        now = BEAT_MS * i
        if not 4000 <= now < 5200:  # nothing is sent
            beam.told = []
            beam.poll(report(100), now=now)
            if now > 5400:
                beam.poll(report(100) * 3, now=now)
                assert beam.told[-1][0] - beam.told[-2][0] <= BEAT_MS + 4, now


def test_a_damaged_report_counts_for_its_time():
    beam = Beam()
    for i in range(20):
        beam.poll(bytes(FRAME_SIZE) if i == 10 else report(100), now=BEAT_MS * i)
    assert [ticks for ticks, _ in beam.told] == [BEAT_MS * i for i in range(20) if i != 10]


def test_after_a_silence_time_begins_anew():
    beam = Beam()
    beam.poll(report(100), now=0)
    beam.poll(report(100), now=5000)
    assert beam.told[-1][0] == 5000


def test_ticks_wrap():
    beam = Beam()
    for i in range(10):
        beam.poll(report(100), now=ticks_add(WRAP - 90, BEAT_MS * i))
    assert [ticks_diff(ticks, WRAP - 90) for ticks, _ in beam.told] == [BEAT_MS * i for i in range(10)]


def test_setting_up_asks_for_fifty_reports_a_second():
    beam = Beam()
    beam.driver.set_up()
    assert beam.uart.written == b"\x5a\x06\x03\x32\x00\x95"


class StillUart:
    """A uart that allocates nothing: the same two whole reports, as often as asked for."""

    def __init__(self, data):
        self._data = data
        self.waiting = 0

    def any(self):
        return self.waiting

    def readinto(self, buffer):
        for i in range(len(self._data)):
            buffer[i] = self._data[i]
        self.waiting -= len(self._data)
        return len(self._data)


def test_twenty_thousand_reports_cost_no_memory():
    uart = StillUart(report(200) * 2)
    driver = TFLuna(uart, ticks_diff, BEAT_MS)

    def on_sample(ticks):
        pass

    def read(times):
        for i in range(times):
            uart.waiting = 2 * FRAME_SIZE
            driver.poll(i * 2 * BEAT_MS, on_sample, ticks_add)

    read(1)
    assert allocated(lambda: read(10000)) == 0
    assert driver.frames == 20002
