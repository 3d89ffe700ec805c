"""Recorded sensor input: a folder with one trace, checked as a whole, then read event by event.

Theory of operation. `open_trace` reads every file that a sensor needs once, to its end, and tells all mistakes at once; so
whoever reads the events later meets none. Both ways a file is read row by row and never as a whole: a trace of a day
takes no more memory than one of a minute. Several streams of one sensor are merged by time.
"""

from __future__ import annotations

import heapq
import json
import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.words import Say
from tools.traces.table import LATEST_MS, TIME, Mistakes, rows, whole, word

MOST_BYTES = 1 << 20  # in one read: more than any buffer between a sensor and its reader holds
NEAR_M = 0.6  # where a trace does not say it

# Time in ms, number of the stream, what arrived.
Event = tuple[int, int, bytes]
# Folder, number of the stream, mistakes -> events in the order of time.
Reader = Callable[[Path, int, Mistakes], Iterator[Event]]


def byte_stream(name: str) -> Reader:
    """Reads of a serial port, which cut frames anywhere: NAME.bin and NAME_chunks.csv."""

    def read(folder: Path, stream: int, mistakes: Mistakes) -> Iterator[Event]:
        path, chunks = folder / f"{name}.bin", folder / f"{name}_chunks.csv"
        try:
            file = path.open("rb")
        except OSError as error:
            mistakes.lacks(path, error)
            return
        taken = 0
        with file:
            for t_ms, size in rows(chunks, (TIME, whole("bytes", 0, MOST_BYTES)), mistakes):
                taken += size
                yield t_ms, stream, file.read(size)
        size = path.stat().st_size
        if taken != size and not mistakes.found:
            mistakes.add(f"{chunks.name}: bytes", taken, Say("trace.expected-sum", {"bytes": size, "file": path.name}))

    return read


def zones(folder: Path, stream: int, mistakes: Mistakes) -> Iterator[Event]:
    """Distances of the two zones: zone (1 byte), mm (2), status (1), little-endian."""
    columns = TIME, whole("zone", 0, 1), whole("mm", 0, 0xFFFF), whole("status", 0, 0xFF)
    for t_ms, zone, mm, status in rows(folder / "vl53l1x_zones.csv", columns, mistakes):
        yield t_ms, stream, struct.pack("<BHB", zone, mm, status)


def edges(folder: Path, stream: int, mistakes: Mistakes) -> Iterator[Event]:
    """Edges of two pins: channel and level, a byte each."""
    columns = TIME, whole("ch", 0, 1), whole("level", 0, 1)
    for t_ms, channel, level in rows(folder / "pir_edges.csv", columns, mistakes):
        yield t_ms, stream, bytes((channel, level))


# sensor: its streams, numbered from 0
SENSORS: dict[str, tuple[Reader, ...]] = {
    "ld2450": (byte_stream("ld2450"),),
    "tfluna": (byte_stream("tfluna_a"), byte_stream("tfluna_b")),
    "vl53l1x": (zones,),
    "pir": (edges,),
}

# sensor: {key in trace.json: the node's setting}; metres become mm, seconds ms
OWN: dict[str, dict[str, str]] = {"tfluna": {"separation_m": "separation_mm"}, "pir": {"hold_s": "hold_ms"}}


@dataclass(frozen=True)
class Trace:
    """One sensor's part of a trace that is known to be whole."""

    folder: Path
    sensor: str
    duration_ms: int
    near_mm: int
    pavement_mm: int
    own: dict[str, int]  # what the trace says about the sensor itself, by the name of the node's setting

    @property
    def settings(self) -> dict[str, int]:
        """The node's, as in its node.json."""
        return {"near_mm": self.near_mm, "pavement_mm": self.pavement_mm, **self.own}

    def events(self) -> Iterator[Event]:
        """All streams, merged by time."""
        mistakes = Mistakes()
        yield from _merged(self.folder, self.sensor, mistakes)
        mistakes.end()  # somebody has changed the files meanwhile


def open_trace(folder: Path, sensor: str) -> Trace:
    """TraceError with every mistake in what this sensor needs."""
    mistakes = Mistakes()
    about = _About(folder, mistakes)
    trace = Trace(folder, sensor, about.mm("duration_s"), about.mm("near_m", NEAR_M), about.mm("pavement_m"), about.own(sensor))
    for _ in _merged(folder, sensor, mistakes):
        pass
    mistakes.end()
    return trace


def read_truth(folder: Path) -> list[tuple[int, str]] | None:
    """(time in ms, direction) of everybody who passed, None where nobody knows. TraceError with every mistake."""
    path = folder / "truth.csv"
    if not path.exists():
        return None
    mistakes = Mistakes()
    columns = TIME, word("direction", "ab", "ba")
    truth = list(rows(path, columns, mistakes, further=("person", "kind", "group"), in_order=False))
    mistakes.end()
    return truth


def _merged(folder: Path, sensor: str, mistakes: Mistakes) -> Iterator[Event]:
    streams = [read(folder, stream, mistakes) for stream, read in enumerate(SENSORS[sensor])]
    return heapq.merge(*streams, key=lambda event: event[:2])


class _About:
    """trace.json: numbers in seconds and metres."""

    def __init__(self, folder: Path, mistakes: Mistakes) -> None:
        self._mistakes = mistakes
        self._values: dict[str, object] | None = None  # not readable: that is the mistake, and no key of it is another
        path = folder / "trace.json"
        try:
            values = json.loads(path.read_bytes())
        except OSError as error:
            mistakes.lacks(path, error)
            return
        except (ValueError, RecursionError) as error:
            line = getattr(error, "lineno", 1)
            mistakes.add(f"trace.json:{line}", str(error), Say("trace.expected-json"))
            return
        if not isinstance(values, dict):
            mistakes.add("trace.json:1", values, Say("trace.expected-json"))
            return
        self._values = values
        if values.get("schema") != 1:
            mistakes.add("trace.json: schema", values.get("schema"), Say("trace.expected-word", {"words": "1"}))

    def own(self, sensor: str) -> dict[str, int]:
        """What is said about this sensor itself, in thousandths."""
        said = (self._values or {}).get(sensor, {})
        if not isinstance(said, dict):
            self._mistakes.add(f"trace.json: {sensor}", said, Say("trace.expected-json"))
            return {}
        return {name: self._thousandths(f"{sensor}.{key}", said[key]) for key, name in OWN.get(sensor, {}).items() if key in said}

    def mm(self, key: str, default: float | None = None) -> int:
        """A number of metres or seconds in thousandths; 0 where it is a mistake."""
        return 0 if self._values is None else self._thousandths(key, self._values.get(key, default))

    def _thousandths(self, key: str, value: object) -> int:
        highest = LATEST_MS / 1000
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= highest:
            return round(value * 1000)
        self._mistakes.add(f"trace.json: {key}", value, Say("trace.expected-number", {"high": int(highest)}))
        return 0
