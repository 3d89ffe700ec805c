"""What the gateway's disk has to hold: bytes of a store in which everything waits, after an outage of so many days.

It goes through the store's own commits: every node's minutes with climate, its health every five minutes and the gateway's every
minute. What is written in a day of work `trottoir bench soak` counts.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import streetwire
from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK
from gateway.keeping import forget
from gateway.model import Accept, BootState, Effect, Passport, Status
from gateway.session import STATUS_EVERY_S
from gateway.store import Store
from tools.amount import at_least

T0 = 1_800_000_000
NODE, INCARNATION = 0x51A000, 0x9A3F_11C2  # as wide as most are
MOST_MB = 400
AT_ONCE_MIN = 60  # minutes in one commit where only the size counts


def introduce(store: Store, nodes: int) -> None:
    passports = [Passport(NODE + n, INCARNATION + n, "1.0.0", "pavement-radar", "esp32", "ld2450", "sht45") for n in range(nodes)]
    store.commit(passports, T0)


def minute(node: int, number: int) -> list[Effect]:
    """What the session decides of a node's record: a street with day and night."""
    ab, ba = (number * 7 + node * 3) % 23, (number * 5 + node) % 19
    start = T0 + number * 60
    record = streetwire.Record(number + 1, 1, start, number * 60 + 60, 60, ab, ba, number * 11, number * 9, 1850, 110, 6, 0)
    boot = BootState(NODE + node, INCARNATION + node, 1, T0 * 1000, number * 11, number * 9, number * 60 + 60)
    address = (NODE + node, INCARNATION + node)
    return [boot, Accept(*address, record, f"site-{node % 20}", start, "ld2450", "sht45", 0, (start + 61) * 1000)]


def health(node: int, number: int) -> list[Effect]:
    fields: dict[str, int | float | str] = {
        "uptime_s": number * 60, "boot": 1, "resets": 0, "frames_lost": 0, "heap_free_b": 98_304, "fw": "1.0.0",
        "passport": "pavement-radar", "rssi_dbm": -60, "battery_mv": 3700,
    }  # fmt: skip
    status = Status(f"site-{node % 20}", NODE + node, T0 + number * 60 + node, fields)
    return [BootState(NODE + node, INCARNATION + node, 1, T0 * 1000, number * 11, number * 9, number * 60), status]


def gateway_health(store: Store, number: int) -> None:
    fields: dict[str, int | float | str] = {
        "outbox_points": number, "outbox_age_s": number * 60, "dead_letters": 0, "disk_free_mb": 9999,
    }  # fmt: skip
    store.add_gateway_status("gateway", T0 + number * 60, fields)


def size_mb(folder: Path, days: int, nodes: int) -> dict[str, float]:
    """Bytes of the store after an outage of so many days, in MB, and of each of its tables and indexes."""
    store = Store(folder / "store.db")
    introduce(store, nodes)
    for first in range(0, days * 1440, AT_ONCE_MIN):
        effects: list[Effect] = []
        for number in range(first, first + AT_ONCE_MIN):
            for node in range(nodes):
                effects += minute(node, number)[1:]  # boots come at the end
                effects += health(node, number) if not number % (STATUS_EVERY_S // 60) else []
        store.commit(effects, T0 + (first + AT_ONCE_MIN) * 60)
        for number in range(first, first + AT_ONCE_MIN):
            gateway_health(store, number)
        if not (first + AT_ONCE_MIN) % 1440:
            forget(store, T0 + (first + AT_ONCE_MIN) * 60)
    store.close()
    return {"store_mb": (folder / "store.db").stat().st_size / 1e6}


def run(days: int, nodes: int, folder: Path | None = None) -> int:
    """Prints one JSON document; 1 where it is more than it may be."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder) as name:
        found = size_mb(Path(name), days, nodes)
    about = {"days": days, "nodes": nodes, "took_s": round(time.monotonic() - began)}
    print(json.dumps({**about, **found, "most_mb": MOST_MB}))
    return EXIT_OK if max(found.values()) <= MOST_MB else EXIT_CHECK_FAILED


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--days", type=at_least(1), default=30, help="of the outage")
    parser.add_argument("--nodes", type=at_least(1), default=50)
    parser.add_argument("--folder", type=Path, help="where to work")
    chosen = parser.parse_args()
    sys.exit(run(chosen.days, chosen.nodes, chosen.folder))
