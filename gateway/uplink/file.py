"""Line protocol in files, one a day and measurement: for places without a server, and readable by every import tool.

A point that is sent again is a later line with the same key; readers take the last one, as the database would.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from gateway.uplink import tallying
from gateway.uplink.base import Answer, Identity, Outcome, Row, Tallies, UplinkError, tags_of
from gateway.words import Say

# measurement,tags fields time, with backslash escapes in tags, quoted strings and numbers in fields
_KEY = rb"(?:\\.|[^ ,=\\])+"
_NUMBER = rb"-?\d{1,19}i|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_PAIR = _KEY + rb'=(?:"(?:\\.|[^"\\])*"|%b)' % _NUMBER
_LINE = re.compile(rb"(\w+)((?:,%b=%b)*) (%b(?:,%b)*) (\d{1,11})" % (_KEY, _KEY, _PAIR, _PAIR))
_TAG = re.compile(r",((?:\\.|[^=,\\])+)=((?:\\.|[^,\\])+)")
_FIELD = re.compile(r'((?:\\.|[^=,\\])+)=("(?:\\.|[^"\\])*"|[^,]+)', re.DOTALL)

Day = dict[tuple[bytes, int], bytes]  # (series, time) -> fields, as they are written


class FileUplink:
    """`folder` is made when it is missing; each batch is appended and synced before it counts as stored."""

    name = "file"
    is_local = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.address = str(folder)
        self.target = Say("check.folder", {"folder": folder})

    def send(self, lines: Sequence[bytes]) -> Answer:
        by_file: dict[Path, list[bytes]] = {}
        for line in lines:
            found = _LINE.fullmatch(line)
            if found is None:
                return Answer(Outcome.REFUSED, f"not line protocol: {line[:200]!r}")
            day = datetime.fromtimestamp(int(found[4]), UTC).strftime("%Y-%m-%d")
            by_file.setdefault(self._folder / f"{found[1].decode()}-{day}.lp", []).append(line)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for path, some in by_file.items():
                _append(path, b"\n".join(some) + b"\n")
        except OSError as error:
            told = UplinkError("uplink-folder", url=self.address, found=error).message
            return Answer(Outcome.RETRY, f"{self._folder}: {error.strerror}", told=told)
        return Answer(Outcome.STORED)

    def identify(self) -> Identity:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UplinkError("uplink-folder", url=self.address, found=error) from error
        return Identity("file")

    def read(self, measurement: str, start_s: int, end_s: int) -> list[Row]:
        days = self._days(measurement, start_s, end_s)
        return [Row(_tags(series), time_s, _fields(written)) for day in days for (series, time_s), written in day.items()]

    def tally(self, measurement: str, fields: Sequence[str], start_s: int, end_s: int) -> Tallies:
        tallying.check_fields(measurement, fields)
        tallies: Tallies = {}
        for day in self._days(measurement, start_s, end_s):
            try:
                tallies |= _tally(day, fields)
            except tallying.TallyError as error:
                raise UplinkError("query-failed", url=self.address, found=error) from error
        return tallies

    def _days(self, measurement: str, start_s: int, end_s: int) -> Iterator[Day]:
        # The points of each day in the span, each as it was sent last.
        for path in sorted(self._folder.glob(f"{measurement}-????-??-??.lp")):
            day_s = _day_of(path)
            if day_s < end_s and start_s < day_s + tallying.DAY_S:
                *whole, _torn = self._content(path).split(b"\n")  # what a power cut has torn is no point: it is sent again
                yield _newest(whole, start_s, end_s)

    def _content(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise UplinkError("uplink-folder", url=self.address, found=error) from error

    def close(self) -> None:
        """Nothing is held open between batches."""


def _day_of(path: Path) -> int:
    # Of a name that no day has: none that anybody asks for.
    try:
        return int(datetime.strptime(f"{path.stem[-10:]} +0000", "%Y-%m-%d %z").timestamp())
    except ValueError:
        return 1 << 62


def _newest(lines: Sequence[bytes], start_s: int, end_s: int) -> Day:
    newest: Day = {}
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is not None and start_s <= int(found[4]) < end_s:
            newest[found[2], int(found[4])] = found[3]
    return newest


def _tags(written: bytes) -> dict[str, str]:
    return {key: _unescape(value) for key, value in _TAG.findall(written.decode("utf-8", "replace"))}


def _fields(written: bytes) -> dict[str, object]:
    return {key: _value(value) for key, value in _FIELD.findall(written.decode("utf-8", "replace"))}


def _tally(day: Day, names: Sequence[str]) -> Tallies:
    found: dict[tuple[bytes, int], dict[str, tuple[int, int]]] = {}
    for (series, time_s), written in day.items():
        counted = found.setdefault((series, time_s - time_s % tallying.HOUR_S), dict.fromkeys(names, (0, 0)))
        fields = _fields(written)
        for name in names:
            if name in fields:
                count, total = counted[name]
                counted[name] = (count + 1, total + tallying.whole(fields[name]))
    tallies: Tallies = {}
    for (series, hour_s), counted in found.items():
        tallying.enter(tallies, tags_of(_tags(series)), hour_s, counted)
    return tallies


def _append(path: Path, data: bytes) -> None:
    with path.open("a+b") as file:
        file.truncate(_end_of_lines(file))
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _end_of_lines(file: BinaryIO) -> int:
    # Behind the last line end lies at most what a power cut left of a batch that never counted as stored. It has to go:
    # a line cut within its time would be a whole line of another time.
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - 65536)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _unescape(text: str) -> str:
    return re.sub(r"\\([ ,=])", r"\1", text)


def _value(text: str) -> object:
    if text.startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    return int(text[:-1]) if text.endswith("i") else float(text)
