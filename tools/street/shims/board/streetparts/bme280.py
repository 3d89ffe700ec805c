# BME280: chip id, calibration words and control registers; a measurement in forced mode shows the raw values of the air.
#
# Raw values are found backwards: the datasheet's compensation in floating point (BST-BME280-DS002, 8.1) rises or falls with
# the raw value, so that halving finds the one which stands for the air. The words are those of an ordinary part, the same
# for every one of the street. What it cannot show: its own heat, and the memory of its humidity.

import struct

from streetclock import clock
from streetparts.air import air

_MEASURE_MS = 10
_PRESSURE_PA = 101325
_T = (27504, 26435, -1000)
_P = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
_H = (75, 362, 0, 313, 50, 30)


class BME280:
    def __init__(self):
        self._registers = bytearray(256)
        self._registers[0xD0] = 0x60
        self._registers[0x88:0xA2] = struct.pack("<HhhHhhhhhhhhBB", *_T, *_P, 0, _H[0])
        h4, h5 = _H[3], _H[4]
        self._registers[0xE1:0xE8] = struct.pack("<hBbBbb", _H[1], _H[2], h4 >> 4, (h4 & 15) | (h5 & 15) << 4, h5 >> 4, _H[5])
        self._registers[0xF7:0xFF] = b"\x80\x00\x00\x80\x00\x00\x80\x00"  # nothing was measured yet
        self._at = 0
        self._measured_ms = None

    def write(self, data):
        """The register to read from, or pairs of register and value."""
        if len(data) == 1:
            self._at = data[0]
        for i in range(0, len(data) - 1, 2):
            self._registers[data[i]] = data[i + 1]
            if data[i] == 0xF4 and data[i + 1] & 3 in (1, 2):  # forced mode
                self._measured_ms = clock.now_ms + _MEASURE_MS
                self._registers[0xF3] |= 8

    def readinto(self, buf):
        if self._measured_ms is not None and clock.now_ms >= self._measured_ms:
            self._measure()
        buf[:] = self._registers[self._at : self._at + len(buf)]

    def _measure(self):
        self._measured_ms = None
        self._registers[0xF3] &= ~8
        self._registers[0xF4] &= ~3  # it sleeps again
        t_centi, h_centi = air.now()
        adc_t = _first(20, lambda adc: 100 * _fine(adc) / 5120 >= t_centi)
        fine = _fine(adc_t)
        adc_p = _first(20, lambda adc: _pascal(adc, fine) <= _PRESSURE_PA)
        adc_h = _first(16, lambda adc: 100 * _percent(adc, fine) >= h_centi)
        for register, adc in ((0xF7, adc_p), (0xFA, adc_t)):
            self._registers[register : register + 3] = bytes((adc >> 12, adc >> 4 & 0xFF, adc << 4 & 0xF0))
        self._registers[0xFD:0xFF] = bytes((adc_h >> 8, adc_h & 0xFF))


def _first(bits, is_there):
    """The least value of so many bits from which on it is there."""
    low, high = 0, (1 << bits) - 1
    while low < high:
        middle = (low + high) // 2
        if is_there(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _fine(adc):
    t1, t2, t3 = _T
    off = adc / 131072 - t1 / 8192
    return (adc / 16384 - t1 / 1024) * t2 + off * off * t3


def _pascal(adc, fine):
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = _P
    off = fine / 2 - 64000
    offset = (off * off * p6 / 32768 + off * p5 * 2) / 4 + p4 * 65536
    scale = (1 + (p3 * off * off / 524288 + p2 * off) / 524288 / 32768) * p1
    p = (1048576 - adc - offset / 4096) * 6250 / scale
    return p + (p9 * p * p / 2147483648 + p * p8 / 32768 + p7) / 16


def _percent(adc, fine):
    h1, h2, h3, h4, h5, h6 = _H
    off = fine - 76800
    wet = (adc - (h4 * 64 + h5 / 16384 * off)) * (h2 / 65536 * (1 + h6 / 67108864 * off * (1 + h3 / 67108864 * off)))
    return wet * (1 - h1 * wet / 524288)
