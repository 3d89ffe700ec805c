"""The street's end of the air: what stands between a node without a cable and the gateway's process.

Theory of operation
    A node's radio speaks in messages and hears events (`shims/board/streetradio.py`). The messages go to the radios in the
    gateway's process, while there is one. What stays true beyond the moment (services, the newest advert) is remembered and said
    to the next process, so that adverts go on when a gateway is killed and started; who was connected hears of its end after the
    silence that ends a connection.
    The witness holds the node's key. It hears what the node says before anything can be lost, also where it is sealed.
"""

from __future__ import annotations

import hmac
import struct

import streetwire
from gateway.radio.keys import NodeKey
from tools.street.cable import Witness

ACTIVE, SERVICES, ADVERTISE, NOTIFY, HANG_UP = range(1, 6)  # messages of a node
CONNECTED, DISCONNECTED, WRITTEN, ROOM = 1, 2, 3, 100  # events, of those that are looked at here
SUPERVISION_MS = 4000
_HEAD = struct.Struct("<BH")
_ADVERT_HEAD = 5

Message = tuple[int, bytes]


class AirWitness(Witness):
    """`said` is what the node has notified, `told` what was written to it; a connection at a time."""

    def __init__(self, key: NodeKey) -> None:
        super().__init__()
        self._key = key.key
        self.connected()

    def connected(self) -> None:
        self._said = streetwire.Deframer()
        self._told = streetwire.Deframer()
        self._challenge = b""
        self._seal: streetwire.Seal | None = None

    def told(self, data: bytes) -> None:
        for payload in self._told.feed(data):
            if not self._challenge:
                message = streetwire.decode(payload)
                assert isinstance(message, streetwire.Challenge)
                self._challenge = message.nonce

    def said(self, data: bytes) -> None:
        for payload in self._said.feed(data):
            if self._seal is not None:
                self.note(streetwire.decode(self._seal.open(payload)))
            else:
                self._follow(streetwire.decode(payload))

    def _follow(self, answer: streetwire.Message) -> None:
        assert isinstance(answer, streetwire.Answer)
        text = streetwire.session_text(answer.node, answer.incarnation, self._challenge, answer.nonce, answer.counter)
        session = hmac.digest(self._key, text, "sha256")
        self._seal = streetwire.Seal(
            lambda data: hmac.digest(session, data, "sha256"), streetwire.GATEWAY_SAYS, streetwire.NODE_SAYS
        )


class Aerial:
    """`address` is how the gateway's process knows the node."""

    def __init__(self, key: NodeKey) -> None:
        self.address = key.address
        self.witness = AirWitness(key)
        self._received = b""
        self._standing: dict[int, Message] = {}
        self._advert = b""
        self._connection: int | None = None

    def messages(self, data: bytes) -> list[Message]:
        """What the node's radio was told, from any part of its stream."""
        self._received += data
        messages: list[Message] = []
        while len(self._received) >= _HEAD.size:
            kind, size = _HEAD.unpack_from(self._received)
            end = _HEAD.size + size
            if len(self._received) < end:
                break
            messages.append((kind, self._received[_HEAD.size : end]))
            self._received = self._received[end:]
        return [self._noted(message) for message in messages]

    def standing(self) -> list[Message]:
        """What a new process has to be told."""
        return [self._standing[kind] for kind in (ACTIVE, SERVICES, ADVERTISE) if kind in self._standing]

    def event(self, event: bytes) -> None:
        """Happened to the node's radio."""
        if event[0] == CONNECTED:
            self._connection = event[1]
            self.witness.connected()
        elif event[0] == DISCONNECTED:
            self._connection = None
        elif event[0] == WRITTEN:
            self.witness.told(event[3:])

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    def gateway_died(self) -> bytes | None:
        """The event of a connection that was lost with it, SUPERVISION_MS from now."""
        connection, self._connection = self._connection, None
        return None if connection is None else bytes((DISCONNECTED, connection))

    def _noted(self, message: Message) -> Message:
        kind, content = message
        if kind == NOTIFY:
            self.witness.said(content[2:])
        elif kind == ADVERTISE:
            # An advert without content goes on with the newest that had some.
            self._advert = content[_ADVERT_HEAD:] or self._advert
            message = (kind, content[:_ADVERT_HEAD] + self._advert)
        if kind in (ACTIVE, SERVICES, ADVERTISE):
            self._standing[kind] = message
        return message
