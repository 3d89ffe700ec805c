"""The settings of `/node.json` -> the table in hardware/README.md. One source: `firmware/node/config.py`.

`python -m tools.settings_table` rewrites it; `--check` only says whether it is up to date.
"""

from __future__ import annotations

import argparse
import re
import sys
from functools import cache
from pathlib import Path

from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK
from node.config import GROUPS
from node.sensors.table import PARTS, maker
from tools.board import FIRMWARE, kits, pins_of

README = Path(__file__).resolve().parent.parent / "hardware" / "README.md"
BEGIN, END = "<!-- written by python -m tools.settings_table -->", "<!-- end of what is written -->"
_ROW = re.compile(r'^        "(\w+)": \([\d, ]+\),  # (.+)$', re.MULTILINE)
_GROUP = re.compile(r'^    "(\w+)": \{$', re.MULTILINE)
HEAD = ("kits", "key", "default", "from", "to", "what it is")


def table() -> str:
    """A row for each setting; what every kit reads says so."""
    readers = {group: [kit for kit in kits() if group in groups_of(kit)] for group in GROUPS}
    lines = [_row(HEAD), _row(("---",) * len(HEAD))]
    for group, rows in GROUPS.items():
        who = "all" if readers[group] == kits() else ", ".join(f"`{kit}`" for kit in readers[group])
        lines += [_row((who, f"`{key}`", *map(str, row), said()[group, key])) for key, row in rows.items()]
    return "\n".join(lines)


@cache
def said() -> dict[tuple[str, str], str]:
    """(group, key): what it is. It stands behind each row of the source, where it takes no memory on a node."""
    source = (FIRMWARE / "node" / "config.py").read_text(encoding="utf-8")
    _, *parts = _GROUP.split(source)
    return {(group, key): text for group, rows in _pairs(parts) for key, text in _ROW.findall(rows)}


def _pairs(parts: list[str]) -> list[tuple[str, str]]:
    """[name, text, name, text, ...] as pairs."""
    return list(zip(parts[::2], parts[1::2], strict=True))


def groups_of(kit: str) -> tuple[str, ...]:
    """The groups of settings that a node of this kit reads."""
    counter = pins_of(kit)["parts"]["counter"]
    assert PARTS[counter][1] == "passages"
    return (*maker(counter).settings, "supply")


def written(text: str) -> str:
    """The README with today's table between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.settings_table", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the table is out of date")
    wanted = parser.parse_args(arguments)
    text = README.read_text(encoding="utf-8")
    if wanted.check:
        return EXIT_OK if text == written(text) else EXIT_CHECK_FAILED
    README.write_text(written(text), encoding="utf-8")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
