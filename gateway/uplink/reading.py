"""What a server is, and its points read back: InfluxQL from InfluxDB of every age, series from VictoriaMetrics. A leaf.

VictoriaMetrics keeps each field as a series of floats, `passages_count{site="...",node="..."}`, at milliseconds. It answers no
InfluxQL, stores no strings (they become 0, so they are not read), and shows a point about a second after its 204. Names of
its series are taken to be made the default way, `measurement_field`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from gateway import schema
from gateway.uplink import tallying
from gateway.uplink.base import VICTORIA, Identity, Row, Tallies, UplinkError, tags_of
from gateway.uplink.http import REASON_BYTES, Http, Reply

MAX_ANSWER = 64 * 1024 * 1024
MAX_TALLY = 16 * 1024 * 1024  # of one day; 256 nodes need a tenth of it
MAX_METRICS = 1024 * 1024
INFLUXDB = "InfluxDB"
_NO_ROWS = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)  # whatever else it may be
_VICTORIA_VERSION = re.compile(rb'vm_app_version\{[^}]*short_version="v?([^"]*)"')


class Reader:
    """`database` is the name that InfluxQL knows it by; `label` what VictoriaMetrics adds as `db` when points are written
    the way our uplink writes them, empty for none."""

    def __init__(self, http: Http, database: str, label: str) -> None:
        self._http = http
        self._database = database
        self._label = label
        self._server: Identity | None = None

    def identify(self) -> Identity:
        """As Uplink.identify promises."""
        reply = self._http.get("/ping", REASON_BYTES)
        if reply.status not in (200, 204):
            cause = "uplink-page" if reply.status == 404 else None  # every database has a /ping
            raise self._http.blame(reply.status, _text(reply), cause)
        version = reply.headers.get("X-Influxdb-Version")
        if version:
            self._server = Identity(INFLUXDB, self._http.clean(version).removeprefix("v")[:40])
        elif reply.status == 204 and "X-Server-Hostname" in reply.headers:
            self._server = Identity(VICTORIA, self._victoria_version())
        else:
            raise self._http.blame(reply.status, _text(reply), "uplink-page")
        return self._server

    def _victoria_version(self) -> str:
        found = _VICTORIA_VERSION.search(self._http.get("/metrics", MAX_METRICS).data)
        return self._http.clean(found[1].decode("utf-8", "replace"))[:40] if found else ""

    def read(self, measurement: str, start_s: int, end_s: int) -> list[Row]:
        """As Uplink.read promises."""
        server = self._server or self.identify()
        ask, rows_of = (self._ask_victoria, _victoria_rows) if server.name == VICTORIA else (self._ask_influxql, _influxql_rows)
        reply = ask(measurement, start_s, end_s)
        try:
            return rows_of(reply.data, measurement)
        except _NO_ROWS as error:
            raise self._failed(f"{type(error).__name__} {error}") from error

    def tally(self, measurement: str, fields: Sequence[str], start_s: int, end_s: int) -> Tallies:
        """As Uplink.tally promises."""
        tallying.check_fields(measurement, fields)
        server = self._server or self.identify()
        of_day = self._victoria_day if server.name == VICTORIA else self._influxql_day
        tallies: Tallies = {}
        for portion in tallying.portions(start_s, end_s):
            try:
                tallies |= of_day(measurement, fields, *portion)
            except _NO_ROWS as error:
                raise self._failed(f"{type(error).__name__} {error}") from error
        return tallies

    def _influxql_day(self, measurement: str, fields: Sequence[str], start_s: int, end_s: int) -> Tallies:
        reply = self._influxql(tallying.influxql(measurement, fields, start_s, end_s), MAX_TALLY)
        return tallying.from_influxql(reply.data, fields, start_s, end_s)

    def _victoria_day(self, measurement: str, fields: Sequence[str], start_s: int, end_s: int) -> Tallies:
        tallies: Tallies = {}
        for some in tallying.steps(start_s, end_s):
            question = tallying.over_time(self._series(measurement, fields), some)
            reply = self._get("/api/v1/query_range", question, MAX_TALLY)
            tallies |= tallying.from_over_time(reply.data, measurement, fields, some)
        return tallies

    def _ask_influxql(self, measurement: str, start_s: int, end_s: int) -> Reply:
        # Names come from our own schema; the tags are told apart from fields by GROUP BY *.
        query = f'SELECT * FROM "{measurement}" WHERE time >= {start_s}s AND time < {end_s}s GROUP BY *'  # noqa: S608
        return self._influxql(query, MAX_ANSWER)

    def _influxql(self, query: str, limit: int) -> Reply:
        reply = self._get("/query", {"db": self._database, "epoch": "s", "q": query}, limit)
        problem = _influxql_error(reply.data)
        if problem.startswith("database not found"):
            raise self._http.blame(404, problem)
        if problem:
            raise self._failed(problem)
        return reply

    def _ask_victoria(self, measurement: str, start_s: int, end_s: int) -> Reply:
        series = self._series(measurement, list(_kept_fields(measurement)))
        values = {"match[]": series, "start": f"{start_s}", "end": f"{end_s - 1}.999"}
        return self._get("/api/v1/export", values, MAX_ANSWER)

    def _series(self, measurement: str, fields: Sequence[str]) -> str:
        # It remembers for ten seconds which series a filter has found, or not found. A filter that is always true and never
        # the same makes it look again: no series has this label.
        afresh = f'asked!="{time.time_ns()}"'
        return f'{{__name__=~"{measurement}_({"|".join(fields)})",db="{self._label}",{afresh}}}'

    def _get(self, path: str, values: Mapping[str, str], limit: int) -> Reply:
        reply = self._http.get(f"{path}?{urlencode(values)}", limit)
        if reply.status != 200:  # another success, without rows, says nothing
            self._server = None  # by now another one may answer there
            raise self._http.blame(reply.status, _text(reply))
        if not reply.is_whole:
            raise self._failed(f"> {limit} B")
        return reply

    def _failed(self, found: str) -> UplinkError:
        return UplinkError("query-failed", url=self._http.url, found=self._http.clean(found))


def _influxql_error(data: bytes) -> str:
    # Empty also for what is no answer to a query: its rows cannot be read, and that is said.
    try:
        answer = json.loads(data)
        return str(answer.get("error") or answer["results"][0].get("error") or "")
    except _NO_ROWS:
        return ""


def _influxql_rows(data: bytes, _measurement: str) -> list[Row]:
    rows: list[Row] = []
    result = json.loads(data)["results"][0]
    for series in result.get("series", []):
        if result.get("partial") or series.get("partial"):
            raise ValueError("found only some of the rows: raise the server's max-row-limit")
        names = series["columns"][1:]
        tags = dict(tags_of(series.get("tags", {})))
        for time_s, *values in series["values"]:
            fields = {name: value for name, value in zip(names, values, strict=True) if value is not None}
            rows.append(Row(tags, time_s, fields))
    return rows


def _victoria_rows(data: bytes, measurement: str) -> list[Row]:
    types = _kept_fields(measurement)
    rows: dict[tuple[object, int], Row] = {}
    for line in data.splitlines():
        series = json.loads(line)
        tags: dict[str, str] = {key: value for key, value in series["metric"].items() if key not in ("__name__", "db")}
        field = series["metric"]["__name__"].removeprefix(f"{measurement}_")
        for value, time_ms in zip(series["values"], series["timestamps"], strict=True):
            key = (tuple(sorted(tags.items())), time_ms // 1000)
            row = rows.setdefault(key, Row(tags, key[1], {}))
            if field in row.fields:
                raise UplinkError("uplink-copies", found=f"{measurement} at {key[1]}")
            row.fields[field] = types[field](value)
    return list(rows.values())


def _kept_fields(measurement: str) -> dict[str, Any]:
    # The fields that VictoriaMetrics stores, and what makes them ours again.
    fields = schema.measurements()[measurement]["fields"]
    return {name: int if row["type"] == "int" else float for name, row in fields.items() if row["type"] != "string"}


def _text(reply: Reply) -> str:
    return reply.data.decode("utf-8", "replace")
