"""Which node is spoken to next, and when. One at a time.

Theory of operation
    hourly    PERIOD_MS after its last conversation began, a node is due again. Where another one is due near that moment, it
              is later by as much as keeps them apart, so fifty that were all heard at once do not meet an hour later.
    first     a node that was not spoken to since the start is due as soon as it is heard.
    wanted    somebody knows that a node holds what is missing here: it is due once FIRST_WANT_MS have passed since it was spoken
              to. If that does not help, and it is wanted again soon after, the pause is twice as long each time.
    failed    a conversation that broke off is tried again after a pause that doubles, with jitter; once it has brought something,
              the pause begins anew.
    away      who was not heard for HEARD_MS is not tried: connecting would wait for nothing, and keep the others waiting.

Rules of this file
    No clock: every time is of the steady clock, in milliseconds, and handed in; so is the jitter, a number from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

PERIOD_MS = 3_600_000
APART_MS = 60_000
HEARD_MS = 60_000
FIRST_WANT_MS = 30_000
FIRST_FAILURE_MS = 10_000
MAX_PAUSE_MS = 900_000


@dataclass(slots=True)
class _Turn:
    """Of one node: when it is due, and what has become of its turns so far."""

    heard_ms: int
    due_ms: int
    began_ms: int = 0
    ended_ms: int | None = None  # the last that came to its end
    is_wanted: bool = False
    want_pause_ms: int = FIRST_WANT_MS  # after that, before it is spoken to because it is wanted
    failures: int = 0  # since the last that brought something


class Rounds:
    """Nodes by number. Who is never heard is never spoken to, so memory is bounded by who is told of."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._turns: dict[int, _Turn] = {}
        self.speaking_to: int | None = None

    def heard(self, node: int, now_ms: int) -> None:
        """The node sends: it can be spoken to."""
        turn = self._turns.setdefault(node, _Turn(now_ms, now_ms))
        turn.heard_ms = now_ms

    def want(self, node: int, now_ms: int) -> None:
        """The node has something that is missing here. Of one that is being spoken to just now, that is known."""
        turn = self._turns.get(node)
        if turn is None or turn.ended_ms is None or turn.is_wanted or node == self.speaking_to:
            return
        turn.is_wanted = True
        if turn.failures:
            return  # its pause goes on
        if now_ms - turn.ended_ms > 2 * turn.want_pause_ms:
            turn.want_pause_ms = FIRST_WANT_MS  # it was content for so long: the last time helped
        turn.due_ms = min(turn.due_ms, max(now_ms, turn.ended_ms + turn.want_pause_ms))

    def due_ms(self, now_ms: int) -> int | None:
        """When `next` has a node at the earliest, as far as is known now; None while it has none. Ask again whenever one is heard,
        wanted or done."""
        if self.speaking_to is not None:
            return None
        return min((turn.due_ms for turn in self._turns.values() if now_ms - turn.heard_ms <= HEARD_MS), default=None)

    def next(self, now_ms: int) -> int | None:
        """Whom to speak to now, None for nobody. Until `ended` is told there is no other."""
        if self.speaking_to is not None:
            return None
        near = [(turn.due_ms, node) for node, turn in self._turns.items() if now_ms - turn.heard_ms <= HEARD_MS]
        due_ms, node = min(near, default=(now_ms + 1, 0))
        if due_ms > now_ms:
            return None
        self._turns[node].began_ms = now_ms
        self.speaking_to = node
        return node

    def ended(self, node: int, now_ms: int, *, is_done: bool, has_brought: bool = False) -> None:
        """The conversation that `next` began is over. `is_done`: nothing is left to say; else it broke off, and `has_brought` tells
        whether records came before that."""
        turn = self._turns[node]
        self.speaking_to = None
        if is_done:
            self._settle(node, turn, now_ms)
            return
        turn.failures = 1 if has_brought else turn.failures + 1
        pause_ms = min(FIRST_FAILURE_MS << min(turn.failures - 1, 16), MAX_PAUSE_MS)
        turn.due_ms = now_ms + int(pause_ms * (0.5 + self._jitter() / 2))

    def _settle(self, node: int, turn: _Turn, now_ms: int) -> None:
        if turn.is_wanted:
            turn.want_pause_ms = min(2 * turn.want_pause_ms, MAX_PAUSE_MS)
        turn.is_wanted = False
        turn.failures = 0
        turn.ended_ms = now_ms
        turn.due_ms = self._free_from(node, turn.began_ms + PERIOD_MS)

    def _free_from(self, node: int, from_ms: int) -> int:
        """The first moment from then on that is not near one at which another node is due."""
        others = sorted(turn.due_ms for other, turn in self._turns.items() if other != node)
        apart_ms = min(APART_MS, PERIOD_MS // (2 * len(self._turns)))  # so that there is room for all within the hour
        at_ms = from_ms
        for due_ms in others:
            if abs(due_ms - at_ms) < apart_ms:
                at_ms = due_ms + apart_ms
        return at_ms
