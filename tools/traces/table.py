"""The tables of a trace: CSV files whose every row is checked, and every mistake in them told by file and line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.errors import EXIT_ENVIRONMENT, TrottoirError
from gateway.words import Language, Say

MOST_MISTAKES = 20
LONGEST_ROW = 200  # bytes; whatever is longer is no table
LONGEST_FOUND = 40  # characters of what was found that are told
LATEST_MS = 2**32 - 1  # 49 days


class TraceError(TrottoirError):
    """What is wrong with a trace; `mistakes` has a message for each."""

    exit_code = EXIT_ENVIRONMENT

    def __init__(self, mistakes: list[Say]) -> None:
        self.mistakes = mistakes
        super().__init__("trace")

    def line(self, language: Language = "en") -> str:
        return "\n".join(mistake.line(language) for mistake in self.mistakes)


class Mistakes:
    """Collects what is wrong; more than MOST_MISTAKES end the reading with TraceError."""

    def __init__(self) -> None:
        self.found: list[Say] = []

    def add(self, place: str, found: object, expected: Say) -> None:
        """`place` is a file with its line or key."""
        if len(self.found) == MOST_MISTAKES:
            raise TraceError([*self.found, Say("trace.more")])
        self.found.append(Say("trace.mistake", {"place": place, "found": _shortened(found), "expected": expected}))

    def lacks(self, path: Path, error: OSError) -> None:
        self.found.append(Say("trace.lacks", {"path": path, "found": error}))

    def end(self) -> None:
        """TraceError if there was any."""
        if self.found:
            raise TraceError(self.found)


@dataclass(frozen=True)
class Column:
    """`parse` gives a field's value, or None where it is none that is `expected`."""

    name: str
    parse: Callable[[str], Any]
    expected: Say


def whole(name: str, low: int, high: int) -> Column:
    """A column of whole numbers."""

    def parse(text: str) -> int | None:
        return int(text) if re.fullmatch(r"\d{1,9}", text) and low <= int(text) <= high else None

    return Column(name, parse, Say("trace.expected-whole", {"low": low, "high": high}))


def word(name: str, *words: str) -> Column:
    """A column that holds one of these words."""
    return Column(name, lambda text: text if text in words else None, Say("trace.expected-word", {"words": ", ".join(words)}))


def _milliseconds(text: str) -> int | None:
    if not re.fullmatch(r"\d{1,7}(\.\d{1,9})?", text):
        return None
    ms = round(float(text) * 1000)
    return ms if ms <= LATEST_MS else None


TIME = Column("t_s", _milliseconds, Say("trace.expected-time"))


def rows(
    path: Path, columns: tuple[Column, ...], mistakes: Mistakes, further: tuple[str, ...] = (), in_order: bool = True
) -> Iterator[tuple]:
    """The values of every good row. Columns named in `further` stand behind and may hold anything; times (in ms, first
    column) do not fall where they are to be `in_order`."""
    names = (*(column.name for column in columns), *further)
    last_ms = 0
    for place, fields in _fields(path, ",".join(names), mistakes):
        if len(fields) != len(names):
            mistakes.add(place, ",".join(fields), Say("trace.expected-fields", {"fields": len(names)}))
            continue
        values = [column.parse(field) for column, field in zip(columns, fields, strict=False)]
        for column, field, value in zip(columns, fields, values, strict=False):
            if value is None:
                mistakes.add(f"{place}: {column.name}", field, column.expected)
        if None in values:
            continue
        if in_order and values[0] < last_ms:
            mistakes.add(f"{place}: {names[0]}", fields[0], Say("trace.expected-later", {"time": f"{last_ms / 1000:.3f}"}))
            continue
        last_ms = values[0]
        yield tuple(values)


def _fields(path: Path, header: str, mistakes: Mistakes) -> Iterator[tuple[str, list[str]]]:
    # Every row as (file:line, its fields); empty lines are none.
    try:
        file = path.open("rb")
    except OSError as error:
        mistakes.lacks(path, error)
        return
    with file:
        text = file.readline(LONGEST_ROW).decode("ascii", "replace").strip()
        if text != header:
            mistakes.add(f"{path.name}:1", text, Say("trace.expected-word", {"words": header}))
            return
        number = 1
        while line := file.readline(LONGEST_ROW):
            number += 1
            text = line.decode("ascii", "replace").strip()
            if len(line) == LONGEST_ROW and not line.endswith(b"\n"):
                mistakes.add(f"{path.name}:{number}", text, Say("trace.expected-row", {"bytes": LONGEST_ROW}))
                return
            if text:
                yield f"{path.name}:{number}", text.split(",")


def _shortened(found: object) -> str:
    text = repr(found)
    return text if len(text) <= LONGEST_FOUND else text[:LONGEST_FOUND] + "..."
