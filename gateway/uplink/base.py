"""What every uplink promises. A leaf: it imports no uplink."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from gateway.errors import (
    EXIT_CHECK_FAILED,
    EXIT_UPLINK_AUTHORISATION,
    EXIT_UPLINK_MISSING,
    EXIT_UPLINK_UNREACHABLE,
    TrottoirError,
)
from gateway.words import Say

VICTORIA = "VictoriaMetrics"  # what a server is called that promises less than the others
MAX_REASON = 300  # characters of what a server says that are kept
_BY_STATUS = {401: "uplink-denied", 403: "uplink-forbidden", 404: "uplink-missing", 413: "uplink-refused"}
_BY_CLASS = {2: "uplink-page", 3: "uplink-redirect", 4: "uplink-refused", 5: "uplink-trouble"}
_EXIT_CODES = {
    "uplink-denied": EXIT_UPLINK_AUTHORISATION,
    "uplink-forbidden": EXIT_UPLINK_AUTHORISATION,
    "uplink-missing": EXIT_UPLINK_MISSING,
    "uplink-other-api": EXIT_UPLINK_MISSING,
    "uplink-unmapped": EXIT_UPLINK_MISSING,
    "uplink-refused": EXIT_CHECK_FAILED,
    "uplink-copies": EXIT_CHECK_FAILED,
}  # every other cause means that no database was reached


class Outcome(Enum):
    """What became of a batch."""

    STORED = "stored"  # all of it, and only then
    RETRY = "retry"  # the server or the way to it is in trouble: the same again later
    HOLD = "hold"  # somebody has to do something first (token, database, an answer that is not a database's)
    TOO_LARGE = "too large"  # the same in smaller batches
    REFUSED = "refused"  # at least one line is bad; the others may or may not have been stored


@dataclass(frozen=True, slots=True)
class Answer:
    """`reason` is for a person, and so is `told` where nobody answered and the reason is ours to tell; `retry_after_s` is what the
    server asked for, `status` that of HTTP where there was one.
    `too_old` is how many of the lines the server says lie beyond its retention. `may_be_size`: nobody answered, and that may
    be because the batch was too large. `is_undelivered` only where certainly no byte got there."""

    outcome: Outcome
    reason: str = ""
    retry_after_s: float | None = None
    status: int | None = None
    too_old: int = 0
    may_be_size: bool = False
    is_undelivered: bool = False
    told: Say | None = None

    @property
    def is_unanswered(self) -> bool:
        """Nobody was there to take it: no status, as far as a status is used."""
        return self.outcome is Outcome.RETRY and self.status is None


@dataclass(frozen=True, slots=True)
class Row:
    """A point as read back."""

    tags: dict[str, str]
    time_s: int
    fields: dict[str, object]


Tags = tuple[tuple[str, str], ...]  # a series: its tags, sorted by their keys


def tags_of(tags: Mapping[str, str]) -> Tags:
    """A series as a key. InfluxQL tells of an absent tag as an empty one: both are the same series."""
    return tuple(sorted((key, value) for key, value in tags.items() if value))


@dataclass(frozen=True, slots=True)
class Tally:
    """What a server has of one series in one hour: how many points, and the sum of each integer field that was asked for. A
    point that lacks one of the fields does not count as a point."""

    points: int
    sums: Mapping[str, int]


Tallies = dict[tuple[Tags, int], Tally]  # by series and UTC start of the hour


@dataclass(frozen=True, slots=True)
class Identity:
    """What a server says it is; `version` is empty where it keeps it to itself."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


class UplinkError(TrottoirError):
    """Why a server could not be asked: its cause is the key, which also decides the exit code."""

    def __init__(self, key: str, **data: object) -> None:
        self.exit_code = _EXIT_CODES.get(key, EXIT_UPLINK_UNREACHABLE)
        super().__init__(key, **data)


def cause_of(status: int) -> str:
    """An HTTP status that is no success -> the key of an UplinkError."""
    if status in (408, 425, 429):
        return "uplink-trouble"
    return _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, "uplink-page")


class Uplink(Protocol):
    """Called from one worker thread at a time. `send` raises nothing for what a server or a network does."""

    name: str
    address: str  # URL or folder
    target: Say  # what points are written into: database, bucket or folder
    is_local: bool  # whether everything sent stays on this machine

    def identify(self) -> Identity:
        """Asks the server what it is. Raises UplinkError."""
        ...

    def send(self, lines: Sequence[bytes]) -> Answer:
        """Lines of line protocol with second precision. Sending the same again changes nothing on the server."""
        ...

    def read(self, measurement: str, start_s: int, end_s: int) -> list[Row]:
        """Every point of a measurement of our schema with start_s <= time < end_s, as stored. Raises UplinkError."""
        ...

    def tally(self, measurement: str, fields: Sequence[str], start_s: int, end_s: int) -> Tallies:
        """What is stored with start_s <= time < end_s, summed by series and UTC hour; an hour without a point is left out. The
        first and the last hour hold only what lies inside the span. `fields` are integer fields of the measurement, else
        ValueError. Raises UplinkError for every answer that does not say all of it without a doubt.

        A span of any length is asked for in portions of at most a day. Whoever keeps copies of a point counts them all."""
        ...

    def close(self) -> None: ...
