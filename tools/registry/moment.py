"""The moment that a technician names: `14:05` today, `2026-05-01 14:05`, or with its offset. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.words import Say
from tools.terminal import UsageError


def parse(text: str, now_s: int, zone: str) -> int:
    """UTC in seconds; without an offset it is local time of that zone. UsageError for anything but a whole minute, and for
    one that is there twice or never, in a night in which the clocks change."""
    local, at_s = ZoneInfo(zone), 0
    today = datetime.fromtimestamp(now_s, local).date()
    try:
        found = datetime.fromisoformat(f"{today} {text.zfill(5)}" if re.fullmatch(r"\d{1,2}:\d{2}", text) else text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=local)
            _expect_once(found, text)
        at_s = int(found.timestamp())
        is_minute = not (found.second or found.microsecond or at_s % 60) and 0 < at_s < 1 << 33
    except (ValueError, OverflowError):
        is_minute = False
    if not is_minute or re.fullmatch(r"[\d-]{1,10}", text):  # a day alone would be its midnight
        raise UsageError("usage", option="--at", found=repr(text), expected=Say("registry.moment"))
    return at_s


def _expect_once(found: datetime, text: str) -> None:
    first, second = found, found.replace(fold=1)
    if first.utcoffset() == second.utcoffset():
        return
    is_twice = datetime.fromtimestamp(first.timestamp(), found.tzinfo).replace(tzinfo=None) == found.replace(tzinfo=None)
    choice = {"first": first.isoformat("T", "minutes"), "second": second.isoformat("T", "minutes")}
    expected = Say("registry.moment-twice", choice) if is_twice else Say("registry.moment-never")
    raise UsageError("usage", option="--at", found=repr(text), expected=expected)
