"""What the newest audit found, in a file beside the store: for commands, and after a restart."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.errors import EXIT_OK, TrottoirError
from gateway.uplink.base import Tags
from gateway.words import LANGUAGES

MAX_HOLES = 1000
_NAME = "audit.json"


@dataclass(frozen=True, slots=True)
class Hole:
    """What a server lacks of one series in one hour; `unknown` are points that it has and the books do not."""

    measurement: str
    tags: Tags
    hour_s: int
    points: int
    people: int
    unknown: int


@dataclass(slots=True)
class Audited:
    """What a round found. `missing` points were sent again, `lasting` ones were not there after TRIES repairs, `waiting` ones have
    still to be sent, and their hours to be judged; `unread` is why the server could not be asked, where it could not."""

    at_s: int
    from_s: int = 0
    round: int = 0  # counted since the start, from a number that differs from start to start
    checked: int = 0
    audited: int = 0
    holes: list[Hole] = field(default_factory=list)
    lasting: int = 0
    waiting: int = 0
    unread: TrottoirError | None = None

    @property
    def missing(self) -> int:
        return sum(hole.points for hole in self.holes)

    def as_data(self) -> dict[str, Any]:
        """For JSON: the counts, and at most MAX_HOLES holes. `unread` is told in every language, and `exit_code` is what a command
        ends with then."""
        holes = [
            {"measurement": hole.measurement, **dict(hole.tags), "hour_s": hole.hour_s, "points": hole.points,
             "people": hole.people, "unknown": hole.unknown}
            for hole in self.holes[:MAX_HOLES]
        ]  # fmt: skip
        people = sum(hole.people for hole in self.holes)
        return {
            "at_s": self.at_s, "round": self.round, "from_s": self.from_s, "checked": self.checked, "audited": self.audited,
            "missing": self.missing, "people": people, "lasting": self.lasting, "waiting": self.waiting,
            "unread": {language: self.unread.line(language) for language in LANGUAGES} if self.unread else None,
            "exit_code": self.unread.exit_code if self.unread else EXIT_OK, "holes": holes,
        }  # fmt: skip


def keep(folder: Path, found: Audited) -> None:
    """Replaces the file as a whole. OSError where the disk does not do."""
    draft = folder / f"{_NAME}.new"
    draft.write_text(json.dumps(found.as_data()), encoding="utf-8")
    draft.replace(folder / _NAME)


def newest(folder: Path) -> dict[str, Any] | None:
    """`Audited.as_data()`; None where there was no audit."""
    try:
        return json.loads((folder / _NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
