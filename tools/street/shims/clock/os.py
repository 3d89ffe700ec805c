# MicroPython's `os` with randomness from the street's seed, so that a seed repeats a run. Everything else is the built-in's.
# pyright: reportWildcardImportFromLibrary=false

import sys

_path = sys.path[:]
sys.path[:] = []
from os import *  # noqa: E402, F403
from os import getenv  # noqa: E402

sys.path[:] = _path


class _Generator:
    # Linear congruential (Knuth's MMIX constants), of which the upper bits are taken: no secret is made of it.
    def __init__(self, seed):
        self._state = seed

    def byte(self):
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        return self._state >> 56


_generator = _Generator(int(getenv("STREET_SEED", "1")))


def urandom(n):
    return bytes([_generator.byte() for _ in range(n)])
