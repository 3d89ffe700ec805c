"""Frozen types for those who look on: the page, the terminal, the commands."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model import Heard, Passport
from gateway.words import Language, Say


@dataclass(frozen=True, slots=True)
class NodeNow:
    """What the session knows of a node at this moment. `silent_since_s` is the begin of an open gap, else 0; `open_ab` and
    `open_ba` are people that the live totals know of and no record yet."""

    node: str
    last_bin_s: int
    heard: Heard | None
    passport: Passport | None
    silent_since_s: int
    open_ab: int = 0
    open_ba: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    """People in an interval that begins at `from_s`, and for how many of its seconds the node was counting."""

    from_s: int
    ab: int
    ba: int
    covered_s: int


@dataclass(frozen=True, slots=True)
class ClimateMean:
    """Means of the minute that begins at `from_s`."""

    from_s: int
    temperature_c: float
    humidity_pct: float
    q: int


@dataclass(frozen=True, slots=True)
class OutboxState:
    """What waits to be sent: `oldest_s` is the time of the oldest point, 0 where none waits."""

    waiting: int
    oldest_s: int
    dead_letters: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A line that the server refuses, since when and why."""

    at_s: int
    line: str
    reason: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why nothing is taken, since when, and when it is tried again (unix seconds). `told` is the reason where it is ours to tell;
    what a server says stays in its own words."""

    reason: str
    since_s: int
    next_try_s: int
    told: Say | None = None

    def line(self, language: Language) -> str:
        """The reason for a person."""
        return self.told.line(language) if self.told is not None else self.reason
