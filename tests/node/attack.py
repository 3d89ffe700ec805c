# What the tests of bad input share: a counter on a port, a bus or pins that say anything at all, watched as on a node.

from dialect import ticks_add, ticks_diff

import streetwire
from node.config import Config
from node.watch import Watch

FIRST_TICK = (1 << 30) - 5000  # ticks wrap five seconds into every attack
RX_BUFFER = 1024  # of the port, as in node/connect
FLAGGED_MS = 10100  # ten seconds and the poll that sees it


class Port:
    """A UART: what finds no room in its buffer is lost."""

    def __init__(self):
        self._received = b""

    def arrive(self, data):
        self._received += data[: RX_BUFFER - len(self._received)]

    def any(self):
        return len(self._received)

    def readinto(self, buffer):
        n = min(len(buffer), len(self._received))
        buffer[:n] = self._received[:n]
        self._received = self._received[n:]
        return n or None

    def write(self, data):
        return len(data)


class Watched:
    """A counter with its watch, polled as the app does. `told` holds (ms, direction), `covered` one entry a second, `flags`
    (ms, names of the health bits) whenever they change."""

    def __init__(self, kind, connection, first_tick=FIRST_TICK):
        self._first_tick = first_tick
        self._health = 0
        self._second_ends_ms = 1000
        self.now_ms = 0
        self.told = []
        self.covered = []
        self.flags = []
        ticks = (self._ticks_ms, ticks_diff, ticks_add)
        self.counter = kind(connection, Config(kind.settings), ticks, self._on_passage)
        self.watch = Watch(self.counter, "it", lambda level, text: None)
        self.watch.set_up()

    def run(self, seconds, arrive, every_ms=0):
        """`arrive(now_ms)` is called before every poll; there is one every `every_ms`, or as often as the part wants."""
        ends_ms = self.now_ms + 1000 * seconds
        while self.now_ms < ends_ms:
            self.now_ms += every_ms or self.counter.poll_ms
            arrive(self.now_ms)
            self.watch.poll(self._ticks_ms())
            if self.now_ms >= self._second_ends_ms:
                self._second_ends_ms += 1000
                self.covered.append(self.watch.end_second())
            if self.watch.health != self._health:
                self._health = self.watch.health
                self.flags.append((self.now_ms, [name for name, bit in streetwire.HEALTH.items() if self._health & bit]))
        return self

    def forget(self):
        """From here on anew: what was told, covered and flagged, and the time since then."""
        told, self.told = self.told, []
        self.covered = []
        self.flags = []
        self._first_tick = self._ticks_ms()
        self.now_ms = 0
        self._second_ends_ms = 1000
        return told

    def first_flags(self):
        """(when the first health bits came up, their names); far too late where none did."""
        return self.flags[0] if self.flags else (1 << 29, [])

    def last_flags(self):
        return self.flags[-1][1] if self.flags else []

    def _ticks_ms(self):
        return ticks_add(self._first_tick, self.now_ms)

    def _on_passage(self, ticks, direction):
        self.told.append((self.now_ms + ticks_diff(ticks, self._ticks_ms()), direction))


def flipped(data, chance, permille):
    """Bytes of which one bit is wrong."""
    wrong = bytearray(data)
    for i in range(len(wrong)):
        if chance.below(1000) < permille:
            wrong[i] ^= 1 << chance.below(8)
    return bytes(wrong)


def lost(data, chance, permille):
    return bytes([byte for byte in data if chance.below(1000) >= permille])


def doubled(data, chance, permille):
    return b"".join([bytes([byte] * (2 if chance.below(1000) < permille else 1)) for byte in data])


def inserted(data, chance, permille):
    return b"".join([chance.bytes(1 if chance.below(1000) < permille else 0) + bytes([byte]) for byte in data])


DAMAGE = (flipped, lost, doubled, inserted)
