"""What a node without a cable has in its place: a key, an NVS, and the firmware's own link over an antenna."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from random import Random

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

import streetwire
from gateway.model import node_name
from gateway.radio.keys import KEY_SIZE, NodeKey
from node.links.ble import BleLink
from node.session import Session
from node.vault import COUNTER, KEY, Vault
from tools.simulate.air import HEAD, Air
from tools.simulate.antenna import Antenna, FailingNvs
from tools.simulate.timeline import Timeline

NEVER_COUNTED = 1 << 24  # so far no node comes: what is not ours is tried, not just behind


def key_of(number: int) -> NodeKey:
    """The key that was put into a node, and the address of its radio."""
    address = ":".join(f"{byte:02X}" for byte in b"\x24\xdc\xc3" + number.to_bytes(3, "big"))
    return NodeKey(node_name(number), address, Random(f"key {number}").randbytes(KEY_SIZE))


def strange_advert(key: NodeKey, seed: int, counter: int) -> bytes:
    """Service data under the node's address, made by somebody who does not have its key."""
    rng = Random(seed)
    cipher, tag = AESCCM(rng.randbytes(KEY_SIZE), tag_length=4), rng.getrandbits(16)
    advert = streetwire.Advert(NEVER_COUNTED + counter, tag, rng.getrandbits(16), 0, None, None)
    packed = streetwire.pack_advert(advert, key.address_bytes, lambda nonce, plain: cipher.encrypt(nonce, plain, None))
    return bytes(packed[HEAD:])


class NodeRadio:
    """`woken` is called when the radio has told the firmware something."""

    def __init__(self, number: int, timeline: Timeline, air: Air, rng: Random, woken: Callable[[], None]) -> None:
        self.key = key_of(number)
        self.nvs = FailingNvs()
        self.antenna = Antenna(timeline, air, self.key.address, woken)
        self._rng = rng
        for name, value in ((KEY, self.key.key), (COUNTER, bytes(4))):
            self.nvs.set_blob(name, value)
        self.nvs.commit()

    def link(self, incarnation: int, ticks: tuple[Callable[[], int], Callable[[int, int], int]]) -> BleLink:
        """Of one boot."""
        cipher = AESCCM(self.key.key, tag_length=4)

        def encrypt(nonce: bytes, plain: bytes) -> bytes:
            return cipher.encrypt(bytes(nonce), bytes(plain), None)

        def session() -> Session:
            return Session(self.key.number, incarnation, hashlib.sha256, self.key.key, self._rng.randbytes)

        return BleLink(self.antenna, self.key.number, Vault(self.nvs), encrypt, session, ticks, lambda level, text: None)

    def power_off(self) -> None:
        self.nvs.power_cut()
        self.antenna.power_off()
