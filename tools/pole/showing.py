"""What the page of `node aim` and `node monitor --plot` shows, as one plain document. Pure, but for who calls it when."""

from __future__ import annotations

from collections import deque
from typing import Any

import streetwire
from gateway.words import LANGUAGES
from tools.pole.walking import Aim

STRIP_S = 120  # how far back the strip of counts goes
STEP_S = 5  # one of its bars


class Shown:
    """The newest sight of a node and a strip of what it counted; `aim` where somebody walks. Nothing of it is kept anywhere."""

    def __init__(self, node: str, kind: str, aim: Aim | None = None) -> None:
        self._node = node
        self._kind = kind
        self._aim = aim
        self._seen: list[int] = []
        self._totals: tuple[int, int] | None = None
        self._strip: deque[tuple[int, int, int]] = deque(maxlen=STRIP_S // STEP_S)
        self.is_over = False

    def introduce(self, node: str, kind: str) -> None:
        """It is known only now who is there."""
        self._node, self._kind = node, kind

    def on_sight(self, sight: streetwire.Sight, now_s: float) -> None:
        self._seen = list(sight.seen)
        totals = (sight.total_ab, sight.total_ba)
        before, self._totals = self._totals or totals, totals
        ab, ba = (totals[0] - before[0]) % 65536, (totals[1] - before[1]) % 65536
        step = int(now_s // STEP_S)
        if self._strip and self._strip[-1][0] == step:
            _, was_ab, was_ba = self._strip.pop()
            self._strip.append((step, was_ab + ab, was_ba + ba))
        else:
            for quiet in range(self._strip[-1][0] + 1 if self._strip else step, step):
                self._strip.append((quiet, 0, 0))
            self._strip.append((step, ab, ba))

    def document(self) -> dict[str, Any]:
        return {
            "node": self._node,
            "kind": self._kind,
            "seen": self._seen,
            "strip": [[ab, ba] for _, ab, ba in self._strip],
            "aim": self._walks(self._aim) if self._aim is not None else None,
            "is_over": self.is_over,
        }

    def _walks(self, aim: Aim) -> dict[str, Any]:
        return {
            "wanted": aim.wanted,
            "direction": aim.direction,
            "open": [aim.ab, aim.ba],
            "walks": [{"direction": walk.direction, "ab": walk.ab, "ba": walk.ba, "is_good": walk.is_good} for walk in aim.walks],
            "walked": [aim.walked("ab"), aim.walked("ba")],
            "counted": [aim.counted("ab"), aim.counted("ba")],
            "is_over": aim.is_over,
            "is_good": aim.is_good,
            "advice": [{language: say.line(language) for language in LANGUAGES} for say in aim.advice()] if aim.is_over else [],
        }
