"""What became of which board, for good: a line of JSON each in `state_dir/nodes/flashed.jsonl`, newest last; and as a table.

There is nothing of a key in it. Columns are data and stay as they are, whatever the reader's language.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gateway.errors import PermissionDenied
from tools.flashing.errors import FlashError
from tools.flashing.one_board import Outcome

FILE = Path("nodes") / "flashed.jsonl"
MAX_BYTES = 4_000_000  # some 8,000 boards; then the older half goes
COLUMNS = (
    "id", "mac", "chip", "port", "kit", "firmware", "sha256", "micropython", "did", "result", "problem", "test", "time", "seconds",
)  # fmt: skip


def row_of(outcome: Outcome) -> dict[str, Any]:
    """`result` is good, untested (it runs, but its self-test found something) or failed; `test` has what it found."""
    result = "good" if outcome.is_good else "untested" if outcome.exit_code == 1 else "failed"
    values = {
        "id": outcome.node,
        "mac": outcome.mac,
        "chip": outcome.chip,
        "port": outcome.port,
        "kit": outcome.kit,
        "firmware": outcome.firmware,
        "sha256": outcome.sha256,
        "micropython": outcome.micropython,
        "did": outcome.did,
        "result": result,
        "problem": outcome.problem.line() if outcome.problem else "",
        "test": {check: [verdict, value] for check, verdict, value in outcome.results},
        "time": outcome.began.isoformat(timespec="seconds") if outcome.began else "",
        "seconds": round(outcome.seconds, 1),
    }
    return {name: values[name] for name in COLUMNS}


def append(state_dir: Path, outcomes: Iterable[Outcome]) -> None:
    """On disk when this returns. PermissionDenied or FlashError where it cannot be."""
    lines = "".join(json.dumps(row_of(outcome), ensure_ascii=False) + "\n" for outcome in outcomes)
    path = state_dir / FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > MAX_BYTES:
            _halve(path)
        with path.open("a", encoding="utf-8") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
    except PermissionError as error:
        raise PermissionDenied("firmware-denied", folder=path.parent) from error
    except OSError as error:
        raise FlashError("firmware-unkept", folder=path.parent, found=error) from error


def read(state_dir: Path, last: int | None = None) -> list[dict[str, Any]]:
    """Rows, oldest first; the newest `last` of them. What is no row (a cut in the middle of one) is passed over."""
    path = state_dir / FILE
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except PermissionError as error:
        raise PermissionDenied("firmware-denied", folder=path.parent) from error
    except OSError as error:
        raise FlashError("firmware-unkept", folder=path.parent, found=error) from error
    rows = [row for line in text.splitlines() if (row := _row(line)) is not None]
    return rows if last is None else rows[-last:] if last else []


def as_csv(rows: Iterable[dict[str, Any]]) -> str:
    """With a head. A cell that a spreadsheet would take for a formula is made plain text."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(COLUMNS)
    for row in rows:
        table.writerow([_cell(row[name]) for name in COLUMNS])
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, dict):
        value = " ".join(f"{check}={result[0]}" for check, result in value.items())
    text = str(value)
    return "'" + text if text[:1] in ("=", "+", "-", "@") else value


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or not isinstance(row.get("id"), str):
        return None
    tests = row.get("test")
    is_sound = isinstance(tests, dict) and all(isinstance(found, list) and found for found in tests.values())
    return {name: row.get(name, "") for name in COLUMNS} | {"test": tests if is_sound else {}}


def _halve(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        file.writelines(lines[len(lines) // 2 :])
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
