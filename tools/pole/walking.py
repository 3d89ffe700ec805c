"""Somebody walks the line, again and again, and a node says what it sees and counts: walk by walk, and what to change. Pure.

Theory of operation
    The walks go to and fro: the first from A to B, the second back. A walk is over a moment after it was counted, so that one
    who is counted twice is noticed, or when the walker says that he has walked. Of what was seen only the extent is kept, to
    say why nobody was counted, and with the command it is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.words import Say
from tools.pole.picture import targets

SETTLE_MS = 1500  # after a count, in which a second one is of the same walk
TOTALS = 1 << 16
GOOD_SHARE = 0.9
REACH_MM = 500  # to either side of the line, which a passage crosses
NEARER_MM = 350  # somebody in a beam
DOOR_PERMILLE = 720  # of the empty range; below it is somebody
MOST = 50


@dataclass(slots=True)
class Seen:
    """The extent of what was seen in one walk: per axis or channel the least and the most."""

    least: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, value: int) -> None:
        self.least[name] = min(value, self.least.get(name, value))
        self.most[name] = max(value, self.most.get(name, value))


@dataclass(frozen=True, slots=True)
class Walk:
    """In which direction somebody walked, and what was counted of it."""

    direction: str
    ab: int
    ba: int
    seen: Seen

    @property
    def right(self) -> int:
        return self.ab if self.direction == "ab" else self.ba

    @property
    def wrong(self) -> int:
        return self.ba if self.direction == "ab" else self.ab

    @property
    def is_good(self) -> bool:
        return self.right == 1 and not self.wrong


class Aim:
    """`wanted` walks, of a part of this kind (tools/pole/picture)."""

    def __init__(self, kind: str, wanted: int) -> None:
        self.kind = kind
        self.wanted = wanted
        self.walks: list[Walk] = []
        self.ab = self.ba = 0  # of the walk that is going on
        self._seen = Seen()
        self._totals: tuple[int, int] | None = None
        self._counted_ms: int | None = None

    @property
    def direction(self) -> str:
        """Of the walk that is going on."""
        return "ba" if len(self.walks) % 2 else "ab"

    @property
    def is_over(self) -> bool:
        return len(self.walks) >= self.wanted

    def on_sight(self, totals: tuple[int, int], seen: Sequence[int], now_ms: int) -> bool:
        """True if a walk is over with it. Totals are those of streetwire.Sight; a node that starts anew begins again at nothing."""
        before, self._totals = self._totals, totals
        if before is None or self.is_over:
            return False
        ab, ba = (totals[0] - before[0]) % TOTALS, (totals[1] - before[1]) % TOTALS
        if ab + ba > MOST:  # it has started anew
            ab = ba = 0
        self._look(seen)
        if ab or ba:
            self.ab, self.ba = self.ab + ab, self.ba + ba
            self._counted_ms = now_ms
        if self._counted_ms is not None and now_ms - self._counted_ms >= SETTLE_MS:
            self.end_walk()
            return True
        return False

    def end_walk(self) -> None:
        """The walker says so, or it was counted."""
        if not self.is_over:
            self.walks.append(Walk(self.direction, self.ab, self.ba, self._seen))
            self.ab = self.ba = 0
            self._counted_ms = None
            self._seen = Seen()

    def _look(self, seen: Sequence[int]) -> None:
        if self.kind == "radar":
            for x, y, _ in targets(seen):
                self._seen.add("x", x)
                self._seen.add("y", y)
        else:
            for name, value in zip("AB", seen, strict=False):
                if value >= 0:
                    self._seen.add(name, value)

    # -- what came of it

    def walked(self, direction: str) -> int:
        return sum(walk.direction == direction for walk in self.walks)

    def counted(self, direction: str) -> int:
        """Walks in this direction that were counted as such."""
        return sum(walk.direction == direction and walk.right > 0 for walk in self.walks)

    @property
    def is_good(self) -> bool:
        """Nine of ten in each direction, once each, and the right way round."""
        walks = [direction for direction in ("ab", "ba") if self.walked(direction)]
        enough = all(self.counted(direction) >= GOOD_SHARE * self.walked(direction) for direction in walks)
        return bool(walks) and enough and sum(walk.is_good for walk in self.walks) >= GOOD_SHARE * len(self.walks)

    def advice(self) -> list[Say]:
        """What to change, the likeliest first; nothing where nothing needs to be."""
        if self.is_good or not self.walks:
            return []
        found: list[Say] = []
        if 2 * sum(walk.wrong > walk.right for walk in self.walks) > len(self.walks):
            found.append(Say("aim.advice-swapped"))
        if 5 * sum(walk.right > 1 for walk in self.walks) >= len(self.walks):
            found.append(Say(f"aim.advice-twice-{self._drawn}"))
        missed = [walk for walk in self.walks if not walk.ab + walk.ba]
        if missed:
            reasons = [self._why(walk.seen) for walk in missed]
            likeliest = max(reasons, key=lambda why: sum(why.key == other.key for other in reasons))
            found.append(likeliest)
        return found or [Say("aim.advice-again")]

    @property
    def _drawn(self) -> str:
        return self.kind or "radar"

    def _why(self, seen: Seen) -> Say:
        """Why nobody was counted, by what was seen meanwhile."""
        if self.kind == "radar":
            return _why_radar(seen)
        if self.kind == "switches":
            rose = [name for name in "AB" if seen.most.get(name, 0)]
        elif self.kind == "door":
            rose = [name for name in "AB" if seen.least.get(name, 0) * 1000 < seen.most.get(name, 0) * DOOR_PERMILLE]
        else:
            rose = [name for name in "AB" if seen.most.get(name, 0) - seen.least.get(name, 0) >= NEARER_MM]
        if not rose:
            return Say(f"aim.advice-nobody-{self._drawn}")
        if len(rose) == 1:
            return Say("aim.advice-one", {"seen": rose[0], "unseen": "B" if rose == ["A"] else "A"})
        return Say(f"aim.advice-both-{self._drawn}")


def _why_radar(seen: Seen) -> Say:
    if "x" not in seen.least:
        return Say("aim.advice-nobody-radar")
    about = {
        "left": seen.least["x"] // 10,
        "right": seen.most["x"] // 10,
        "near": seen.least["y"] // 10,
        "far": seen.most["y"] // 10,
    }
    if seen.least["x"] > -REACH_MM or seen.most["x"] < REACH_MM:
        return Say("aim.advice-turn", about)
    return Say("aim.advice-band", about)
