"""Writes a trace in the form that `trace.py` reads: streams of bytes as a busy reader gets them, tables, and what is known of it.

Theory of operation. Frames leave a sensor whole and in time; what a reader gets is something else. It looks when it has time, takes
whatever has come so far and so cuts frames anywhere; it began to listen in the middle of a frame; and a cable now and then flips,
drops or adds a byte. `torn` and `damaged` do that to any stream of frames.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

Piece = tuple[int, bytes]  # time in ms, what arrives or is read

SCHEMA = 1
DAMAGED = 0.002  # share of frames: a long cable beside a supply
LOOK_MIN_MS, LOOK_MAX_MS = 5, 60  # from one look at the port to the next
BUSY, BUSY_MS = 0.005, 250  # share of looks that come that much later: a collection, a write to flash
CUT = 0.05  # share of reads that end inside a frame, as in the sample trace pavement300
TRUTH = "t_s,direction,person,kind,group"


def damaged(rng: Random, frames: Iterable[Piece]) -> Iterator[Piece]:
    """The first one without its beginning; a few with a byte flipped, dropped or added."""
    is_first = True
    for t_ms, frame in frames:
        at = int(len(frame) * rng.random())
        if is_first:
            is_first = False
            yield t_ms, frame[at:]
        elif rng.random() < DAMAGED:
            how = int(3 * rng.random())
            instead = (bytes([frame[at] ^ 1 << int(8 * rng.random())]), b"", frame[at : at + 1] * 2)[how]
            yield t_ms, frame[:at] + instead + frame[at + 1 :]
        else:
            yield t_ms, frame


def torn(rng: Random, pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same bytes in reads, none empty, none before its bytes have come."""
    waiting, look_ms = b"", 0
    for t_ms, piece in pieces:
        while waiting and look_ms < t_ms:
            part = len(waiting) - int(len(waiting) * rng.random()) if rng.random() < CUT else len(waiting)
            yield look_ms, waiting[:part]
            waiting, look_ms = waiting[part:], _next_look(rng, look_ms)
        if not waiting:
            look_ms = _next_look(rng, t_ms)
        waiting += piece
    if waiting:
        yield look_ms, waiting


def _next_look(rng: Random, now_ms: int) -> int:
    busy_ms = BUSY_MS if rng.random() < BUSY else 0
    return now_ms + LOOK_MIN_MS + busy_ms + int((LOOK_MAX_MS - LOOK_MIN_MS) * rng.random())


def write_stream(folder: Path, name: str, reads: Iterable[Piece]) -> None:
    """NAME.bin and NAME_chunks.csv."""
    with (folder / f"{name}.bin").open("wb") as data, (folder / f"{name}_chunks.csv").open("w", newline="\n") as table:
        table.write("t_s,bytes\n")
        for t_ms, read in reads:
            data.write(read)
            table.write(f"{seconds(t_ms)},{len(read)}\n")


def write_table(path: Path, header: str, rows: Iterable[tuple]) -> None:
    """Rows whose first field is a time in ms."""
    with path.open("w", newline="\n") as table:
        table.write(header + "\n")
        for t_ms, *fields in rows:
            table.write(",".join((seconds(t_ms), *map(str, fields))) + "\n")


def write_zones(folder: Path, samples: Iterable[tuple[int, int, int, int]]) -> None:
    """(t_ms, zone, mm, status)"""
    write_table(folder / "vl53l1x_zones.csv", "t_s,zone,mm,status", samples)


def write_edges(folder: Path, edges: Iterable[tuple[int, int, int]]) -> None:
    """(t_ms, channel, level)"""
    write_table(folder / "pir_edges.csv", "t_s,ch,level", edges)


def write_truth(folder: Path, passages: Iterable[tuple[int, str, int, str, int]]) -> None:
    """(t_ms, direction, person, kind, group)"""
    write_table(folder / "truth.csv", TRUTH, passages)


def write_about(folder: Path, duration_ms: int, width_m: float, near_m: float, more: dict[str, object]) -> None:
    """trace.json; `more` holds the geometry per sensor, and whatever else is worth knowing."""
    about = {"schema": SCHEMA, "duration_s": duration_ms / 1000, "pavement_m": width_m, "near_m": near_m}
    (folder / "trace.json").write_text(json.dumps(about | more, indent=1) + "\n")


def seconds(t_ms: int) -> str:
    return f"{t_ms // 1000}.{t_ms % 1000:03d}"
