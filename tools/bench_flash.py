"""How long ten boards take at once, against one alone: `python -m tools.bench_flash [--bytes 1600000] [--boards 10]`.

Stand-in boards (tools/standin) whose cables bear 460,800 baud, the real command, an image of MicroPython's size that hardly
compresses. Told are blank boards, and the same again with nothing to do.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.standin import images

GOAL_RATIO = 2.5
GOAL_NOTHING_S = 5.0


def boards(folder: Path, count: int) -> tuple[subprocess.Popen[bytes], list[str]]:
    """Blank ones on their ports; the process that they end with."""
    ports = folder / "ports"
    command = [sys.executable, "-m", "tools.standin", "--boards", str(count), "--folder", str(folder / "boards")]
    process = subprocess.Popen([*command, "--ports-file", str(ports)])
    while not ports.exists():
        time.sleep(0.05)
    return process, ports.read_text().split()


def flashed_s(ports: list[str], environment: dict[str, str]) -> float:
    begin_s = time.monotonic()
    command = [sys.executable, "-m", "tools.cli", "node", "flash", *(word for port in ports for word in ("--port", port))]
    subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
    return time.monotonic() - begin_s


def measure(folder: Path, count: int, size: int) -> tuple[float, float]:
    """Seconds for blank boards, and again with nothing to do."""
    folder.mkdir()
    image = folder / "micropython.bin"
    image.write_bytes(images.interpreter(size))
    environment = {**os.environ, "TROTTOIR_GATEWAY__STATE_DIR": str(folder / "state")}
    subprocess.run([sys.executable, "-m", "tools.cli", "node", "firmware", "pin", str(image)], env=environment, check=True)
    process, ports = boards(folder, count)
    try:
        return flashed_s(ports, environment), flashed_s(ports, environment)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tools.bench_flash", description=__doc__)
    parser.add_argument("--boards", type=int, default=10)
    parser.add_argument("--bytes", type=int, default=1_600_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        one_s, one_again_s = measure(Path(folder, "one"), 1, wanted.bytes)
        all_s, all_again_s = measure(Path(folder, "all"), wanted.boards, wanted.bytes)
    print(f"one blank board {one_s:.1f} s, {wanted.boards} at once {all_s:.1f} s: {all_s / one_s:.2f} times (goal: {GOAL_RATIO})")
    print(f"nothing to do: one {one_again_s:.1f} s, {wanted.boards} at once {all_again_s:.1f} s (goal: {GOAL_NOTHING_S} s)")
    return 0 if all_s / one_s < GOAL_RATIO and all_again_s < GOAL_NOTHING_S else 1


if __name__ == "__main__":
    sys.exit(main())
