"""Bytes of a port, as they came: the node's frames, and whatever text its board prints between them. Pure."""

from __future__ import annotations

import re
import struct

import streetwire

MAX_TEXT = 2000  # bytes of a text without an end
_UNREADABLE = re.compile(rb"[^\x20-\x7e\xc2-\xf4\x80-\xbf\t\r\n]")


class Stream:
    """Feed it bytes in any portions. `bad` counts what was neither a frame nor text."""

    def __init__(self) -> None:
        self._held = b""
        self.bad = 0

    def feed(self, data: bytes) -> list[streetwire.Message | str]:
        """What became complete, in order: messages, and lines of text."""
        *parts, self._held = (self._held + data).split(b"\x00")
        found: list[streetwire.Message | str] = []
        for part in parts:
            found += self._part(part)
        if len(self._held) > MAX_TEXT or self._held.endswith(b"\n"):
            if _is_text(self._held):
                found += self._text(self._held)
                self._held = b""
            elif len(self._held) > MAX_TEXT:
                self.bad += 1
                self._held = b""
        return found

    def end(self) -> list[streetwire.Message | str]:
        """What is left."""
        rest, self._held = self._held, b""
        return self._part(rest)

    def _part(self, part: bytes) -> list[streetwire.Message | str]:
        if not part:
            return []
        message = _message(part)
        if message is not None:
            return [message]
        if _is_text(part):
            return self._text(part)
        self.bad += 1
        return []

    def _text(self, data: bytes) -> list[streetwire.Message | str]:
        return [line for line in data.decode("utf-8", "replace").splitlines() if line.strip()]


def _message(part: bytes) -> streetwire.Message | None:
    if len(part) > streetwire.MAX_FRAME:
        return None
    try:
        content = bytes(streetwire.cobs_decode(part))
        if len(content) <= 4 or struct.unpack_from("<I", content, len(content) - 4)[0] != streetwire.crc32(content[:-4]):
            return None
        return streetwire.decode(content[:-4])
    except streetwire.WireError:
        return None


def _is_text(data: bytes) -> bool:
    return not _UNREADABLE.search(data)
