"""What every command shares: options before the noun, how results and messages are shown. A leaf: it imports no command."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from gateway.errors import EXIT_USAGE, TrottoirError


@dataclass
class Shared:
    """Options that stand before or after any command."""

    config: Path | None = None
    json: bool = False
    verbose: bool = False


shared = Shared()


class UsageError(TrottoirError):
    """Words that make no sense together."""

    exit_code = EXIT_USAGE


def say(text: str) -> None:
    """Messages for people; stdout is for results."""
    print(text, file=sys.stderr)


def show(result: dict[str, Any], text: str) -> None:
    """The result: one JSON document with --json, else text."""
    print(json.dumps(result) if shared.json else text, flush=True)


def parse_duration(text: str) -> timedelta:
    """`90s`, `30m`, `6h`, `1d`. UsageError for anything else."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    number, unit = text[:-1], text[-1:]
    if not number.isdecimal() or len(number) > 9 or unit not in units:
        raise UsageError("duration", found=repr(text))
    return timedelta(seconds=int(number) * units[unit])
