"""Malformed frames by the million through the wire protocol: none may be accepted, crash it or make it grow.

    .venv/bin/python -m tools.torture_frames --frames 100000000 --seed 1

Theory of operation
    Good frames of every kind are damaged, mixed with noise and with good ones, and fed in large streams of any portions, as a
    serial line would. Somebody else's COBS and CRC-32 are the judge: whatever the deframer hands out must stand in the stream,
    between delimiters, as they would have framed it; so a frame whose damage was undone by more damage is no false alarm. In
    every JUDGED_WHOLE-th stream they also read every frame themselves: nothing good may be missing. What comes out is decoded:
    a message that says the same when it is sent again, or a WireError. A frame counts as malformed when the deframer refused
    it, or when its payload, framed as it should be, was refused by `decode`.

    A stream follows from the seed and its number alone. Ends with exit code 1 and the failing bytes where a rule is broken.
"""

from __future__ import annotations

import random
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import streetwire
from gateway.errors import EXIT_ENVIRONMENT
from tools import torturing
from tools.torturing import Broken

try:
    from cobs import cobs
except ModuleNotFoundError as lack:
    print("tools.torture_frames: the package cobs is missing; python3 tools/go.py test installs it", file=sys.stderr)
    raise SystemExit(EXIT_ENVIRONMENT) from lack

FRAMES_A_STREAM = 2000
JUDGED_WHOLE = 20
MAX_BLOCKS = 500  # of memory that a run may hold more at its end than after its first streams
WARM_STREAMS = 3

Damage = Callable[[random.Random, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Told:
    """What a run has seen."""

    malformed: int = 0
    good: int = 0

    def __add__(self, other: Told) -> Told:
        return Told(self.malformed + other.malformed, self.good + other.good)


def good_payloads() -> list[bytes]:
    """Messages of every kind, short and long, with few and with many zeros."""
    who = (0xA3F1C2, 0x5EED1234)
    records = [
        streetwire.Record(seq, 3, 60 * (29_000_000 + seq % 999), seq, 60, seq % 7, seq % 5, seq, 2 * seq, 2150, 111, 6, seq % 16)
        for seq in (1, 255, 256, 65_536, 2**31)
    ]
    messages = [
        *(streetwire.RecordMessage(*who, record.seq - 1, record) for record in records),
        streetwire.Hello(*who, 3, 60, 1, 300, 1, "1.0.0", "ritterstrasse", "radar,sht4x", "esp32"),
        streetwire.Live(*who, 3, 130, 17, 23, [(0xC0, 91_000), (0xC4, 10)]),
        streetwire.Live(0, 0, 0, 0, 0, 0),
        streetwire.Ack(*who, 4711),
        streetwire.Time(*who, 1_800_000_000_000),
        streetwire.Command(*who, streetwire.RESEND_FROM, 17),
        streetwire.Log(*who, 4, 99, "sensor silent, türkis " * 6),
        streetwire.Challenge(who[0], 0, bytes(range(streetwire.NONCE_SIZE))),
        streetwire.Answer(*who, bytes(range(0, 64, 4)), 4711, bytes(range(200, 208))),
        streetwire.Proof(*who, bytes(streetwire.MAC_SIZE)),
        streetwire.Update(*who, streetwire.OFFER, 0, 4711, bytes(range(32))),
        streetwire.Update(*who, streetwire.BLOCK, 3, 192, bytes(streetwire.MAX_BLOCK)),
        streetwire.UpdateState(*who, streetwire.WANTS, 3, 384),
        streetwire.UpdateState(*who, streetwire.REFUSED, 0, 0, "älter als das, was läuft"),
        streetwire.TestResult(*who, [(check, 0, 250 * check) for check in range(len(streetwire.TEST_CHECKS))]),
        streetwire.Sight(*who, 130, 17, 23, [0, -250, 1999]),
    ]
    return [message.encode() for message in messages]


def framed(payload: bytes) -> bytes:
    """A frame without its delimiters, made without our own code."""
    return cobs.encode(payload + zlib.crc32(payload).to_bytes(4, "little"))


# -- damage: of a frame with its delimiters, or of a payload that is then framed as it should be


def _flipped(chance: random.Random, frame: bytes) -> bytes:
    number = int.from_bytes(frame, "big")
    for _ in range(chance.randrange(1, 6)):
        number ^= 1 << chance.randrange(8 * len(frame))
    return number.to_bytes(len(frame), "big")


def _cut(chance: random.Random, frame: bytes) -> bytes:
    return frame[: chance.randrange(len(frame))]


def _beheaded(chance: random.Random, frame: bytes) -> bytes:
    return frame[chance.randrange(1, len(frame)) :]


def _joined(_: random.Random, frame: bytes) -> bytes:
    return frame[:-1] + frame[1:]


def _inserted(chance: random.Random, frame: bytes) -> bytes:
    at = chance.randrange(len(frame))
    return frame[:at] + chance.randbytes(chance.randrange(1, 5)) + frame[at:]


def _repeated(chance: random.Random, frame: bytes) -> bytes:
    at, size = chance.randrange(len(frame)), chance.randrange(1, 9)
    return frame[: at + size] + frame[at:]


def _lost(chance: random.Random, frame: bytes) -> bytes:
    at = chance.randrange(len(frame))
    return frame[:at] + frame[at + chance.randrange(1, 5) :]


def _delimiter_moved(chance: random.Random, frame: bytes) -> bytes:
    at = chance.randrange(1, len(frame) - 1)
    return frame[1:at] + b"\x00" + frame[at:-1] + frame[at : at + 1]


def _burst(chance: random.Random, frame: bytes) -> bytes:
    at = chance.randrange(len(frame))
    return frame[:at] + chance.randbytes(6) + frame[at + 6 :]


def _noise(chance: random.Random, _: bytes) -> bytes:
    return chance.randbytes(chance.randrange(1, 60))


def _endless(chance: random.Random, frame: bytes) -> bytes:
    return frame[:-1] + frame[1:2] * chance.randrange(streetwire.MAX_FRAME, 3 * streetwire.MAX_FRAME)


def _falsely_framed(chance: random.Random, frame: bytes) -> bytes:
    payload = cobs.decode(frame[1:-1])[:-4]
    damage = chance.choice((_flipped, _cut, _inserted, _repeated, _lost, _burst))
    return b"\x00" + framed(damage(chance, payload)[: streetwire.MAX_PAYLOAD]) + b"\x00"


def _unharmed(_: random.Random, frame: bytes) -> bytes:
    return frame


DAMAGES: tuple[Damage, ...] = (
    *(_flipped, _cut, _beheaded, _joined, _inserted, _repeated, _lost, _delimiter_moved, _burst) * 3, _noise, _noise, _noise,
    _endless, _falsely_framed, _unharmed,
)  # fmt: skip


def stream_of(seed: int, number: int, frames: list[bytes]) -> bytes:
    """Damaged frames of every kind, some with a delimiter of their own behind them; the last byte is a delimiter."""
    chance = random.Random(f"{seed}:{number}")  # noqa: S311  repeatable
    parts = []
    for damage in chance.choices(DAMAGES, k=FRAMES_A_STREAM):
        parts += [damage(chance, chance.choice(frames)), b"" if chance.random() < 0.05 else b"\x00"]
    return b"".join([*parts, b"\x00"])


# -- the rules


def judge(stream: bytes, accepted: list[bytes], whole: bool) -> int:
    """How many of the accepted payloads `decode` refused. Broken where a rule is."""
    pieces = iter(stream.split(b"\x00"))
    for payload in accepted:
        expected = framed(payload)
        if not any(piece == expected for piece in pieces):  # goes on behind the one before
            raise Broken("a payload came out that nobody framed", payload)
    if whole and accepted != list(_read_by_others(stream)):
        raise Broken("a good frame was not accepted", stream)
    return sum(_is_refused(payload) for payload in accepted)


def _read_by_others(stream: bytes) -> Iterator[bytes]:
    for piece in stream.split(b"\x00"):
        try:
            content = cobs.decode(piece) if len(piece) <= streetwire.MAX_FRAME else b""
        except cobs.DecodeError:
            continue
        if len(content) > 4 and framed(content[:-4]) == piece:
            yield content[:-4]


def _is_refused(payload: bytes) -> bool:
    try:
        message = streetwire.decode(payload)
    except streetwire.WireError:
        return True
    except Exception as error:
        raise Broken(f"{type(error).__name__}: {error}", payload) from error
    try:
        again = message.encode()
        is_same = sorted(again) == sorted(payload) and streetwire.decode(again).encode() == again  # its objects in our order
    except Exception as error:
        raise Broken(f"a message cannot be sent again: {error}", payload) from error
    if not is_same:
        raise Broken("a message says something else when it is sent again", payload)
    return False


def torture(frames: int, seed: int, first: int = 0, every: int = 1) -> Told:
    """Streams `first`, `first + every`, ... until so many malformed frames were met. Broken where a rule is."""
    originals = [b"\x00" + framed(payload) + b"\x00" for payload in good_payloads()]
    deframer = streetwire.Deframer()
    chance = random.Random(seed)  # noqa: S311  repeatable
    malformed = good = 0
    blocks = 0
    number = first
    while malformed < frames:
        stream = stream_of(seed, number, originals)
        refused_before = deframer.bad_frames
        accepted = _feed(deframer, stream, chance)
        refused = judge(stream, accepted, whole=number // every % JUDGED_WHOLE == 0)
        malformed += deframer.bad_frames - refused_before + refused
        good += len(accepted) - refused
        del stream, accepted
        number += every
        if number == first + WARM_STREAMS * every:
            blocks = sys.getallocatedblocks()
    grown = sys.getallocatedblocks() - blocks
    if blocks and grown > MAX_BLOCKS:
        raise Broken(f"{grown} blocks of memory more than at the beginning", b"")
    return Told(malformed, good)


def _feed(deframer: streetwire.Deframer, stream: bytes, chance: random.Random) -> list[bytes]:
    accepted = []
    at = 0
    while at < len(stream):
        size = chance.choice((1, 64, 4096, 65_536))
        try:
            accepted += deframer.feed(stream[at : at + size])
        except Exception as error:
            raise Broken(f"{type(error).__name__}: {error}", stream) from error
        at += size
    return accepted


def main(words: list[str]) -> int:
    """Runs on every core; the exit code."""
    about = ("Malformed frames through the wire protocol.", "frames", "how many malformed frames")
    asked = torturing.asked("torture_frames", *about, words)
    calls = [(asked.share, asked.seed, first, asked.processes) for first in range(asked.processes)]
    ended = torturing.run(torture, calls, asked.seed)
    if ended is None:
        return 1
    told, took_s = sum(ended[0], Told()), ended[1]
    print(
        f"seed {asked.seed}: {told.malformed} malformed frames among {told.good} good ones, none accepted, in {took_s:.1f} s "
        f"({told.malformed / took_s:.0f} a second)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
