"""What a series takes of the machine's memory: a process of its own makes a counter for a day and then fills every pane of it.

    python -m tools.bench.memory PANE_S SERIES FOLDER     prints bytes: as made, after a day of heavy traffic, and of more yet

FOLDER is where the compiled core lies. Heavy traffic is as much as a cell holds, which is more than ever passes; what more than
that takes, which gives every cell more room, stands in a note.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from array import array
from pathlib import Path

from gateway.words import Say
from tools.bench.goals import Finding, Findings
from tools.bench.traces import DAY_S, START_S, WINDOWS_S
from tools.bench.turns import rounded
from tools.core_forms import compiled_folder, compiled_from

ROOT = Path(__file__).resolve().parents[2]
STATM = Path("/proc/self/statm")
SERIES = {60: 10_000, 10: 2000}  # of each pane length: so many that what the interpreter itself takes meanwhile does not show
BUSY = 65_535  # passages a pane and direction


def resident_b() -> int:
    """What this process holds of the machine's memory."""
    gc.collect()
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grow(pane_s: int, series: int, folder: Path) -> tuple[int, int, int]:
    """Bytes that a counter takes: as made, after every pane of a day had heavy traffic, and once a pane had one passage more."""
    make = compiled_from(folder).WindowedCounter
    indices, busy, covered = (array("q", values) for values in (range(series), [BUSY] * series, [pane_s] * series))
    starts = array("q", [START_S]) * series
    before = resident_b()
    counter = make(WINDOWS_S, pane_s, series)
    made = resident_b() - before
    for start in range(START_S, START_S + DAY_S, pane_s):
        counter.advance(start + pane_s)
        for n in range(series):
            starts[n] = start
        counter.set_many(indices, starts, busy, busy, covered)
    filled = resident_b() - before
    counter.set(0, START_S + DAY_S - pane_s, BUSY + 1, 0, pane_s)
    return made, filled, resident_b() - before


def measure() -> Findings:
    """Bytes a series, the larger of made and filled. The core must be there compiled."""
    found = {}
    for pane_s, series in SERIES.items():
        if not STATM.exists():
            found[f"memory-{pane_s}-b"] = Finding(why=Say("error.bench-system"))
            continue
        command = [sys.executable, "-P", "-m", "tools.bench.memory", str(pane_s), str(series), str(compiled_folder())]
        said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
        made, filled, more = (int(word) / series for word in said.split())
        note = Say("bench.memory", {"made": rounded(made), "filled": rounded(filled), "more": rounded(more)})
        found[f"memory-{pane_s}-b"] = Finding(max(made, filled), note=note)
    return found


if __name__ == "__main__":
    print(*grow(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
