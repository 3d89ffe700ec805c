# What the dual tests share. These files are read by CPython and by MicroPython: no pytest, no dataclasses, no typing.

import gc
import json

_HERE = __file__.replace("\\", "/").rsplit("/", 1)[0]


def vectors(name):
    with open(_HERE + "/../vectors/" + name) as file:  # noqa: PTH123  the node's dialect has no pathlib
        return json.load(file)


def raises(error, function, *arguments):
    """Calls the function, demands the error and hands it back."""
    try:
        function(*arguments)
    except error as found:
        return found
    raise AssertionError(f"{error.__name__} was not raised")


def finish(coroutine):
    """Runs a coroutine that never really waits; hands back what it returns."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("the coroutine waited")


def scratch():
    """A new empty folder: of the system's under CPython, else below the current one."""
    try:
        import tempfile

        return tempfile.mkdtemp()
    except ImportError:
        import os

        n = 0
        while True:
            try:
                os.mkdir("scratch-%d" % n)
                return "scratch-%d" % n
            except OSError:
                n += 1


class Chance:
    """Repeatable numbers, the same under both interpreters."""

    def __init__(self, seed):
        self._state = seed

    def below(self, n):
        self._state = (self._state * 1664525 + 1013904223) & 0xFFFFFFFF
        return (self._state >> 8) % n

    def bytes(self, n):
        return bytes([self.below(256) for _ in range(n)])


def ticks_add(ticks, delta):
    """As on an ESP32: ticks wrap at 2**30."""
    return (ticks + delta) & 0x3FFFFFFF


def ticks_diff(end, start):
    return ((end - start + 0x20000000) & 0x3FFFFFFF) - 0x20000000


def allocated(function):
    """Bytes that a call leaves on MicroPython's heap while nothing is collected; 0 under CPython, which cannot tell."""
    alive = gc.mem_alloc if hasattr(gc, "mem_alloc") else lambda: 0
    gc.collect()
    gc.disable()
    before = alive()
    function()
    after = alive()
    gc.enable()
    return after - before
