"""Nodes as they are heard at this moment, for those who look on: the page, the terminal, `node_status`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import streetwire
from gateway.model import Gap, Heard, Stream, node_name
from gateway.shown import NodeNow

_TOTALS = streetwire.TOTAL_MASK + 1
_COUNTS = ("resets", "frames_lost", "heap_free_b", "sensor_faults", "health")


def nodes_now(streams: Iterable[Stream], silences: Mapping[int, Gap]) -> list[NodeNow]:
    """Every node with a stream; of a node that was wiped, the stream that was heard last."""
    newest: dict[int, Stream] = {}
    for stream in streams:
        other = newest.get(stream.node)
        if other is None or _last_sign(other) <= _last_sign(stream):
            newest[stream.node] = stream
    return [_now(stream, silences.get(node)) for node, stream in sorted(newest.items())]


def _now(stream: Stream, silence: Gap | None) -> NodeNow:
    open_ab = open_ba = 0
    boot = stream.boots.get(stream.heard.boot) if stream.heard and stream.heard.live_ms else None
    if boot is not None:  # the live total may be older than the newest record
        open_ab = max(0, minus(boot.live_ab, boot.total_ab))
        open_ba = max(0, minus(boot.live_ba, boot.total_ba))
    since_s = silence.start_s if silence else 0
    return NodeNow(node_name(stream.node), stream.last_bin, stream.heard, stream.passport, since_s, open_ab, open_ba)


def _last_sign(stream: Stream) -> tuple[int, int]:
    return (stream.heard.at_ms if stream.heard else 0, stream.last_bin)


def minus(a: int, b: int) -> int:
    """Of running totals modulo 2**28, as a signed number."""
    return (a - b + _TOTALS // 2) % _TOTALS - _TOTALS // 2


def health(stream: Stream, message: streetwire.Live) -> dict[str, int | float | str]:
    """What a live message tells of the node, for people to see."""
    values = dict(message.objects)
    told: dict[str, int | float | str] = {"uptime_s": message.uptime_s, "boot": message.boot}
    told |= {name: values[streetwire.ID_OF[name]] for name in _COUNTS if streetwire.ID_OF[name] in values}
    if streetwire.ID_OF["battery_v"] in values:
        told["battery_mv"] = values[streetwire.ID_OF["battery_v"]]
    if streetwire.ID_OF["probe_c"] in values:
        told["probe_c"] = values[streetwire.ID_OF["probe_c"]] / 100
    if stream.passport is not None:
        told["fw"] = stream.passport.firmware
        told["passport"] = f"{stream.passport.kit} {stream.passport.platform}"
    return told


def status_fields(heard: Heard) -> dict[str, int | float | str]:
    """The fields of `node_status` among what was told last."""
    return {name: value for name, value in heard.health.items() if name != "sensor_faults"}
