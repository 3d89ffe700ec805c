"""The gateway's side of a conversation with a node, without a radio: bytes in, payloads out, and bytes to send.

Theory of operation
    asked     the gateway has sent its challenge; the only thing that may come is the answer.
    proven    the answer's MAC was right: this node holds its key, and speaks now. The gateway's own proof waits to be sent, and
              from here on every payload is sealed in both directions, and must be of this node, of one log, and of a kind that
              nodes say.
    over      anything else came: WireError. The connection is worth nothing any more and is closed; another one begins anew,
              and what was acknowledged until then stays so. The link below loses nothing and corrects its errors, so one
              damaged frame is enough to know that no node of ours speaks.

Rules of this file
    No clock, no port and no randomness: the nonce is handed in, and who stays silent is the caller's affair. One frame is held
    at most.
"""

from __future__ import annotations

import hmac

import streetwire
from gateway.radio.keys import NodeKey

_SAID_BY_NODES = (streetwire.Hello, streetwire.RecordMessage, streetwire.Live, streetwire.Log)


class Conversation:
    """With the node of `key`; `nonce` are streetwire.NONCE_SIZE bytes that were never used before.

    Of a node that is proven: `incarnation` of its log, `counter` that its next advert has at least, and `hello`, the last it said.
    """

    def __init__(self, key: NodeKey, nonce: bytes) -> None:
        self.incarnation = 0
        self.counter = 0
        self.hello: streetwire.Hello | None = None
        self._key = key
        self._nonce = nonce
        self._deframer = streetwire.Deframer()
        self._seal: streetwire.Seal | None = None
        self._to_send = b""

    @property
    def is_proven(self) -> bool:
        return self._seal is not None

    def begin(self) -> bytes:
        """What to write first, once the connection stands."""
        return streetwire.encode_frame(streetwire.Challenge(self._key.number, 0, self._nonce).encode())

    def hear(self, chunk: bytes) -> list[bytes]:
        """Any part of the node's stream -> the payloads that became complete, opened. Ask `to_send` afterwards. WireError: it is
        over."""
        payloads = []
        for framed in self._deframer.feed(chunk):
            if self._seal is None:
                self._prove(framed)
            else:
                payloads.append(self._open(self._seal, framed))
        if self._deframer.dropped_bytes:
            raise streetwire.WireError("frame", self._deframer.dropped_bytes, "whole frames and nothing between them")
        return payloads

    def to_send(self) -> bytes:
        """What has to be written because of what was heard; b"" for nothing."""
        waiting, self._to_send = self._to_send, b""
        return waiting

    def seal(self, message: streetwire.Message) -> bytes:
        """A message as bytes to write. WireError before the node is proven: nobody is there to hear it."""
        if self._seal is None:
            raise streetwire.WireError("not proven", "a message", "an answer first")
        return streetwire.encode_frame(self._seal.close(message.encode()))

    def is_done(self, watermark: int) -> bool:
        """Whether everything that the hello spoke of is acknowledged, if all up to `watermark` is."""
        return self.hello is not None and watermark >= self.hello.next_seq - 1

    def _prove(self, payload: bytes) -> None:
        answer = streetwire.decode(payload)
        if not isinstance(answer, streetwire.Answer):
            raise streetwire.WireError("kind", answer.kind, "the answer")
        if answer.node != self._key.number:
            raise streetwire.WireError("node", answer.node, self._key.number)
        text = streetwire.session_text(answer.node, answer.incarnation, self._nonce, answer.nonce, answer.counter)
        session = hmac.digest(self._key.key, text, "sha256")

        def mac(data: bytes) -> bytes:
            return hmac.digest(session, data, "sha256")

        if not streetwire.is_same(mac(streetwire.NODE_SAYS)[: streetwire.MAC_SIZE], answer.mac):
            raise streetwire.WireError("proof", answer.node, "the MAC of its key")
        self.incarnation, self.counter = answer.incarnation, answer.counter
        proof = streetwire.Proof(answer.node, answer.incarnation, mac(streetwire.GATEWAY_SAYS)[: streetwire.MAC_SIZE])
        self._to_send += streetwire.encode_frame(proof.encode())
        self._seal = streetwire.Seal(mac, streetwire.GATEWAY_SAYS, streetwire.NODE_SAYS)

    def _open(self, seal: streetwire.Seal, framed: bytes) -> bytes:
        payload = seal.open(framed)
        message = streetwire.decode(payload)
        if not isinstance(message, _SAID_BY_NODES):
            raise streetwire.WireError("kind", message.kind, "what nodes say")
        if (message.node, message.incarnation) != (self._key.number, self.incarnation):
            raise streetwire.WireError("node", message.node, self._key.number)
        if isinstance(message, streetwire.Hello):
            self.hello = message
        return payload
