# The board's hardware as the firmware sees it, below the real drivers: UART bytes, I2C transfers, pins and their edges,
# converter, watchdog. What hangs where, the street says; each part is a file of `streetparts`.
#
# What this cannot show: voltages and rise times, a baud rate that is wrong, two parts that disturb each other on one bus,
# a clock that is stretched, interrupts in the middle of a beat (here they come while the node sleeps), real time.

import os

import streetparts.table
from streetclock import clock

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5
_MAC = bytes.fromhex(os.getenv("STREET_MAC") or "24dcc3000001")
_NO_DEVICE = 19


def unique_id():
    return _MAC


def reset_cause():
    return PWRON_RESET


def reset():
    raise SystemExit(42)


class Pin:
    """What is driven shows as it was set, where a switch hangs its level; whatever else is at its rest, which its pull-up
    gives."""

    IN = 1
    OUT = 3
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, id, mode=-1, pull=-1):
        self._level = int(pull == Pin.PULL_UP)
        self.part = streetparts.table.at("pin%d" % id)

    def value(self, x=None):
        if x is not None:
            self._level = int(x)
        return self.part.level() if self.part else self._level

    def irq(self, handler, trigger):
        def on_edge():
            if trigger & (Pin.IRQ_RISING if self.value() else Pin.IRQ_FALLING):
                handler(self)

        self.part.on_edge = on_edge
        clock.interrupts.append(self.part)


class ADC:
    ATTN_11DB = 3

    def __init__(self, id, atten=ATTN_11DB):
        self._part = id.part

    def read_uv(self):
        return self._part.uv() if self._part else 0


class WDT:
    def __init__(self, id=0, timeout=5000):
        self._timeout = timeout
        self.feed()

    def feed(self):
        clock.watchdog_ends_ms = clock.now_ms + self._timeout


class UART:
    """A part `speak`s when somebody looks: what it has sent by now."""

    def __init__(self, id, baudrate=9600, tx=None, rx=None, rxbuf=256, timeout=0):
        self._part = streetparts.table.at("uart%d" % id)
        self._rxbuf = rxbuf
        self._received = bytearray()
        self.overruns = 0

    def any(self):
        self._part.speak(self._receive)
        return len(self._received)

    def readinto(self, buf, nbytes=None):
        n = min(len(buf), self.any())
        if not n:
            return None
        buf[:n] = self._received[:n]
        self._received = self._received[n:]
        return n

    def write(self, buf):
        self._part.hear(bytes(buf), self._receive)
        return len(buf)

    def _receive(self, data):
        if len(self._received) + len(data) > self._rxbuf:
            self.overruns += 1
        else:
            self._received.extend(data)


class I2C:
    """A bus; a part on it takes what is written (`write`) and fills what is read (`readinto`), or does not acknowledge."""

    def __init__(self, id=-1, scl=None, sda=None, freq=400000):
        self._id = id

    def writeto(self, addr, buf, stop=True):
        self._part(addr).write(bytes(buf))
        return len(buf)

    def readfrom_into(self, addr, buf, stop=True):
        self._part(addr).readinto(buf)

    def readfrom_mem_into(self, addr, memaddr, buf):
        part = self._part(addr)
        part.write(bytes((memaddr,)))
        part.readinto(buf)

    def _part(self, addr):
        part = streetparts.table.at("i2c%d.%d" % (self._id, addr))
        if part is None:
            raise OSError(_NO_DEVICE)
        return part


def dht_readinto(pin, buffer):
    pin.part.readinto(buffer)
