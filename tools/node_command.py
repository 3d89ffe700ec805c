"""`trottoir node`: recorded sensor input through the firmware's own part and detector."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from gateway.errors import EXIT_OK
from tools.arguments import expect
from tools.progress import bar
from tools.street import replay as street
from tools.terminal import say, t
from tools.traces.score import DIRECTIONS, Score, score
from tools.traces.trace import open_trace, read_truth

HEAP = "110w"  # what an ESP32 without PSRAM gives to MicroPython; `w` scales it to this machine's words


def replay(folder: Path, sensor: str, interpreter: str, heap: str | None, is_scored: bool) -> int:
    """JSON lines: a passage each, by the time of crossing, and the summary."""
    expect("--heap", heap, heap is None or bool(re.fullmatch(r"[1-9]\d{0,5}w", heap)), "replay.range-heap")
    if interpreter == "cpython" and heap is not None:
        say(t("replay.heap-unused"))
    trace = open_trace(folder, sensor)
    truth = read_truth(folder) if is_scored else None
    if is_scored and truth is None:
        say(t("replay.truth-none", folder=folder))
    with bar(t("replay.running"), trace.duration_ms // 1000) as done:
        replayed = street.replay(trace, interpreter, heap or HEAP, lambda t_ms: done(t_ms // 1000))
    for complaint in replayed.complaints:
        say(complaint.replace("node.json", "trace.json"))
    for t_ms, direction in replayed.passages:
        _print({"t_s": t_ms / 1000, "direction": direction})
    found = score(truth, replayed.passages) if truth is not None else None
    _print(summary(replayed, interpreter, found))
    return EXIT_OK


def summary(replayed: street.Replayed, interpreter: str, found: Score | None) -> dict[str, Any]:
    """The contract's keys, in its order."""
    result: dict[str, Any] = {
        "summary": True,
        **{name: sum(direction == name for _, direction in replayed.passages) for name in DIRECTIONS},
        "frames": replayed.frames,
        "rejected_bytes": replayed.rejected_bytes,
        "saturated_s": replayed.saturated_ms / 1000,
        "blocked_s": replayed.blocked_ms / 1000,
        "heap_peak_b": replayed.heap_peak_b,
        "interpreter": interpreter,
    }
    if found is not None:
        for name in ("f1", "precision", "recall", "signed_error"):
            ratio = getattr(found, name)
            result[name] = None if ratio is None else round(ratio, 4)
    return result


def _print(line: dict[str, Any]) -> None:
    print(json.dumps(line, separators=(",", ":")))
