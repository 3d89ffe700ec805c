"""What is refused is counted by its reason, and said: each reason of each node once in ten minutes. Pure."""

from __future__ import annotations

from gateway.model import Effect, Note, Received, node_name

EVERY_MS = 600_000
MOST = 1024  # (who, reason) that are remembered


class Complaints:
    """`dropped` are counters by reason."""

    def __init__(self) -> None:
        self.dropped: dict[str, int] = {}
        self._said_ms: dict[tuple[str, str], int] = {}

    def drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def about(self, received: Received, node: int | None, reason: str, detail: str) -> list[Effect]:
        """Nothing is acknowledged, so the node keeps what it has."""
        self.drop(reason)
        who = received.link if node is None else node_name(node)
        last = self._said_ms.get((who, reason))
        if last is not None and 0 <= received.received_ms - last < EVERY_MS:
            return []
        if len(self._said_ms) >= MOST:
            self._said_ms.clear()
        self._said_ms[who, reason] = received.received_ms
        named: dict[str, object] = {} if node is None else {"node": who}
        return [Note("warning", reason, {**named, "link": received.link, "detail": detail})]
