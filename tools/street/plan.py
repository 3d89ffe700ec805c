"""What a demo is to run: how long, with how many nodes, and when what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass

from tools.street.sights import KITS, Kit

MINUTE_MS = 60_000
SHORT_MS = 30 * MINUTE_MS  # a short-time count: the end of the run
AIR_MS = 10 * MINUTE_MS  # of nodes without a cable: an advert every 2 s wakes everybody


@dataclass(frozen=True)
class Plan:
    """What to run. Nodes take the kits in turn. `start_s` is the second of the day; the outage is in street time. What cannot
    change the result: the page's port (0: no page), `pace` in street seconds per real second (0: as fast as it goes), and
    whether page and server stay until `done` returns."""

    seed: int = 7
    nodes: int = len(KITS)
    start_s: int = 10 * 3600
    duration_ms: int = 6 * 3600 * 1000
    outage_ms: tuple[int, int] = (0, 0)
    interpreter: str = "auto"
    port: int = 0
    pace: float = 0
    stays: bool = False

    @property
    def page_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def put_up_ms(self, kit: Kit) -> int:
        """When a node of this kit is put up."""
        if kit.has_cable and not kit.is_short:
            return 0
        return max(0, self.duration_ms - (SHORT_MS if kit.has_cable else AIR_MS))

    def calendar(self) -> dict[str, tuple[int, int]]:
        """When each fault begins and ends."""
        at = self.duration_ms
        return {
            "garble": (at * 15 // 100, at * 15 // 100 + min(10 * MINUTE_MS, at // 12)),
            "unplug": (at * 28 // 100, at * 28 // 100 + min(12 * MINUTE_MS, at // 10)),
            "outage": self.outage_ms,
            "kill": (at * 70 // 100, at * 70 // 100 + min(2 * MINUTE_MS, at // 20)),
            "refuse": (at * 80 // 100, at * 80 // 100),
        }
