"""What tortures share that run on every core: their arguments, and the first rule that is broken ends them."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

from tools.amount import at_least

Told = TypeVar("Told")


class Broken(AssertionError):
    """A rule and the bytes that break it."""

    def __init__(self, rule: str, data: bytes) -> None:
        super().__init__(rule, data)
        self.rule, self.data = rule, data


def asked(prog: str, description: str, what: str, about: str, words: list[str]) -> argparse.Namespace:
    """`share` is how many of `what` each of the `processes` is to do."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument(f"--{what}", dest="most", type=at_least(1), default=1_000_000, help=f"{about} (1000000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed and processes do the same (1)")
    parser.add_argument("--processes", type=at_least(1), default=os.cpu_count() or 1, help="at once (one for each core)")
    found = parser.parse_args(words)
    found.share = -(-found.most // found.processes)
    return found


def run(torture: Callable[..., Told], calls: Sequence[tuple[Any, ...]], seed: int) -> tuple[list[Told], float] | None:
    """What each call told, and how many seconds all took; None where a rule was broken, which is said."""
    started = time.monotonic()
    try:
        if len(calls) == 1:
            told = [torture(*calls[0])]
        else:
            with ProcessPoolExecutor(len(calls)) as pool:
                told = [submitted.result() for submitted in [pool.submit(torture, *call) for call in calls]]
    except Broken as broken:
        print(f"seed {seed}: {broken.rule}\n{broken.data.hex()}")
        return None
    return told, time.monotonic() - started
