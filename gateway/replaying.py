"""Received records once more: into an empty store, to prove that the points follow from them and from nothing else.

A store keeps what it accepted only by choice (`[gateway] keep_received_days`). Each is committed again in its order, with the
moment of its first commit, and the bins are compared.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby

import streetwire
from gateway.model import Accept, CountBin, Salvage, node_number
from gateway.store import Store

PORTION = 5_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many were replayed, how many bins could be compared, and those that differ, as (was, became)."""

    received: int
    bins: int
    different: list[tuple[CountBin, CountBin | None]]


def replay(source: Store, into: Store) -> Replayed:
    """`into` is an empty store. A bin of which older records have been forgotten is not compared, nor one that was thinned, nor
    one of a time in which another store kept the books."""
    received, last = 0, 0
    while rows := source.read("SELECT * FROM received WHERE id > ? ORDER BY id LIMIT ?", (last, PORTION)):
        for committed_s, some in groupby(rows, key=lambda row: row[1]):
            into.commit([_effect(row) for row in some], committed_s)
        received, last = received + len(rows), rows[-1][0]
    bins = {(bin_.series, bin_.start_s): bin_ for bin_ in into.count_bins_since(0)}
    different = []
    compared = 0
    adopted = {(stream.node, stream.incarnation): stream.adopted for stream in source.streams()}
    for became in bins.values():
        was = source.count_bin(became.series, became.start_s)
        if was is None or was.period_s != became.period_s:
            continue
        node = node_number(became.series.node)
        last_adopted = adopted.get((node, became.incarnation), 0)
        if last_adopted and _first_seq(source, node, became) <= last_adopted:
            continue
        if was.rev > became.rev and (last_adopted or _may_begin_before(source, node, was.start_s)):
            continue
        compared += 1
        if was != became:
            different.append((was, became))
    return Replayed(received, compared, different)


def _first_seq(source: Store, node: int, bin_: CountBin) -> int:
    oldest = "SELECT coalesce(min(seq), 0) FROM received WHERE node = ? AND incarnation = ? AND bin_start = ? AND seq > 0"
    ((seq,),) = source.read(oldest, (node, bin_.incarnation, bin_.start_s))
    return seq


def _may_begin_before(source: Store, node: int, start_s: int) -> bool:
    # Whether the first record of this bin may be one of those that have been forgotten.
    ((oldest,),) = source.read("SELECT coalesce(min(bin_start), 0) FROM received WHERE node = ?", (node,))
    return start_s <= oldest


def _effect(row: tuple) -> Accept | Salvage:
    _, _, node, incarnation, seq, site, bin_start, count_sensor, climate_sensor, q, received_ms, body = row
    if seq > 0:
        record = streetwire.unpack_record(body)
        return Accept(node, incarnation, record, site, bin_start, count_sensor, climate_sensor, q, received_ms)
    ab, ba, covered_s = json.loads(body)
    return Salvage(node, incarnation, -seq, site, bin_start, count_sensor, ab, ba, covered_s, q, received_ms)
