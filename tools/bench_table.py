"""Writes what the counting core is measured to do into tools/README.md: runs `bench core` and `bench batch`, both in full.

    python -m tools.bench_table --turns 25

The table stands between two marks; everything else of the file stays as it is.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK
from tools.amount import at_least
from tools.bench import report
from tools.bench.amounts import FULL

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "tools" / "README.md"
BEGIN, END = "<!-- written by python -m tools.bench_table -->", "<!-- end of what is written -->"
HEAD = ("what", "goal", "found", "half of the turns", "", "")


def run(bench: str, turns: int) -> dict[str, Any]:
    """What the bench finds; a goal that is missed is a finding too."""
    command = [sys.executable, "-P", "-m", "tools.cli", "--lang", "en", "--json", "bench", bench, "--turns", str(turns)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode not in (EXIT_OK, EXIT_CHECK_FAILED):
        raise SystemExit(done.returncode)
    return json.loads(done.stdout)


def table(results: Sequence[dict[str, Any]]) -> str:
    """The machine, then a row for each goal."""
    about, packages = results[0]["machine"], {name: number for result in results for name, number in result["packages"].items()}
    versions = ", ".join(f"{name} {number}" for name, number in packages.items())
    compiler = about["compiler"] or "no compiler"
    lines = [
        f"{about['cpu']}, {about['cores']} cores, load {about['load']} at the start, {about['python']}, {compiler}; {versions}.",
        "Ratios of times in one run: how many times as fast (≥), or as long (≤); medians of turns that alternate.",
        "",
        _row(HEAD),
        _row(["---"] * len(HEAD)),
    ]
    for row in (row for result in results for row in result["rows"]):
        notes = "; ".join(row[key] for key in ("why", "note") if row[key])
        found = (report.bound(row), report.figure(row), report.half(row), report.verdict(row))
        lines.append(_row([report.describe(row), *found, notes]))
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def renewed(readme: str, between: str) -> str:
    """The text with something else between its marks."""
    before, _, rest = readme.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"expected {BEGIN} and {END}, each once")
    return f"{before}{BEGIN}\n{between}\n{END}{after}"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=at_least(1), default=FULL["turns"])
    turns = parser.parse_args(arguments).turns
    found = table([run(bench, turns) for bench in ("core", "batch")])
    README.write_text(renewed(README.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
