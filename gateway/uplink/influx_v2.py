"""InfluxDB 2 and 3, and VictoriaMetrics: gzipped line protocol to `/api/v2/write`, by the client's lowest call.

The client builds the request and compresses it. Its own connections would read answers of any length, follow redirects with
the token and leave errors to three libraries: the request is carried by our own bounded one instead, which also is the only
one to know the token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from gateway.uplink.base import Answer, Identity, Row, Tallies, UplinkError
from gateway.uplink.http import REASON_BYTES, Http, no_answer
from gateway.uplink.reading import Reader
from gateway.words import Say


class InfluxV2:
    """`url` is the server's root. `org` may be empty where the server knows none; `token` is optional, as the server is."""

    name = "v2"

    def __init__(self, url: str, org: str, bucket: str, token: str | None = None) -> None:
        self.target = Say("check.bucket", {"bucket": bucket, "org": org})
        self._http = Http(url, self.target, f"Token {token}" if token else None)
        self._reader = Reader(self._http, bucket, label="")
        self._org, self._bucket = org, bucket
        self._client = InfluxDBClient(self._http.url, token=None, enable_gzip=True)  # type: ignore[arg-type]
        self._client.api_client.rest_client.pool_manager = _Carrier(self._http)  # type: ignore[assignment]
        self._write = WriteService(self._client.api_client)
        self.address, self.is_local = self._http.url, self._http.is_local

    def send(self, lines: Sequence[bytes]) -> Answer:
        body = b"\n".join(lines)
        try:
            _, status, headers = self._write.post_write_with_http_info(self._org, self._bucket, body, precision="s")
        except ApiException as error:  # every answer that is not 2xx
            return self._http.meaning(error.status or 0, error.body or "", error.headers or {})
        except UplinkError as error:
            return no_answer(error)
        return self._http.meaning(status, "", headers)

    def identify(self) -> Identity:
        return self._reader.identify()

    def read(self, measurement: str, start_s: int, end_s: int) -> list[Row]:
        return self._reader.read(measurement, start_s, end_s)

    def tally(self, measurement: str, fields: Sequence[str], start_s: int, end_s: int) -> Tallies:
        return self._reader.tally(measurement, fields, start_s, end_s)

    def close(self) -> None:
        self._client.close()
        self._http.close()


@dataclass(frozen=True, slots=True)
class _Carried:
    """An answer with the names that the client looks for."""

    status: int
    reason: str
    headers: Mapping[str, str]
    data: bytes


class _Carrier:
    """Stands where the client keeps its connections."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def request(self, _method: str, url: str, body: bytes, headers: Mapping[str, str], **_its_own: object) -> _Carried:
        reply = self._http.post(url.removeprefix(self._http.url), body, headers)
        text = self._http.clean(reply.data.decode("utf-8", "replace"), REASON_BYTES)  # the client logs it
        return _Carried(reply.status, "", reply.headers, text.encode())
