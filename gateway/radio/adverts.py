"""Which adverts are believed: those of a listed node, under its key, newer than all before.

Theory of operation
    foreign        an address without a key: counted as one number, and nothing of it is kept.
    not spoken to  until the node has proved in a conversation of this start that it holds its key, nothing is believed: a store
                   that was put back from a backup knows an old counter only. The proof tells the floor: the counter that
                   the next advert has at least. What is on the air just then stays below it: the node has said more since.
    believed       encrypted under the node's key, with a counter at the floor or above. The floor moves behind it, for ever.
    repeated       a node sends the same bytes again and again until it has something new: known by their bytes, no replay.
    refused        everything else, counted by node and reason. A MIC has 32 bits and could be guessed in the end: after MAX_FORGED
                   wrong ones within a minute no other is tried before that minute is over, so guessing takes centuries. Who
                   forges can hide a node's adverts so, and no more: what they would have told is fetched by connection.

Rules of this file
    No clock and no storage. Limits use the steady clock, since the other may be set. Memory is bounded by the number of keys.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

import streetwire
from gateway.model import Advertised
from gateway.radio.keys import NodeKey

FOREIGN = "foreign"
TWO_OF_ONE_KEY = "two of one key"  # the same counter with another content: a copy of the node is at work
REASONS: tuple[str, ...] = (
    FOREIGN, "plaintext", "not ours", "size", "forged", "replayed", "not spoken to", "too many forged", TWO_OF_ONE_KEY,
)  # fmt: skip
EXPECTED = (FOREIGN, "not spoken to")  # no reason to complain: others live here too, and every start begins so
MAX_FORGED = 20
MINUTE_MS = 60_000
COMPLAIN_EVERY_MS = 600_000


class Listener:
    """`keys` by address, as KeyStore.read gives them. `refused` counts adverts of all nodes by reason."""

    def __init__(self, keys: Mapping[str, NodeKey]) -> None:
        self._peers = {address: _Peer(key) for address, key in keys.items()}
        self._of_node = {peer.number: peer for peer in self._peers.values()}
        self.refused = dict.fromkeys(REASONS, 0)

    def hear(
        self, address: str, service_data: bytes, rssi_dbm: int, link: str, received_ms: int, steady_ms: int
    ) -> Advertised | None:
        """An advert, by its service data without the UUID; None where it is not believed or not new. Never raises on what came
        from outside."""
        peer = self._peers.get(address.upper())
        if peer is None:
            self.refused[FOREIGN] += 1
            return None
        if peer.is_repeated(service_data):
            return None
        try:
            advert = peer.believe(service_data, steady_ms)
        except streetwire.WireError as error:
            reason = error.reason if error.reason in REASONS else "not ours"
            self.refused[reason] += 1
            peer.refused[reason] += 1
            return None
        return Advertised(peer.number, peer.key_id, advert, link, rssi_dbm, received_ms, steady_ms)

    def spoken_to(self, node: int, counter: int) -> None:
        """The node has proved that it holds its key, and that its next advert has this counter at least. A floor never sinks."""
        peer = self._of_node[node]
        peer.floor = max(counter, peer.floor or 0)
        peer.on_air = counter - 1

    def refused_of(self, node: int) -> dict[str, int]:
        """Like `refused`, of one node."""
        return dict(self._of_node[node].refused)

    def complaints(self, steady_ms: int) -> list[tuple[str, str, int]]:
        """(node, reason, how many since it was said last) for the log; each node and reason once in ten minutes."""
        return [(peer.key.node, *row) for peer in self._peers.values() for row in peer.complaints(steady_ms)]


class _Peer:
    """One node, as far as its adverts go. `floor` is None until it was spoken to."""

    def __init__(self, key: NodeKey) -> None:
        self.key = key
        self.number = key.number
        self.key_id = key.key_id
        self.floor: int | None = None
        self.on_air: int | None = None  # the counter that was broadcast at the last conversation
        self.refused = dict.fromkeys(REASONS, 0)
        self._address = key.address_bytes
        self._cipher = AESCCM(key.key, tag_length=4)
        self._last: bytes | None = None  # what was believed last, or came last before the node was spoken to
        self._believed: int | None = None  # the counter that was believed last
        self._forged = 0  # since then, for a minute at most:
        self._forged_since_ms = 0
        self._said: dict[str, tuple[int, int | None]] = {}  # reason -> how many had been refused, and when that was said

    def is_repeated(self, data: bytes) -> bool:
        return data == self._last and self.floor is not None and _counter_of(data) < self.floor

    def believe(self, data: bytes, steady_ms: int) -> streetwire.Advert:
        """WireError with one of REASONS, or what unpack_advert says."""
        advert = streetwire.unpack_advert(data, self._address, lambda nonce, sealed: self._open(data, nonce, sealed, steady_ms))
        if self.floor is not None and advert.counter < self.floor:
            raise streetwire.WireError(TWO_OF_ONE_KEY, advert.counter, self.floor)
        self._believed = advert.counter
        self.floor = advert.counter + 1
        self._last = bytes(data)
        return advert

    def _open(self, data: bytes, nonce: bytes, sealed: bytes, steady_ms: int) -> bytes | None:
        # Between the layout and the cipher: what can be refused without deciphering is.
        counter = struct.unpack("<I", nonce[-4:])[0]
        if self.floor is None:
            self._last = bytes(data)  # if it is still sent when the floor is known, it is no replay
            raise streetwire.WireError("not spoken to", counter, "a conversation first")
        if counter < self.floor and counter != self._believed:  # of that one it is worth knowing whether a copy has said it
            raise streetwire.WireError("not spoken to" if counter == self.on_air else "replayed", counter, self.floor)
        if steady_ms - self._forged_since_ms >= MINUTE_MS:
            self._forged, self._forged_since_ms = 0, steady_ms
        if self._forged >= MAX_FORGED:
            raise streetwire.WireError("too many forged", counter, MAX_FORGED)
        try:
            return self._cipher.decrypt(nonce, sealed, None)
        except InvalidTag:
            self._forged += 1
            return None

    def complaints(self, steady_ms: int) -> list[tuple[str, int]]:
        told = []
        for reason, count in self.refused.items():
            before, said_ms = self._said.get(reason, (0, None))
            if reason in EXPECTED or count == before or (said_ms is not None and steady_ms - said_ms < COMPLAIN_EVERY_MS):
                continue
            self._said[reason] = (count, steady_ms)
            told.append((reason, count - before))
        return told


def _counter_of(data: bytes) -> int:
    """Of an advert's service data whose layout is right."""
    return struct.unpack_from("<I", data, len(data) - 8)[0]
