"""A node to play against the gateway: a log in memory, the firmware's own sender, and a world that knows the truth."""

from __future__ import annotations

import streetwire
from node.sender import Sender
from tests.gateway.parts import INCARNATION, NODE, hello, live

SEQ_BLOCK = 256


class Log:
    """What the sender needs to know of a record log; at most `capacity` records, the oldest are given up."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.held: list[streetwire.Record] = []
        self.next_seq = 1

    def append(self, record: streetwire.Record) -> None:
        record.seq = self.next_seq
        self.next_seq += 1
        self.held.append(record)
        del self.held[: -self.capacity]

    def next_after(self, seq: int) -> streetwire.Record | None:
        return next((record for record in self.held if record.seq > seq), None)


class ModelNode:
    """`now_s` is true time. `said` collects every frame's moment and payload; `written` every record that ever was on flash;
    `counted` the people of each boot."""

    def __init__(self, now_s: int, capacity: int = 10_000) -> None:
        self.now_s = now_s
        self.log = Log(capacity)
        self.boot = 0
        self.said: list[tuple[int, bytes]] = []
        self.written: dict[int, streetwire.Record] = {}
        self.counted: dict[int, int] = {}
        self.power_on()

    def power_on(self, dark_s: int = 0) -> None:
        """Also after a power cut: what was not in a record is gone."""
        self.now_s += dark_s
        self.boot += 1
        self.log.next_seq = (self.log.next_seq // SEQ_BLOCK + 1) * SEQ_BLOCK if self.written else 1
        self.sender = Sender(self.log)
        self.has_time = False
        self.started_s = self.now_s
        self.total = 0
        self.in_record = 0
        self.minute_s = self.now_s // 60 * 60
        self.covered_s = 0

    @property
    def uptime_s(self) -> int:
        return self.now_s - self.started_s

    def pass_people(self, people: int) -> None:
        self.total += people
        self.counted[self.boot] = self.total

    def advance(self, seconds: int) -> None:
        """Time passes; minutes that end are closed, live totals told on the way."""
        for _ in range(seconds // 10):
            self.now_s += 10
            self.covered_s = min(60, self.covered_s + 10)
            if self.now_s // 60 * 60 != self.minute_s:
                self._close()
            self._say(live(self.boot, self.uptime_s, self.total, 0, covered_s=self.covered_s))
            self._send_due()

    def _close(self) -> None:
        people, self.in_record = self.total - self.in_record, self.total
        record = streetwire.Record(
            0, self.boot, self.minute_s if self.has_time else 0, self.uptime_s, self.covered_s, people, 0, self.total, 0
        )
        self.log.append(record)
        self.written[record.seq] = record
        self.minute_s, self.covered_s = self.now_s // 60 * 60, 0

    def take(self, payload: bytes) -> None:
        """What the gateway says."""
        message = streetwire.decode(payload)
        if message.kind == streetwire.ACK:
            self.sender.on_ack(message.watermark, self.uptime_s * 1000)
        elif message.kind == streetwire.TIME:
            self.has_time = True
        elif message.kind == streetwire.COMMAND and message.verb == streetwire.SAY_HELLO:
            self._say_hello()
        elif message.kind == streetwire.COMMAND and message.verb == streetwire.RESEND_FROM:
            self.sender.resend_from(message.argument, self.uptime_s * 1000)
        self._send_due()

    def _send_due(self) -> None:
        now_ms = self.uptime_s * 1000
        if self.sender.is_hello_due(now_ms):
            self._say_hello()
        while (due := self.sender.next_record(now_ms)) is not None:
            previous, record = due
            self._say(streetwire.RecordMessage(NODE, INCARNATION, previous, record))
            self.sender.sent(record)

    def _say_hello(self) -> None:
        first = self.log.held[0].seq if self.log.held else 0
        self._say(hello(self.boot, self.uptime_s, self.log.next_seq, first_held=first))

    def _say(self, message: streetwire.Message) -> None:
        self.said.append((self.now_s, message.encode()))
