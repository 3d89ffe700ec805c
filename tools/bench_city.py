"""What the benches share: a city's nodes in payloads, minute by minute, what a session of them needs to know, and a quiet log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

import streetwire
from gateway.errors import EXIT_ENVIRONMENT, TrottoirError
from gateway.model import PERIOD_S, CountBin, Received, Series, node_name, node_number
from gateway.session import Rules

NODE, INCARNATION, BOOT = 0x51A000, 0x9A3F_11C2, 1  # as wide as most are
SENSORS = "ld2450,sht45"
SITES = 20
GREATEST_RATE = 120
_MOST_AB, _MOST_BA = 12, 10  # a minute brings fewer


class BenchError(TrottoirError):
    """The bench cannot run on this machine."""

    exit_code = EXIT_ENVIRONMENT


class City:
    """`nodes` nodes that all started at `start_s`, a UTC minute, and count from then on."""

    def __init__(self, nodes: int, start_s: int) -> None:
        self.nodes = nodes
        self.start_s = start_s
        self.rules = Rules(lambda _name: True, lambda name, _at_s: site_of(name), lambda _site: GREATEST_RATE)

    def hellos(self) -> list[Received]:
        """What makes them known."""
        said = [(0, 0, 1, 0, "1.0.0", "pavement-radar", SENSORS, "esp32")] * self.nodes
        return [self._said(node, streetwire.Hello(*_address(node), BOOT, *rest), self.start_s) for node, rest in enumerate(said)]

    def record(self, node: int, number: int) -> Received:
        """The record of a minute, heard a second after its end."""
        start_s, end_s = self.start_s + number * PERIOD_S, (number + 1) * PERIOD_S
        shares, totals = _passed(node, number), _totals(node, number + 1)
        record = streetwire.Record(number + 1, BOOT, start_s, end_s, PERIOD_S, *shares, *totals, 1850, 110, 6, 0)
        return self._said(node, streetwire.RecordMessage(*_address(node), number, record), start_s + PERIOD_S + 1)

    def minute(self, number: int) -> list[Received]:
        """The records of all nodes."""
        return [self.record(node, number) for node in range(self.nodes)]

    def live(self, node: int, number: int, second: int) -> Received:
        """The running totals within a minute, with the node's health."""
        objects = [(streetwire.ID_OF["covered_s"], second), (streetwire.ID_OF["heap_free_b"], 98_304)]
        uptime_s = number * PERIOD_S + second
        message = streetwire.Live(*_address(node), BOOT, uptime_s, *_totals(node, number), objects)
        return self._said(node, message, self.start_s + uptime_s)

    def bin(self, node: int, number: int) -> CountBin:
        """The minute as it stands in a store."""
        name = node_name(NODE + node)
        start_s = self.start_s + number * PERIOD_S
        mark = start_s + PERIOD_S + 1, INCARNATION + node, number + 1
        series = Series(site_of(name), name, SENSORS.partition(",")[0])
        return CountBin(series, start_s, *_passed(node, number), PERIOD_S, 0, 0, *mark)

    def _said(self, node: int, message: streetwire.Message, at_s: int) -> Received:
        return Received(message.encode(), f"bench:{node}", at_s * 1000)


@contextmanager
def only_errors() -> Iterator[None]:
    """The gateway's log says no more than what went wrong, and on stderr: stdout is for results."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR), logger_factory=structlog.PrintLoggerFactory(sys.stderr)
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def site_of(name: str) -> str:
    """Nodes share sites."""
    return f"site-{(node_number(name) - NODE) % SITES}"


def _address(node: int) -> tuple[int, int]:
    return NODE + node, INCARNATION + node


def _passed(node: int, number: int) -> tuple[int, int]:
    return (number + node) % _MOST_AB, (number + node) % _MOST_BA


def _totals(node: int, minutes: int) -> tuple[int, int]:
    """Everybody in that many minutes, as the node adds them up."""
    ab = _sawtooth(node + minutes, _MOST_AB) - _sawtooth(node, _MOST_AB)
    return ab, _sawtooth(node + minutes, _MOST_BA) - _sawtooth(node, _MOST_BA)


def _sawtooth(minutes: int, most: int) -> int:
    # The sum of a count that rises from zero and starts again at `most`.
    teeth, rest = divmod(minutes, most)
    return teeth * most * (most - 1) // 2 + rest * (rest - 1) // 2
