# MicroPython's ticks on a clock that stands still until it is set. They begin a minute before they wrap, as on an ESP32.

from desk import desk

_MASK = 0x3FFFFFFF
_HALF = 0x20000000
_FIRST = _MASK - 60000


def ticks_ms():
    return (desk.now_ms + _FIRST) & _MASK


def ticks_add(ticks, delta):
    return (ticks + delta) & _MASK


def ticks_diff(ticks1, ticks2):
    return ((ticks1 - ticks2 + _HALF) & _MASK) - _HALF
