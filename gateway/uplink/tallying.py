"""How an audit's sums are asked for and understood: InfluxQL, and PromQL of VictoriaMetrics. Pure, and a leaf.

Theory of operation
    A span is cut into portions of at most a day, at midnights, and a day into steps: whole hours together, a partial one alone.
    InfluxQL has hours itself, [h, h+1h). A window of VictoriaMetrics is (t-w, t] at whole milliseconds, so an hour is the
    window that ends in its last millisecond; each field is a series of its own there, and sums and counts come back with the
    names of the fields, told apart by a label.

Rules of this file
    An answer says all of what was asked for, exactly and once, or it is a TallyError: no number is guessed, rounded or left
    out. Floats are numbers as long as they are whole and below 2**53.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway import schema
from gateway.uplink.base import Tags, Tallies, Tally, tags_of

HOUR_S = 3600
DAY_S = 24 * HOUR_S
_KINDS = ("sum", "count")
_KIND = "over_time"  # the label that tells them apart; no tag of ours
_EXACT = 1 << 53  # beyond it a float no longer tells neighbours apart
_INT64 = 1 << 63


class TallyError(ValueError):
    """An answer that does not say what was asked for."""


@dataclass(frozen=True, slots=True)
class Steps:
    """`n` windows of equal length, one after the other, the first from `start_s` on; none reaches into another hour."""

    start_s: int
    window_s: int
    n: int

    @property
    def last_start_s(self) -> int:
        return self.start_s + (self.n - 1) * self.window_s


def check_fields(measurement: str, fields: Sequence[str]) -> None:
    """ValueError unless they are integer fields of the measurement, each once and at least one."""
    known = schema.measurements()[measurement]["fields"]
    if not fields or len(set(fields)) < len(fields) or any(known.get(name, {}).get("type") != "int" for name in fields):
        raise ValueError(f"{measurement}: found {list(fields)}, expected integer fields of it")


def portions(start_s: int, end_s: int) -> Iterator[tuple[int, int]]:
    """The span in parts that end at midnight UTC."""
    while start_s < end_s:
        next_s = min(end_s, start_s - start_s % DAY_S + DAY_S)
        yield start_s, next_s
        start_s = next_s


def steps(start_s: int, end_s: int) -> Iterator[Steps]:
    """A span in windows: its whole hours together, what is less than an hour by itself."""
    first_s, last_s = -(-start_s // HOUR_S) * HOUR_S, end_s // HOUR_S * HOUR_S
    if last_s < first_s:  # inside one hour
        first_s = last_s = end_s
    if start_s < first_s:
        yield Steps(start_s, first_s - start_s, 1)
    if first_s < last_s:
        yield Steps(first_s, HOUR_S, (last_s - first_s) // HOUR_S)
    if last_s < end_s:
        yield Steps(last_s, end_s - last_s, 1)


# -- InfluxDB


def influxql(measurement: str, fields: Sequence[str], start_s: int, end_s: int) -> str:
    """The question. Names come from our own schema."""
    sums = ", ".join(f'{kind}("{name}") AS "{kind}_{name}"' for name in fields for kind in _KINDS)
    span = f"time >= {start_s}s AND time < {end_s}s"
    return f'SELECT {sums} FROM "{measurement}" WHERE {span} GROUP BY time(1h), * fill(none)'  # noqa: S608


def from_influxql(data: bytes, fields: Sequence[str], start_s: int, end_s: int) -> Tallies:
    """Its answer. TallyError, or what JSON of another shape raises."""
    (result,) = _list(_object(json.loads(data))["results"])
    if set(result) - {"statement_id", "series", "messages"}:  # an error, or a part of the rows only
        raise TallyError(f"found {sorted(result)}, expected series")
    columns = ["time", *(f"{kind}_{name}" for name in fields for kind in _KINDS)]
    hours = range(start_s // HOUR_S * HOUR_S, end_s, HOUR_S)
    tallies: Tallies = {}
    for series in _list(result.get("series", [])):
        if series["columns"] != columns or series.get("partial"):
            raise TallyError(f"found columns {series['columns']}, expected {columns} of all rows")
        tags = _tags(series.get("tags", {}))
        for time_s, *values in _list(series["values"]):
            if type(time_s) is not int or time_s not in hours or (tags, time_s) in tallies or len(values) != 2 * len(fields):
                raise TallyError(f"found row {time_s!r} with {len(values)} values, expected each hour once")
            numbers = [0 if value is None else whole(value) for value in values]
            enter(tallies, tags, time_s, {name: (numbers[2 * n + 1], numbers[2 * n]) for n, name in enumerate(fields)})
    return tallies


# -- VictoriaMetrics


def over_time(series: str, some: Steps) -> dict[str, str]:
    """The question: to be asked of /api/v1/query_range."""
    both = (f'label_set({kind}_over_time({series}[{some.window_s}s]) keep_metric_names, "{_KIND}", "{kind}")' for kind in _KINDS)
    return {
        "query": f"union({', '.join(both)})",
        "start": f"{some.start_s + some.window_s - 1}.999",
        "end": f"{some.last_start_s + some.window_s - 1}.999",
        "step": f"{some.window_s}s",
        "nocache": "1",  # else it moves the windows to where it has answers already
    }


def from_over_time(data: bytes, measurement: str, fields: Sequence[str], some: Steps) -> Tallies:
    """Its answer. TallyError, or what JSON of another shape raises."""
    by_hour: dict[tuple[Tags, int], dict[tuple[str, str], int]] = {}
    for (tags, hour_s, kind, field), value in _values(data, measurement, fields, some).items():
        by_hour.setdefault((tags, hour_s), {})[kind, field] = value
    tallies: Tallies = {}
    for (tags, hour_s), found in by_hour.items():
        if {field for kind, field in found if kind == "sum"} != {field for kind, field in found if kind == "count"}:
            raise TallyError(f"found {sorted(found)}, expected a sum for each count")
        counted = {name: (found.get(("count", name), 0), found.get(("sum", name), 0)) for name in fields}
        enter(tallies, tags, hour_s, counted)
    return tallies


def _values(data: bytes, measurement: str, fields: Sequence[str], some: Steps) -> dict[tuple[Tags, int, str, str], int]:
    # (series, hour, kind, field) -> value
    answer = _object(json.loads(data))
    if answer["status"] != "success" or answer.get("isPartial") or answer["data"]["resultType"] != "matrix":
        raise TallyError("found another status, expected the whole matrix")
    starts = {(some.start_s + (n + 1) * some.window_s) * 1000 - 1: some.start_s + n * some.window_s for n in range(some.n)}
    found: dict[tuple[Tags, int, str, str], int] = {}
    for series in _list(answer["data"]["result"]):
        labels = dict(_object(series["metric"]))
        field = labels.pop("__name__").removeprefix(f"{measurement}_")
        kind = labels.pop(_KIND)
        labels.pop("db", None)
        if field not in fields or kind not in _KINDS:
            raise TallyError(f"found {kind!r} of {field!r}, expected {_KINDS} of {list(fields)}")
        tags = _tags(labels)
        for moment_s, text in _list(series["values"]):
            hour_s = starts[round(moment_s * 1000)] // HOUR_S * HOUR_S  # KeyError: another grid
            key = (tags, hour_s, kind, field)
            if key in found or not isinstance(text, str):
                raise TallyError(f"found {text!r} at {moment_s}, expected each hour once")
            found[key] = whole(float(text))
    return found


# -- what all share


def enter(tallies: Tallies, tags: Tags, hour_s: int, found: Mapping[str, tuple[int, int]]) -> None:
    """One hour of a series; `found` is field -> (count, sum). TallyError where that cannot be."""
    if min(count for count, _ in found.values()) < 0 or any(total and not count for count, total in found.values()):
        raise TallyError(f"found {dict(found)}, expected sums of points that are there")
    if any(count for count, _ in found.values()):
        points = min(count for count, _ in found.values())
        tallies[tags, hour_s] = Tally(points, {name: total for name, (_, total) in found.items()})


def _object(value: object) -> dict:
    if not isinstance(value, dict):
        raise TallyError(f"found {type(value).__name__}, expected an object")
    return value


def _list(value: object) -> list:
    if not isinstance(value, list):
        raise TallyError(f"found {type(value).__name__}, expected a list")
    return value


def _tags(tags: object) -> Tags:
    if not all(isinstance(value, str) for value in _object(tags).values()):
        raise TallyError(f"found tags {tags}, expected text")
    return tags_of(_object(tags))


def whole(value: object) -> int:
    """The number, or TallyError where it is none that can be added up exactly."""
    if type(value) is int and -_INT64 <= value < _INT64:
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    raise TallyError(f"found {value!r}, expected a whole number")
