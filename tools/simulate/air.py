"""The air between nodes without a cable and the gateway: adverts that may be lost, connections that may break at any chunk.

Theory of operation
    adverts      what a node advertises is broadcast every 2 s until it has something else. Each broadcast reaches the scanner
                 after a few milliseconds, or never. All that was ever broadcast is remembered: anybody may record and replay it.
    connections  one for each node, a byte stream both ways. Chunks arrive whole and in order, or the connection is gone: a cut
                 falls behind a chosen number of them, at both ends at once.
    adapter      while it is gone nothing is heard, no scanner starts and nobody can be reached.
A gateway that is killed takes its adapter's connections with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from tools.simulate.timeline import Timeline

if TYPE_CHECKING:
    from tools.simulate.antenna import Antenna

DELAY_MS = 15  # of an advert, or of a chunk on a connection
HEAD = 7  # of what is broadcast: flags, and length, type and UUID of the service data

MIC_SIZE = 4

Heard = Callable[[str, bytes], None]


def counter_of(data: bytes) -> int:
    """Of an advert's service data."""
    return int.from_bytes(data[-MIC_SIZE - 4 : -MIC_SIZE], "little")


class Connection:
    """`to_gateway` takes what the node notifies, `gone` is called when it is over for the gateway."""

    def __init__(self, air: Air, antenna: Antenna, to_gateway: Callable[[bytes], None], gone: Callable[[], None]) -> None:
        self._air = air
        self._antenna = antenna
        self._to_gateway = to_gateway
        self._gone = gone
        self.is_open = True
        antenna.connected(self)

    def up(self, chunk: bytes) -> None:
        self._air.carry(self, self._to_gateway, chunk)

    def down(self, chunk: bytes) -> None:
        self._air.carry(self, self._antenna.written, chunk)

    def end(self) -> None:
        if self.is_open:
            self.is_open = False
            self._air.connections.remove(self)
            self._antenna.disconnected()
            self._gone()


class Air:
    """`scanner` is told the address and service data of what is heard; None where nobody listens."""

    def __init__(self, timeline: Timeline, rng: Random, faults: Counter[str]) -> None:
        self.scanner: Heard | None = None
        self.antennas: dict[str, Antenna] = {}
        self.connections: list[Connection] = []
        self.begun: list[tuple[int, str]] = []  # when connections stood, and with which address
        self.counted_twice: list[tuple[str, int]] = []  # address and counter of an advert whose counter had not risen
        self.broadcast_before: dict[str, list[bytes]] = {}  # by address, each content once
        self.deaf_until_ms = self.gone_until_ms = 0
        self.chunks_until_cut: int | None = None
        self._timeline = timeline
        self._rng = rng
        self._faults = faults
        self._loss: dict[str, tuple[int, float]] = {}

    @property
    def is_adapter_gone(self) -> bool:
        return self._timeline.now_ms < self.gone_until_ms

    def lose(self, address: str, until_ms: int, share: float) -> None:
        self._loss[address] = (until_ms, share)

    def heal(self) -> None:
        self.deaf_until_ms = self.gone_until_ms = 0
        self.chunks_until_cut = None
        self._loss.clear()

    def hang_up_all(self) -> None:
        for connection in list(self.connections):
            connection.end()

    # -- adverts

    def broadcast(self, address: str, advert: bytes) -> None:
        """By a node."""
        data = advert[HEAD:]
        before = self.broadcast_before.setdefault(address, [])
        if not before or before[-1] != data:
            if before and counter_of(data) <= counter_of(before[-1]):
                self.counted_twice.append((address, counter_of(data)))
            before.append(data)
        until_ms, share = self._loss.get(address, (0, 0.0))
        if self._timeline.now_ms < until_ms and self._rng.random() < share:
            self._faults["adverts_lost"] += 1
            return
        self.say(address, data)

    def say(self, address: str, data: bytes) -> None:
        """By anybody who pretends to have that address."""
        self._timeline.after(DELAY_MS, self._arrive, address, data)

    def _arrive(self, address: str, data: bytes) -> None:
        if self.scanner is not None and not self.is_adapter_gone and self._timeline.now_ms >= self.deaf_until_ms:
            self.scanner(address, data)

    # -- connections

    def connect(self, address: str, to_gateway: Callable[[bytes], None], gone: Callable[[], None]) -> Connection | None:
        """None where the node does not answer."""
        antenna = self.antennas.get(address)
        if antenna is None or not antenna.can_be_connected or self.is_adapter_gone:
            return None
        connection = Connection(self, antenna, to_gateway, gone)
        self.connections.append(connection)
        self.begun.append((self._timeline.now_ms, address))
        return connection

    def carry(self, connection: Connection, end: Callable[[bytes], None], chunk: bytes) -> None:
        if self.chunks_until_cut is not None:
            self.chunks_until_cut -= 1
            if self.chunks_until_cut < 0:
                self.chunks_until_cut = None
                self._faults["conversation_cut"] += 1
                connection.end()
                return
        self._timeline.after(DELAY_MS, self._deliver, connection, end, chunk)

    def _deliver(self, connection: Connection, end: Callable[[bytes], None], chunk: bytes) -> None:
        if connection.is_open:
            end(chunk)
