"""Where `aim` and `monitor` show things: a picture that stays at the foot of a terminal, with lines above it; else lines alone."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from tools.terminal import printable, shared


class Screen:
    """`line` for what happens, `picture` for what is so now."""

    def __init__(self, console: Console, live: Live | None) -> None:
        self._console = console
        self._live = live

    def line(self, text: str, style: str = "") -> None:
        self._console.print(Text(printable(text), style=style))

    def picture(self, lines: Sequence[str]) -> None:
        if self._live is not None:
            self._live.update(Group(*(Text(printable(line), no_wrap=True) for line in lines)), refresh=True)


@contextmanager
def screen(to_stdout: bool) -> Iterator[Screen]:
    """Lines are results on stdout, or messages on stderr. With --json nothing is drawn."""
    console = Console(stderr=not to_stdout, highlight=False, soft_wrap=True)
    if shared.json or not console.is_terminal:
        yield Screen(Console(stderr=True, highlight=False, soft_wrap=True) if shared.json else console, None)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield Screen(console, live)


def on_enter(do: Callable[[], None]) -> None:
    """Calls it whenever somebody at a terminal presses Enter, as long as the command runs."""
    if not sys.stdin.isatty():
        return

    def listen() -> None:
        while sys.stdin.readline():
            do()

    threading.Thread(target=listen, name="enter", daemon=True).start()
