"""The cable between a node and the gateway: bytes both ways, and everything that a cable does to them.

Theory of operation
    Both directions carry real frames of `streetwire`. Each frame takes a few milliseconds. While a fault is on, a frame may
    be lost, doubled, late (and so overtaken), or garbled in its bytes; while the cable is out, everything is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from tools.simulate.timeline import Timeline

NOISE = ("frame_lost", "frame_doubled", "frame_late", "frame_reordered", "frame_garbled")
LATE_MS = 20_000
UP, DOWN = "up", "down"


class Cable:
    """`to_gateway` and `to_node` take the bytes at the other end; where nobody listens they are None."""

    def __init__(self, timeline: Timeline, rng: Random, faults: Counter[str]) -> None:
        self._timeline = timeline
        self._rng = rng
        self._faults = faults
        self.to_gateway: Callable[[bytes], None] | None = None
        self.to_node: Callable[[bytes], None] | None = None
        self.out_until_ms = 0
        self.mute_until_ms = 0  # only what the gateway says is lost
        self._noise: dict[str, tuple[int, float]] = {}

    @property
    def is_out(self) -> bool:
        return self._timeline.now_ms < self.out_until_ms

    def make_noise(self, kind: str, until_ms: int, share: float) -> None:
        self._noise[kind] = (until_ms, share)

    def heal(self) -> None:
        self.out_until_ms = self.mute_until_ms = 0
        self._noise.clear()

    def up(self, data: bytes) -> None:
        """From the node."""
        self._carry(data, UP)

    def down(self, data: bytes) -> None:
        """From the gateway."""
        if self._timeline.now_ms < self.mute_until_ms:
            self._faults["answer_lost"] += 1
            return
        self._carry(data, DOWN)

    def _carry(self, data: bytes, way: str) -> None:
        if self.is_out:
            return
        delay_ms = 5 + self._rng.randrange(20)
        if not self._noise:
            self._timeline.after(delay_ms, self._arrive, data, way)
            return
        now_ms = self._timeline.now_ms
        hit = {kind for kind, (until_ms, share) in self._noise.items() if now_ms < until_ms and self._rng.random() < share}
        self._faults.update(hit)
        if "frame_lost" in hit:
            return
        if "frame_garbled" in hit:
            data = garble(data, self._rng)
        if "frame_late" in hit:
            delay_ms += self._rng.randrange(LATE_MS)
        if "frame_reordered" in hit:
            delay_ms += 25 + self._rng.randrange(1500)
        self._timeline.after(delay_ms, self._arrive, data, way)
        if "frame_doubled" in hit:
            self._timeline.after(delay_ms + self._rng.randrange(3000), self._arrive, data, way)

    def _arrive(self, data: bytes, way: str) -> None:
        end = self.to_gateway if way == UP else self.to_node
        if end is not None and not self.is_out:
            end(data)


def garble(data: bytes, rng: Random) -> bytes:
    """A few bytes flipped, dropped or put in."""
    out = bytearray(data)
    for _ in range(1 + rng.randrange(3)):
        at = rng.randrange(len(out) or 1)
        what = rng.randrange(3)
        if what == 0 and out:
            out[at] ^= 1 << rng.randrange(8)
        elif what == 1 and out:
            del out[at]
        else:
            out.insert(at, rng.randrange(256))
    return bytes(out)
