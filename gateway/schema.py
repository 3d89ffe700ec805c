"""`schema.toml` as code: checks a point against it and renders it as line protocol."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

from gateway.model import Point

_TYPES: dict[str, type] = {"int": int, "float": float, "string": str}
_INT64 = 1 << 63


class SchemaError(ValueError):
    """A point that the schema does not know: a mistake of ours, found before it reaches a server."""


@lru_cache(maxsize=1)
def load() -> dict[str, Any]:
    """The whole file: `q` for the quality bits, `schema`, `precision`, and one table per measurement."""
    return tomllib.loads((resources.files("gateway") / "schema.toml").read_text(encoding="utf-8"))


def measurements() -> dict[str, dict[str, Any]]:
    """Name of a measurement -> its table (`tags`, `fields`)."""
    return {name: table for name, table in load().items() if isinstance(table, dict) and "fields" in table}


def check(point: Point) -> None:
    """SchemaError unless measurement, tags, fields and types are exactly what the schema says."""
    types = tuple(map(type, point.fields.values()))
    _check_shape(point.measurement, tuple(point.tags), tuple(point.fields), types)
    for name, value in point.fields.items():
        if type(value) is int and not -_INT64 <= value < _INT64:
            raise SchemaError(f"{point.measurement}.{name}: found {value!r}, expected 64 bits")
        if type(value) is float and not -1e300 < value < 1e300:
            raise SchemaError(f"{point.measurement}.{name}: found {value!r}, expected a finite number")
    if type(point.time_s) is not int or point.time_s < 0:
        raise SchemaError(f"{point.measurement}: found time {point.time_s!r}, expected seconds since 1970")


@lru_cache(maxsize=256)
def _check_shape(measurement: str, tags: tuple[str, ...], names: tuple[str, ...], types: tuple[type, ...]) -> None:
    # Remembered, since nearly all points have the shape of one before; a refusal is not.
    table = measurements().get(measurement)
    if table is None:
        raise SchemaError(f"measurement {measurement!r} is not in the schema")
    if list(tags) != table["tags"]:
        raise SchemaError(f"{measurement}: found tags {list(tags)}, expected {table['tags']}")
    fields = table["fields"]
    for name, found in zip(names, types, strict=True):
        if name not in fields:
            raise SchemaError(f"{measurement}: field {name!r} is not in the schema")
        if found is not _TYPES[fields[name]["type"]]:
            raise SchemaError(f"{measurement}.{name}: found {found.__name__}, expected {fields[name]['type']}")
    missing = [name for name, row in fields.items() if name not in names and not row.get("optional")]
    if missing:
        raise SchemaError(f"{measurement}: fields {missing} are missing")


def render(point: Point) -> bytes:
    """One line of line protocol, second precision, without its newline. SchemaError where `check` says so."""
    check(point)
    series = _series(point.measurement, tuple(point.tags.items()))
    fields = ",".join([f"{key}={_field(value)}" for key, value in point.fields.items()])
    return f"{series} {fields} {point.time_s}".encode()


@lru_cache(maxsize=4096)
def _series(measurement: str, tags: tuple[tuple[str, str], ...]) -> str:
    return measurement + "".join(f",{key}={_tag(value)}" for key, value in tags)


def tags_of(measurement: str, known: Mapping[str, str]) -> dict[str, str]:
    """The tags of a measurement in their frozen order."""
    return {key: known[key] for key in measurements()[measurement]["tags"]}


def _tag(value: str) -> str:
    # Line protocol cannot say every backslash, and readers of lines disagree on control characters: our own names need none.
    if not isinstance(value, str) or not value or "\\" in value or any(ord(c) < 32 or c == "\x7f" for c in value):
        raise SchemaError(f"tag value {value!r}, expected text on one line without a backslash")
    return value.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


def _field(value: int | float | str) -> str:
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return repr(value)
    text = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{text}"'
