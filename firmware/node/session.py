# The node's side of one conversation on the air: first both prove that they hold the key, then every payload is sealed.
#
# Theory of operation
#   strange     only a challenge is heard. The answer tells our nonce and the counter below which no advert of ours is new, and
#               its MAC proves the session's key, which is made of both nonces: nothing of another session fits this one.
#   challenged  only the proof is heard.
#   proven      only what is sealed by the gateway, in order, is heard.
# Whatever else is heard is a WireError, and the end: there is no second try in one connection.
# `sha256` is hashlib's, `random_bytes(n)` makes the nonce.

import streetwire
from node.hmac_sha256 import hmac_sha256


class Session:
    def __init__(self, node, incarnation, sha256, key, random_bytes):
        self._node = node
        self._incarnation = incarnation
        self._sha256 = sha256
        self._key = key
        self._random_bytes = random_bytes
        self.is_challenged = False
        self.is_proven = False

    def answer(self, payload, counter):
        """The payload that answers a challenge; `counter` is the lowest that the next advert can have."""
        challenge = self._expected(payload, streetwire.CHALLENGE)
        nonce = self._random_bytes(streetwire.NONCE_SIZE)
        text = streetwire.session_text(self._node, self._incarnation, challenge.nonce, nonce, counter)
        self._mac = hmac_sha256(self._sha256, hmac_sha256(self._sha256, self._key)(text))
        self.is_challenged = True
        mac = self._mac(streetwire.NODE_SAYS)[: streetwire.MAC_SIZE]
        return streetwire.Answer(self._node, self._incarnation, nonce, counter, mac).encode()

    def take_proof(self, payload):
        proof = self._expected(payload, streetwire.PROOF)
        if not streetwire.is_same(self._mac(streetwire.GATEWAY_SAYS)[: streetwire.MAC_SIZE], proof.mac):
            raise streetwire.WireError("proof", len(proof.mac), "the MAC of this session")
        self._seal = streetwire.Seal(self._mac, streetwire.NODE_SAYS, streetwire.GATEWAY_SAYS)
        self.is_proven = True

    def close(self, message):
        return self._seal.close(message.encode())

    def open(self, payload):
        return streetwire.decode(self._seal.open(payload))

    def _expected(self, payload, kind):
        message = streetwire.decode(payload)
        if message.kind != kind or message.node != self._node:
            raise streetwire.WireError("session", (message.kind, message.node), (kind, self._node))
        return message
