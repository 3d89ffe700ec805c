"""How long rows are kept.

What the server has is kept for KEEP_S, so that it can be found missing there; a node's and the gateway's health for STATUS_S.
What waits is never dropped for its age.
"""

from __future__ import annotations

from gateway.store import Store
from gateway.tables import QUEUED

KEEP_S = 40 * 86_400
STATUS_S = 2 * 86_400
_HEALTH = "('node_status', 'gateway_status')"


def forget(store: Store, now_s: int, received_s: int = 0) -> None:
    """Drops what was settled long ago, and received records that are older than `received_s`."""
    settled_before = f"< ? AND state != {QUEUED}"
    with store.transaction() as database:
        for table, moment in (("bins", "start"), ("climate", "start"), ("facts", "time")):
            database.execute(f"DELETE FROM {table} WHERE {moment} {settled_before}", (now_s - KEEP_S,))
        database.execute(f"DELETE FROM facts WHERE time {settled_before} AND measurement IN {_HEALTH}", (now_s - STATUS_S,))
        database.execute("DELETE FROM received WHERE committed_s < ?", (now_s - received_s,))
