"""What uplinks over HTTP share: one bounded question to one server, and what its answers mean. A leaf: it imports no uplink.

Success is exactly 204 from the configured server: no redirect is followed, and a login page with status 200 is none.
"""

from __future__ import annotations

import json
import re
import time
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import urllib3
from urllib3 import exceptions
from urllib3.util import parse_url

from gateway.uplink import connection
from gateway.uplink.base import MAX_REASON, Answer, Outcome, UplinkError, cause_of
from gateway.words import Say

TIMEOUT = urllib3.Timeout(connect=3, read=30)
ANSWER_S = 120.0  # for the whole body of an answer, however slowly it drips
REASON_BYTES = 4096  # of an answer that are read for the reason it gives
MAX_PAGE = 120  # characters of a web page that stands where a database should
_TOO_OLD = re.compile(r"partial write: .*\bretention policy\b.*\bdropped=(\d{1,9})\b")  # as InfluxDB 1 and 2 say it
_NO_CONNECTION = (exceptions.NewConnectionError, exceptions.ConnectTimeoutError)
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}  # as urllib3, which opens the connection, reads a URL


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, cut where it was longer than asked for."""

    status: int
    headers: Mapping[str, str]
    data: bytes
    is_whole: bool


class Http:
    """`url` is the server's root, `authorization` the value of that header. The header goes nowhere else, and its secret is
    blotted out of whatever the server says."""

    def __init__(self, url: str, target: Say, authorization: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.is_local = parse_url(url).host in _LOOPBACK
        self._target = target
        self._headers = {"Authorization": authorization} if authorization else {}
        self._secrets = _secrets_in(authorization) if authorization else []
        self._pool = urllib3.PoolManager(num_pools=1, retries=False, timeout=TIMEOUT, socket_options=connection.options())
        self._pool.pool_classes_by_scheme = connection.POOLS

    def get(self, path: str, limit: int) -> Reply:
        """The server's answer, of its body at most `limit` bytes. UplinkError with the cause where none comes, or half of one."""
        answer = self._request("GET", path, None, {})
        try:
            data = _read(answer, limit)
        except exceptions.HTTPError as error:
            raise self._no_answer(error) from error
        return Reply(answer.status, answer.headers, data[:limit], len(data) <= limit)

    def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
        """The answer to a body. Its status decides: what breaks off behind it costs the words of the reason, no more."""
        answer = self._request("POST", path, body, headers or {})
        try:
            data = _read(answer, REASON_BYTES)
        except exceptions.HTTPError:
            self._pool.clear()
            return Reply(answer.status, answer.headers, b"", is_whole=False)
        return Reply(answer.status, answer.headers, data[:REASON_BYTES], len(data) <= REASON_BYTES)

    def _request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(
                method, self.url + path, body=body, headers={**headers, **self._headers}, redirect=False, preload_content=False
            )
        except exceptions.HTTPError as error:
            raise self._no_answer(error) from error

    def _no_answer(self, error: exceptions.HTTPError) -> UplinkError:
        self._pool.clear()  # whatever else comes on this connection belongs to an answer that made no sense
        key, found = _cause(error)
        told = self.clean(found) if isinstance(found, str) else found
        return UplinkError(key, url=self.url, found=told)

    def meaning(self, status: int, text: str, headers: Mapping[str, str]) -> Answer:
        """The answer to a batch."""
        return classify(status, self.clean(_message(text)), _seconds(headers.get("Retry-After"), headers.get("Date")))

    def blame(self, status: int, text: str = "", cause: str | None = None) -> UplinkError:
        """What an answer that is no success says about the server; `cause` where more is known than its status."""
        found = f"HTTP {status} {self.clean(_message(text))}".strip()
        return UplinkError(cause or cause_of(status), url=self.url, target=self._target, found=found)

    def clean(self, text: str, limit: int = MAX_REASON) -> str:
        """What a server said, as one short line that speaks to no terminal and gives away no secret."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:limit]

    def close(self) -> None:
        self._pool.clear()


def _secrets_in(authorization: str) -> list[str]:
    """The token; of a user and password, both forms of them, the password alone included."""
    kind, _, secret = authorization.partition(" ")
    if kind != "Basic":
        return [secret]
    plain = b64decode(secret).decode("utf-8", "replace")
    return [part for part in (secret, plain, plain.partition(":")[2]) if part]


def classify(status: int, text: str = "", retry_after_s: float | None = None) -> Answer:
    """An HTTP status -> what to do with the batch. A status that is not named keeps the data."""
    reason = f"HTTP {status} {text}".strip()
    if status == 204:
        return Answer(Outcome.STORED, status=status)
    if status in (400, 422):
        too_old = _TOO_OLD.search(text)
        return Answer(Outcome.REFUSED, reason, status=status, too_old=int(too_old[1]) if too_old else 0)
    if status == 413:
        return Answer(Outcome.TOO_LARGE, reason, status=status)
    if status in (408, 425, 429) or 500 <= status <= 599:
        return Answer(Outcome.RETRY, reason, retry_after_s, status)
    return Answer(Outcome.HOLD, reason, status=status)


def no_answer(error: UplinkError) -> Answer:
    """Nobody answered: the same again later. Only whoever was reached can have been stopped by the size, or have taken some."""
    cause = error.__cause__
    may_be_size = isinstance(cause, (exceptions.ProtocolError, exceptions.ReadTimeoutError))
    is_undelivered = isinstance(cause, _NO_CONNECTION)
    reason = error.line()[:MAX_REASON]
    return Answer(Outcome.RETRY, reason, may_be_size=may_be_size, is_undelivered=is_undelivered, told=error.message)


def _message(text: str) -> str:
    if "<" in text and text.lstrip()[:1] == "<":  # a web page: its words, without its dress
        return re.sub(r"(?s)<(style|script)\b.*?</\1>|<[^>]*>|<!--.*?-->", " ", text).strip()[:MAX_PAGE]
    # InfluxDB 2 and 3 say {"code":...,"message":...}, 1.x {"error":...}, others what they like.
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return str(answer.get("message") or answer.get("error") or text) if isinstance(answer, dict) else text


def _seconds(retry_after: str | None, date: str | None) -> float | None:
    # Seconds, or a moment: by the clock of the server, which is in the same answer, and not by ours. None for anything else.
    if retry_after is None or retry_after.isdecimal():
        return None if retry_after is None else float(retry_after)
    moment, now = _moment(retry_after), _moment(date or "")
    return (moment - now).total_seconds() if moment and now and moment >= now else None


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # HTTP knows no other zone
    except (ValueError, TypeError, LookupError, OverflowError):
        return None


def _read(answer: urllib3.BaseHTTPResponse, limit: int) -> bytes:
    # At most one byte more than the limit. An answer without an end costs no more than that; its connection is closed.
    deadline = time.monotonic() + ANSWER_S
    data = bytearray()
    while len(data) <= limit and (part := answer.read1(limit + 1 - len(data))):
        data += part
        if time.monotonic() > deadline:
            raise exceptions.ProtocolError(f"the answer took longer than {ANSWER_S:g} s")
    if len(data) > limit:
        answer.close()
    answer.release_conn()
    return bytes(data)


def _cause(error: exceptions.HTTPError) -> tuple[str, object]:
    # The key of the UplinkError, and what was found.
    found = " ".join(str(error).split())[:MAX_REASON]
    if isinstance(error, exceptions.NameResolutionError):
        return "uplink-unresolved", found
    if isinstance(error, exceptions.NewConnectionError):  # to urllib3 one of its timeouts
        return "uplink-unreached", error.__cause__ if isinstance(error.__cause__, OSError) else found
    if isinstance(error, exceptions.TimeoutError):
        return "uplink-silent", found
    if isinstance(error, exceptions.SSLError):
        return "uplink-tls", found
    return "uplink-broken", found
