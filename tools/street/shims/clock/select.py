# MicroPython's `select` on the street's clock: descriptors are polled for real, waiting happens in the street's time.
#
# Whoever asks whether a port takes bytes is about to write: the clock is told, and stops at the next wait.

import sys

_path = sys.path[:]
sys.path[:] = []
import select as _builtin  # noqa: E402

sys.path[:] = _path
import streettasks  # noqa: E402
from streetclock import clock  # noqa: E402

# asyncio imports `select` before it looks for its built-in half: from here on it finds the one on the street's clock.
sys.modules["_asyncio"] = streettasks

POLLIN = _builtin.POLLIN
POLLOUT = _builtin.POLLOUT


class poll:
    def __init__(self):
        self._poll = _builtin.poll()
        self._registered = 0

    def register(self, obj, eventmask=POLLIN | POLLOUT):
        self._registered += 1
        self._poll.register(obj, eventmask)

    def unregister(self, obj):
        self._registered -= 1
        self._poll.unregister(obj)

    def modify(self, obj, eventmask):
        self._poll.modify(obj, eventmask)

    def poll(self, timeout=-1):
        return list(self.ipoll(timeout))

    def ipoll(self, timeout=-1, flags=0):
        ready = self._poll.poll(0) if self._registered else []
        for item in ready:
            if item[1] & POLLOUT:
                clock.spoke = True
        if not ready and timeout != 0:
            clock.sleep(timeout)
        return iter(ready)
