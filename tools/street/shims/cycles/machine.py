# A board on which every part of every kit is at work and somebody passes every few seconds, without an allocation of its own.

from desk import desk

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
WALK_MS = 6000  # after that somebody else comes, the other way
_BAUD_OF_RADAR = 256000


def unique_id():
    return b"\x24\xdc\xc3\xc3\x0a\x01"


def reset_cause():
    return PWRON_RESET


def _phase_ms():
    """Where in the walk: 0 to WALK_MS, and backwards every other time."""
    now_ms = desk.now_ms
    phase_ms = now_ms % WALK_MS
    return WALK_MS - 1 - phase_ms if now_ms // WALK_MS % 2 else phase_ms


def reset():
    raise SystemExit(42)


class WDT:
    def __init__(self, id=0, timeout=5000):
        pass

    def feed(self):
        pass


class Pin:
    IN, OUT, PULL_UP, IRQ_RISING, IRQ_FALLING = 1, 3, 2, 1, 2

    def __init__(self, id, mode=-1, pull=-1):
        self._level = int(pull == Pin.PULL_UP)
        self._handler = id  # nobody yet
        self._high_from_ms = 0

    def value(self, x=None):
        if x is not None:
            self._level = int(x)
        return self._level

    def irq(self, handler, trigger):
        self._handler = handler
        self._high_from_ms = 1000 + 1000 * len(desk.switches)
        desk.switches.append(self)

    def look(self):
        """Raises the interrupt if the level has changed."""
        level = int(self._high_from_ms <= _phase_ms() < self._high_from_ms + 2000)
        if level != self._level:
            self._level = level
            self._handler(self)


class ADC:
    ATTN_11DB = 3

    def __init__(self, id, atten=0):
        pass

    def read_uv(self):
        return 1850000


class UART:
    """A radar or one LiDAR beam: reports of somebody who walks, as many as time has passed for."""

    def __init__(self, id, baudrate=9600, tx=None, rx=None, rxbuf=256, timeout=0):
        self._is_radar = baudrate == _BAUD_OF_RADAR
        self._id = id
        self._report = bytearray(b"\xaa\xff\x03\x00" + bytes(24) + b"\x55\xcc" if self._is_radar else b"\x59\x59" + bytes(7))
        self._period_ms = 100 if self._is_radar else 20
        self._told_ms = 0
        self._at = len(self._report)

    def any(self):
        due = (desk.now_ms - self._told_ms) // self._period_ms
        return len(self._report) - self._at + due * len(self._report)

    def readinto(self, buf):
        got = 0
        while got < len(buf):
            if self._at == len(self._report) and not self._make():
                break
            buf[got] = self._report[self._at]
            self._at += 1
            got += 1
        return got or None

    def write(self, buf):
        return len(buf)

    def _make(self):
        if desk.now_ms - self._told_ms < self._period_ms:
            return False
        self._told_ms += self._period_ms
        self._at = 0
        if self._is_radar:
            x = 2 * (_phase_ms() - WALK_MS // 2) // 3
            self._put(4, abs(x) | (0x8000 if x >= 0 else 0))
            self._put(6, 1800 | 0x8000)
        else:
            is_near = 0 <= _phase_ms() - 2500 - 250 * self._id < 300
            self._put(2, 180 if is_near else 500)
            self._put(4, 1000)
            self._report[8] = sum(memoryview(self._report)[:8]) & 0xFF
        return True

    def _put(self, at, word):
        self._report[at] = word & 0xFF
        self._report[at + 1] = word >> 8


_BME280 = {
    0xD0: b"\x60",
    0x88: b"\x70\x6b\x43\x67\x18\xfc\x7d\x8e\x43\xd6\xd0\x0b\x27\x0b\x8c\x00\xf9\xff\x8c\x3c\xf8\xc6\x70\x17\x00\x4b",
    0xE1: b"\x6a\x01\x00\x13\x29\x03\x1e",
    0xF2: b"\x01\x00\x24\x00\x00\x65\x5a\xc0\x7e\xed\x00\x75\x30",
}
_SHT = b"\x66\x66\x93\x80\x00\xa2"  # 25 degrees, half of the humidity's scale
_VL53L1X = 0x29
_VL53L1X_WORDS = {0x010F: b"\xea\xcc", 0x00E5: b"\x01", 0x0031: b"\x00", 0x0006: b"\x80\x00", 0x0022: b"\x00\x00"}


class I2C:
    """A bus with an SHT, a BME280 and a VL53L1X, each of which is always ready."""

    def __init__(self, id=-1, scl=None, sda=None, freq=400000):
        self._register = 0
        self._zone = 0

    def writeto(self, addr, buf, stop=True):
        if addr == _VL53L1X:
            self._register = buf[0] << 8 | buf[1]
            if self._register == 0x007F:
                self._zone = int(buf[2] == 231)
        return len(buf)

    def readfrom_into(self, addr, buf, stop=True):
        if addr != _VL53L1X:
            buf[:] = _SHT
        elif self._register == 0x0089:
            mm = 1100 if 0 <= _phase_ms() - 2500 - 300 * self._zone < 600 else 2400
            buf[0] = 9
            buf[13] = mm >> 8
            buf[14] = mm & 0xFF
        else:
            buf[:] = _VL53L1X_WORDS[self._register]

    def readfrom_mem_into(self, addr, memaddr, buf):
        buf[:] = _BME280[memaddr]


def dht_readinto(pin, buffer):
    buffer[:] = b"\x02\x8c\x01\x5f\xee"
