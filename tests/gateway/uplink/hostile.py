"""A server on loopback that answers whatever a test wants, and remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hostile:
    """`answer(handler)` is called for each request after its body was read; by default 204. `requests` are
    (method, path, body, headers)."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes, dict[str, str]]] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = lambda handler: reply(handler, 204)
        hostile = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

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
    handler.send_response(status)
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
