"""What every uplink promises. A leaf: it imports no uplink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Outcome(Enum):
    """What became of a batch."""

    STORED = "stored"  # all of it, and only then
    RETRY = "retry"  # the server or the way to it is in trouble: the same again later
    HOLD = "hold"  # somebody has to do something first (token, database, an answer that is not a database's)
    TOO_LARGE = "too large"  # the same in smaller batches
    REFUSED = "refused"  # at least one line is bad; the others may or may not have been stored


@dataclass(frozen=True, slots=True)
class Answer:
    """`reason` is for a person, `retry_after_s` what the server asked for."""

    outcome: Outcome
    reason: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A point as read back."""

    tags: dict[str, str]
    time_s: int
    fields: dict[str, object]


class Uplink(Protocol):
    """Called from one worker thread at a time. Nothing is raised for what a server or a network does."""

    name: str
    is_local: bool  # whether everything sent stays on this machine

    def send(self, lines: Sequence[bytes]) -> Answer:
        """Lines of line protocol with second precision. Sending the same again changes nothing on the server."""
        ...

    def read(self, measurement: str, start_s: int, end_s: int) -> list[Row]:
        """Every point with start_s <= time < end_s, as stored. Raises UplinkError."""
        ...

    def close(self) -> None: ...
