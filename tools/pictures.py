"""Takes the README's pictures from a running demo: `python3 -m tools.pictures`, in the environment of the tests.

Needs Chromium. The demo runs in a real pseudo terminal; what stood on it at a moment is drawn by the same browser that looks at
the page, so that every picture shows what a user sees.
"""

from __future__ import annotations

import argparse
import io
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(__file__).resolve().parent / "pictures"
COLUMNS, LINES = 80, 14
WIDE, PHONE = (1440, 900), (360, 1180)
SVG = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg"><style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", monospace; font-size: {char_height}px; line-height: {line_height}px;
  font-variant-east-asian: full-width; }}
{styles}</style><defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0"
  width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g></svg>"""


class Terminal:
    """A command in a pseudo terminal of COLUMNS by LINES, and what stands on its screen."""

    def __init__(self, command: list[str]) -> None:
        import fcntl
        import termios

        import pyte

        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color"}
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, env=environment)
        os.close(slave)

    def read(self, within_s: float) -> None:
        """Takes what the command says."""
        if select.select([self._master], [], [], within_s)[0]:
            with suppress(OSError):  # Linux's way to say that the command has ended
                self._stream.feed(os.read(self._master, 65536))

    def text(self) -> str:
        return "\n".join(self.screen.display)

    def close(self) -> None:
        self.process.terminate()
        while self.process.poll() is None:
            self.read(0.1)
        os.close(self._master)


def take(folder: Path, duration: str, pace: int, moment: str) -> list[Path]:
    """Writes the pictures of a demo as it is at `moment` (HH:MM of the street); their paths."""
    from tests.gateway.page.browsers import Visit, chromium

    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tools.cli", "demo", "--duration", duration, "--pace", str(pace), "--lang", "en", "--no-stay"]
    with running(command) as terminal, chromium() as browser:
        url = _wait_for(terminal, "http://").split()[-1]
        _wait_for(terminal, moment)
        paths = [_draw(terminal, browser, folder / "terminal.png")]
        for name, size, language in (("page-wide.png", WIDE, "en"), ("page-phone.png", PHONE, "de")):
            visit = Visit(browser, url, language, *size)
            visit.until('document.body.dataset.connection === "live"')
            visit.until('document.querySelector("canvas") !== null')
            visit.page.wait_for_timeout(1500)  # the chart has come to rest
            visit.page.screenshot(path=folder / name, full_page=name == "page-wide.png")
            visit.close()
            paths.append(folder / name)
    return paths


@contextmanager
def running(command: list[str]) -> Iterator[Terminal]:
    terminal = Terminal(command)
    try:
        yield terminal
    finally:
        terminal.close()


def _wait_for(terminal: Terminal, text: str, within_s: float = 300) -> str:
    """The line on the screen that holds the text."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and terminal.process.poll() is None:
        terminal.read(0.2)
        for line in terminal.screen.display:
            if text in line:
                return line.strip()
    raise SystemExit(f"{text!r} never stood on the terminal:\n{terminal.text()}")


def _draw(terminal: Terminal, browser: Browser, path: Path) -> Path:
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    for n in range(LINES):
        line = terminal.screen.buffer[n]
        text = Text()
        for column in range(COLUMNS):
            cell = line[column]
            color = None if cell.fg == "default" else f"#{cell.fg}" if len(cell.fg) == 6 else cell.fg.replace("brown", "yellow")
            text.append(cell.data, style=f"{'bold ' if cell.bold else ''}{color or ''}".strip())
        text.rstrip()
        console.print(text)
    with tempfile.TemporaryDirectory() as folder:
        svg = Path(folder, "terminal.svg")
        svg.write_text(console.export_svg(title="trottoir demo", code_format=SVG), encoding="utf-8")
        width, height = (float(number) for number in svg.read_text(encoding="utf-8").split('"')[1].split()[2:])
        page = browser.new_page(viewport={"width": round(width), "height": round(height)})
        page.goto(svg.as_uri())
        page.locator("svg").screenshot(path=path)
        page.close()
    return path


if __name__ == "__main__":
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    for path in take(FOLDER, "6h", 600, "13:1"):
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
