# The radar driver: bytes that nobody here made, being in step again after anything, and when each report was made.

import gc

from dialect import Chance, ticks_add, ticks_diff, vectors
from ports import Uart

from node.sensors.ld2450 import FARTHEST_MM, FASTEST_CM_S, FRAME_SIZE, LD2450, RX_BUFFER

VECTORS = vectors("ld2450.json")
EMPTY = b"\xaa\xff\x03\x00" + bytes(24) + b"\x55\xcc"


def word(value):
    """Sign and magnitude, positive with bit 15 set."""
    raw = value | 0x8000 if value >= 0 else -value
    return bytes([raw & 255, raw >> 8])


def report(*targets):
    slots = b"".join([word(x) + word(y) + word(speed) + b"\x68\x01" for x, y, speed in targets])
    return b"\xaa\xff\x03\x00" + slots + bytes(24 - len(slots)) + b"\x55\xcc"


class Radar:
    """The driver with its uart, and what it reported as [(ticks, [(x, y, speed), ...]), ...]."""

    def __init__(self, range_permille=1000):
        self.uart = Uart()
        self.driver = LD2450(self.uart, range_permille)
        self.reports = []

    def poll(self, data=b"", now=0):
        self.uart.received += data
        return self.driver.poll(now, self._on_frame, ticks_add)

    def _on_frame(self, ticks):
        flat = self.driver.targets
        self.reports.append((ticks, [tuple(flat[3 * i : 3 * i + 3]) for i in range(self.driver.n_targets)]))

    def targets(self):
        return [targets for _, targets in self.reports]


def targets_in(data):
    radar = Radar()
    radar.poll(data)
    return radar.targets()


def full(row):
    if "hex" in row:
        return bytes.fromhex(row["hex"]), row["targets"]
    return bytes.fromhex(row["hex12"]) + bytes(16) + b"\x55\xcc", [row["target1"]]


def test_reports_that_nobody_here_made():
    for row in VECTORS["ld2450_report"]:
        data, targets = full(row)
        assert targets_in(data) == [[tuple(target[:3]) for target in targets]], row["src"]


def test_setting_up_enables_asks_for_several_targets_and_ends():
    commands = {row["name"]: bytes.fromhex(row["hex"]) for row in VECTORS["ld2450_command"]}
    radar = Radar()
    radar.driver.set_up()
    assert radar.uart.written == commands["enable config"] + commands["multi target"] + commands["end config"]


def test_acknowledgements_are_no_reports_and_hide_none():
    answers = b"".join([bytes.fromhex(row["hex"]) for row in VECTORS["ld2450_ack"]])
    radar = Radar()
    radar.poll(answers + report((1, 500, 0)) + answers + report((2, 500, 0)))
    assert radar.targets() == [[(1, 500, 0)], [(2, 500, 0)]]
    assert radar.driver.rejected_bytes == 2 * len(answers)


def test_the_answer_to_several_targets_is_noticed():
    for before in (b"", b"\xaa\xff\x03", EMPTY):
        radar = Radar()
        radar.poll(before + EMPTY)
        assert not radar.driver.is_set_up
        radar.poll(bytes.fromhex("FDFCFBFA04009001000004030201") + EMPTY)
        assert radar.driver.is_set_up


def test_signs_are_sign_and_magnitude_with_the_sense_inverted():
    for x in (0, 1, FARTHEST_MM, -FARTHEST_MM):
        for speed in (0, 1, FASTEST_CM_S, -FASTEST_CM_S):
            assert targets_in(report((x, 1, speed))) == [[(x, 1, speed)]]
    assert targets_in(report((5, FARTHEST_MM, 5))) == [[(5, FARTHEST_MM, 5)]]


def test_a_target_where_none_can_be_makes_the_report_none():
    beyond = (FARTHEST_MM + 1, 32767)
    absurd = [(x, 1000, 5) for x in beyond] + [(-x, 1000, 5) for x in beyond] + [(5, y, 5) for y in beyond + (-1, -1000, 0)]
    absurd += [(5, 1000, FASTEST_CM_S + 1), (5, 1000, -32767)]
    for target in absurd:
        radar = Radar()
        radar.poll(report((1, 500, 0), target) + report((2, 500, 0)))
        assert radar.targets() == [[(2, 500, 0)]], target
        assert radar.driver.rejected_bytes == FRAME_SIZE


def test_empty_slots_are_left_out_wherever_they_stand():
    slot = word(10) + word(700) + word(-3) + b"\x68\x01"
    for pattern in range(8):
        body = b"".join([slot if pattern >> i & 1 else bytes(8) for i in range(3)])
        expected = [(10, 700, -3)] * sum([pattern >> i & 1 for i in range(3)])
        assert targets_in(b"\xaa\xff\x03\x00" + body + b"\x55\xcc") == [expected]


def test_the_range_scale_stretches_y_only():
    radar = Radar(range_permille=1050)
    radar.poll(report((-2000, 2000, 50)))
    assert radar.targets() == [[(-2000, 2100, 50)]]


def test_header_and_tail_must_both_fit():
    good = report((1, 500, 0))
    for at in (0, 1, 2, 3, 28, 29):
        for bit in range(8):
            wrong = bytearray(good)
            wrong[at] ^= 1 << bit
            radar = Radar()
            radar.poll(bytes(wrong) + good)
            assert radar.targets() == [[(1, 500, 0)]]
            assert radar.driver.rejected_bytes == FRAME_SIZE
            assert radar.driver.frames == 1


def test_a_byte_at_a_time_and_cut_anywhere_give_the_same_reports():
    stream = report((1, 500, 0)) + EMPTY + report((-7, 600, 8), (9, 700, -10)) + report((3, 800, 0))
    whole = targets_in(stream)
    assert len(whole) == 4
    radar = Radar()
    for i in range(len(stream)):
        radar.poll(stream[i : i + 1])
    assert radar.targets() == whole
    for at in range(len(stream)):
        radar = Radar()
        radar.poll(stream[:at])
        radar.poll(stream[at:])
        assert radar.targets() == whole
        assert radar.driver.rejected_bytes == 0


def test_in_step_again_after_garbage_with_every_rejected_byte_counted():
    chance = Chance(61)
    frames = [report((i + 1, 500 + i, 0)) for i in range(6)]
    for _ in range(100):
        radar = Radar()
        garbage = 0
        for frame in frames:
            noise = bytes([0xAA if byte < 40 else byte for byte in chance.bytes(chance.below(70))])
            garbage += len(noise)
            data = noise + frame
            while data:
                n = 1 + chance.below(90)
                radar.poll(data[:n])
                data = data[n:]
        assert radar.targets() == [[(i + 1, 500 + i, 0)] for i in range(6)]
        assert radar.driver.rejected_bytes == garbage


def test_a_cut_frame_costs_itself_only():
    good = report((1, 500, 0))
    for at in range(1, FRAME_SIZE):
        radar = Radar()
        radar.poll(report((9, 999, 9))[:at] + good + good)
        assert radar.targets() == [[(1, 500, 0)], [(1, 500, 0)]]
        assert radar.driver.rejected_bytes == at


def test_a_header_inside_a_report_is_no_beginning():
    slot = b"\x03\x00" + word(500) + word(0) + b"\xaa\xff"  # the resolution, and the x behind it
    inside = b"\xaa\xff\x03\x00" + slot * 3 + b"\x55\xcc"
    assert len(targets_in(inside * 3)) == 3


def test_the_newest_report_is_as_of_now_and_each_before_it_is_a_tenth_older():
    radar = Radar()
    assert radar.poll(b"".join([report((i, 500, 0)) for i in range(1, 6)]), now=1000) == 5
    assert [ticks for ticks, _ in radar.reports] == [600, 700, 800, 900, 1000]
    assert radar.targets() == [[(i, 500, 0)] for i in range(1, 6)]


def test_a_backlog_longer_than_the_drivers_buffer_keeps_its_times():
    radar = Radar()
    n = RX_BUFFER // FRAME_SIZE
    assert radar.poll(EMPTY * n + EMPTY[:17], now=50) == n
    assert [ticks_diff(50, ticks) for ticks, _ in radar.reports] == [100 * i for i in range(n - 1, -1, -1)]
    assert radar.poll(EMPTY[17:], now=150) == 1
    assert radar.reports[-1][0] == 150


def test_nothing_received_means_no_report():
    radar = Radar()
    assert radar.poll() == 0
    assert radar.poll(EMPTY[:29]) == 0
    assert radar.poll(EMPTY[29:]) == 1
    assert radar.driver.frames == 1


def test_garbage_without_end_costs_no_memory_and_no_report():
    radar = Radar()
    for _ in range(50):
        assert radar.poll(b"\xaa" * 100) == 0
    radar.poll(report((1, 500, 0)))
    assert radar.targets() == [[(1, 500, 0)]]
    assert radar.driver.rejected_bytes == 5000


class StillUart:
    """A uart that allocates nothing: the same whole report, as often as asked for."""

    def __init__(self, frame):
        self._frame = frame
        self.waiting = 0

    def any(self):
        return self.waiting

    def readinto(self, buffer):
        for i in range(FRAME_SIZE):
            buffer[i] = self._frame[i]
        self.waiting -= FRAME_SIZE
        return FRAME_SIZE


def test_a_report_costs_no_memory():
    uart = StillUart(report((-500, 1000, -5), (200, 500, 0), (3, 4000, 7)))
    driver = LD2450(uart)

    def on_frame(ticks):
        pass

    alive = gc.mem_alloc if hasattr(gc, "mem_alloc") else lambda: 0
    uart.waiting = FRAME_SIZE
    driver.poll(0, on_frame, ticks_add)
    gc.collect()
    gc.disable()
    before = alive()
    for _ in range(200):
        uart.waiting = 2 * FRAME_SIZE
        driver.poll(1000, on_frame, ticks_add)
    after = alive()
    gc.enable()
    assert driver.frames == 401
    assert after == before
