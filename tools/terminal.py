"""What every command shares: options before the noun, the reader's language, how results and messages are shown.

A leaf: it imports no command.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from gateway import words
from gateway.errors import EXIT_USAGE, TrottoirError
from gateway.words import Language


@dataclass
class Shared:
    """Options that stand before or after any command."""

    config: Path | None = None
    language: Language = "en"
    json: bool = False
    verbose: bool = False


shared = Shared()

CONFIG_HERE = Path("trottoir.toml")


def config_path() -> Path | None:
    """The configuration that --config names, else the one in this folder; None where there is neither."""
    return shared.config or (CONFIG_HERE if CONFIG_HERE.is_file() else None)


class UsageError(TrottoirError):
    """Words that make no sense together."""

    exit_code = EXIT_USAGE


def t(key: str, **values: object) -> str:
    """A message in the user's language."""
    return words.text(key, shared.language, **values)


def say(text: str) -> None:
    """Messages for people; stdout is for results."""
    print(printable(text), file=sys.stderr)


def show(result: dict[str, Any], text: str) -> None:
    """The result: one JSON document with --json, else text. Messages in it (`Say`) are English, as all data."""
    print(json.dumps(result, default=str) if shared.json else printable(text), flush=True)


def printable(text: str) -> str:
    """What came from a server or a node must not speak to the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def percent(share: float, digits: int = 0, sign: str = "") -> str:
    """0.125 -> `12.5 %`, or as the user's language writes it."""
    return f"{decimal(share * 100, digits, sign)} %"


def decimal(value: float, digits: int = 0, sign: str = "") -> str:
    """With the decimal mark of the user's language; `sign` is `+` where a plus is to be shown."""
    text = f"{value:{sign}.{digits}f}"
    return text.replace(".", ",") if shared.language == "de" else text


def parse_duration(text: str) -> timedelta:
    """`90s`, `30m`, `6h`, `1d`. UsageError for anything else."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    number, unit = text[:-1], text[-1:]
    if not number.isdecimal() or len(number) > 9 or unit not in units:
        raise UsageError("duration", found=repr(text))
    return timedelta(seconds=int(number) * units[unit])
