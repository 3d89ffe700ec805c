"""InfluxDB 1.x: line protocol to `/write`, InfluxQL from `/query`.

Success is exactly 204 from the configured server: no redirect is followed, and a login page with status 200 is none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

import urllib3

from gateway.errors import EXIT_UPLINK_UNREACHABLE, TrottoirError
from gateway.uplink.base import Answer, Outcome, Row

TIMEOUT = urllib3.Timeout(connect=5, read=30)
MAX_ANSWER = 64 * 1024 * 1024
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


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
        parts = urlsplit(url)
        self.is_local = parts.hostname in _LOOPBACK
        self._url = url.rstrip("/")
        self._database = database
        self._headers = urllib3.make_headers(basic_auth=f"{user}:{password or ''}") if user else {}
        self._pool = urllib3.PoolManager(num_pools=1, retries=False, timeout=TIMEOUT)

    def send(self, lines: Sequence[bytes]) -> Answer:
        address = f"{self._url}/write?{urlencode({'db': self._database, 'precision': 's'})}"
        try:
            answer = self._pool.request("POST", address, body=b"\n".join(lines), headers=self._headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            return Answer(Outcome.RETRY, f"{type(error).__name__}: {error}"[:300])
        return classify(answer.status, answer.data[:4096].decode("utf-8", "replace"), answer.headers.get("Retry-After"))

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
            answer = self._pool.request("GET", address, headers=self._headers, redirect=False)
            if answer.status != 200 or len(answer.data) > MAX_ANSWER:
                raise UplinkError("query failed", found=f"HTTP {answer.status}", expected="200")
            result = json.loads(answer.data)["results"][0]
        except (urllib3.exceptions.HTTPError, ValueError, KeyError, IndexError) as error:
            raise UplinkError("query failed", found=error, action=f"Is {self._url} an InfluxDB 1.x server?") from error
        if "error" in result:
            raise UplinkError("query failed", found=result["error"])
        return result

    def close(self) -> None:
        self._pool.clear()
