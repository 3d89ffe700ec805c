# What a board does at power on: boot.py, then main.py. What boot.py asks for and this port lacks is given to it, and what it says
# about collecting holds while modules are loaded, which is what splits a heap. Later it would double the time that a street takes.

import asyncio
import gc
import sys

_run = asyncio.run


def _run_as_loaded(coro):
    gc.collect()
    gc.threshold(-1)
    return _run(coro)


class _Micropython:
    def alloc_emergency_exception_buf(self, size):
        pass


sys.modules["micropython"] = _Micropython()  # pyright: ignore[reportArgumentType]
import boot  # noqa: E402, F401

del sys.modules["micropython"]
asyncio.run = _run_as_loaded
import main  # noqa: E402, F401
