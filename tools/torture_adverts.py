"""Adverts that must not be believed, by the million, past the gateway's listener: none may be, crash it or make it grow.

    .venv/bin/python -m tools.torture_adverts --adverts 10000000 --seed 1

Theory of operation
    A street of nodes says what nodes say: each content REPEATS times, some of it lost on the way. Between two contents come
    adverts of an attacker who hears everything, knows every address, and has no key: what was said before, whole, bent, cut,
    lengthened, spliced or with its counter raised; what is said now, bent on the way; in the clear, in another version, under
    another key, from another node's address; noise; and foreign ones. Often there are more of them than the listener will
    look at.
    Now and then the gateway restarts, as a listener that knows nothing, and meets the attacker before it has spoken to any node;
    or a node restarts, whose counter goes on in its next block.

Rules: none of the attacker's adverts is believed, every content of a node is believed exactly once and as it was said, nothing
    raises, and memory does not grow. The first advert that breaks one ends the run with exit code 1. A run follows from its
    seed: a MIC has 32 bits, so one forged advert in four billion has the right one by chance, and always in the same run.
"""

from __future__ import annotations

import random
import struct
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

import streetwire
from gateway.radio.adverts import MINUTE_MS, Listener
from gateway.radio.keys import KEY_SIZE, NodeKey
from tools import torturing
from tools.torturing import Broken

NODES = 8
REPEATS = 5
REMEMBERED = 50  # contents of each node that the attacker replays
COUNTER_BLOCK = 1024
MAX_BLOCKS = 500  # of memory that a run may hold more at its end than after a tenth
AD_HEAD = 7  # of what is broadcast: flags, and length, type and UUID of the service data
STRANGER = "DD:DD:DD:00:00:01"


@dataclass(frozen=True, slots=True)
class Told:
    """What a run has seen: adverts of the attacker, and contents of nodes."""

    hostile: int = 0
    genuine: int = 0

    def __add__(self, other: Told) -> Told:
        return Told(self.hostile + other.hostile, self.genuine + other.genuine)


class Node:
    """Says contents under its key; `said` are the last of them, all of which have been heard or overtaken."""

    def __init__(self, chance: random.Random, number: int) -> None:
        self.key = NodeKey(f"tr-{number:06x}", f"24:DC:C3:00:00:{number:02X}", chance.randbytes(KEY_SIZE))
        self.counter = chance.randrange(2**20)
        self.said: deque[bytes] = deque(maxlen=REMEMBERED)
        self._chance = chance
        self._address = self.key.address_bytes
        self._cipher = AESCCM(self.key.key, tag_length=4)
        self._forger = AESCCM(chance.randbytes(KEY_SIZE), tag_length=4)

    def say(self) -> tuple[streetwire.Advert, bytes]:
        """The next content, and its service data."""
        advert = self._content(self.counter)
        self.counter += 1
        return advert, self._packed(advert, self._cipher)

    def forge(self) -> bytes:
        """What it might say next, under another key."""
        return self._packed(self._content(self.counter + self._chance.randrange(3)), self._forger)

    def restart(self) -> None:
        self.counter = (self.counter // COUNTER_BLOCK + 1) * COUNTER_BLOCK

    def _content(self, counter: int) -> streetwire.Advert:
        tag, total_ab, total_ba = (self._chance.getrandbits(16) for _ in range(3))
        climate = self._chance.choice(((None, None), (2150, 48), (-999, None)))
        return streetwire.Advert(counter, tag, total_ab, total_ba, *climate)

    def _packed(self, advert: streetwire.Advert, cipher: AESCCM) -> bytes:
        return streetwire.pack_advert(advert, self._address, lambda nonce, plain: cipher.encrypt(nonce, plain, None))[AD_HEAD:]


# -- what the attacker makes of what a node, or another one, has said

Attack = Callable[[random.Random, Node, Node], bytes]


def _replayed(chance: random.Random, node: Node, _: Node) -> bytes:
    return chance.choice(node.said)


def _bent(chance: random.Random, node: Node, _: Node) -> bytes:
    return _with_bits_turned(chance, chance.choice(node.said))


def _bent_on_the_way(chance: random.Random, node: Node, _: Node) -> bytes:
    return _with_bits_turned(chance, node.say()[1])  # the genuine one is lost


def _with_bits_turned(chance: random.Random, genuine: bytes) -> bytes:
    data = bytearray(genuine)
    for bit in chance.sample(range(8 * len(data)), chance.randrange(1, 4)):
        data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


def _cut(chance: random.Random, node: Node, _: Node) -> bytes:
    data = chance.choice(node.said)
    return data[: chance.randrange(len(data))]


def _longer(chance: random.Random, node: Node, _: Node) -> bytes:
    return chance.choice(node.said) + chance.randbytes(chance.choice((1, 2, 3, 8, 220)))


def _spliced(chance: random.Random, node: Node, _: Node) -> bytes:
    at = chance.choice((4, 8, 10))
    return chance.choice(node.said)[:-at] + chance.choice(node.said)[-at:]


def _raised(chance: random.Random, node: Node, _: Node) -> bytes:
    data = chance.choice(node.said)
    return data[:-8] + struct.pack("<I", node.counter + chance.randrange(1000)) + data[-4:]


def _in_the_clear(chance: random.Random, node: Node, _: Node) -> bytes:
    return b"\x40" + chance.choice((chance.choice(node.said)[1:], b"\x02\xca\x09\x3d\x05\x00\x3d\x07\x00"))


def _other_version(chance: random.Random, node: Node, _: Node) -> bytes:
    return bytes((chance.choice((0x01, 0x21, 0x45, 0x61, 0xC1)),)) + chance.choice(node.said)[1:]


def _other_key(_: random.Random, node: Node, __: Node) -> bytes:
    return node.forge()


def _other_node(chance: random.Random, _: Node, other: Node) -> bytes:
    return chance.choice(other.said)


def _noise(chance: random.Random, _: Node, __: Node) -> bytes:
    return chance.choice((b"", b"\x41")) + chance.randbytes(chance.randrange(32))


ATTACKS: tuple[Attack, ...] = (
    _replayed, _replayed, _bent, _bent_on_the_way, _bent_on_the_way, _cut, _longer, _spliced, _raised, _raised, _in_the_clear,
    _other_version, _other_key, _other_key, _other_node, _noise,
)  # fmt: skip


class Street:
    """Nodes, attacker and listener. Broken where a rule is."""

    def __init__(self, seed: str) -> None:
        self.told = Told()
        self._chance = random.Random(seed)  # noqa: S311  repeatable
        self._nodes = [Node(self._chance, number) for number in range(NODES)]
        self._steady_ms = 0
        self._restart_gateway()
        self._speak_to_all()
        for _ in range(REMEMBERED):
            self._hear_nodes()

    def go_on(self) -> None:
        """A few minutes: the attacker's, then a content of each node."""
        restarts = self._chance.random() < 0.05
        if restarts:
            self._restart_gateway()
        if self._chance.random() < 0.05:
            self._chance.choice(self._nodes).restart()
        hostile = sum(self._attack(node) for node in self._nodes)
        self.told += Told(hostile, 0)
        if restarts:
            self._speak_to_all()
        self._steady_ms += MINUTE_MS  # what the listener will not look at any more is over with the minute
        self._hear_nodes()

    def _restart_gateway(self) -> None:
        self._listener = Listener({node.key.address: node.key for node in self._nodes})

    def _speak_to_all(self) -> None:
        for node in self._nodes:
            self._listener.spoken_to(node.key.number, node.counter)

    def _attack(self, node: Node) -> int:
        other = self._nodes[node.key.number - 1]  # of the first one, the last
        attacks = self._chance.choices(ATTACKS, k=self._chance.choice((8, 16, 16, 60)))
        for attack in attacks:
            data = attack(self._chance, node, other)
            if self._hear(node.key.address, data) is not None:
                raise Broken(f"an advert of the attacker was believed ({attack.__name__[1:]})", data)
        if self._hear(STRANGER, node.said[-1]) is not None:
            raise Broken("a stranger was believed", node.said[-1])
        return len(attacks) + 1

    def _hear_nodes(self) -> None:
        for node in self._nodes:
            lost = [node.say()[1] for _ in range(self._chance.choice((0, 0, 1, 4)))]
            advert, data = node.say()
            believed = [told for _ in range(REPEATS) if (told := self._hear(node.key.address, data)) is not None]
            if believed != [advert]:
                raise Broken(f"a content of a node was believed {len(believed)} times, or as another one", data)
            node.said += [*lost, data]
        self.told += Told(0, len(self._nodes))

    def _hear(self, address: str, data: bytes) -> streetwire.Advert | None:
        received_ms = self._chance.choice((0, 1_800_000_000_000))  # a clock that is set means nothing here
        try:
            told = self._listener.hear(address, data, -60, "ble:hci0", received_ms, self._steady_ms)
        except Exception as error:
            raise Broken(f"{type(error).__name__}: {error}", data) from error
        return None if told is None else told.advert


def torture(adverts: int, seed: str) -> Told:
    """Until so many adverts of the attacker were heard. Broken where a rule is."""
    street = Street(seed)
    blocks = 0
    while street.told.hostile < adverts:
        street.go_on()
        if not blocks and street.told.hostile >= adverts // 10:
            blocks = sys.getallocatedblocks()
    grown = sys.getallocatedblocks() - blocks
    if grown > MAX_BLOCKS:
        raise Broken(f"{grown} blocks of memory more than at the beginning", b"")
    return street.told


def main(words: list[str]) -> int:
    """Runs on every core; the exit code."""
    about = ("Adverts that must not be believed, past the listener.", "adverts", "how many of the attacker")
    asked = torturing.asked("torture_adverts", *about, words)
    ended = torturing.run(torture, [(asked.share, f"{asked.seed}:{number}") for number in range(asked.processes)], asked.seed)
    if ended is None:
        return 1
    told, took_s = sum(ended[0], Told()), ended[1]
    print(
        f"seed {asked.seed}: {told.hostile} adverts of an attacker, none believed; {told.genuine} contents of nodes, each believed "
        f"once; in {took_s:.1f} s ({told.hostile / took_s:.0f} a second)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
