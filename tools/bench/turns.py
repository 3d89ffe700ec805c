"""How it is measured: turns that alternate, medians, ratios within a turn, slopes. And on which machine."""

from __future__ import annotations

import gc
import math
import os
import platform
import shutil
import statistics
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Times = dict[str, list[float]]  # of each contender, seconds a unit of work, a figure a turn


@contextmanager
def quiet() -> Iterator[None]:
    """The collector of garbage falls on whoever happens to allocate; so it runs before and not within."""
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def stopwatch(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def alternate(contenders: Mapping[str, Callable[[], float]], turns: int) -> Times:
    """Each contender does a turn and says how long a unit of its work took; then all do the next one."""
    times: Times = {name: [] for name in contenders}
    for _ in range(turns):
        with quiet():
            for name, turn in contenders.items():
                times[name].append(turn())
    return times


def ratios(times: Times, slower: str, faster: str) -> list[float]:
    """How many times as long, in each turn: what else the machine does falls on a whole turn."""
    return [a / b for a, b in zip(times[slower], times[faster], strict=True)]


def ratio(times: Times, slower: str, faster: str) -> float:
    """How many times as long: the median over the turns."""
    return statistics.median(ratios(times, slower, faster))


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Between which half of them lie: a quarter is below the first, a quarter above the other."""
    first, _, third = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return first, third


def median_us(times: Times, name: str) -> float:
    return rounded(statistics.median(times[name]) * 1e6)


def rounded(value: float) -> float:
    """Three digits, or all that stand before the point."""
    return float(f"{value:.3g}") if abs(value) < 100 else round(value)


def p99(values: Sequence[float]) -> float:
    """What 99 of 100 do not exceed."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The slope of the line through (log size, log cost): 0 where cost stays, 1 where it grows as size does."""
    return statistics.linear_regression([math.log(size) for size in sizes], [math.log(cost) for cost in costs]).slope


def machine() -> dict[str, Any]:
    """What the figures come from, and how busy it is at this moment."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "compiler": _compiler(),
        "load": load(),
    }


def load() -> float | None:
    """How many wanted a core in the last minute."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _compiler() -> str | None:
    """The first line of what the C compiler says of itself; None without one."""
    words = str(sysconfig.get_config_var("CC") or "cl").split()
    if shutil.which(words[0]) is None:
        return None
    said = subprocess.run([words[0], "--version"], capture_output=True, text=True).stdout.splitlines()
    return said[0] if said else words[0]
