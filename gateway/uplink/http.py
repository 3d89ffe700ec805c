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

import urllib3
from urllib3 import exceptions
from urllib3.util import parse_url

from gateway.uplink.base import MAX_REASON, Answer, Outcome, UplinkError, cause_of
from gateway.words import Say

TIMEOUT = urllib3.Timeout(connect=5, read=30)
ANSWER_S = 120.0  # for the whole body of an answer, however slowly it drips
REASON_BYTES = 4096  # of an answer that are read for the reason it gives
MAX_PAGE = 120  # characters of a web page that stands where a database should
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
        self._pool = urllib3.PoolManager(num_pools=1, retries=False, timeout=TIMEOUT)

    def ask(
        self, method: str, path: str, limit: int, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """The server's answer, of its body at most `limit` bytes. UplinkError with the cause where there is none."""
        try:
            answer = self._pool.request(
                method, self.url + path, body=body, headers={**(headers or {}), **self._headers}, redirect=False,
                preload_content=False,
            )  # fmt: skip
            data = _read(answer, limit)
            return Reply(answer.status, answer.headers, data[:limit], len(data) <= limit)
        except exceptions.HTTPError as error:
            self._pool.clear()  # whatever else comes on this connection belongs to an answer that made no sense
            key, found = _cause(error)
            told = self.clean(found) if isinstance(found, str) else found
            raise UplinkError(key, url=self.url, found=told) from error

    def meaning(self, status: int, text: str, headers: Mapping[str, str]) -> Answer:
        """The answer to a batch."""
        return classify(status, self.clean(_message(text)), headers.get("Retry-After"))

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


def classify(status: int, text: str = "", retry_after: str | None = None) -> Answer:
    """An HTTP status -> what to do with the batch. A status that is not named keeps the data."""
    reason = f"HTTP {status} {text}".strip()
    if status == 204:
        return Answer(Outcome.STORED, status=status)
    if status in (400, 422):
        return Answer(Outcome.REFUSED, reason, status=status)
    if status == 413:
        return Answer(Outcome.TOO_LARGE, reason, status=status)
    if status in (408, 425, 429) or 500 <= status <= 599:
        return Answer(Outcome.RETRY, reason, _seconds(retry_after), status)
    return Answer(Outcome.HOLD, reason, status=status)


def no_answer(error: UplinkError) -> Answer:
    """Nobody answered: the same again later."""
    return Answer(Outcome.RETRY, error.line()[:MAX_REASON], is_undelivered=isinstance(error.__cause__, _NO_CONNECTION))


def _message(text: str) -> str:
    if "<" in text and text.lstrip()[:1] == "<":  # a web page: its words, without its dress
        return re.sub(r"(?s)<(style|script)\b.*?</\1>|<[^>]*>|<!--.*?-->", " ", text).strip()[:MAX_PAGE]
    # InfluxDB 2 and 3 say {"code":...,"message":...}, 1.x {"error":...}, others what they like.
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return str(answer.get("message") or answer.get("error") or text) if isinstance(answer, dict) else text


def _seconds(retry_after: str | None) -> float | None:
    # A date is legal too, but it needs the server's clock and ours to agree: then the usual pause does.
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None


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
