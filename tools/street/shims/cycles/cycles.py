# The firmware of a kit, composed by its own main.py, for very many beats: `cycles.py CYCLES EVERY [air]`. MicroPython only.
#
# Every EVERY beats it prints `heap CYCLE ALLOCATED_B LARGEST_FREE_B FREE_B COUNTED SESSIONS` after a collection. The gateway at the
# other end acknowledges every record and tells the time once a minute; whatever is said to it becomes a frame and is forgotten.
# With `air` the node holds a key, and a gateway comes within range of its radio every few minutes.

# ruff: noqa: E402, I001  boot.py comes first, as on a board; what it asks for and this interpreter lacks is given to it

import sys


class Micropython:
    def alloc_emergency_exception_buf(self, size):
        pass


sys.modules["micropython"] = Micropython()  # pyright: ignore[reportArgumentType]
import boot  # noqa: F401

del sys.modules["micropython"]

import asyncio
import gc
import time

import esp32
import node.app
import node.links.serial
import streetwire
from desk import desk

BEAT_MS = 100
UTC_MS = 1700000040000


class Gateway:
    """What the firmware takes for its console."""

    frames_bad = 0

    def __init__(self):
        self._due = []
        self._minute = -1

    def receive(self):
        due, self._due = self._due, []
        return due

    def send(self, message):
        streetwire.encode_frame(message.encode())
        if isinstance(message, streetwire.RecordMessage):
            self._due.append(streetwire.Ack(message.node, message.incarnation, message.record.seq))
        elif isinstance(message, streetwire.Hello):
            self._due.append(streetwire.Ack(message.node, message.incarnation, message.next_seq - 1))
        elif isinstance(message, streetwire.Live) and desk.now_ms // 60000 != self._minute:
            self._minute = desk.now_ms // 60000
            self._due.append(streetwire.Time(message.node, message.incarnation, UTC_MS + desk.now_ms))
        return True


class Wait:
    """What a task awaits: it comes back with how long."""

    def __init__(self, ms):
        self._ms = ms
        self._is_over = False

    def __iter__(self):
        return self

    __await__ = __iter__

    def __next__(self):
        if self._is_over:
            raise StopIteration
        self._is_over = True
        return self._ms


class Task:
    """A reader of climate, stepped by the beat's clock."""

    def __init__(self, coroutine):
        self._coroutine = coroutine
        self._due_ms = 0

    def step(self):
        while desk.now_ms >= self._due_ms:
            self._due_ms = desk.now_ms + max(self._coroutine.send(None), 1)


def composed():
    """The App that main.py would run, and its tasks."""
    apps = []
    setattr(node.app.App, "run", lambda app: app)  # noqa: B010  it is stepped here instead
    node.links.serial.open_console = Gateway
    asyncio.run = apps.append
    asyncio.sleep_ms = Wait
    __import__("main")
    app = apps[0]
    readers = [app._climate, app._probe] if app._probe else [app._climate]
    app._watch.set_up()
    return app, [Task(reader.run(Wait)) for reader in readers]


def largest_free_b():
    low, high = 0, gc.mem_free()
    while high - low > 256:
        middle = (low + high) // 2
        try:
            bytearray(middle)
            low = middle
        except MemoryError:
            high = middle
        gc.collect()
    return low


def tell(cycle, app):
    gc.collect()
    allocated_b, free_b = gc.mem_alloc(), gc.mem_free()
    sessions = sum([radio.sessions for radio in desk.radios])
    print("heap", cycle, allocated_b, largest_free_b(), free_b, app._minutes.total_ab + app._minutes.total_ba, sessions)


def main(cycles, every, has_key):
    if has_key:
        setattr(esp32.NVS, "_key", bytes(range(16)))  # noqa: B010  what the board's own has not
    app, tasks = composed()
    polls = BEAT_MS // app._watch.poll_ms
    for cycle in range(1, cycles + 1):
        for poll in range(1, polls + 1):
            desk.now_ms = (cycle - 1) * BEAT_MS + poll * app._watch.poll_ms
            for switch in desk.switches:
                switch.look()
            if poll < polls:
                app._watch.poll(time.ticks_ms())
        for task in tasks:
            task.step()
        for radio in desk.radios:
            radio.look()
        app.beat()
        if cycle % every == 0:
            tell(cycle, app)


main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] == ["air"])
