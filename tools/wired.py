"""A node on a serial port, spoken to without a gateway: what commands at the bench and at the pole need.

It waits in the calling thread. A node is heard within ten seconds of its start or of the last live message; only what it says
of itself (its number and incarnation) makes it listen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import serial

import streetwire
from gateway.drivers.serial import MAX_READ, open_port
from gateway.errors import DeviceError
from gateway.model import node_name

MEET_S = 25.0  # a start with its pause for technicians, and a live message
_READ_S = 0.1


class Wired:
    """`steady` gives seconds; `on_bytes` is told whatever arrives, text between frames included. `hello` is what the node said
    of itself last, None before."""

    def __init__(
        self, port: str, steady: Callable[[], float] = time.monotonic, on_bytes: Callable[[bytes], object] = lambda data: None
    ) -> None:
        self.port = port
        self.hello: streetwire.Hello | None = None
        self.frames_bad = 0
        self._address: tuple[int, int] | None = None
        self._steady = steady
        self._on_bytes = on_bytes
        self._deframer = streetwire.Deframer()
        self._serial = open_port(port)
        self._serial.timeout = _READ_S

    def __enter__(self) -> Wired:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """The port is free again."""
        self._serial.close()

    @property
    def node(self) -> str | None:
        """Its name, `tr-a3f1c2`, once it has said anything."""
        return None if self._address is None else node_name(self._address[0])

    def meet(self, within_s: float = MEET_S) -> streetwire.Hello:
        """Who is there. DeviceError where nobody says hello within that time."""
        ends_s = self._steady() + within_s
        for message in self.listen(within_s):
            if isinstance(message, streetwire.Hello):
                return message
            self.command(streetwire.SAY_HELLO)
            if self._steady() >= ends_s:
                break
        raise DeviceError("node-silent", port=self.port, seconds=round(within_s))

    def listen(self, within_s: float) -> Iterator[streetwire.Message]:
        """What the node says, until that time is over. DeviceError where the port is lost."""
        ends_s = self._steady() + within_s
        while self._steady() < ends_s:
            for payload in self._deframer.feed(self._read()):
                message = self._decoded(payload)
                if message is not None:
                    yield message

    def command(self, verb: int, argument: int = 0) -> None:
        """One of the verbs of streetwire.Command. Call `meet` first."""
        self.send(streetwire.Command, verb, argument)

    def send(self, kind: Callable[..., streetwire.Message], *fields: object) -> None:
        """A message of this kind to the node that was heard."""
        if self._address is None:
            raise DeviceError("node-silent", port=self.port, seconds=0)
        self.write(streetwire.encode_frame(kind(*self._address, *fields).encode()))

    def write(self, data: bytes) -> None:
        """Bytes as they are. DeviceError where the port is lost or takes nothing."""
        try:
            self._serial.write(data)
        except (serial.SerialException, OSError, TypeError) as error:
            raise DeviceError("port-lost", port=self.port, found=error) from error

    def _read(self) -> bytes:
        try:
            data = self._serial.read(max(1, min(self._serial.in_waiting, MAX_READ)))
        except (serial.SerialException, OSError, TypeError) as error:
            raise DeviceError("port-lost", port=self.port, found=error) from error
        self._on_bytes(data)
        return data

    def _decoded(self, payload: bytes) -> streetwire.Message | None:
        try:
            message = streetwire.decode(payload)
        except streetwire.WireError:
            self.frames_bad += 1
            return None
        self._address = (message.node, message.incarnation)
        if isinstance(message, streetwire.Hello):
            self.hello = message
        return message
