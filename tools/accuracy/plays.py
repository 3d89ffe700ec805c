"""One scene through one sensor's model and then through the firmware, and how right its count was.

A play is known by its scene, sensor, number and length and by nothing else, so it is the same in whichever process it runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.street.recording import record
from tools.street.replay import replay
from tools.street.scenes import SCENES
from tools.traces.score import Score, score
from tools.traces.trace import open_trace, read_truth

HEAP = "110w"  # what an ESP32 without PSRAM gives to MicroPython; `w` scales it to this machine's words


@dataclass(frozen=True)
class Wish:
    """What is to be played."""

    scene: str
    sensor: str
    seed: str
    duration_s: int


@dataclass(frozen=True)
class Played:
    """What came of it; `true` and `counted` hold passages by direction."""

    wish: Wish
    score: Score
    true: Counter[str]
    counted: Counter[str]
    saturated_ms: int


def play(wish: Wish) -> Played:
    """Under real MicroPython, in the node's heap."""
    with TemporaryDirectory(prefix="trottoir-play-") as name:
        folder = Path(name)
        record(SCENES[wish.scene].play(wish.seed, wish.duration_s), folder, [wish.sensor])
        replayed = replay(open_trace(folder, wish.sensor), "micropython", HEAP, lambda _t_ms: None)
        truth = read_truth(folder)
    assert truth is not None  # it has just been written
    if replayed.complaints:
        raise ValueError(f"{wish}: the firmware refuses the geometry: {replayed.complaints}")
    true, counted = (Counter(direction for _, direction in side) for side in (truth, replayed.passages))
    return Played(wish, score(truth, replayed.passages), true, counted, replayed.saturated_ms)


def play_all(wishes: Sequence[Wish], jobs: int) -> Iterator[Played]:
    """In the order of the wishes, however many run at once."""
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(play, wishes)
