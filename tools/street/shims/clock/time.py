# MicroPython's `time` on the street's clock. Ticks wrap at 2**30 ms as on an ESP32, and begin near the wrap on purpose.

import os

from streetclock import clock

_MASK = 0x3FFFFFFF
_HALF = 0x20000000
_START = int(os.getenv("STREET_FIRST_TICK") or 0)


def ticks_ms():
    return (clock.now_ms + _START) & _MASK


def ticks_us():
    return (clock.now_ms * 1000 + _START) & _MASK


def ticks_add(ticks, delta):
    return (ticks + delta) & _MASK


def ticks_diff(ticks1, ticks2):
    return ((ticks1 - ticks2 + _HALF) & _MASK) - _HALF


def sleep_ms(ms):
    clock.sleep(ms)


def sleep(seconds):
    clock.sleep(int(seconds * 1000))
