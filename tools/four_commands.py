"""From nothing to a node that counts, by the four commands of the README: `.venv/bin/python -m tools.four_commands [--ready]`.

Reads them out of the README, types them in an empty folder with a fresh clone of this checkout and an environment that knows
nothing of it, and looks at what came of it: exit code 0 when the gateway has a minute of the node in its books.

What is not as at a desk: the board is a stand-in (tools/standin: real MicroPython behind a protocol mock of the bootloader), which
has no USB identity and is named by --port; MicroPython's image is one of its shape; the clone comes from this folder and not from
an address. `--ready` lends the clone this checkout's environment, so that nothing is downloaded.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN = "<!-- four commands -->"
COUNTED_WITHIN_S = 150.0  # a full minute, a start in the middle of one, and what a slow machine takes


class FailedError(Exception):
    """A command that did not do what the README says; the text says which and how."""


def commands(readme: str) -> list[str]:
    """The lines of the block behind the mark, without their remarks."""
    block = re.search(re.escape(BEGIN) + r"\s*```\n(.*?)```", readme, re.DOTALL)
    if block is None:
        raise FailedError("the README has no four commands")
    return [line.split(" #")[0].strip() for line in block[1].splitlines() if line.strip()]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.four_commands", description="From nothing to a node that counts.")
    parser.add_argument("--ready", action="store_true", help="with this checkout's environment instead of a new one")
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="trottoir-four-") as folder, _board(Path(folder)) as (port, image):
        try:
            _perform(commands((ROOT / "README.md").read_text(encoding="utf-8")), Path(folder) / "desk", port, image, wanted.ready)
        except FailedError as error:
            print(f"FAILED: {error}", flush=True)
            return 1
    print("four commands, and a minute of the node is in the books", flush=True)
    return 0


def _perform(lines: list[str], desk: Path, port: str, image: Path, is_ready: bool) -> None:
    desk.mkdir()
    clone, pin, flash, run = lines
    _do(clone.replace("ADDRESS", shlex.quote(str(ROOT))), desk)
    checkout = desk / "trottoir"
    if is_ready:
        (checkout / ".venv").symlink_to(ROOT / ".venv")
    python = "python3 tools/go.py"
    mine = f"{shlex.quote(sys.executable)} -m tools.cli" if is_ready else python
    _do(re.sub(r"\S+\.bin\b", shlex.quote(str(image)), pin).replace(python, mine), checkout)
    _do(f"{flash.replace(python, mine)} --port {shlex.quote(port)}", checkout)
    _run(run.replace(python, mine), checkout)


def _do(line: str, folder: Path) -> None:
    began_s = time.monotonic()
    print(f"$ {line}", flush=True)
    code = subprocess.run(["bash", "-c", line], cwd=folder, env=_environment(folder), stdin=subprocess.DEVNULL).returncode
    print(f"  exit code {code} after {time.monotonic() - began_s:.0f} s", flush=True)
    if code:
        raise FailedError(f"{line}: exit code {code}")


def _run(line: str, checkout: Path) -> None:
    # Until a minute is in the books; then it is stopped as Ctrl-C does it.
    print(f"$ {line}", flush=True)
    store = checkout / "trottoir-state" / "store.db"
    words = ["bash", "-c", f"exec {line}"]
    with subprocess.Popen(words, cwd=checkout, env=_environment(checkout), stdin=subprocess.DEVNULL) as running:
        ends_s = time.monotonic() + COUNTED_WITHIN_S
        while not _minutes(store):
            if running.poll() is not None:
                raise FailedError(f"{line}: ended with exit code {running.returncode}")
            if time.monotonic() > ends_s:
                running.kill()
                raise FailedError(f"{line}: no minute of the node within {COUNTED_WITHIN_S:.0f} s")
            time.sleep(0.5)
        running.send_signal(signal.SIGINT)
        print(f"  {_minutes(store)} minute of the node is there; Ctrl-C: exit code {running.wait(30)}", flush=True)


def _minutes(store: Path) -> int:
    if not store.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as books:
            return books.execute("SELECT count(*) FROM bins").fetchone()[0]
    except sqlite3.OperationalError:  # it is being made just now
        return 0


def _environment(folder: Path) -> dict[str, str]:
    # Nothing of this checkout's, but where commands and packages are found.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PIP_CACHE_DIR", "TMPDIR") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", "PYTHONPATH": f"{folder}:{folder / 'firmware'}"}


@contextmanager
def _board(folder: Path) -> Iterator[tuple[str, Path]]:
    """A blank board: its port, and the image that is pinned for it."""
    from tools.standin import images

    image, ports = folder / "ESP32_GENERIC.bin", folder / "ports"
    image.write_bytes(images.interpreter())
    command = [sys.executable, "-m", "tools.standin", "--boards", "1", "--kit", "pavement-radar", "--ports-file", str(ports)]
    with subprocess.Popen([*command, "--image", str(image)], cwd=ROOT, stdout=subprocess.DEVNULL) as board:
        while not ports.exists():
            if board.poll() is not None:
                raise FailedError("the stand-in board did not start")
            time.sleep(0.05)
        try:
            yield ports.read_text().split()[0], image
        finally:
            board.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
