"""Many boards at once: a thread each, none of which can hold up another.

Theory of operation
    A port is idle, at work or done. What is done stays done, until its board is unplugged and another one is there: with
    `--watch` that one starts by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from tools.flashing.one_board import Job, Outcome, flash

MAX_JOBS = 16


@dataclass(frozen=True)
class Row:
    """What is known of one port; `share` of its work is done."""

    port: str
    step: str = "waits"
    share: float = 0.0
    outcome: Outcome | None = None


class Crew:
    """`on_row` is called from any thread, one call at a time, with each change."""

    def __init__(self, job: Job, jobs: int, on_row: Callable[[Row], None]) -> None:
        self._job = job
        self._on_row = on_row
        self._pool = ThreadPoolExecutor(max_workers=max(1, min(jobs, MAX_JOBS)))
        self._lock = threading.Lock()
        self._rows: dict[str, Row] = {}
        self._running: dict[str, Future[None]] = {}
        self._left: set[str] = set()  # ports whose board was unplugged after it was done
        self.outcomes: list[Outcome] = []

    @property
    def rows(self) -> list[Row]:
        """In the order in which ports were met."""
        with self._lock:
            return list(self._rows.values())

    def start(self, port: str) -> None:
        """A board on this port, once there is a free hand."""
        self._left.discard(port)
        self._tell(Row(port))
        self._running[port] = self._pool.submit(self._work, port)

    def look(self, present: Iterable[str]) -> None:
        """Starts whatever was plugged in since the last look."""
        here = set(present)
        self._left |= {port for port, work in self._running.items() if work.done() and port not in here}
        for port in sorted(here):
            if port not in self._running or port in self._left:
                self.start(port)

    def wait(self, timeout_s: float) -> bool:
        """True once nobody is at work."""
        return not wait(self._running.values(), timeout_s).not_done

    def stop(self) -> None:
        """Whoever is at work ends as soon as it can."""
        self._job.stop.set()
        self._pool.shutdown(cancel_futures=True)

    def _work(self, port: str) -> None:
        outcome = flash(port, self._job, lambda step, share: self._tell(Row(port, step, share)))
        with self._lock:
            self.outcomes.append(outcome)
        self._tell(Row(port, "good" if outcome.is_good else "failed", 1.0, outcome))

    def _tell(self, row: Row) -> None:
        with self._lock:
            before = self._rows.get(row.port)
            if before is not None and before.outcome is None and row.outcome is None:
                row = replace(row, share=max(row.share, before.share if row.step != "waits" else 0.0))
            self._rows[row.port] = row
            self._on_row(row)
