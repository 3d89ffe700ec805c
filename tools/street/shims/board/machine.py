# The board's hardware as the firmware sees it, below the real drivers: UART bytes, I2C registers, pins, watchdog.
#
# What this cannot show: electrical behaviour, interrupts, baud errors, real time.

import os

from streetclock import clock

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
_MAC = bytes.fromhex(os.getenv("STREET_MAC") or "24dcc3000001")


def unique_id():
    return _MAC


def reset_cause():
    return PWRON_RESET


def reset():
    raise SystemExit(42)


class Pin:
    IN = 1
    OUT = 3

    def __init__(self, id, mode=-1, pull=-1):
        self.id = id


class WDT:
    def __init__(self, id=0, timeout=5000):
        self._timeout = timeout
        self.feed()

    def feed(self):
        clock.watchdog_ends_ms = clock.now_ms + self._timeout


_EMPTY_REPORT = b"\xaa\xff\x03\x00" + bytes(24) + b"\x55\xcc"
_COMMAND_HEAD = b"\xfd\xfc\xfb\xfa"
_COMMAND_TAIL = b"\x04\x03\x02\x01"
_RADAR_PERIOD_MS = 100


class UART:
    """A UART with an HLK-LD2450 on it: ten reports a second, those with targets as the street says, and its answers."""

    def __init__(self, id, baudrate=9600, tx=None, rx=None, rxbuf=256, timeout=0):
        self._rxbuf = rxbuf
        self._received = bytearray()
        phase = int(os.getenv("STREET_RADAR_PHASE_MS") or 0)
        self._next_report_ms = clock.now_ms + (phase - clock.now_ms) % _RADAR_PERIOD_MS
        self.overruns = 0

    def any(self):
        while self._next_report_ms <= clock.now_ms:
            frames = clock.radar_frames
            while frames and frames[0][0] < self._next_report_ms:  # from before this board was switched on
                frames.pop(0)
            due = frames and frames[0][0] == self._next_report_ms
            self._receive(frames.pop(0)[1] if due else _EMPTY_REPORT)
            self._next_report_ms += _RADAR_PERIOD_MS
        return len(self._received)

    def readinto(self, buf, nbytes=None):
        n = min(len(buf), self.any())
        if not n:
            return None
        buf[:n] = self._received[:n]
        self._received = self._received[n:]
        return n

    def write(self, buf):
        if buf[:4] == _COMMAND_HEAD:  # the answer: same command with bit 8 set, status 0
            self._receive(_COMMAND_HEAD + b"\x04\x00" + buf[6:7] + b"\x01\x00\x00" + _COMMAND_TAIL)
        return len(buf)

    def _receive(self, data):
        if len(self._received) + len(data) > self._rxbuf:
            self.overruns += 1
        else:
            self._received.extend(data)


class I2C:
    """A bus with one SHT4x at 0x44. It answers like the part: not before 8.3 ms have passed, CRC behind each word."""

    _ADDRESS = 0x44
    _MEASURE_MS = 9

    def __init__(self, id=-1, scl=None, sda=None, freq=400000):
        self._ready_ms = None

    def writeto(self, addr, buf, stop=True):
        self._check(addr)
        if bytes(buf) == b"\xfd":
            self._ready_ms = clock.now_ms + self._MEASURE_MS
        return len(buf)

    def readfrom_into(self, addr, buf, stop=True):
        self._check(addr)
        if self._ready_ms is None or clock.now_ms < self._ready_ms:
            raise OSError(5)
        self._ready_ms = None
        t, h = clock.temperature_raw, clock.humidity_raw
        words = bytes((t >> 8, t & 255)), bytes((h >> 8, h & 255))
        buf[:6] = words[0] + bytes((_crc8(words[0]),)) + words[1] + bytes((_crc8(words[1]),))

    def _check(self, addr):
        if addr != self._ADDRESS:
            raise OSError(19)


def _crc8(word):
    crc = 0xFF
    for byte in word:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31) & 0xFF if crc & 0x80 else crc << 1
    return crc
