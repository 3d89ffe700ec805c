"""What a person sees while the street runs, on stderr: a live table and a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from gateway.words import Say
from tools.demo_command import clock
from tools.terminal import shared, t

if TYPE_CHECKING:
    from tools.street.demo import Plan, Standing

EVERY_S = 0.25  # so often a terminal is redrawn


class Screen:
    """Told of everything that happens; asks where the street stands only when it draws."""

    def __init__(self, plan: Plan, console: Console | None = None) -> None:
        self._start_s = plan.start_s
        self._console = console or Console(stderr=True, highlight=False)
        self._is_live = self._console.is_terminal
        self._drawn_at = -EVERY_S
        self._bar = Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        self._task = self._bar.add_task(clock(plan.start_s), total=plan.duration_ms)
        self._live = Live(console=self._console, transient=True, auto_refresh=False)
        if self._is_live:
            self._live.start()

    def note(self, text: str) -> None:
        """A line that stays."""
        with suppress(OSError):  # a terminal that was closed is no reason to end badly
            self._console.print(text, markup=False, soft_wrap=not self._is_live)

    def tell(self, at_ms: int, what: Say) -> None:
        """Something happens at that moment of the street."""
        self.note(f"{clock(self._start_s + at_ms // 1000)}  {what.line(shared.language)}")

    def progress(self, now_ms: int, look: Callable[[], Standing]) -> None:
        if not self._is_live or time.monotonic() - self._drawn_at < EVERY_S:
            return
        self._drawn_at = time.monotonic()
        self._bar.update(self._task, completed=now_ms, description=clock(self._start_s + now_ms // 1000))
        with suppress(OSError):
            self._live.update(Group(table_of(look()), self._bar), refresh=True)

    def keep(self, folder: Path) -> None:
        self.note(t("demo.kept", folder=folder))

    def close(self) -> None:
        if self._is_live:
            with suppress(OSError):
                self._live.stop()
            self._is_live = False


def table_of(standing: Standing) -> Table:
    """Each node's street, and what waits for the server under it."""
    waiting = t("demo.waiting", waiting=standing.waiting) if standing.waiting else t("demo.waiting-none")
    table = Table(caption=waiting, caption_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in ("street", "node"):
        table.add_column(t(f"demo.{name}"))
    for name in ("passed", "counted", "accepted"):
        table.add_column(t(f"demo.{name}"), justify="right")
    for row in standing.rows:
        table.add_row(row.street, row.node, str(row.passed), str(row.counted), str(row.accepted))
    return table
