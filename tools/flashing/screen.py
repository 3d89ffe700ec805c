"""What is seen while boards are flashed: a table with a bar each on a terminal, lines elsewhere, JSON lines with --json."""

from __future__ import annotations

import json
import sys
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tools.flashing.crew import Row
from tools.flashing.report import row_of
from tools.terminal import decimal, printable, say, shared, t

MARKS = {"good": "✔", "failed": "✘", "help": "!"}
_COLOURS = {"good": "green", "failed": "red", "help": "bold yellow"}


class Screen(Protocol):
    def __enter__(self) -> object: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None: ...
    def show(self, rows: list[Row]) -> None:
        """How it stands, often."""
        ...

    def told(self, row: Row) -> None:
        """A change, from any thread."""
        ...


def screen() -> Screen:
    """The one for whoever looks."""
    console = Console(stderr=True, highlight=False)
    return _Table(console) if console.is_terminal and not shared.json else _Lines()


class _Lines:
    """A line for what a person has to do, and one for each board that is through."""

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def show(self, rows: list[Row]) -> None:
        pass

    def told(self, row: Row) -> None:
        if row.step == "help":
            say(f"{row.port}: {t('flash.help')}")
        if row.outcome is not None:
            if shared.json:
                print(json.dumps(row_of(row.outcome), ensure_ascii=False), file=sys.__stdout__, flush=True)
            else:
                say(f"{row.port}: {words_of(row)}")


class _Table:
    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=8, redirect_stdout=False, redirect_stderr=False)

    def __enter__(self) -> _Table:
        self._live.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, rows: list[Row]) -> None:
        self._live.update(table_of(rows, self._live.console.width))

    def told(self, row: Row) -> None:
        pass


def table_of(rows: list[Row], width: int) -> Table:
    """A row a board: port, node, bar, share, state."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, expand=False)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(12, width // 4))
    table.add_column(no_wrap=True, min_width=9)
    table.add_column(width=max(8, width // 6))
    table.add_column(justify="right", no_wrap=True, min_width=5)
    table.add_column(overflow="fold")
    for row in rows:
        colour = _COLOURS.get(row.step, "")
        table.add_row(
            Text(printable(short(row.port))),
            Text(row.outcome.node if row.outcome else ""),
            ProgressBar(total=1.0, completed=row.share, finished_style=colour or "green", complete_style=colour or "cyan"),
            Text(f"{round(row.share * 100)} %"),
            Text(f"{MARKS.get(row.step, '·')} {words_of(row)}", style=colour),
        )
    return table


def words_of(row: Row) -> str:
    """What the board is at, or what became of it."""
    if row.outcome is None:
        return t(f"flash.{row.step}")
    if row.outcome.problem is not None:
        return printable(row.outcome.problem.line(shared.language))
    did = row.outcome.did
    done = t(f"flash.would-{did}") if row.outcome.is_dry and did != "nothing" else t(f"flash.did-{did}")
    tested = f", {t('flash.tested')}" if row.outcome.results else ""
    return printable(f"{row.outcome.node} {done}{tested} ({decimal(row.outcome.seconds, 1)} s)".strip())


def short(port: str) -> str:
    """The end of a long path: there names differ."""
    return port.rpartition("/")[2] if port.startswith("/dev/serial/") else port
