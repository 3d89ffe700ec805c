"""From the outbox to the server: what an answer means for a batch, and how long to wait after it.

Theory of operation
    What waits goes in batches of bounded lines and bytes. A batch is sent whole. STORED settles it. REFUSED and TOO_LARGE
    halve it and try again, down to the one line that is at fault; only where the server says that all of them lie beyond its
    retention they are refused together. A refused line goes to the dead letters and blocks nobody, but only if the server has
    taken another one in the same attempt, or takes again what it has taken before: who refuses everything is no database at
    work (a proxy, a wrong port, a clock that is years ahead), and everything is held. What can wait without holding up others
    is not halved to its last line: of a batch of which the server takes none, though it is at work, everything stays.
    RETRY and HOLD end the attempt: everything stays queued, and the pause grows. Every line is absolute and keyed, so
    sending a half twice changes nothing.

    A server that was away gets new data within 3 s of its return, however long it was away: while nobody answers, the next
    attempt comes after at most a second. An attempt that meets silence itself lasts 3 s and has knocked twice meanwhile.

Rules of this file
    No clock and no network: `attempt` is told how to send and how to settle, `Backoff` is told its random numbers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from gateway.model import OutboxRef
from gateway.uplink.base import Answer, Outcome

MAX_LINES = 5000
MAX_BYTES = 256 * 1024
PROBES = 16  # single lines, before all of a batch are taken for unwanted

Item = tuple[OutboxRef, bytes]
Refusal = tuple[OutboxRef, str, str]  # reference, line, reason
Send = Callable[[Sequence[bytes]], Awaitable[Answer]]
Proof = Callable[[], Awaitable[bool]]


@dataclass(slots=True)
class Result:
    """What became of a batch. `too_old` are those of the refused that lie beyond the server's retention. `stopped` is the answer
    that ended it early, None when every line found its place; `unwanted` is why a server at work takes none of these lines."""

    stored: list[OutboxRef] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    too_old: set[OutboxRef] = field(default_factory=set)
    stopped: Answer | None = None
    unwanted: str = ""


def batches(items: Sequence[Item]) -> list[list[Item]]:
    """The items in their order, at most MAX_LINES of them and MAX_BYTES of body at once; a line that is longer goes alone."""
    found: list[list[Item]] = []
    size = 0
    for item in items:
        length = len(item[1]) + 1
        if not found or len(found[-1]) == MAX_LINES or size + length > MAX_BYTES:
            found.append([])
            size = 0
        found[-1].append(item)
        size += length
    return found


async def no_proof() -> bool:
    """For who has nothing by which a server could prove itself."""
    return False


async def attempt(items: Sequence[Item], send: Send, is_at_work: Proof = no_proof, most_refused: int | None = None) -> Result:
    """Sends the items, halving where the server objects to a line or to the size. Where it has taken none, `is_at_work` is asked
    whether it is a database. `most_refused`: after so many lines in a row from the first one on, and a few of those
    behind them, all are unwanted."""
    result = Result()
    parts = batches(items)[::-1]
    is_unwanted = False
    while parts and not result.stopped and not is_unwanted:
        part = parts.pop()
        answer = await send([line for _, line in part])
        if answer.outcome is Outcome.STORED:
            result.stored += [ref for ref, _ in part]
        elif answer.outcome not in (Outcome.REFUSED, Outcome.TOO_LARGE):
            result.stopped = answer
        elif len(part) > 1 and answer.too_old < len(part):
            middle = len(part) // 2
            parts += [part[middle:], part[:middle]]  # the older half goes first
        else:
            result.refused += [(ref, line.decode("utf-8", "replace"), answer.reason) for ref, line in part]
            result.too_old |= {ref for ref, _ in part if answer.too_old >= len(part)}
            is_unwanted = not result.stored and len(result.refused) - len(result.too_old) == most_refused
            if is_unwanted and parts:
                is_unwanted = not await _is_one_taken(parts, send, result)
    if result.refused and not result.stored and (result.stopped or not await is_at_work()):
        result.stopped = result.stopped or Answer(Outcome.HOLD, result.refused[0][2])
        result.refused.clear()
        result.too_old.clear()
    elif is_unwanted:
        result.unwanted = result.refused[-1][2]
        result.refused = [refusal for refusal in result.refused if refusal[0] in result.too_old]
    return result


async def _is_one_taken(parts: Sequence[Sequence[Item]], send: Send, result: Result) -> bool:
    """Whether the server takes one of what is left, tried with a few that are spread over all of it."""
    items = [item for part in parts for item in part]
    for _, line in items[:: -(-len(items) // PROBES)]:
        answer = await send([line])
        if answer.outcome is Outcome.STORED:  # it comes again with its part
            return True
        if answer.outcome not in (Outcome.REFUSED, Outcome.TOO_LARGE):
            result.stopped = answer
            return False
    return False


class BatchSize:
    """How many points go at once. A server to which a batch is too large may close the connection before it has said so; so
    whoever breaks off twice in a row gets half as many, down to one, and twice as many again with every success. Whoever is
    not reached at all has not seen the size."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._broken_off = 0
        self.points = most

    def take(self, stopped: Answer | None) -> None:
        """How the attempt ended; None where every line found its place."""
        if stopped is None:
            self._broken_off = 0
            self.points = min(self._most, self.points * 2)
        elif stopped.outcome is Outcome.HOLD:  # nothing of it was taken; of more lines, some may be
            self.points = min(self._most, self.points * 2)
        elif stopped.may_be_size:
            self._broken_off += 1
            if self._broken_off % 2 == 0:
                self.points = max(1, self.points // 2)


class Backoff:
    """Pauses between attempts: doubling from one second, with jitter, up to a limit by kind of trouble, each kind from its
    beginning; what the server asked for counts, up to ten minutes."""

    UNANSWERED_S = 1.0
    LIMITS_S = {Outcome.RETRY: 30.0, Outcome.HOLD: 600.0}
    MAX_ASKED_S = 600.0

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._failures = 0
        self._limit_s = 0.0

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, answer: Answer) -> float:
        """Seconds to wait now."""
        limit_s = self.UNANSWERED_S if answer.is_unanswered else self.LIMITS_S[answer.outcome]
        if limit_s != self._limit_s:  # who was away for a day and now says "busy" has just begun to say so
            self._limit_s, self._failures = limit_s, 0
        self._failures += 1
        pause = min(limit_s, 2.0 ** min(self._failures - 1, 20)) * (0.75 + 0.25 * self._random())
        return max(pause, min(answer.retry_after_s or 0.0, self.MAX_ASKED_S))
