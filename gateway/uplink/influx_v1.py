"""InfluxDB 1.x: line protocol to `/write`, with user and password where the server wants them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from urllib.parse import urlencode

from gateway.uplink.base import Answer, Identity, Row, Tallies, UplinkError
from gateway.uplink.http import Http, no_answer
from gateway.uplink.reading import Reader
from gateway.words import Say


class InfluxV1:
    """`url` is the server's root. `user` and `password` are optional, as the server is."""

    name = "v1"

    def __init__(self, url: str, database: str, user: str | None = None, password: str | None = None) -> None:
        secret = b64encode(f"{user}:{password or ''}".encode()).decode()
        self.target = Say("check.database", {"database": database})
        self._http = Http(url, self.target, f"Basic {secret}" if user else None)
        self._reader = Reader(self._http, database, label=database)
        self._path = f"/write?{urlencode({'db': database, 'precision': 's'})}"
        self.address, self.is_local = self._http.url, self._http.is_local

    def send(self, lines: Sequence[bytes]) -> Answer:
        try:
            reply = self._http.post(self._path, b"\n".join(lines))
        except UplinkError as error:
            return no_answer(error)
        return self._http.meaning(reply.status, reply.data.decode("utf-8", "replace"), reply.headers)

    def identify(self) -> Identity:
        return self._reader.identify()

    def read(self, measurement: str, start_s: int, end_s: int) -> list[Row]:
        return self._reader.read(measurement, start_s, end_s)

    def tally(self, measurement: str, fields: Sequence[str], start_s: int, end_s: int) -> Tallies:
        return self._reader.tally(measurement, fields, start_s, end_s)

    def close(self) -> None:
        self._http.close()
