"""How right a count is: passages counted against passages true, one to one, in the same direction, within a tolerance.

Pure. The matching is the largest there is. For that it is enough to go through both in the order of time and to pair the
earliest of each as soon as they are near enough: every passage accepts the same stretch of time around itself, so whoever
comes first may take the first without harm to those that follow. Pairing the nearest first would not do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TOLERANCE_MS = 1000
DIRECTIONS = ("ab", "ba")

# Time in ms, direction.
Passage = tuple[int, str]


@dataclass(frozen=True)
class Score:
    """How many there are, and how many of them are pairs. Ratios are None where there is nothing to divide by."""

    true: int
    counted: int
    matched: int

    @property
    def precision(self) -> float | None:
        return _ratio(self.matched, self.counted)

    @property
    def recall(self) -> float | None:
        return _ratio(self.matched, self.true)

    @property
    def f1(self) -> float | None:
        return _ratio(2 * self.matched, self.true + self.counted)

    @property
    def signed_error(self) -> float | None:
        """Of the total of both directions, as a share of the truth: negative where too few were counted."""
        return _ratio(self.counted - self.true, self.true)

    def __add__(self, other: Score) -> Score:
        return Score(self.true + other.true, self.counted + other.counted, self.matched + other.matched)


def score(true: Sequence[Passage], counted: Sequence[Passage], tolerance_ms: int = TOLERANCE_MS) -> Score:
    """In any order of time."""
    total = Score(0, 0, 0)
    for direction in DIRECTIONS:
        there, found = (sorted(t_ms for t_ms, towards in side if towards == direction) for side in (true, counted))
        total += Score(len(there), len(found), _pairs(there, found, tolerance_ms))
    return total


def _pairs(true: list[int], counted: list[int], tolerance_ms: int) -> int:
    pairs = i = j = 0
    while i < len(true) and j < len(counted):
        if abs(true[i] - counted[j]) <= tolerance_ms:
            pairs += 1
            i += 1
            j += 1
        elif true[i] < counted[j]:
            i += 1
        else:
            j += 1
    return pairs


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
