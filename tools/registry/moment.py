"""The moment that a technician names: `14:05` today, `2026-05-01 14:05`, or with its offset. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.words import Say
from tools.terminal import UsageError


def parse(text: str, now_s: int, zone: str) -> int:
    """UTC in seconds; without an offset it is local time of that zone. UsageError for anything but a whole minute."""
    local, at_s = ZoneInfo(zone), 0
    today = datetime.fromtimestamp(now_s, local).date()
    try:
        found = datetime.fromisoformat(f"{today} {text.zfill(5)}" if re.fullmatch(r"\d{1,2}:\d{2}", text) else text)
        found = found if found.tzinfo else found.replace(tzinfo=local)
        at_s = int(found.timestamp())
        is_minute = not (found.second or found.microsecond or at_s % 60) and 0 < at_s < 1 << 33
    except (ValueError, OverflowError):
        is_minute = False
    if not is_minute or re.fullmatch(r"[\d-]{1,10}", text):  # a day alone would be its midnight
        raise UsageError("usage", option="--at", found=repr(text), expected=Say("registry.moment"))
    return at_s
