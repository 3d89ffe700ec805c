"""What nodes and technicians found out at the pole: self-tests and aims, the newest of each node, in a file of its own.

`state_dir/nodes/tr-a3f1c2.tests.jsonl` has a line for each self-test, `.aims.jsonl` for each aim. No line says when anybody passed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path
from typing import Any

import structlog

from gateway.model import Told, node_name
from gateway.ownership import hand_over
from gateway.results import understand

MOST = 100  # lines of a file
MOST_BYTES = 100_000
EVERY_S = 1.0  # at most so often, whatever a node tells

_log = structlog.get_logger("gateway")


class Findings:
    """Writes what nodes tell by themselves, beside the books. `put` at any time, `run` for ever, `write` what is left."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._waiting: dict[tuple[str, str], dict[str, Any]] = {}
        self._is_told = asyncio.Event()

    def put(self, told: Told) -> None:
        kind, found = understand(told.results)
        self._waiting[node_name(told.node), kind] = {"time": told.at_s, "by": "node", **found}
        self._is_told.set()

    async def run(self) -> None:
        while True:
            await self._is_told.wait()
            await asyncio.sleep(EVERY_S)
            self._is_told.clear()
            await asyncio.to_thread(self.write)

    def write(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for (node, kind), entry in waiting.items():
            try:
                keep(self._state_dir, node, kind, entry)
            except OSError as error:
                _log.warning("result of a node not kept", node=node, problem=str(error))


def keep(state_dir: Path, node: str, kind: str, entry: dict[str, Any]) -> None:
    """One line more; the oldest give way. OSError where the disk does not take it."""
    path = _path(state_dir, node, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    hand_over(path.parent)
    lines = [*_lines(path)[1 - MOST :], json.dumps(entry)]
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    hand_over(new)
    new.replace(path)


def newest(state_dir: Path, node: str, kind: str) -> dict[str, Any] | None:
    """The last line; None where there is none, or where it is none of ours."""
    for line in reversed(_lines(_path(state_dir, node, kind))):
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(line)
            if isinstance(found, dict) and isinstance(found.get("time"), int):
                return found
    return None


def _path(state_dir: Path, node: str, kind: str) -> Path:
    return state_dir / "nodes" / f"{node}.{kind}.jsonl"


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - MOST_BYTES))
            return file.read(MOST_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
