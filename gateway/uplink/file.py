"""Line protocol in files, one a day and measurement: for places without a server, and readable by every import tool.

A point that is sent again is a later line with the same key; readers take the last one, as the database would.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from gateway.uplink.base import Answer, Identity, Outcome, Row, UplinkError
from gateway.words import Say

# measurement,tags fields time, with backslash escapes in tags and quoted strings in fields
_KEY = rb"(?:\\.|[^ ,=\\])+"
_PAIR = _KEY + rb'=(?:"(?:\\.|[^"\\])*"|[^ ",]+)'
_LINE = re.compile(rb"(%b)((?:,%b=%b)*) (%b(?:,%b)*) (\d+)" % (_KEY, _KEY, _KEY, _PAIR, _PAIR))
_TAG = re.compile(r",((?:\\.|[^=,\\])+)=((?:\\.|[^,\\])+)")
_FIELD = re.compile(r'((?:\\.|[^=,\\])+)=("(?:\\.|[^"\\])*"|[^,]+)', re.DOTALL)


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
            return Answer(Outcome.RETRY, f"{self._folder}: {error.strerror}")
        return Answer(Outcome.STORED)

    def identify(self) -> Identity:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UplinkError("uplink-folder", url=self.address, found=error) from error
        return Identity("file")

    def read(self, measurement: str, start_s: int, end_s: int) -> list[Row]:
        newest: dict[tuple[bytes, int], Row] = {}
        for path in sorted(self._folder.glob(f"{measurement}-????-??-??.lp")):
            *whole, _torn = self._content(path).split(b"\n")  # what a power cut has torn is no point; its batch is sent again
            for line in whole:
                found = _LINE.fullmatch(line)
                if found is None or not start_s <= int(found[4]) < end_s:
                    continue
                tags = {key: _unescape(value) for key, value in _TAG.findall(found[2].decode())}
                fields = {key: _value(value) for key, value in _FIELD.findall(found[3].decode())}
                newest[found[2], int(found[4])] = Row(tags, int(found[4]), fields)
        return list(newest.values())

    def _content(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise UplinkError("uplink-folder", url=self.address, found=error) from error

    def close(self) -> None:
        """Nothing is held open between batches."""


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
