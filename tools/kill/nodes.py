"""Nodes that make records far faster than a street does: the firmware's own log, sender and link, on ptys, in real time.

Theory of operation
    A record is a minute of the past: each node begins `DAYS_AGO` and moves on by a minute with every record, so that fifty a
    second are possible and all nodes say the same minutes. Many are real zeros, some minutes come in two halves, now and then
    two hundred records come at once, and now and then a node starts anew on the flash it has. What every record said is noted
    when it is on flash: that is the truth which the server must end up with.
    All nodes live in one thread; whoever asks from another one takes the lock.
"""

from __future__ import annotations

import contextlib
import io
import os
import pty
import random
import threading
import time
import tty
from pathlib import Path

import streetwire
from node.links.serial import SerialLink
from node.log import RecordLog
from node.sender import Sender
from tests.node.ramflash import RamFlash

FIRST_NODE = 0x4B1100
DAYS_AGO = 30
BEAT_S = 0.005
LIVE_S = 10.0
BURST = 200
BURST_EVERY_S = 10.0
RESTART_EVERY_S = 15.0
ZEROS = 0.3  # share of records in which nobody passed
HALVES = 0.05  # share of records that close only half of their minute
PASSPORT = ("0.1.0", "load", "radar,sht4x", "load")  # firmware, kit, sensors, platform: no board, so it counts as simulated
SECTORS, SECTOR_BYTES = 160, 4096  # a slice of flash as on a board

Minute = tuple[int, int]  # (node, start of the minute)


class LoadNode:
    """One node. `truth` grows with each record that is on its flash: (ab, ba) by minute."""

    def __init__(self, number: int, folder: Path, begin_s: int, chance: random.Random) -> None:
        self.number = number
        self.path = folder / f"node-{number:06x}"
        self._chance = chance
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path.symlink_to(os.ttyname(self._slave))
        self._port = io.FileIO(self._master, "r+")
        self._flash = RamFlash(SECTORS, SECTOR_BYTES)
        self.minute_s = begin_s
        self.truth: dict[Minute, tuple[int, int]] = {}
        self.records = 0
        self.newest_sent = 0
        self.newest_acked = 0
        self.power_on()

    def power_on(self) -> None:
        """A boot on the flash as it is; nothing that was counted is open, so nothing goes."""
        self._log = RecordLog(self._flash, lambda: self._chance.getrandbits(32))
        self._sender = Sender(self._log)
        self._link = SerialLink(self._port, self._port)
        self._started_s = time.monotonic()
        self._live_at_s = 0.0
        self._half = 0
        self._total_ab = self._total_ba = 0

    @property
    def uptime_ms(self) -> int:
        return int((time.monotonic() - self._started_s) * 1000)

    @property
    def newest(self) -> int:
        """Number of the newest record on its flash."""
        return self._log.next_seq - 1

    @property
    def is_delivered(self) -> bool:
        """Everything on its flash is acknowledged."""
        return self._sender.acked is not None and self._log.next_after(self._sender.acked) is None

    def make_record(self) -> None:
        """Closes a minute, or half of one."""
        is_empty = self._chance.random() < ZEROS
        ab, ba = (0, 0) if is_empty else (self._chance.randrange(60), self._chance.randrange(60))
        self._total_ab += ab
        self._total_ba += ba
        is_half = not self._half and self._chance.random() < HALVES
        covered_s = 30 if is_half or self._half else 60
        record = streetwire.Record(
            0, 0, self.minute_s, self.uptime_ms // 1000, covered_s, ab, ba, self._total_ab, self._total_ba, 2150, 96, 6, 0
        )
        self._log.append(record)
        self.records += 1
        known_ab, known_ba = self.truth.get((self.number, self.minute_s), (0, 0))
        self.truth[self.number, self.minute_s] = known_ab + ab, known_ba + ba
        self._half = is_half
        if not is_half:
            self.minute_s += 60

    def beat(self) -> None:
        """Hears the gateway and sends what is due, as the node's app does."""
        now_ms = self.uptime_ms
        for message in self._link.receive():
            if message.node == self.number and message.incarnation == self._log.incarnation:
                self._hear(message, now_ms)
        if self._sender.is_hello_due(now_ms):
            self._say_hello()
        while (due := self._sender.next_record(now_ms)) is not None:
            previous, record = due
            if not self._link.send(streetwire.RecordMessage(self.number, self._log.incarnation, previous, record)):
                break
            self._sender.sent(record)
            self.newest_sent = max(self.newest_sent, record.seq)
        if time.monotonic() >= self._live_at_s:
            self._live_at_s = time.monotonic() + LIVE_S
            self._link.send(
                streetwire.Live(self.number, self._log.incarnation, self._log.boot, now_ms // 1000, self._total_ab, self._total_ba)
            )

    def _hear(self, message: streetwire.Message, now_ms: int) -> None:
        if isinstance(message, streetwire.Ack):
            self._sender.on_ack(message.watermark, now_ms)
            self.newest_acked = max(self.newest_acked, self._sender.acked or 0)
        elif isinstance(message, streetwire.Command) and message.verb == streetwire.SAY_HELLO:
            self._say_hello()
        elif isinstance(message, streetwire.Command) and message.verb == streetwire.RESEND_FROM:
            self._sender.resend_from(message.argument, now_ms)

    def _say_hello(self) -> None:
        log = self._log
        numbers = (log.boot, self.uptime_ms // 1000, log.first_held, log.next_seq, 0)
        self._link.send(streetwire.Hello(self.number, log.incarnation, *numbers, *PASSPORT))

    def close(self) -> None:
        self._port.close()
        with contextlib.suppress(OSError):
            os.close(self._slave)


class Load:
    """So many nodes that make `rate` records a second in all, from `start` to `end`. Context manager."""

    def __init__(self, folder: Path, nodes: int, rate: float, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311  a load that can be repeated
        begin_s = int(time.time()) // 60 * 60 - DAYS_AGO * 86_400
        self.nodes = [
            LoadNode(FIRST_NODE + n, folder, begin_s, random.Random(f"{seed} {n}"))  # noqa: S311
            for n in range(nodes)
        ]
        self._rate = rate
        self._lock = threading.Lock()
        self._is_making = True
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nodes", daemon=True)
        self.restarts = 0

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        for node in self.nodes:
            node.close()

    def stop_making(self) -> None:
        self._is_making = False

    @property
    def records(self) -> int:
        return sum(node.records for node in self.nodes)

    @property
    def is_delivered(self) -> bool:
        with self._lock:
            return all(node.is_delivered for node in self.nodes)

    def truth(self) -> dict[Minute, tuple[int, int]]:
        """What the nodes have written, by node and minute."""
        with self._lock:
            return {minute: people for node in self.nodes for minute, people in node.truth.items()}

    def marks(self) -> tuple[dict[int, int], int]:
        """Where the line between old and new is now: the newest record that each node has sent, and a minute after all."""
        with self._lock:
            return {n.number: n.newest_sent for n in self.nodes}, max(n.minute_s for n in self.nodes) + 60

    def acked(self) -> list[int]:
        """The newest acknowledged record of each node."""
        return [node.newest_acked for node in self.nodes]

    def has_acked_beyond(self, sent: dict[int, int]) -> bool:
        """Whether any node was acknowledged a record that it had not sent yet when `sent` was noted."""
        return any(node.newest_acked > sent[node.number] for node in self.nodes)

    def _run(self) -> None:
        record_at_s = time.monotonic()
        burst_at_s = record_at_s + self._chance.expovariate(1 / BURST_EVERY_S)
        restart_at_s = record_at_s + self._chance.expovariate(1 / RESTART_EVERY_S)
        while not self._is_over.wait(BEAT_S):
            now_s = time.monotonic()
            with self._lock:
                while self._is_making and record_at_s <= now_s:
                    self._chance.choice(self.nodes).make_record()
                    record_at_s += self._chance.expovariate(self._rate)
                if self._is_making and burst_at_s <= now_s:
                    for n in range(BURST):
                        self.nodes[n % len(self.nodes)].make_record()
                    burst_at_s = now_s + self._chance.expovariate(1 / BURST_EVERY_S)
                if self._is_making and restart_at_s <= now_s:
                    self._chance.choice(self.nodes).power_on()
                    self.restarts += 1
                    restart_at_s = now_s + self._chance.expovariate(1 / RESTART_EVERY_S)
                for node in self.nodes:
                    node.beat()
