"""From the outbox to the server: what an answer means for a batch, and how long to wait after it.

Theory of operation
    A batch is sent whole. STORED settles it. REFUSED and TOO_LARGE halve it and try again, down to the one line that is at
    fault. A refused line goes to the dead letters and blocks nobody, but only if the server has taken another one in the same
    attempt: who refuses everything is no database at work (a proxy, a wrong port), and everything is held. RETRY and HOLD end
    the attempt: everything stays queued, and the pause grows. Every line is absolute and keyed, so sending a half twice
    changes nothing.

Rules of this file
    No clock and no network: `attempt` is told how to send and how to settle, `Backoff` is told its random numbers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from gateway.model import OutboxRef
from gateway.uplink.base import Answer, Outcome

Item = tuple[OutboxRef, bytes]
Send = Callable[[Sequence[bytes]], Awaitable[Answer]]


@dataclass(slots=True)
class Result:
    """What became of a batch. `stopped` is the answer that ended it early, None when every line found its place."""

    stored: list[OutboxRef] = field(default_factory=list)
    refused: list[tuple[OutboxRef, str, str]] = field(default_factory=list)  # reference, line, reason
    stopped: Answer | None = None


async def attempt(items: Sequence[Item], send: Send) -> Result:
    """Sends the items, halving where the server objects to a line or to the size."""
    result = Result()
    parts = [list(items)] if items else []
    while parts:
        part = parts.pop()
        answer = await send([line for _, line in part])
        if answer.outcome is Outcome.STORED:
            result.stored += [ref for ref, _ in part]
        elif answer.outcome in (Outcome.REFUSED, Outcome.TOO_LARGE):
            if len(part) == 1:
                ref, line = part[0]
                result.refused.append((ref, line.decode("utf-8", "replace"), answer.reason))
            else:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]  # the older half goes first
        else:
            result.stopped = answer
            break
    if result.refused and not result.stored:
        reason = result.refused[0][2]
        result.refused.clear()
        result.stopped = result.stopped or Answer(Outcome.HOLD, reason)
    return result


class BatchSize:
    """How many points go at once. A server to which a batch is too large may close the connection before it has said so; so
    whoever gives no answer twice in a row gets half as many, down to one, and twice as many again with every success."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._unanswered = 0
        self.points = most

    def take(self, stopped: Answer | None) -> None:
        """How the attempt ended; None where every line found its place."""
        if stopped is None:
            self._unanswered = 0
            self.points = min(self._most, self.points * 2)
        elif stopped.status is None and stopped.outcome is Outcome.RETRY:
            self._unanswered += 1
            if self._unanswered % 2 == 0:
                self.points = max(1, self.points // 2)


class Backoff:
    """Pauses between attempts: doubling from one second, with jitter, up to a limit by kind; what the server asked for
    counts, up to ten minutes."""

    LIMITS_S = {Outcome.RETRY: 30.0, Outcome.HOLD: 600.0}
    MAX_ASKED_S = 600.0

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._failures = 0

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, answer: Answer) -> float:
        """Seconds to wait now."""
        self._failures += 1
        limit = self.LIMITS_S[answer.outcome]
        pause = min(limit, 2.0 ** min(self._failures - 1, 20)) * (0.75 + 0.25 * self._random())
        return max(pause, min(answer.retry_after_s or 0.0, self.MAX_ASKED_S))
