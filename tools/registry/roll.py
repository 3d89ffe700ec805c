"""The nodes and sites in a configuration's own text, changed in place: comments, order and spelling of all the rest stay. Pure.

Each function takes the text and gives the new one. Whether the result makes sense is for `gateway.config.parse` to say.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Array


class NotEditable(Exception):
    """The text says it in a way that is not changed here."""


def add_site(text: str, site: str, name: str) -> str:
    """A new site."""
    return _append(text, f"sites.{site}", {"name": name})


def add_node(text: str, node: str, site: str, name: str = "", from_s: int | None = None) -> str:
    """A node that is not listed yet, at a site since ever or from a minute on."""
    named = {"name": name} if name else {}
    begins = {} if from_s is None else {"valid_from": from_s}
    return _append(text, f"nodes.{node}", {**named, "site": site, **begins})


def set_name(text: str, node: str, name: str) -> str:
    """Of a listed node."""
    document, table = _open(text, node)
    table["name"] = name
    return document.as_string()


def end_stay(text: str, node: str, until_s: int) -> str:
    """A listed node stands nowhere from this minute on. The stay that has begun last before it ends then."""
    document, table = _open(text, node)
    stays = table.get("placements")
    stay = table if stays is None else max((stay for stay in stays if _begin(stay) < until_s), key=_begin)
    stay["valid_until"] = _moment(until_s)
    return document.as_string()


def begin_stay(text: str, node: str, site: str, from_s: int) -> str:
    """One more stay of a listed node."""
    document, table = _open(text, node)
    if "placements" not in table:
        keys = [key for key in ("site", "valid_from", "valid_until") if key in table]
        before, remark = {key: table[key].unwrap() for key in keys}, table["site"].trivia.comment
        for key in keys:
            table.remove(key)
        stays = tomlkit.array()
        stays.add_line(_inline({key: _seconds(value) for key, value in before.items()}))
        stays.add_line(indent="")
        if remark:
            stays.comment(remark.lstrip("# "))
        table["placements"] = stays
    new = {"site": site, "valid_from": from_s}
    stays = table["placements"]
    if isinstance(stays, AoT):
        stays.append(_table(new))
    elif isinstance(stays, Array) and "\n" in stays.as_string():
        stays.insert(len(stays), _inline(new))
    else:
        stays.append(_inline(new))
    return document.as_string()


def list_port(text: str, port: str) -> str:
    """A serial port that is not listed yet."""
    document = _parse(text)
    if "serial" not in document:
        return _append(text, "serial", {"ports": [port]})
    table = document["serial"]
    if not isinstance(table, MutableMapping):
        raise NotEditable
    if "ports" in table:
        table["ports"].append(port)  # type: ignore[union-attr]
    else:
        table["ports"] = [port]
    return document.as_string()


# -- TOML


def _parse(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise NotEditable from error


def _open(text: str, node: str) -> tuple[tomlkit.TOMLDocument, Any]:
    document = _parse(text)
    try:
        table = document["nodes"][node]  # type: ignore[index]
    except (TOMLKitError, KeyError) as error:
        raise NotEditable from error
    return document, table


def _append(text: str, header: str, values: dict[str, object]) -> str:
    # At the end, a line apart: wherever else it went, it might come between somebody's table and its comment.
    newline = "\r\n" if "\r\n" in text else "\n"
    rows = [f"[{header}]", *(f"{key} = {_value(value).as_string()}" for key, value in values.items())]
    before = text.rstrip("\r\n")
    return (before + 2 * newline if before else "") + newline.join(rows) + newline


def _table(values: dict[str, object]) -> Any:
    table = tomlkit.table()
    for key, value in values.items():
        table[key] = _value(value)
    return table


def _inline(values: dict[str, object]) -> Any:
    rows = ", ".join(f"{key} = {_value(value).as_string()}" for key, value in values.items())
    return tomlkit.parse(f"x = {{ {rows} }}")["x"]


def _value(value: object) -> Any:
    return _moment(value) if isinstance(value, int) else tomlkit.item(value)


def _moment(at_s: int) -> Any:
    return tomlkit.datetime(datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _begin(stay: Any) -> float:
    return stay["valid_from"].timestamp() if "valid_from" in stay else float("-inf")


def _seconds(value: object) -> object:
    return int(value.timestamp()) if isinstance(value, datetime) else value
