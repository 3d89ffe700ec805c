"""Random histories through the counting core, compiled and uncompiled, against brute force.

    python -m tools.torture_core --operations 1000000 --seed 1

An operation is a record, a move of the watermark, growth, or a look at everything. A history has its own panes, windows,
lateness and series, and ends after some thousand operations. The first difference ends the run: the seed and the number
of the history name it for ever. Exit code 0: none was found.
"""

from __future__ import annotations

import argparse
import random
import sys
from array import array
from typing import Any

from gateway.window import ACCEPTED, FUTURE, LATE, TOO_LATE
from tests.gateway.window_oracle import Oracle
from tools.core_forms import FORMS, core

HISTORY = 2000  # operations
START_S = 1_800_000_000
SHAPES = (((1,), 0), ((3,), 2), ((1, 2, 6), 0), ((5, 2, 3), 4), ((7, 4), 1), ((6, 30, 90), 30))  # windows, lateness in panes


class History:
    """One history, told to the oracle and to the core in every form."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.pane_s = chance.choice((1, 7, 10, 60, 300))
        panes, late = chance.choice(SHAPES)
        self.windows_s = tuple(count * self.pane_s for count in panes)
        about = self.windows_s, self.pane_s, chance.randint(0, 4), late * self.pane_s
        self.oracle = Oracle(*about)
        self.cores = [core(form).WindowedCounter(*about) for form in FORMS]
        self.now = chance.choice((0, START_S))

    def run(self, operations: int) -> None:
        """Raises AssertionError at the first difference."""
        done = 0
        self.move(0)
        while done < operations:
            kind = self.chance.random()
            if kind < 0.15:
                self.move(self.chance.choice((1, self.pane_s, 3 * self.pane_s, self.chance.randint(0, 50 * self.pane_s))))
            elif kind < 0.16:
                self.grow()
            elif kind < 0.25:
                self.compare()
            else:
                records = [self.record() for _ in range(self.chance.choice((1, 1, 1, 20)))] if self.oracle.series else []
                self.tell(records)
                done += len(records)
            done += 1
        self.compare()

    def move(self, seconds: int) -> None:
        """The watermark goes on; now and then it would go back, or leaps over everything."""
        leap = self.chance.random()
        self.now = max(0, self.now + (10**9 if leap < 0.005 else -seconds if leap < 0.05 else seconds))
        for each in (self.oracle, *self.cores):
            each.advance(self.now)

    def grow(self) -> None:
        more = self.chance.randint(0, 2) if self.oracle.series < 8 else 0
        self.oracle.series += more
        for each in self.cores:
            each.grow(more)

    def record(self) -> tuple[int, int, int, int, int]:
        """Series, event time, ab, ba, covered_s; from beyond the open pane to beyond the ring."""
        age = self.chance.choice((0, 0, 1, self.chance.randint(-2, self.oracle.oldest + 2)))
        time_s = max(0, (self.now // self.pane_s - age) * self.pane_s) + self.chance.randrange(self.pane_s)
        most = self.chance.choice((1, 1, 9, 70_000))
        ab, ba = self.chance.randint(0, most), self.chance.randint(0, most)
        return self.chance.randrange(self.oracle.series), time_s, ab, ba, self.chance.randint(0, self.pane_s)

    def tell(self, records: list[Any]) -> None:
        absolute = self.chance.random() < 0.5
        if absolute:
            records = [(i, time_s - time_s % self.pane_s, *rest) for i, time_s, *rest in records]
            codes = [self.oracle.set(*record) for record in records]
        else:
            records = [record[:4] for record in records]
            codes = [self.oracle.add(*record) for record in records]
        for each in self.cores:
            if len(records) == 1:
                assert (each.set if absolute else each.add)(*records[0]) == codes[0], records
                continue
            columns = [array("q", column) for column in zip(*records, strict=True)] or [array("q")] * (5 if absolute else 4)
            batch = (each.set_many if absolute else each.add_many)(*columns)
            assert _places(batch, len(records)) == [max(code, LATE) for code in codes], records
            assert (batch.late, batch.accepted) == (codes.count(LATE), codes.count(ACCEPTED) + codes.count(LATE)), records

    def compare(self) -> None:
        expected = [self.oracle.window(i, w, self.oracle.open_pane) for i in range(self.oracle.series) for w in self.windows_s]
        flat = [number for sums in expected for number in sums]
        for each in self.cores:
            out = array("q", [-1]) * len(flat)
            each.query_all(out)
            assert list(out) == flat
            assert [each.open(i) for i in range(each.series)] == [self.oracle.open(i) for i in range(each.series)]
            hulls = {(i, window_s): ends for i, window_s, *ends in each.corrections()}
            assert hulls == {key: list(ends) for key, ends in self.oracle.hulls().items()}
        self.oracle.drain()


def _places(batch: Any, records: int) -> list[int]:
    """What a batch tells of each record; of those that entered it does not tell which were late."""
    codes = [LATE] * records
    for code, indices in ((TOO_LATE, batch.too_late), (FUTURE, batch.future)):
        for at in indices:
            codes[at] = code
    return codes


def run(operations: int, seed: int) -> int:
    """How many operations were told; SystemExit names the history that differs."""
    done = number = 0
    while done < operations:
        size = min(HISTORY, operations - done)
        try:
            History(random.Random(f"{seed} {number}")).run(size)  # noqa: S311  repeatable, not secret
        except AssertionError as difference:
            raise SystemExit(f"history {number} of seed {seed} differs: {difference}") from difference
        done, number = done + size, number + 1
    return done


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args(sys.argv[1:])
    print(f"{run(wanted.operations, wanted.seed)} operations, compiled and uncompiled, and no difference")
