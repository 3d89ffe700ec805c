"""InfluxDB 1.x: line protocol to `/write`, InfluxQL from `/query`.

Success is exactly 204 from the configured server: no redirect is followed, and a login page with status 200 is none.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.util import parse_url

from gateway.errors import EXIT_UPLINK_UNREACHABLE, TrottoirError
from gateway.uplink.base import Answer, Outcome, Row

TIMEOUT = urllib3.Timeout(connect=5, read=30)
MAX_ANSWER = 64 * 1024 * 1024
MAX_REASON = 4096  # bytes of an answer that are read for the reason it gives
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}  # as urllib3, which opens the connection, reads a URL


class UplinkError(TrottoirError):
    """A read that failed."""

    exit_code = EXIT_UPLINK_UNREACHABLE


def classify(status: int, text: str = "", retry_after: str | None = None) -> Answer:
    """An HTTP status -> what to do with the batch. A status that is not named keeps the data."""
    reason = f"HTTP {status} {text.strip()[:300]}".strip()
    if status == 204:
        return Answer(Outcome.STORED)
    if status in (400, 422):
        return Answer(Outcome.REFUSED, reason)
    if status == 413:
        return Answer(Outcome.TOO_LARGE, reason)
    if status in (408, 425, 429) or 500 <= status <= 599:
        return Answer(Outcome.RETRY, reason, _seconds(retry_after))
    return Answer(Outcome.HOLD, reason)


def _seconds(retry_after: str | None) -> float | None:
    # A date is legal too, but it needs the server's clock and ours to agree: then the usual pause does.
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None


class InfluxV1:
    """`url` is the server's root. `user` and `password` are optional, as the server is."""

    name = "v1"

    def __init__(self, url: str, database: str, user: str | None = None, password: str | None = None) -> None:
        self.is_local = parse_url(url).host in _LOOPBACK
        self._url = url.rstrip("/")
        self._database = database
        secret = b64encode(f"{user}:{password or ''}".encode()).decode()
        self._headers = {"Authorization": f"Basic {secret}"} if user else {}
        self._pool = urllib3.PoolManager(num_pools=1, retries=False, timeout=TIMEOUT)

    def send(self, lines: Sequence[bytes]) -> Answer:
        address = f"{self._url}/write?{urlencode({'db': self._database, 'precision': 's'})}"
        try:
            status, headers, text = self._ask("POST", address, MAX_REASON, b"\n".join(lines))
        except urllib3.exceptions.HTTPError as error:
            return Answer(Outcome.RETRY, f"{type(error).__name__}: {error}"[:300])
        return classify(status, text.decode("utf-8", "replace"), headers.get("Retry-After"))

    def _ask(self, method: str, address: str, limit: int, body: bytes | None = None) -> tuple[int, Any, bytes]:
        # An answer without an end costs no more than its limit; its connection is not used again.
        answer = self._pool.request(
            method, address, body=body, headers=self._headers, redirect=False, preload_content=False
        )
        try:
            data = answer.read(limit + 1)
            if len(data) > limit:
                answer.close()
            answer.release_conn()
            return answer.status, answer.headers, data[:limit]
        except urllib3.exceptions.HTTPError:
            self._pool.clear()  # whatever else comes on this connection belongs to an answer that made no sense
            raise

    def read(self, measurement: str, start_s: int, end_s: int) -> list[Row]:
        # Names come from our own schema; the tags are told apart from fields by GROUP BY *.
        query = f'SELECT * FROM "{measurement}" WHERE time >= {start_s}s AND time < {end_s}s GROUP BY *'  # noqa: S608
        rows: list[Row] = []
        for series in self._query(query).get("series", []):
            names = series["columns"][1:]
            for time_s, *values in series["values"]:
                fields = {name: value for name, value in zip(names, values, strict=True) if value is not None}
                rows.append(Row(series.get("tags", {}), time_s, fields))
        return rows

    def _query(self, query: str) -> dict:
        address = f"{self._url}/query?{urlencode({'db': self._database, 'epoch': 's', 'q': query})}"
        try:
            status, _, data = self._ask("GET", address, MAX_ANSWER)
            if status != 200:
                raise UplinkError("query-failed", found=f"HTTP {status}", url=self._url)
            result = json.loads(data)["results"][0]
            problem = result.get("error")
        except (urllib3.exceptions.HTTPError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise UplinkError("query-failed", found=error, url=self._url) from error
        if problem is not None:
            raise UplinkError("query-failed", found=problem, url=self._url)
        return result

    def close(self) -> None:
        self._pool.clear()
