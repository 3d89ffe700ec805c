"""Boards without hardware, for everything above the cable: `python -m tools.standin --boards 3 --blank --ports-file ports`.

What is real: MicroPython, LittleFS, the bytes in the flash, esptool's protocol. What is not: the bootloader (a protocol mock), the
reset wiring (letting go of the port resets), the speed and wear of a flash chip, USB.
"""

from __future__ import annotations

import argparse
import multiprocessing
import signal
import sys
import tempfile
from pathlib import Path

from tools.board import KIT, kits
from tools.flashing.image import build, pack
from tools.flashing.interpreter import read
from tools.flashing.layout import APP_AT, BOOTLOADER_AT, FILES, TABLE_AT, pack_table
from tools.standin import images
from tools.standin.board import FAULTS, Board
from tools.standin.flash import make
from tools.standin.running import Wired

_FULL_BYTES = 1_000_000  # what is left is less than a second slot takes


def content_of(kit: str, image: Path | None, is_full: bool) -> dict[int, bytes]:
    """The flash of a board that was flashed before."""
    interpreter = read(image.read_bytes() if image else images.interpreter())
    files = dict(build(kit).files)
    if is_full:
        files["junk"] = bytes(_FULL_BYTES)
    return {BOOTLOADER_AT: interpreter.bootloader, TABLE_AT: pack_table(), APP_AT: interpreter.app, FILES.offset: pack(files)}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tools.standin", description=__doc__)
    parser.add_argument("--boards", type=int, default=1)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--blank", action="store_true", help="nothing in their flash (this is usual)")
    what.add_argument("--flashed", choices=kits(), metavar="KIT", help="they were flashed for this kit")
    parser.add_argument("--kit", choices=kits(), default=None, help="what hangs on their pins")
    parser.add_argument("--image", type=Path, help="MicroPython's image, as node firmware pin takes it; else one of its shape")
    parser.add_argument("--baud", type=int, default=460_800, help="the most that their cables bear, 0 for as fast as it goes")
    parser.add_argument("--folder", type=Path, help="where their flash is kept; else it is gone with them")
    parser.add_argument("--ports-file", type=Path, help="is told their ports, a line each, once they are there")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="[N=]FAULT", help=f"of board N, else of all: {', '.join(FAULTS)}"
    )
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = wanted.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        return _run(wanted, folder)


def _by_board(faults: list[str]) -> dict[str, str]:
    """Number of a board -> its fault; "" stands for all that have none of their own."""
    return {text.rpartition("=")[0]: text.rpartition("=")[2] for text in faults}


def _run(wanted: argparse.Namespace, folder: Path) -> int:
    faults = _by_board(wanted.fault)
    kit = wanted.kit or wanted.flashed or KIT.parent.name
    started = []
    links = [folder / f"port{n}" for n in range(wanted.boards)]
    flashed = content_of(wanted.flashed, wanted.image, "full" in faults.values()) if wanted.flashed else None
    for n, link in enumerate(links):
        file = folder / f"board{n}.flash"
        make(file, flashed)
        board = Board(Wired(file, f"24dcc3{0xA00000 + n:06x}", kit), link, wanted.baud, faults.get(str(n), faults.get("", "")))
        link.unlink(missing_ok=True)
        process = multiprocessing.get_context("fork").Process(target=board.run, daemon=True)
        process.start()
        started.append(process)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while not all(link.exists() for link in links):
        started[0].join(0.01)
    if wanted.ports_file:
        new = wanted.ports_file.with_name(wanted.ports_file.name + ".new")
        new.write_text("".join(f"{link}\n" for link in links))
        new.replace(wanted.ports_file)
    else:
        print("\n".join(map(str, links)), flush=True)
    try:
        for process in started:
            process.join()
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
