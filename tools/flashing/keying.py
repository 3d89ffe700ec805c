"""A node's key: made at the bench, kept by the gateway and by the node, seen by nobody.

Theory of operation
    A node has a key that counts once its counter stands beside it (firmware/node/vault). Each step below leaves a state that the
    next run recognises by what the node tells (which key, by four bytes of its hash) and what the gateway's file holds:
    1. the gateway's file is written, and synced. A node never has a key that no gateway knows.
    2. the node's key, then, only if there is none, its counter, then both are committed. A counter is never set back.
    3. the node tells which key it holds now.
    A node without key or counter, or with another key than the gateway's, gets a new one: an old one may have been used up to
    a counter that is lost, and what two adverts with one counter under one key hold is open to everybody.
    Cut before 2: the node has its old key or none; the next run makes another. Cut in 2: a key without a counter is not used;
    the next run makes another. Cut in 3: both have it, and the next run sees that.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateway.radio.keys import KEY_SIZE, KeyStore, NodeKey
from tools.flashing.errors import FlashError
from tools.flashing.prompt import Prompt
from tools.flashing.survey import NVS_NAME, Survey

_PUT_IN = """
import binascii, esp32, hashlib
values = esp32.NVS({name!r})
values.set_blob("key", binascii.unhexlify({digits!r}))
try:
    values.get_blob("counter", bytearray(4))
except OSError:
    values.set_blob("counter", bytes(4))
values.commit()
values, key = esp32.NVS({name!r}), bytearray({size})
values.get_blob("key", key)
print(binascii.hexlify(hashlib.sha256(key).digest()[:4]).decode())
"""


def known_key(folder: Path, node: str) -> NodeKey | None:
    """The key that the gateway has for this node, if its file is as it should be."""
    keys, _ = KeyStore(folder).read()
    return next((key for key in keys.values() if key.node == node), None)


def key_to_compare(key: NodeKey | None, found: Survey) -> int | None:
    """Which key the gateway has for the radio of this board; None where another radio's address stands with it."""
    return key.key_id if key is not None and key.address == found.address else None


def put_in(prompt: Prompt, found: Survey, folder: Path, random: Callable[[int], bytes]) -> None:
    """A new key, for both. ConfigError where the gateway's file cannot be written, FlashError where the node does not keep it."""
    made = KeyStore(folder).make(found.node, found.address, random, replace=True)
    told = prompt.ask(_PUT_IN.format(name=NVS_NAME, digits=made.key.hex(), size=KEY_SIZE))
    if told.strip() != f"{made.key_id:08x}":
        raise FlashError("flash-key", port=prompt.device_name)
