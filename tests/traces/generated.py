"""Small traces with known passages, written as the contract says; for tests."""

from __future__ import annotations

import json
from pathlib import Path

from tools.street.radar import encode_frame
from tools.traces.writing import write_stream, write_truth

EMPTY = encode_frame([])
ABOUT = {"schema": 1, "duration_s": 20.0, "pavement_m": 3.0}


def walk(start_ms: int, direction: int, y_mm: int = 1800) -> dict[int, bytes]:
    """Reports of one person who is at x = 0 1.5 s after `start_ms`, by their time."""
    return {start_ms + 100 * i: encode_frame([(direction * (-1950 + 130 * i), y_mm, 0, 360)]) for i in range(31)}


def radar_reads(*walks: dict[int, bytes], duration_ms: int = 20_000) -> list[tuple[int, bytes]]:
    """Ten reads a second, each a whole report."""
    seen = {t_ms: frame for walk in walks for t_ms, frame in walk.items()}
    return [(t_ms, seen.get(t_ms, EMPTY)) for t_ms in range(0, duration_ms, 100)]


def write_radar(folder: Path, reads: list[tuple[int, bytes]], truth: tuple[tuple[int, str], ...] = (), **about: object) -> Path:
    """A whole trace of a radar; returns its folder."""
    folder.mkdir(exist_ok=True)
    (folder / "trace.json").write_text(json.dumps({**ABOUT, **about}))
    write_stream(folder, "ld2450", reads)
    write_truth(folder, [(t_ms, way, n, "adult", n) for n, (t_ms, way) in enumerate(truth)])
    return folder
