"""The node's record log under as many cases as wanted: `.venv/bin/python -m tools.torture_log --cases 1000000`.

Runs `tests/node/log_torture.py` (what a case is stands there) under one interpreter, MicroPython in a heap of the node's size,
prints one line of JSON, and exits with 1 if a case failed. A failed case is named by its number: `--seed NUMBER --cases 1`
does it again.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from gateway.errors import EXIT_ENVIRONMENT
from tools import micropython
from tools.amount import at_least

ROOT = Path(__file__).resolve().parent.parent
NODE_TESTS = ROOT / "tests" / "node"
FIRMWARE = ROOT / "firmware"


class CaseFailed(Exception):
    """What the harness said of it, the case's number included."""


class NoInterpreter(Exception):
    """What is missing."""


def torture(interpreter: str, first: int, cases: int) -> dict[str, int]:
    """Runs the cases `first` to `first + cases - 1`; returns how often which fault was done. CaseFailed at the first that fails,
    NoInterpreter where there is none."""
    if interpreter == "micropython":
        found = micropython.find()
        if found is None:
            raise NoInterpreter("no micropython beside this Python or on the PATH")
        command = [found, "-X", "heapsize=110wK"]
        paths = {"MICROPYPATH": f"{NODE_TESTS}:{FIRMWARE}:.frozen"}
    else:
        command = [sys.executable]
        paths = {"PYTHONPATH": os.pathsep.join((str(NODE_TESTS), str(FIRMWARE)))}
    command += [str(NODE_TESTS / "log_torture.py"), str(first), str(cases)]
    done = subprocess.run(command, env=os.environ | paths, capture_output=True, text=True)
    if done.returncode:
        raise CaseFailed(done.stdout + done.stderr)
    return json.loads(done.stdout)


def main(words: list[str]) -> int:
    """The exit code: 0 if every case held, 1 if one did not, 3 where it cannot run."""
    parser = argparse.ArgumentParser(prog="tools.torture_log", description="The node's record log under torture.")
    parser.add_argument("--cases", type=at_least(1), default=100_000)
    parser.add_argument("--interpreter", choices=("cpython", "micropython"), default="cpython")
    parser.add_argument("--seed", type=int, default=0, help="the number of the first case (0)")
    wish = parser.parse_args(words)
    started = time.monotonic()
    try:
        faults = torture(wish.interpreter, wish.seed, wish.cases)
    except CaseFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    except NoInterpreter as lack:
        print(f"tools.torture_log: {lack}", file=sys.stderr)
        return EXIT_ENVIRONMENT
    seconds = time.monotonic() - started
    told = {"cases": wish.cases, "failed": 0, "interpreter": wish.interpreter, "seed": wish.seed, "wall_s": round(seconds, 1)}
    print(json.dumps(told | {"cases_per_s": round(wish.cases / seconds), "faults": faults}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
