"""A node without a cable as the gateway's radio meets it: its adverts, and its side of a conversation."""

from __future__ import annotations

import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

import streetwire
from gateway.radio.keys import NodeKey
from tests.gateway.parts import INCARNATION, NAME, hello

KEY = NodeKey(NAME, "24:DC:C3:51:A0:02", bytes(range(16)))
OTHER_KEY = NodeKey("tr-0000b2", "24:DC:C3:51:A0:03", bytes(range(16, 32)))
AD_HEAD = 7  # of what is broadcast: flags, and length, type and UUID of the service data


def service_data(key: NodeKey, advert: streetwire.Advert) -> bytes:
    """What a receiver hands out of a genuine advert."""
    cipher = AESCCM(key.key, tag_length=4)
    packed = streetwire.pack_advert(advert, key.address_bytes, lambda nonce, plain: cipher.encrypt(nonce, plain, None))
    return packed[AD_HEAD:]


class RadioNode:
    """Counts its adverts from `counter` on. `heard` is what the gateway said once both were proven."""

    def __init__(self, key: NodeKey = KEY, counter: int = 1, next_seq: int = 1) -> None:
        self.key = key
        self.counter = counter
        self.next_seq = next_seq
        self.heard: list[streetwire.Message] = []
        self.is_proven = False
        self._deframer = streetwire.Deframer()
        self._seal: streetwire.Seal | None = None

    def advert(self, ab: int = 1, ba: int = 0, tag: int = 7, temperature_centi: int | None = 2150) -> bytes:
        """The next content."""
        data = service_data(self.key, streetwire.Advert(self.counter, tag, ab, ba, temperature_centi, 48))
        self.counter += 1
        return data

    def connected(self) -> None:
        """A connection begins: nothing of the one before it counts."""
        self._deframer = streetwire.Deframer()
        self._seal = None
        self.is_proven = False

    def hear(self, chunk: bytes) -> bytes:
        """What the gateway wrote -> what the node sends."""
        return b"".join(self._answer(payload) for payload in self._deframer.feed(chunk))

    def say(self, message: streetwire.Message) -> bytes:
        assert self._seal is not None
        return streetwire.encode_frame(self._seal.close(message.encode()))

    def _answer(self, payload: bytes) -> bytes:
        if self._seal is None:
            return self._take_challenge(streetwire.decode(payload))
        if not self.is_proven:
            assert streetwire.decode(payload).mac == self._mac(streetwire.GATEWAY_SAYS)[: streetwire.MAC_SIZE]
            self.is_proven = True
            return b""
        message = streetwire.decode(self._seal.open(payload))
        self.heard.append(message)
        is_asked = isinstance(message, streetwire.Command) and message.verb == streetwire.SAY_HELLO
        return self.say(hello(node=self.key.number, next_seq=self.next_seq)) if is_asked else b""

    def _take_challenge(self, challenge: streetwire.Challenge) -> bytes:
        nonce = bytes(range(100, 100 + streetwire.NONCE_SIZE))
        text = streetwire.session_text(self.key.number, INCARNATION, challenge.nonce, nonce, self.counter)
        session = hmac.digest(self.key.key, text, "sha256")
        self._mac = lambda data: hmac.digest(session, data, "sha256")
        self._seal = streetwire.Seal(self._mac, streetwire.NODE_SAYS, streetwire.GATEWAY_SAYS)
        mac = self._mac(streetwire.NODE_SAYS)[: streetwire.MAC_SIZE]
        return streetwire.encode_frame(streetwire.Answer(self.key.number, INCARNATION, nonce, self.counter, mac).encode())
