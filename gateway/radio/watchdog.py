"""Notices that the scanner hears nothing any more. Bluetooth stacks stall without an error, after hours or days.

Theory of operation
    Any advert is a sign of life, also a foreign one, and so is what a node says on a connection: not every radio scans while it
    has one. After SILENCE_MS without any the scanner is to be restarted; if that does not help within the same time again, the
    adapter; then both again, with pauses that double up to MAX_PAUSE_MS, since there may simply be nobody. While no node has a
    key, nobody listens and nothing is restarted.

Rules of this file
    No clock: times are of the steady clock, in milliseconds, and handed in.
"""

from __future__ import annotations

SILENCE_MS = 60_000
MAX_PAUSE_MS = 900_000
SCANNER = "scanner"
ADAPTER = "adapter"


class Watchdog:
    """`restarts` counts what it has asked for since the start."""

    def __init__(self, now_ms: int) -> None:
        self.restarts = {SCANNER: 0, ADAPTER: 0}
        self._since_ms = now_ms  # the last sign of life, or the last remedy
        self._tried = 0  # remedies since the last sign of life

    def heard(self, now_ms: int) -> None:
        """Any advert, or a node that is connected."""
        self._since_ms = now_ms
        self._tried = 0

    def check(self, now_ms: int, *, is_needed: bool = True) -> str:
        """What is to be restarted now: SCANNER, ADAPTER, or "" for nothing. `is_needed`: at least one node has a key."""
        if not is_needed:
            self.heard(now_ms)
        if now_ms - self._since_ms < min(SILENCE_MS << min(self._tried // 2, 4), MAX_PAUSE_MS):
            return ""
        remedy = ADAPTER if self._tried % 2 else SCANNER
        self.restarts[remedy] += 1
        self._since_ms = now_ms
        self._tried += 1
        return remedy
