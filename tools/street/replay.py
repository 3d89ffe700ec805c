"""A trace through the firmware: its own part and detector, under either interpreter, in a process of its own.

Theory of operation. The harness beside the shims reads events from its stdin and says what it counts on stdout. Events are
written as they are read from the trace, and the pipe holds back whoever is too fast, so neither side ever holds more than a
read's worth of bytes. What is said goes to a temporary file and is read when all is over: a pipe that nobody empties meanwhile
would stop both.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from tempfile import TemporaryFile

from gateway.errors import EXIT_CHECK_FAILED, EXIT_ENVIRONMENT, TrottoirError
from tools import micropython
from tools.street.node import FIRMWARE, SHIMS
from tools.traces.score import Passage
from tools.traces.trace import Trace

HARNESS = SHIMS / "replay" / "harness.py"
DIRECTIONS = {"1": "ab", "-1": "ba"}  # as the firmware's detectors number them
_HEAD = struct.Struct("<IBI")


class InterpreterMissing(TrottoirError):
    """This machine has no MicroPython."""

    exit_code = EXIT_ENVIRONMENT


class OutOfHeap(TrottoirError):
    """The firmware does not fit into the heap it was given."""

    exit_code = EXIT_CHECK_FAILED


@dataclass
class Replayed:
    """What came out. `passages` by the time of crossing; `heap_peak_b` is None under CPython, which has no such heap."""

    passages: list[Passage] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)  # of the firmware, about the trace's geometry
    frames: int = 0
    rejected_bytes: int = 0
    saturated_ms: int = 0
    blocked_ms: int = 0
    heap_peak_b: int | None = None


def replay(trace: Trace, interpreter: str, heap: str, progress: Callable[[int], None]) -> Replayed:
    """`interpreter` is micropython or cpython, `heap` such as 110w; `progress` hears how many ms of the trace are over."""
    settings = json.dumps(trace.settings)
    command = [*_interpreter(interpreter, heap), str(HARNESS), trace.sensor, settings]
    environment = {**os.environ, "MICROPYPATH": f"{FIRMWARE}:.frozen", "PYTHONPATH": str(FIRMWARE)}
    with TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=said, stderr=said, env=environment, start_new_session=True
        )
        try:
            _feed(process, trace, progress)
            process.wait()
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    if process.returncode:
        raise _death(process.returncode, text, heap)
    return _heard(text)


def _interpreter(name: str, heap: str) -> list[str]:
    if name == "cpython":
        return [sys.executable]
    path = micropython.find()
    if path is None:
        raise InterpreterMissing("replay-interpreter")
    return [path, "-X", f"heapsize={heap}K"]


def _feed(process: subprocess.Popen[bytes], trace: Trace, progress: Callable[[int], None]) -> None:
    # An empty event at the end lets the rest of the trace's time pass. Whoever stops listening has died, and says why.
    assert process.stdin is not None
    t_ms = 0
    try:
        with process.stdin as events:
            for t_ms, stream, data in trace.events():
                events.write(_HEAD.pack(t_ms, stream, len(data)) + data)
                progress(t_ms)
            events.write(_HEAD.pack(max(t_ms, trace.duration_ms), 0, 0))
    except BrokenPipeError:
        pass


def _heard(text: str) -> Replayed:
    replayed = Replayed()
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "passage":
            t_ms, direction = rest.split()
            replayed.passages.append((int(t_ms), DIRECTIONS[direction]))
        elif kind == "complaint":
            replayed.complaints.append(rest)
        elif kind == "summary":
            counts = [int(word) for word in rest.split()]
            replayed.frames, replayed.rejected_bytes, replayed.saturated_ms, replayed.blocked_ms, heap_b = counts
            replayed.heap_peak_b = heap_b if heap_b >= 0 else None
    replayed.passages.sort(key=lambda passage: passage[0])
    return replayed


def _death(code: int, text: str, heap: str) -> Exception:
    if "MemoryError" in text:
        return OutOfHeap("replay-heap", heap=heap)
    return RuntimeError(f"the firmware ended with exit code {code} and last said: {text[-600:]}")
