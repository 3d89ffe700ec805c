# ST VL53L1X: 940 nm time of flight, 0.04 to 4 m, over I2C; above a door it ranges two halves of its view in turn.
#
# Registers have 16-bit addresses, values come high byte first. One measurement: set the zone, start a single shot, wait for
# data ready, read the result, clear the interrupt (UM2356, call flow of ranging; UM2555, several zones in turn). The lens
# turns the image: the zone on one side sees the other side. 167 and 231 are the centres that UM2600 counts people with.
#
# Theory of operation
#   set_up()  resets; nothing waits: poll() sees when the part has booted, configures it and starts zone 0.
#   poll()    a finished zone is told and the other one started. The part keeps one result, so that the rate is the lower one
#             of 1 / BUDGET_MS and how often poll() is called: a door wants it every 20 ms.
#   fault     no answer on the bus: the part is set up anew, once by itself, since a single answer may be lost on a long cable;
#             from then on when set_up() is called again.
#
# Where the configuration comes from: ST's documents (datasheet, UM2356, UM2555) name functions, not registers, and the
# block of 91 bytes in ST's driver is said there to be "not user-modifiable" for the most part, without a meaning. It is not
# used. The table below is by name and meaning: the settings that ST's API (STSW-IMG007) gives a standard ranging, as the
# public register map names them and as Pololu's documented VL53L1X library applies them. Not yet tried on a part.

ADDRESS = 0x29
BUDGET_MS = 33  # a measurement; the least for which UM2356 promises every distance mode
RESULT_SIZE = 17
FARTHEST_MM = 6000  # half as far again as the part ranges in the dark
ZONE_CENTRES = (167, 231)

_MODEL = 0xEACC
_SINGLE_SHOT = 0x10
_TIMING_GUARD_US = 4528  # of a measurement, for what is not ranging
_VCSEL_PERIOD_A = 0x0F
_VCSEL_PERIOD_B = 0x0D

# (register, bytes, value): long distance mode
_SETTINGS = (
    (0x0024, 2, 0x0A00),  # DSS target total rate, 9.7 fixed point MCPS
    (0x0030, 1, 0x11),  # GPIO mux: interrupt active low
    (0x0031, 1, 0x02),  # GPIO status
    (0x0036, 1, 8),  # sigma estimator: effective pulse width, ns
    (0x0037, 1, 16),  # sigma estimator: effective ambient width, ns
    (0x0039, 1, 1),  # crosstalk compensation: valid height, mm
    (0x003E, 1, 0xFF),  # range ignore: valid height, mm
    (0x003F, 1, 0),  # range: least clip
    (0x0040, 1, 2),  # consistency check: tolerance
    (0x0050, 2, 0),  # rate thresholds: off
    (0x0052, 2, 0),
    (0x0057, 1, 0x38),  # DSS aperture attenuation
    (0x0060, 1, _VCSEL_PERIOD_A),  # the two periods that tell a wrapped target
    (0x0063, 1, _VCSEL_PERIOD_B),
    (0x0064, 2, 360),  # sigma limit: 90 mm in 14.2 fixed point
    (0x0066, 2, 192),  # least return rate: 1.5 MCPS in 9.7 fixed point
    (0x0069, 1, 0xB8),  # valid phase: highest
    (0x0071, 1, 1),  # grouped parameters: held while they are written
    (0x0078, 1, 0x0F),  # window of interest and first phase, per period
    (0x0079, 1, 0x0D),
    (0x007A, 1, 14),
    (0x007B, 1, 14),
    (0x007C, 1, 1),
    (0x007E, 1, 2),  # quantifier
    (0x0077, 1, 1),  # seed
    (0x0082, 1, 0),  # grouped parameters: released
    (0x0081, 1, 0x8B),  # sequence: VHV, phase calibration, SPAD selection, range
    (0x0054, 2, 0xC800),  # effective SPADs: 200, more than a zone has, so all of it
    (0x004F, 1, 2),  # as many SPADs as requested
    (0x0080, 1, (16 - 1) << 4 | (8 - 1)),  # zone: 8 wide, 16 high
)

# The device's code -> the range status of UM2356: 0 valid, 1 sigma, 2 signal, 3 clipped, 4 phase, 5 hardware, 7 wrapped.
_STATUS = {9: 0, 6: 1, 4: 2, 8: 3, 5: 4, 1: 5, 2: 5, 3: 5, 17: 5, 7: 7}

_READ_STATUS = b"\x00\xe5"
_READ_READY = b"\x00\x31"
_READ_RESULT = b"\x00\x89"
_CLEAR = b"\x00\x86\x01"
_START = b"\x00\x87" + bytes([_SINGLE_SHOT])


class VL53L1X:
    """`i2c` needs writeto and readfrom_into. `zone`, `mm` and `status` are those of the sample last told.

    `faults` counts times without an answer, `rejected_bytes` results with a status or a valid range that the part cannot have.
    """

    def __init__(self, i2c, address=ADDRESS):
        self._i2c = i2c
        self._address = address
        self._byte = bytearray(1)
        self._word = bytearray(2)
        self._result = bytearray(RESULT_SIZE)
        self._set_zone = tuple([bytes([0x00, 0x7F, centre]) for centre in ZONE_CENTRES])
        self._ranging = 0  # the zone that is being measured
        self._is_booting = False
        self.is_set_up = False
        self.zone = 0
        self.mm = 0
        self.status = 0
        self.frames = 0
        self.rejected_bytes = 0
        self.faults = 0

    def set_up(self):
        """Resets the part; poll() does the rest."""
        self.is_set_up = False
        self._is_booting = False
        try:
            if self._read_word(0x010F) == _MODEL:
                self._write(0x0000, 1, 0)
                self._write(0x0000, 1, 1)
                self._is_booting = True
        except OSError:
            self.faults += 1

    def poll(self, now_ticks, on_sample, ticks_add):
        """Calls on_sample(ticks) for the measurement that has ended, if one has, and starts the next; allocates nothing.

        A measurement stands for the middle of the time it took. Returns the number of samples, 0 or 1.
        """
        try:
            if self._is_booting and self._read_byte(_READ_STATUS) & 1:
                self._configure()
                self._is_booting = False
                self.is_set_up = True
                self._start(0)
            if not self.is_set_up or self._read_byte(_READ_READY) & 1:
                return 0
            self._i2c.writeto(self._address, _READ_RESULT)
            self._i2c.readfrom_into(self._address, self._result)
            self.zone = self._ranging
            self._start(1 - self.zone)
        except OSError:  # nobody at this address, or the bus is stuck
            self.faults += 1
            if self.is_set_up:
                self.set_up()
            return 0
        return self._tell(ticks_add(now_ticks, -BUDGET_MS // 2), on_sample)

    def _tell(self, ticks, on_sample):
        status = _STATUS.get(self._result[0] & 0x1F, -1)
        # Ranging gain 2011 / 2048: the part's default correction.
        mm = ((self._result[13] << 8 | self._result[14]) * 2011 + 1024) // 2048
        if status < 0 or (status == 0 and not 0 < mm <= FARTHEST_MM):
            self.rejected_bytes += RESULT_SIZE
            return 0
        self.status = status
        self.mm = mm
        self.frames += 1
        on_sample(ticks)
        return 1

    def _start(self, zone):
        self._ranging = zone
        self._i2c.writeto(self._address, self._set_zone[zone])
        self._i2c.writeto(self._address, _CLEAR)
        self._i2c.writeto(self._address, _START)

    def _configure(self):
        for register, size, value in _SETTINGS:
            self._write(register, size, value)
        self._set_budget(self._read_word(0x0006))
        self._write(0x001E, 2, self._read_word(0x0022) * 4 & 0xFFFF)  # range offset, as calibrated in the factory

    def _set_budget(self, oscillator):
        # Timeouts are counted in macro periods: 2304 VCSEL periods of the measured oscillator (4.12 fixed point MHz).
        timeout_us = (BUDGET_MS * 1000 - _TIMING_GUARD_US) // 2
        for period, mitigation, ranging in ((_VCSEL_PERIOD_A, 0x005A, 0x005E), (_VCSEL_PERIOD_B, 0x005C, 0x0061)):
            macro_us = macro_period(oscillator, period)
            if period == _VCSEL_PERIOD_A:
                self._write(0x004B, 1, min(macro_periods(1000, macro_us), 0xFF))  # phase calibration: 1 ms
            self._write(mitigation, 2, encoded(macro_periods(1, macro_us)))
            self._write(ranging, 2, encoded(macro_periods(timeout_us, macro_us)))

    # -- the bus

    def _write(self, register, size, value):
        self._i2c.writeto(self._address, bytes([register >> 8, register & 0xFF]) + value.to_bytes(size, "big"))

    def _read_byte(self, register):
        self._i2c.writeto(self._address, register)
        self._i2c.readfrom_into(self._address, self._byte)
        return self._byte[0]

    def _read_word(self, register):
        self._i2c.writeto(self._address, bytes([register >> 8, register & 0xFF]))
        self._i2c.readfrom_into(self._address, self._word)
        return self._word[0] << 8 | self._word[1]


def macro_period(oscillator, vcsel_period):
    """In us with 12 binary places, from the oscillator's frequency in MHz with 12 binary places."""
    if not oscillator:
        raise OSError("no oscillator: a bus that is stuck low")
    return (2304 * ((1 << 30) // oscillator) >> 6) * ((vcsel_period + 1) << 1) >> 6


def macro_periods(us, macro_us):
    return ((us << 12) + (macro_us >> 1)) // macro_us


def encoded(timeout):
    """A timeout in macro periods as the part keeps it: low byte * 2 ** high byte + 1."""
    if not timeout:
        return 0
    low = timeout - 1
    high = 0
    while low > 0xFF:
        low >>= 1
        high += 1
    return high << 8 | low
