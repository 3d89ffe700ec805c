"""What a series takes of the machine's memory: a process of its own makes a counter for a day and then fills every pane of it.

    python -m tools.bench.memory PANE_S SERIES     prints bytes: as made, and after a day of heavy traffic
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

ROOT = Path(__file__).resolve().parents[2]
STATM = Path("/proc/self/statm")
SERIES = {60: 10_000, 10: 2000}  # of each pane length: so many that what the interpreter itself takes meanwhile does not show
BUSY = 60_000  # passages a pane and direction: more than ever pass


def resident_b() -> int:
    """What this process holds of the machine's memory."""
    gc.collect()
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grow(pane_s: int, series: int) -> tuple[int, int]:
    """Bytes that a counter takes: as made, and after every pane of a day had heavy traffic."""
    from gateway.window import WindowedCounter

    indices, busy, covered = (array("q", values) for values in (range(series), [BUSY] * series, [pane_s] * series))
    starts = array("q", [START_S]) * series
    before = resident_b()
    counter = WindowedCounter(WINDOWS_S, pane_s, series)
    made = resident_b() - before
    for start in range(START_S, START_S + DAY_S, pane_s):
        counter.advance(start + pane_s)
        for n in range(series):
            starts[n] = start
        counter.set_many(indices, starts, busy, busy, covered)
    return made, resident_b() - before


def measure() -> Findings:
    """Bytes a series, the larger of the two."""
    found = {}
    for pane_s, series in SERIES.items():
        if not STATM.exists():
            found[f"memory-{pane_s}-b"] = Finding(why=Say("error.bench-system"))
            continue
        command = [sys.executable, "-P", "-m", "tools.bench.memory", str(pane_s), str(series)]
        said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
        made, filled = (int(word) / series for word in said.split())
        note = Say("bench.memory", {"made": rounded(made), "filled": rounded(filled)})
        found[f"memory-{pane_s}-b"] = Finding(max(made, filled), note=note)
    return found


if __name__ == "__main__":
    print(*grow(int(sys.argv[1]), int(sys.argv[2])))
