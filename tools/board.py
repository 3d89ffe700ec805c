"""A kit's pin file -> the firmware's board module. One source: `hardware/KIT/pins.json`.

`python3 -m tools.board` rewrites `firmware/node/board.py`; `--check` only says whether it is up to date.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KIT = ROOT / "hardware" / "pavement-radar" / "pins.json"
BOARD = ROOT / "firmware" / "node" / "board.py"

# Espressif, ESP32 datasheet section 2.4: levels on these pins at reset choose the boot mode or the flash voltage.
STRAPPING_GPIOS = frozenset({0, 2, 5, 12, 15})
# Same document: input only, so they can neither drive a line nor pull it up.
INPUT_ONLY_GPIOS = frozenset(range(34, 40))
# Wired to the module's own flash.
FLASH_GPIOS = frozenset(range(6, 12))


class PinError(ValueError):
    """A pin file that would not work on the board; the message names the signal and why."""


def render(pins: dict) -> str:
    """The text of `board.py`. Raises PinError on pins that an ESP32 cannot use that way."""
    seen: dict[int, str] = {}
    lines = [
        f"# Made from hardware/{pins['kit']}/pins.json by `python3 -m tools.board`; edit that file, not this one.",
        f'KIT = "{pins["kit"]}"',
    ]
    for signal in pins["signals"]:
        name, gpio = signal["name"], signal["gpio"]
        if gpio in seen:
            raise PinError(f"{name}: GPIO {gpio} is already {seen[gpio]}")
        if gpio in STRAPPING_GPIOS:
            raise PinError(f"{name}: GPIO {gpio} decides how the ESP32 boots; use another")
        if gpio in FLASH_GPIOS:
            raise PinError(f"{name}: GPIO {gpio} belongs to the flash chip; use another")
        if gpio in INPUT_ONLY_GPIOS and signal["direction"] != "in":
            raise PinError(f"{name}: GPIO {gpio} can only be an input")
        seen[gpio] = name
        lines.append(f"{name} = {gpio}  # to {signal['to']}")
    lines += [f"{name} = {value}" for name, value in pins["buses"].items()]
    lines += [f'{name} = "{value}"' for name, value in pins["log"].items()]
    return "\n".join(lines) + "\n"


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
