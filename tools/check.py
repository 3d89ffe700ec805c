"""Everything the project can prove on this machine: `python3 tools/go.py test`, with further words for pytest (`-k NAME`).

In order: the linter, the types of gateway and tools (CPython) and of the firmware with the shims that stand in for its
hardware (MicroPython for ESP32), then the tests. Ends with what was missing and how to add it, and with one line that
counts each test and each other step. Exit code 0 only if nothing failed.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.real_parts import PARTS, REQUIRED

ROOT = Path(__file__).resolve().parent.parent
NO_PYTHON = ROOT / ".venv" / "none"  # for the node's types: no interpreter, so that CPython's modules do not count
TYPES = [sys.executable, "-m", "basedpyright"]
STEPS = {
    "style": [sys.executable, "-m", "ruff", "check", "--quiet"],
    "types of gateway and tools": [*TYPES, "--pythonpath", sys.executable, "--project", "pyrightconfig.json"],
    "types of the firmware": [*TYPES, "--pythonpath", str(NO_PYTHON), "--project", "tools/typecheck/node.json"],
}
# One process more than cores, since many tests wait for a line or a server; up to four: each of them starts servers of its own.
# `-n 0` runs the tests one after the other.
PROCESSES = min(4, 1 + (os.cpu_count() or 1))
PYTEST = [sys.executable, "-m", "pytest", "-rfEs", "-n", str(PROCESSES), "--dist=worksteal"]


@dataclass
class Tally:
    """How many checks ended how."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def run(heading: str, command: list[str]) -> int:
    """Runs one step from the checkout's root, its output straight to the user; the exit code."""
    print(f"\n== {heading}", flush=True)
    started = time.monotonic()
    code = subprocess.run(command, cwd=ROOT).returncode
    print(f"   {'ok' if code == 0 else f'exit code {code}'} in {time.monotonic() - started:.1f} s", flush=True)
    return code


def tally_of(report: Path, code: int) -> Tally:
    """What pytest counted, read from its report; an end that its count does not explain is one more failure."""
    tally = Tally()
    if report.exists():
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):  # noqa: S314  pytest wrote it just now
            bad, skipped = int(suite.get("failures", 0)) + int(suite.get("errors", 0)), int(suite.get("skipped", 0))
            tally += Tally(int(suite.get("tests", 0)) - bad - skipped, bad, skipped)
    if code and not tally.failed:
        tally.failed = 1
    return tally


def run_tests(words: list[str]) -> Tally:
    """pytest with further words; paths among them are seen from the checkout's root."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        code = run("tests", [*PYTEST, f"--junit-xml={report}", *words])
        return tally_of(report, code)


def check_parts() -> Tally:
    """Says which real parts the tests found; a missing one is a failure where all are required."""
    print("\n== real parts that the tests use" + (", all of them required" if REQUIRED else ""))
    tally = Tally()
    for part in PARTS.values():
        place = part.find()
        print(f"   {part.name}: {place}" if place else f"   {part.lack}")
        tally.failed += bool(REQUIRED and not place)
    return tally


def main(words: list[str]) -> int:
    """All steps, whether earlier ones failed or not; the exit code."""
    if words and words[0] in ("--help", "-h"):
        print(__doc__)
        return 0
    results = {}
    for heading, command in STEPS.items():
        code = run(heading, command)
        results[heading] = Tally(passed=int(code == 0), failed=int(code != 0))
    results["tests"] = run_tests(words)
    results["real parts"] = check_parts()
    print("\n== summary")
    for heading, tally in results.items():
        print(f"   {heading}: {'FAILED' if tally.failed else 'ok'}")
    total = sum(results.values(), Tally())
    print(total, flush=True)
    return int(total.failed > 0)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
