# The time-of-flight driver against a model of the part's registers: set-up, two zones in turn, status, faults.

from dialect import allocated, ticks_add

from node.sensors.vl53l1x import (
    ADDRESS,
    BUDGET_MS,
    FARTHEST_MM,
    RESULT_SIZE,
    VL53L1X,
    encoded,
    macro_period,
    macro_periods,
)  # fmt: skip

COMPLETE = 9  # the device's own code of a valid range
OSCILLATOR = 0xBCCC  # 11.8 MHz


class Part:
    """The registers of a VL53L1X on a bus: boots after a reset, measures when started, and can be unplugged."""

    def __init__(self, boot_reads=2):
        self.registers = bytearray(0x200)
        self.set(0x010F, 2, 0xEACC)
        self.set(0x0006, 2, OSCILLATOR)
        self.set(0x0022, 2, 25)
        self.boot_reads = boot_reads
        self.is_there = True
        self.is_reset = False
        self.at = 0
        self.started = []  # centres of the zones in the order they were started
        self.set(0x0031, 1, 3)

    def set(self, register, size, value):
        self.registers[register : register + size] = value.to_bytes(size, "big")

    def get(self, register, size):
        return int.from_bytes(self.registers[register : register + size], "big")

    def finish(self, mm, status=COMPLETE):
        """The running measurement ends with what the part calls mm, before its gain."""
        self.set(0x0089, 1, status | 0x80)
        self.set(0x0096, 2, mm)
        self.set(0x0031, 1, 2)

    def writeto(self, address, data):
        if not self.is_there or address != ADDRESS:
            raise OSError(19)
        self.at = data[0] << 8 | data[1]
        if len(data) > 2:
            self.registers[self.at : self.at + len(data) - 2] = data[2:]
            self._on_write(self.at, data[2])

    def _on_write(self, register, value):
        if register == 0:
            self.is_reset = value == 1
            self.set(0x00E5, 1, 0)
        elif register == 0x0087 and value == 0x10:
            self.started.append(self.registers[0x007F])
        elif register == 0x0086:
            self.set(0x0031, 1, 3)

    def readfrom_into(self, address, buffer):
        if not self.is_there or address != ADDRESS:
            raise OSError(19)
        if self.at == 0x00E5 and self.is_reset:
            self.boot_reads -= 1
            self.set(0x00E5, 1, 1 if self.boot_reads < 0 else 0)
        for i in range(len(buffer)):
            buffer[i] = self.registers[self.at + i]


class Door:
    """The driver with the part below, and what it told as [(ticks, zone, mm, status), ...]."""

    def __init__(self):
        self.part = Part()
        self.driver = VL53L1X(self.part)
        self.told = []
        self.driver.set_up()
        while not self.driver.is_set_up and self.driver.faults == 0:
            self.poll(0)

    def poll(self, now):
        return self.driver.poll(now, self._on_sample, ticks_add)

    def _on_sample(self, ticks):
        self.told.append((ticks, self.driver.zone, self.driver.mm, self.driver.status))


def test_setting_up_waits_for_the_part_without_blocking():
    part = Part(boot_reads=3)
    driver = VL53L1X(part)
    driver.set_up()
    for _ in range(3):
        assert driver.poll(0, None, ticks_add) == 0
        assert not driver.is_set_up
    driver.poll(0, None, ticks_add)
    assert driver.is_set_up
    assert part.get(0x0080, 1) == 0xF7  # 16 high, 8 wide
    assert part.get(0x001E, 2) == 100  # four times the factory's offset
    assert part.started == [167]


def test_the_two_zones_are_measured_in_turn():
    door = Door()
    for i in range(4):
        assert door.poll(100 * i) == 0
        door.part.finish(1000 + i)
        assert door.poll(100 * i + 50) == 1
    assert [zone for _, zone, _, _ in door.told] == [0, 1, 0, 1]
    assert door.part.started == [167, 231, 167, 231, 167]
    assert [ticks for ticks, _, _, _ in door.told] == [100 * i + 50 - (BUDGET_MS + 1) // 2 for i in range(4)]
    assert door.driver.frames == 4


def test_the_range_has_the_parts_gain():
    door = Door()
    for raw, mm in ((1, 1), (2048, 2011), (1000, 982), (4000, 3928)):
        door.part.finish(raw)
        door.poll(0)
        assert door.told[-1][2:] == (mm, 0)


def test_a_valid_range_that_the_part_cannot_have_is_refused():
    door = Door()
    for raw in (0, FARTHEST_MM * 2048 // 2011 + 2, 0xFFFF):
        door.part.finish(raw)
        assert door.poll(0) == 0
    assert door.told == []
    assert door.driver.rejected_bytes == 3 * RESULT_SIZE


def test_the_status_is_the_manuals():
    door = Door()
    for code, status in ((9, 0), (6, 1), (4, 2), (8, 3), (5, 4), (1, 5), (2, 5), (3, 5), (17, 5), (7, 7)):
        door.part.finish(1000, code)
        assert door.poll(0) == 1
        assert door.told[-1][3] == status


def test_a_status_that_the_part_does_not_have_is_refused_and_the_next_zone_measured():
    door = Door()
    for code in (0, 31, 10):
        door.part.finish(1000, code)
        assert door.poll(0) == 0
    assert door.told == []
    assert door.driver.rejected_bytes == 3 * 17
    door.part.finish(1000)
    assert door.poll(0) == 1
    assert door.told[0][1] == 1


def test_a_part_that_is_not_there_is_a_fault_and_no_error():
    part = Part()
    part.is_there = False
    driver = VL53L1X(part)
    driver.set_up()
    assert driver.poll(0, None, ticks_add) == 0
    assert (driver.faults, driver.is_set_up) == (1, False)


def test_a_part_that_is_unplugged_is_a_fault_and_comes_back_when_set_up_again():
    door = Door()
    door.part.is_there = False
    assert door.poll(0) == 0
    assert (door.driver.faults, door.driver.is_set_up) == (2, False)  # the poll's, and that of setting up anew
    assert door.poll(0) == 0
    assert door.driver.faults == 2
    door.part.is_there = True
    door.driver.set_up()
    for _ in range(3):
        door.poll(0)
    door.part.finish(2048)
    assert door.poll(10) == 1


def test_another_part_at_the_address_and_a_bus_that_is_stuck_are_not_set_up():
    for value in (b"\x00", b"\xff", b"\x5a"):
        part = Part()
        part.registers = bytearray(value * 0x200)
        driver = VL53L1X(part)
        driver.set_up()
        for _ in range(5):
            assert driver.poll(0, None, ticks_add) == 0
        assert not driver.is_set_up
        assert part.started == []


def test_a_single_answer_that_is_lost_sets_the_part_up_anew():
    door = Door()
    write, lost = door.part.writeto, []

    def lose_one(address, data):
        if not lost:
            lost.append(bytes(data))
            raise OSError(19)
        return write(address, data)

    door.part.writeto = lose_one
    for _ in range(4):
        door.poll(0)
    assert (len(lost), door.driver.faults, door.driver.is_set_up) == (1, 1, True)
    door.part.finish(2048)
    assert door.poll(10) == 1


def test_a_missing_oscillator_is_a_fault():
    part = Part(boot_reads=0)
    part.set(0x0006, 2, 0)
    driver = VL53L1X(part)
    driver.set_up()
    driver.poll(0, None, ticks_add)
    assert (driver.is_set_up, driver.faults) == (False, 1)


def test_timeouts_are_counted_in_macro_periods():
    # 2304 periods of 32 clocks, of a PLL that is 64 times as fast as the oscillator.
    exact_us = 2304 * 32 / (64 * OSCILLATOR / 4096)
    assert abs(macro_period(OSCILLATOR, 0x0F) / 4096 - exact_us) < 0.05
    assert macro_periods(1000, 4096 * 100) == 10
    for timeout in (1, 2, 255, 256, 257, 511, 1000, 70000):
        value = encoded(timeout)
        kept = ((value & 0xFF) << (value >> 8)) + 1
        assert kept <= timeout < kept + (1 << (value >> 8))
    assert encoded(0) == 0


class StillBus:
    """A bus that allocates nothing and always has a result."""

    def __init__(self, part):
        self._registers = part.registers
        self._at = 0

    def writeto(self, address, data):
        self._at = data[0] << 8 | data[1]

    def readfrom_into(self, address, buffer):
        for i in range(len(buffer)):
            buffer[i] = self._registers[self._at + i]


def test_twenty_thousand_samples_cost_no_memory():
    door = Door()
    door.part.finish(1500)
    door.driver._i2c = StillBus(door.part)

    def on_sample(ticks):
        pass

    def measure(times):
        for i in range(times):
            door.driver.poll(i, on_sample, ticks_add)

    measure(2)
    assert allocated(lambda: measure(20000)) == 0
    assert door.driver.frames == 20002
