"""What `doctor` says of one thing that it looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import EXIT_CHECK_FAILED
from gateway.words import Say

GOOD, NOTE, BAD = "good", "note", "bad"


@dataclass(frozen=True)
class Finding:
    """`check` names what was looked at; `fix`, where there is one, mends it without asking."""

    check: str
    level: str
    detail: Say
    fix: Callable[[], object] | None = None
    fixed: Say | None = None  # what is so after the fix
    unfixed: Say | None = None  # after one that failed, where that tells more than `detail`
    exit_code: int = EXIT_CHECK_FAILED  # doctor's, where this is BAD; of several the greatest
