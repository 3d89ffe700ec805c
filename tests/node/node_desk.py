"""One real node on the desk: its process, what its radar sees, and a gateway of twenty lines at the other end of its cable."""

from __future__ import annotations

import struct
from pathlib import Path

import streetwire
from tools.street import wiring
from tools.street.node import FIRMWARE, Event, Identity, NodeProcess
from tools.street.radar import encode_frame

START_MS = 1_700_000_040_000  # a whole minute, UTC
AIR = (0, wiring.AIR, struct.pack("<hH", 2500, 5650))  # hundredths of a degree, of a percent
LOOKAHEAD_MS = 10_000


def walk(t_ms: int, direction: int = 1, y_mm: int = 1800) -> list[Event]:
    """Radar reports of one person who crosses the line about 1.5 s after t_ms."""
    frames = [encode_frame([(direction * (-2000 + 130 * i), y_mm, 0, 360)]) for i in range(31)]
    return [(t_ms + 100 * i, wiring.COUNTER, frame) for i, frame in enumerate(frames)]


class Desk:
    """`answers`: whether the gateway says anything. `said` holds (t_ms, message) of everything heard from the node."""

    def __init__(
        self, flash: Path, firmware: Path = FIRMWARE, seen=(), answers: bool = True, utc_ms: int = START_MS, watermark: int = 0
    ) -> None:
        identity = Identity("24dcc3c30a01", flash, first_tick=2**30 - 90_000)  # the tick counter wraps soon
        self.node = NodeProcess(identity, 0, "micropython", firmware)
        self._utc_ms = utc_ms
        self.answers = answers
        self.said: list[tuple[int, streetwire.Message]] = []
        self.watermark = watermark
        self.accepted: dict[int, streetwire.Record] = {}
        self.raw = b""
        self._seen = sorted([AIR, *seen])
        self._deframer = streetwire.Deframer()
        self._listen()

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *error: object) -> None:
        self.node.power_cut()

    def run_until(self, until_ms: int) -> Desk:
        while self.node.local_ms < until_ms:
            limit = min(until_ms, self.node.local_ms + LOOKAHEAD_MS)
            due = [event for event in self._seen if event[0] <= limit]
            self._seen = self._seen[len(due) :]
            self.node.grant(limit, due)
            self.node.wait()
            self._listen()
        return self

    def exit_code(self) -> int:
        return self.node._process.wait(timeout=30)

    def hear(self, *messages: streetwire.Message) -> None:
        for message in messages:
            self.node.hear(streetwire.encode_frame(message.encode()))

    def free_heap(self) -> list[int]:
        key = streetwire.ID_OF["heap_free_b"]
        return [dict(live.objects)[key] for live in self.messages(streetwire.Live)]

    def messages(self, kind):
        return [message for _, message in self.said if isinstance(message, kind)]

    def _listen(self) -> None:
        data = self.node.take_output()
        self.raw += data
        for payload in self._deframer.feed(data):
            message = streetwire.decode(payload)
            self.said.append((self.node.local_ms, message))
            if self.answers:
                self._answer(message)

    def _answer(self, message: streetwire.Message) -> None:
        address = (message.node, message.incarnation)
        if isinstance(message, streetwire.RecordMessage):
            record = message.record
            if record.seq > self.watermark and message.previous <= self.watermark:
                self.accepted[record.seq] = record
                self.watermark = record.seq
            self.hear(streetwire.Ack(*address, self.watermark))
        elif isinstance(message, streetwire.Hello):
            now = streetwire.Time(*address, self._utc_ms + self.node.local_ms)
            self.hear(streetwire.Ack(*address, self.watermark), now)
