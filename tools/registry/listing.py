"""What is known of every node: the configuration, its key, what the running gateway's page tells, and how it was flashed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from gateway.config import Config
from gateway.places import NodeConfig
from gateway.view import View

FLASHED = "nodes/flashed.jsonl"  # in the state folder: a line for each board that was flashed
_MOST = 4_000_000  # bytes of it that are read, from its end


class Row(TypedDict):
    """`state` is as the page has it, or `retired`, `unlisted`, `unknown` where no page answers. `link` is where it is heard, or
    `ble` where it has a key and is not heard. Times are unix seconds. Null means unknown."""

    node: str
    name: str
    site: str | None
    site_name: str
    kit: str | None
    firmware: str | None
    link: str | None
    heard_s: int | None
    state: str
    has_key: bool
    flashed: dict[str, Any] | None


def rows(
    config: Config, keys: set[str], view: View | None, flashed: Mapping[str, dict[str, Any]], counted: Mapping[str, int], now_s: int
) -> list[Row]:
    """Listed nodes by site, then retired ones, then boards that were flashed and are not listed yet. `counted` has when the newest
    minute of a node in the books ended. Pure."""
    told: dict[str, dict[str, Any]] = {node["node"]: dict(node["health"]) for node in view["nodes"]} if view is not None else {}
    found = [
        _row(config, name, name in keys, told.get(name, {}), flashed.get(name), counted.get(name, 0), now_s)
        for name in sorted({*config.nodes, *flashed})
    ]
    last = ("retired", "unlisted")
    return sorted(found, key=lambda row: (row["state"] in last and last.index(row["state"]) + 1, row["site"] or "", row["node"]))


def _row(
    config: Config, name: str, has_key: bool, health: dict[str, Any], flashed: dict[str, Any] | None, counted_s: int, now_s: int
) -> Row:
    node, board = config.nodes.get(name), flashed or {}
    site = _site(node, now_s) if node else None
    state = "unlisted" if node is None else "retired" if node.is_retired(now_s) else health.get("state", "unknown")
    return {
        "node": name,
        "name": node.name if node else "",
        "site": site,
        "site_name": config.sites[site].name if site else "",
        "kit": health.get("kit") or board.get("kit"),
        "firmware": health.get("firmware") or board.get("firmware"),
        "link": health.get("link") or ("ble" if has_key and config.ble.enabled else None),
        "heard_s": max(health.get("heard_s") or 0, counted_s) or None,
        "state": state,
        "has_key": has_key,
        "flashed": flashed,
    }


def _site(node: NodeConfig, now_s: int) -> str | None:
    # Where it stands, or will.
    begin_s = node.next_change(now_s)
    return node.site_at(now_s) or (node.site_at(begin_s) if begin_s is not None else None)


def keys_in(folder: Path) -> set[str]:
    """Nodes that have a key. The keys themselves are nobody's business here."""
    with contextlib.suppress(OSError):
        return {path.stem for path in folder.iterdir() if path.suffix == ".key"}
    return set()


def read_flashed(state_dir: Path) -> dict[str, dict[str, Any]]:
    """The newest line of each board; what is no such line is left out."""
    found: dict[str, dict[str, Any]] = {}
    for line in _tail(state_dir / FLASHED).splitlines():
        with contextlib.suppress(ValueError, RecursionError):
            told = json.loads(line)
            if isinstance(told, dict) and isinstance(told.get("id"), str) and told["id"].startswith("tr-"):
                found[told["id"]] = told
    return found


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _MOST))
            return file.read(_MOST).decode("utf-8", "replace")
    except OSError:
        return ""
