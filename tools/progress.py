"""A bar on a terminal, for what takes longer than a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Gives a function that is to be called with how much is done; nothing is shown where nobody looks."""
    console = Console(stderr=True, highlight=False)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        begin_s = time.monotonic()
        task = shown.add_task(what, total=total, visible=False)

        def done(count: int) -> None:
            shown.update(task, completed=count, visible=time.monotonic() - begin_s > 1)

        yield done
