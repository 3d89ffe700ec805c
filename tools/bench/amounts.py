"""How much the benches of the core do unless told otherwise; with less, more of it lies in caches."""

from __future__ import annotations

from collections.abc import Mapping

FULL = {"records": 1_000_000, "minutes": 525_600, "turns": 9}  # of a batch; minutes of each series; of each contender


def is_less(amounts: Mapping[str, int]) -> bool:
    return any(amount < FULL[name] for name, amount in amounts.items())
