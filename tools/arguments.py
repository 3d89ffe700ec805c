"""Arguments of commands: what is a number, and what is too large or too small."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cyclopts import Token

from gateway.words import Say
from tools.terminal import UsageError


def whole(kind: type, tokens: Sequence[Token]) -> int:
    """A whole number; the library's own conversion rounds."""
    if not re.fullmatch(r"-?\d{1,18}", tokens[0].value):
        raise ValueError
    return int(tokens[0].value)


def expect(option: str, found: object, is_good: bool, expected: str) -> None:
    if not is_good:
        raise UsageError("usage", option=option, found=found, expected=Say(expected))
