"""The people of one node's street: when somebody passes, never closer together than the site's stated greatest rate."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from node.minutes import AB, BA


@dataclass(frozen=True)
class Street:
    """`rate` is the site's greatest rate per minute; `ease` how far the street stays below it on average: 0 is at the rate,
    1 half of it."""

    rate: int
    ease: float

    @property
    def spacing_ms(self) -> int:
        return -(-60_000 // self.rate)

    def next_passage_ms(self, now_ms: int, rng: Random) -> int:
        """The next one after one at `now_ms`, or after the street came into view then."""
        return now_ms + self.spacing_ms + (int(rng.expovariate(1) * self.ease * self.spacing_ms) if self.ease else 0)

    @staticmethod
    def direction(rng: Random) -> int:
        return AB if rng.random() < 0.6 else BA
