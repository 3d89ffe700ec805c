"""When things happened at a node: which minute a record belongs to, and what time it was at an uptime. Pure.

Theory of operation
    A node knows its uptime, and UTC once it has been told. What the gateway hears from a boot ties that boot's uptime to the
    gateway's steady clock, which nobody sets: a message can come late but never early, so the earliest tie of the last
    minutes is the best one. UTC is added only when it is needed, by the wall clock of that moment: whatever the gateway
    believed the time to be when it heard the node, does not matter. Ties are kept as long as the machine
    runs: a gateway that starts again goes on with them, one on a machine that was switched off between does not.
    A bin is assigned once. The node names the minute; a record without one is placed by uptime, else behind its predecessor, and
    flagged either way.
"""

from __future__ import annotations

from dataclasses import replace

import streetwire
from gateway.model import PERIOD_S, Q_TIME_HELD, Q_TIME_UNKNOWN, BootState, Moment, Received, Stream

EARLIEST_S = 1_704_067_200  # 2024-01-01: no street was counted before, so a clock that says so is not set
BETTER_FOR_MS = 600_000  # a node's crystal drifts: older ties give way to later ones
MAX_BOOTS = 8
GRACE_S = 5  # of uptimes that are told in whole seconds, and of a beat


def has_time(received: Received) -> bool:
    """Whether the gateway knows what time it is."""
    return received.received_ms >= EARLIEST_S * 1000


def steady(received: Received) -> int:
    return received.received_ms if received.steady_ms is None else received.steady_ms


def witness(stream: Stream, received: Received, boot: int, uptime_s: int) -> None:
    """This boot had this uptime when this was received."""
    now_ms = steady(received)
    known, heard = stream.moments.get(boot), Moment(now_ms - uptime_s * 1000, now_ms)
    if known is None or heard.epoch_ms < known.epoch_ms or now_ms - known.at_ms > BETTER_FOR_MS:
        stream.moments[boot] = heard
    stream.boots.setdefault(boot, BootState(stream.node, stream.incarnation, boot, since_uptime_s=uptime_s))
    for number, state in stream.boots.items():  # also of boots that were heard before there was time
        tie = stream.moments.get(number)
        known_ms = tie.epoch_ms if tie is not None else None
        stream.boots[number] = replace(state, epoch_ms=epoch_ms(stream, number, received), steady_epoch_ms=known_ms)
    by_age = sorted(stream.boots, key=lambda number: (boot - number) % 0x10000, reverse=True)
    first = stream.last_boot if stream.last_boot >= 0 else by_age[0]  # it proves the totals, or how many followed
    while len(stream.boots) > MAX_BOOTS:  # a node that starts again and again
        oldest = next(number for number in by_age if number not in (first, boot))
        by_age.remove(oldest)
        del stream.boots[oldest]
    for number in [number for number in stream.moments if number not in stream.boots]:
        del stream.moments[number]


def recall(stream: Stream) -> None:
    """The ties of its boots, from a process before on the same run of the machine: the steady clock has gone on."""
    for number, state in stream.boots.items():
        if state.steady_epoch_ms is not None:
            heard_ms = state.steady_epoch_ms + max(state.end_uptime_s, state.live_uptime_s) * 1000
            stream.moments[number] = Moment(state.steady_epoch_ms, heard_ms)


def epoch_ms(stream: Stream, boot: int, received: Received) -> int:
    """UTC at uptime zero of a boot, as known when this was received; 0 where it is not."""
    moment = stream.moments.get(boot)
    if moment is not None and has_time(received):
        return moment.epoch_ms + received.received_ms - steady(received)
    state = stream.boots.get(boot)
    return state.epoch_ms if state is not None else 0


def place(stream: Stream, record: streetwire.Record, received: Received) -> tuple[int, int]:
    """(bin, quality bits) of a record whose own time, if it has one, is not to be believed."""
    newest = received.received_ms // (PERIOD_S * 1000) * PERIOD_S
    epoch = epoch_ms(stream, record.boot, received)
    if epoch:
        # Whatever delayed the moment that was witnessed, a record is over when it arrives.
        middle_ms = min(epoch + record.uptime_end_s * 1000, received.received_ms) - record.covered_s * 500
        if middle_ms >= EARLIEST_S * 1000:
            return middle_ms // (PERIOD_S * 1000) * PERIOD_S, Q_TIME_HELD
    after = stream.last_bin + PERIOD_S if stream.last_bin else newest
    return min(after, newest), Q_TIME_UNKNOWN


def place_open_minute(stream: Stream, state: BootState, received: Received) -> tuple[int, int]:
    """(bin, quality bits) of the minute that was open when a boot was heard last."""
    newest = received.received_ms // (PERIOD_S * 1000) * PERIOD_S
    epoch = epoch_ms(stream, state.boot, received)
    middle_ms = epoch + state.live_uptime_s * 1000 - state.live_covered_s * 500
    if EARLIEST_S * 1000 <= middle_ms <= received.received_ms:
        # What was told of minutes that were closed as well stands in the open one: only its sum is right.
        is_of_one = state.live_uptime_s - state.end_uptime_s <= state.live_covered_s + GRACE_S
        return middle_ms // (PERIOD_S * 1000) * PERIOD_S, 0 if is_of_one else Q_TIME_UNKNOWN
    return min(stream.last_bin + PERIOD_S if stream.last_bin else newest, newest), Q_TIME_UNKNOWN
