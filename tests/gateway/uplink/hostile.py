"""A server on loopback that answers whatever a test wants, and remembers what it was asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gateway.errors import EXIT_UPLINK_UNREACHABLE
from gateway.uplink.base import Outcome, Uplink, UplinkError

TOKEN = "s3cret-t0ken"  # of whoever talks to it


class Hostile:
    """`answer(handler)` is called for each request after its body was read; by default 204. `requests` are
    (method, path, body, headers)."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes, dict[str, str]]] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = lambda handler: reply(handler, 204)
        hostile = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # the body would wait 40 ms for the acknowledgement of the head

            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                hostile.requests.append((self.command, self.path, body, dict(self.headers)))
                try:
                    hostile.answer(self)
                except OSError:  # the client has had enough
                    self.close_connection = True

            do_POST = do_GET = _take  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def say(self, status: int, text: bytes = b"", **headers: str) -> None:
        """From now on every answer is this one."""
        self.answer = lambda handler: reply(handler, status, text, **headers)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def reply(handler: BaseHTTPRequestHandler, status: int, text: bytes = b"", **headers: str) -> None:
    handler.send_response_only(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    if status != 204:
        handler.send_header("Content-Length", str(len(text)))
    handler.end_headers()
    if status != 204:
        handler.wfile.write(text)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.close()


def talk_without_end(handler: BaseHTTPRequestHandler) -> None:
    """A page of status 200 that never ends, as fast as the client takes it."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 40))
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 65536)


def drip(handler: BaseHTTPRequestHandler) -> None:
    """A byte now and then, each in good time, without an end."""
    handler.send_response(500)
    handler.send_header("Content-Length", "4000")
    handler.end_headers()
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.02)


def pings_like_influxdb(
    status: int, text: bytes, ping_status: int = 204, **headers: str
) -> Callable[[BaseHTTPRequestHandler], None]:
    """Says on /ping what a database says (InfluxDB 1.6.7 without `headers`), and to everything else the given answer."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/ping":
            reply(handler, ping_status, text, **(headers or {"X-Influxdb-Version": "1.6.7"}))
        elif handler.command == "POST":
            reply(handler, 204)
        else:
            reply(handler, status, text)

    return answer


def cause(ask: Callable[[], object]) -> tuple[str, int]:
    """Key and exit code of the UplinkError that asking ends with."""
    with pytest.raises(UplinkError) as caught:
        ask()
    for language in ("en", "de"):
        assert len(caught.value.line(language).splitlines()) == 1
    return caught.value.key, caught.value.exit_code


def unreached(uplink: Uplink, key: str) -> None:
    """Nobody is reached by sending, asking or reading, and it is said why; the data are kept."""
    answer = uplink.send([b"climate,site=a n=1i 1"])
    assert (answer.outcome, answer.status) == (Outcome.RETRY, None)
    assert answer.reason
    assert "\n" not in answer.reason
    assert cause(uplink.identify) == (key, EXIT_UPLINK_UNREACHABLE)
    assert cause(lambda: uplink.read("passages", 0, 60)) == (key, EXIT_UPLINK_UNREACHABLE)
