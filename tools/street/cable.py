"""The USB cable between a node and the gateway: paces, garbles, is pulled out and put back.

Theory of operation
    The node's side is the node's own pty; the gateway's side is a second pty behind a symbolic link, as a port under
    /dev/serial/by-id would be. In between, bytes take the time that 115200 baud takes. The cable counts what it has put into the
    gateway's port, and the gateway says what it has taken: while they differ, a byte is under way and time stands still.
"""

from __future__ import annotations

import contextlib
import os
import pty
import random
import tty
from collections.abc import Callable
from pathlib import Path

import streetwire

BYTES_PER_MS = 11.52  # 115200 baud, ten bits a byte
GARBLE_SHARE = 0.02  # of the bytes, while the cable is bad


class Witness:
    """Hears what the node says before the cable can spoil it: what was really counted, minute by minute."""

    def __init__(self) -> None:
        self._deframer = streetwire.Deframer()
        self.records: dict[tuple[int, int], streetwire.Record] = {}
        self.live: tuple[int, int] = (0, 0)
        self.is_introduced = False
        self.has_climate = False
        self.has_probe = False

    def hear(self, data: bytes) -> None:
        for payload in self._deframer.feed(data):
            self.note(streetwire.decode(payload))

    def note(self, message: streetwire.Message) -> None:
        if isinstance(message, streetwire.RecordMessage):
            self.records[message.incarnation, message.record.seq] = message.record
            self.has_climate |= message.record.n_climate > 0
        elif isinstance(message, streetwire.Live):
            self.live = (message.total_ab, message.total_ba)
            self.has_probe |= streetwire.ID_OF["probe_c"] in dict(message.objects)
        elif isinstance(message, streetwire.Hello):
            self.is_introduced = True

    def counted(self) -> tuple[int, int]:
        """(ab, ba) over all records."""
        return sum(r.d_ab for r in self.records.values()), sum(r.d_ba for r in self.records.values())


class Cable:
    """`hear` is how bytes reach the node. `link` is what the gateway calls this port."""

    def __init__(self, path: Path, hear: Callable[[bytes], None], rng: random.Random) -> None:
        self.link = f"serial:{path}"
        self.witness = Witness()
        self._path = path
        self._hear = hear
        self._rng = rng
        self._master = -1
        self._slave = -1
        self._is_open = False
        self._opens = 0
        self._put = 0
        self._taken = 0
        self.is_garbling = False
        self.plug_in()

    # -- faults

    def plug_in(self) -> None:
        """A new port appears under the same name."""
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        new = self._path.with_suffix(".new")
        new.symlink_to(os.ttyname(self._slave))
        new.replace(self._path)

    def pull_out(self) -> None:
        """The port vanishes; whoever has it open gets an error, and it is not quiet until he has noticed."""
        self._path.unlink(missing_ok=True)
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = -1

    def close(self) -> None:
        if self._is_plugged:
            self.pull_out()

    # -- the gateway's side

    @property
    def is_quiet(self) -> bool:
        """No byte is under way to the gateway, and it knows whether the cable is there."""
        return not self._is_open or (self._is_plugged and self._taken == self._put)

    def heard_from_gateway(self, is_open: bool, opens: int, rx_bytes: int) -> None:
        if is_open and (opens != self._opens or not self._is_open):
            self._put = 0
        self._is_open, self._opens, self._taken = is_open, opens, rx_bytes

    def port_closed(self) -> None:
        self._is_open = False
        self._opens = 0

    @property
    def _is_plugged(self) -> bool:
        return self._master >= 0

    def take_from_gateway(self) -> bytes:
        """What the gateway has written since the last call."""
        data = b""
        if self._is_plugged:
            with contextlib.suppress(BlockingIOError, OSError):
                while part := os.read(self._master, 65536):
                    data += part
        return data

    def deliver_to_gateway(self, data: bytes) -> bool:
        """Puts bytes into the port. False where nobody listens: then they are lost, as on a real port."""
        if not self._is_open or not self._is_plugged:
            return False
        data = self._spoil(data)
        self._put += os.write(self._master, data)
        return True

    # -- the node's side

    def deliver_to_node(self, data: bytes) -> None:
        if self._is_plugged:
            self._hear(self._spoil(data))

    @staticmethod
    def transit_ms(data: bytes) -> int:
        return 1 + int(len(data) / BYTES_PER_MS)

    def _spoil(self, data: bytes) -> bytes:
        if not self.is_garbling:
            return data
        out = bytearray()
        for byte in data:
            if self._rng.random() >= GARBLE_SHARE:
                out.append(byte)
                continue
            kind = self._rng.randrange(3)
            if kind == 0:  # a bit flips
                out.append(byte ^ 1 << self._rng.randrange(8))
            elif kind == 1:  # a byte too many; a third kind loses it
                out += bytes((byte, self._rng.randrange(256)))
        return bytes(out)
