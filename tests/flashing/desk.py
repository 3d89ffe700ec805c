"""A bench for tests: stand-in boards, the real command, and what stands in a board's flash afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from littlefs import LittleFS

from tools.flashing import layout
from tools.flashing.interpreter import read
from tools.standin import images

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = {layout.NVS: b"\x5a" * 4096, layout.LOG: b"\xa5" * 4096}  # what no flashing may touch


class Desk:
    """`folder` is the test's own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.state = folder / "state"
        self.image = folder / "micropython.bin"
        self.image.write_bytes(images.interpreter())
        self.interpreter = read(self.image.read_bytes())
        assert self.command("node", "firmware", "pin", str(self.image)).returncode == 0

    def command(self, *words, **more):
        environment = {**os.environ, "TROTTOIR_GATEWAY__STATE_DIR": str(self.state)}
        return subprocess.run(
            [sys.executable, "-m", "tools.cli", *words],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            **more,
        )

    def flash(self, ports, *words):
        """(exit code, port -> row of the report, lines for people)"""
        done = self.command("--json", "node", "flash", *(word for port in ports for word in ("--port", str(port))), *words)
        rows = {row["port"]: row for row in map(json.loads, done.stdout.splitlines())}
        return done.returncode, rows, done.stderr

    @contextmanager
    def boards(self, count, *words):
        """Their ports, while they are there. What they keep is kept for the next ones."""
        file = self.folder / "ports"
        file.unlink(missing_ok=True)
        place = self.folder / "boards"
        command = [sys.executable, "-m", "tools.standin", "--boards", str(count), "--folder", str(place), "--baud", "0", *words]
        process = subprocess.Popen([*command, "--ports-file", str(file), "--image", str(self.image)], cwd=ROOT)
        try:
            while not file.exists():
                assert process.poll() is None
                time.sleep(0.02)
            yield file.read_text().split()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()

    def marked(self, count):
        """Blank flash, but for what has to be left alone."""
        (self.folder / "boards").mkdir(exist_ok=True)
        for n in range(count):
            content = bytearray(b"\xff" * layout.FLASH_SIZE)
            for part, mark in KEPT.items():
                content[part.offset : part.end] = mark * (part.size // len(mark))
            self.flash_of(n).write_bytes(content)

    def flash_of(self, n) -> Path:
        return self.folder / "boards" / f"board{n}.flash"

    def part(self, n, offset, size) -> bytes:
        with self.flash_of(n).open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def files(self, n) -> dict[str, bytes]:
        """What stands in its file system."""
        mounted = mounted_from(self.part(n, layout.FILES.offset, layout.FILES.size))
        found = {}
        for folder, _, names in mounted.walk("/"):
            for name in names:
                path = f"{folder}/{name}".lstrip("/")
                with mounted.open(path, "rb") as file:
                    found[path] = file.read()
        return found

    def change(self, n, changes):
        """Files of a board that is off: path -> content, or None for one that goes."""
        mounted = mounted_from(self.part(n, layout.FILES.offset, layout.FILES.size))
        for path, content in changes.items():
            if content is None:
                mounted.remove(path)
            else:
                with mounted.open(path, "wb") as file:
                    file.write(content)
        with self.flash_of(n).open("r+b") as file:
            file.seek(layout.FILES.offset)
            file.write(mounted.context.buffer)

    def nvs(self, n) -> dict[str, str]:
        file = self.flash_of(n).with_suffix(".nvs")
        return dict(line.split() for line in file.read_text().splitlines()) if file.exists() else {}


def mounted_from(content) -> LittleFS:
    mounted = LittleFS(
        block_size=layout.BLOCK_SIZE, block_count=layout.FILES.size // layout.BLOCK_SIZE, prog_size=32, read_size=32,
        lookahead_size=32, cache_size=128, mount=False,
    )  # fmt: skip
    mounted.context.buffer[:] = content
    mounted.mount()
    return mounted
