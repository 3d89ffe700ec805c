"""Does the node's heap stay as it is? The firmware of a kit under MicroPython in a heap of a board's size, for very many beats.

    .venv/bin/python -m tools.heap_cycles --cycles 1000000 --kit pavement-radar --air

Its own main.py composes it, on a board where every part is at work and somebody passes every six seconds
(tools/street/shims/cycles); with --air it holds a key, and a gateway or a stranger connects every two minutes. It is compiled,
as on a board. Printed are, after a collection, the bytes in use, the largest free block and all that is free, and at the end this
machine's processor time for a beat of 100 ms, stand-ins included: how many times slower a board may be. Exit 1 if the bytes in use
have grown since a tenth of the beats, or if the largest block ever is less than half of what was free then.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from gateway.errors import EXIT_CHECK_FAILED, EXIT_ENVIRONMENT, EXIT_OK
from tools import micropython
from tools.amount import at_least
from tools.board import compiled, image, kits
from tools.street.node import HEAP, SHIMS

LOOKS = 20
BEAT_US = 100_000
GROWTH_B = 512  # the smallest that is none: a list that was at its longest, a message under way


class Look(NamedTuple):
    """One look at the heap."""

    cycle: int
    allocated_b: int
    largest_free_b: int
    free_b: int
    counted: int  # passages so far
    sessions: int = 0  # proven ones on the air so far


def run(kit: str, cycles: int, is_on_air: bool = False) -> tuple[list[Look], float]:
    """The looks at the heap of this kit's firmware, with its radio on or off, and the microseconds of processor time that a beat
    took. RuntimeError with its last words if it dies."""
    every = max(cycles // LOOKS, 1)
    with TemporaryDirectory() as folder:
        firmware = compiled(image(kit, Path(folder) / "image"))
        shims = SHIMS / "cycles"
        command = [str(micropython.find()), "-X", f"heapsize={HEAP}", str(shims / "cycles.py"), str(cycles), str(every)]
        command += ["air"] if is_on_air else []
        environment = {"MICROPYPATH": f"{shims}:{firmware}:.frozen"}
        before_s = _processor_s()
        done = subprocess.run(command, cwd=firmware, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{kit}: {(done.stdout + done.stderr)[-800:]}")
    rows = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("heap ")]
    return [Look(*map(int, row)) for row in rows], max((_processor_s() - before_s) * 1e6 / cycles, 1.0)


def faults(looks: list[Look]) -> list[str]:
    """What is wrong, in words; empty if nothing is. The first tenth is for settling."""
    settled = looks[len(looks) // 10 :]
    first, last = settled[0], settled[-1]
    found = []
    if last.allocated_b > first.allocated_b + GROWTH_B:
        found.append(f"in use grew from {first.allocated_b} to {last.allocated_b} B")
    split = [look for look in settled if look.largest_free_b * 2 < look.free_b]
    if split:
        found.append(f"the largest free block fell to {split[0].largest_free_b} B of {split[0].free_b} B")
    return found


def _processor_s() -> float:
    import resource  # not on Windows, where there is no MicroPython either

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog=".venv/bin/python -m tools.heap_cycles", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cycles", type=at_least(LOOKS), default=20_000, help="beats of 100 ms (20000)")
    parser.add_argument("--kit", choices=kits(), help="one kit only")
    parser.add_argument("--air", action="store_true", help="with the radio on")
    wanted = parser.parse_args(arguments)
    if micropython.find() is None:
        print("no MicroPython for this machine: the wheel exists for Linux on x86_64", file=sys.stderr)
        return EXIT_ENVIRONMENT
    is_good = True
    for kit in [wanted.kit] if wanted.kit else kits():
        looks, beat_us = run(kit, wanted.cycles, wanted.air)
        print(f"{kit}: cycle, B in use, largest free block, B free, passages, sessions")
        for look in looks:
            print("  ", *look)
        print(f"{kit}: {beat_us:.0f} us of processor time a beat; a board {BEAT_US / beat_us:.0f} times slower would just keep up")
        for fault in faults(looks):
            is_good = False
            print(f"{kit}: {fault}")
    return EXIT_OK if is_good else EXIT_CHECK_FAILED


if __name__ == "__main__":
    sys.exit(main())
