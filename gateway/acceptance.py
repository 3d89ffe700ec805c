"""A record that is next in its stream: the minute that it names or is given, its quality, and what is known of the stream once it
is accepted. Pure.

A node's clock is believed, but for times before any street was counted and times that have not come. In the second case the clock
that is wrong may be ours, so the node keeps the record for a while; no clock may block a node for ever.
"""

from __future__ import annotations

from dataclasses import replace

import streetwire
from gateway import moments, proofs
from gateway.model import (
    Q_BLOCKED,
    Q_CLIMATE_IMPLAUSIBLE,
    Q_NODE_RESET,
    Q_SATURATED,
    Q_SIMULATED,
    Accept,
    BootState,
    Effect,
    PassOver,
    Received,
    Stream,
)
from gateway.proofs import Place

FUTURE_S = 120  # a node's clock may lead the gateway's by this much
PATIENCE_MS = 3_600_000  # a record from the future is refused for so long
MAX_RECENT = 32  # four times what a node has under way
_Q_OF_FLAG = {
    streetwire.SATURATED: Q_SATURATED,
    streetwire.BLOCKED: Q_BLOCKED,
    streetwire.CLIMATE_IMPLAUSIBLE: Q_CLIMATE_IMPLAUSIBLE,
}


def minute_of(stream: Stream, record: streetwire.Record, received: Received) -> tuple[int, int]:
    """(bin, quality bits). A bin that `is_future` means: not yet."""
    q = 0
    for flag, bit in _Q_OF_FLAG.items():
        if record.flags & flag:
            q |= bit
    bin_start, now_ms = record.bin_start, moments.steady(received)
    if is_future(stream, record, bin_start, received):
        if stream.refused_ms is None:
            stream.refused_ms = now_ms
        if now_ms - stream.refused_ms < PATIENCE_MS:
            return bin_start, q
        bin_start = 0
    else:
        stream.refused_ms = None
    if bin_start >= moments.EARLIEST_S:
        return bin_start, q
    bin_start, how = moments.place(stream, record, received)
    return bin_start, q | how


def is_future(stream: Stream, record: streetwire.Record, bin_start: int, received: Received) -> bool:
    """Whether its time has not come, by our clock. What another store has taken into a bin belongs there, whatever the time was."""
    return record.seq > stream.adopted and bin_start > received.received_ms // 1000 + FUTURE_S


def accept(stream: Stream, record: streetwire.Record, site: str, place: Place, q: int, received: Received) -> list[Effect]:
    """The stream with the record, which belongs to this site, and what is to be committed of both."""
    if stream.last_boot not in (-1, record.boot):
        q |= Q_NODE_RESET
    passport = stream.passport
    assert passport is not None  # the session has asked for it
    if passport.is_simulated:
        q |= Q_SIMULATED
    now = _advance(stream, record, place.bin_start)
    accepted = Accept(
        stream.node, stream.incarnation, record, site, place.bin_start,
        passport.count_sensor, passport.climate_sensor, q, received.received_ms,
    )  # fmt: skip
    return [now, accepted]


def pass_over(stream: Stream, record: streetwire.Record, bin_start: int) -> list[Effect]:
    """The same for a record of a minute in which the node stood nowhere: those that follow build on it."""
    now = _advance(stream, record, bin_start)
    return [now, PassOver(stream.node, stream.incarnation, record.seq, bin_start, record.boot)]


def _advance(stream: Stream, record: streetwire.Record, bin_start: int) -> BootState:
    stream.watermark = record.seq
    stream.last_bin = max(stream.last_bin, bin_start)
    stream.last_boot = record.boot
    stream.recent[record.seq] = streetwire.crc32(record.pack())
    while len(stream.recent) > MAX_RECENT:
        del stream.recent[next(iter(stream.recent))]
    known = stream.boots.get(record.boot) or BootState(stream.node, stream.incarnation, record.boot)
    now = replace(known, total_ab=record.total_ab, total_ba=record.total_ba, end_uptime_s=record.uptime_end_s)
    later = {boot: state for boot, state in stream.boots.items() if proofs.is_after(boot, record.boot)}
    stream.boots = {record.boot: now} | later
    return now
