"""An adapter of ours that gives a real InfluxDB 1.x the wire of InfluxDB 2: what VictoriaMetrics never answers can be met.

Storage, parsing and InfluxQL are influxd's. Ours are the path `/api/v2/write`, tokens, organisation and bucket (a bucket is
the database of that name), and the errors as JSON. They are worded as InfluxDB 2 documents or is known to word them; no
InfluxDB 2 has been asked.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import urllib3

UPSTREAM_S = 30
_CODES = {
    400: "invalid", 401: "unauthorized", 403: "forbidden", 404: "not found", 413: "request too large",
    422: "unprocessable entity", 503: "unavailable",
}  # fmt: skip


class Adapter:
    """In front of the influxd at `upstream`. `writer` is a token that may do everything, `reader` one that may not write,
    `blind` one that may not read."""

    writer, reader, blind = "token-of-the-writer", "token-of-the-reader", "token-of-the-blind"

    def __init__(self, upstream: str, org: str = "stadt") -> None:
        self.org = org
        self._upstream = upstream
        self._pool = urllib3.PoolManager(retries=False, timeout=UPSTREAM_S)
        adapter = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # the body would wait 40 ms for the acknowledgement of the head

            def do_POST(self) -> None:
                adapter._answer(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def do_GET(self) -> None:
                adapter._answer(self, None)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler, body: bytes | None) -> None:
        url = urlsplit(handler.path)
        asked = {key: values[0] for key, values in parse_qs(url.query).items()}
        token = handler.headers.get("Authorization", "").removeprefix("Token ")
        if url.path == "/ping":
            self._pass_on(handler, "/ping", None)
        elif token not in (self.writer, self.reader, self.blind):
            _refuse(handler, 401, "unauthorized access")
        elif url.path == "/query" and token == self.blind:
            _refuse(handler, 403, "insufficient permissions")
        elif url.path == "/query":
            self._pass_on(handler, handler.path, body)
        elif url.path != "/api/v2/write":
            _refuse(handler, 404, "path not found")
        elif asked.get("org") != self.org:
            _refuse(handler, 404, f'organization name "{asked.get("org", "")}" not found')
        elif token == self.reader:
            _refuse(handler, 403, "insufficient permissions for write")
        else:
            path = "/write?" + urlencode({"db": asked.get("bucket", ""), "precision": asked.get("precision", "ns")})
            self._pass_on(handler, path, body, bucket=asked.get("bucket", ""))

    def _pass_on(self, handler: BaseHTTPRequestHandler, path: str, body: bytes | None, bucket: str | None = None) -> None:
        encoding = handler.headers.get("Content-Encoding")
        headers = {"Content-Encoding": encoding} if encoding else {}
        try:
            answer = self._pool.request(handler.command, self._upstream + path, body=body, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError:
            _refuse(handler, 503, "the server behind the adapter is away")
            return
        if bucket is None or answer.status == 204:
            _reply(handler, answer.status, answer.data, answer.headers.get("X-Influxdb-Version", ""))
        elif answer.status == 404:
            _refuse(handler, 404, f'bucket "{bucket}" not found')
        else:
            problem = json.loads(answer.data).get("error", "")
            is_conflict = "field type conflict" in problem
            _refuse(handler, 422 if is_conflict else answer.status, f"failure writing points to database: {problem}")


def _refuse(handler: BaseHTTPRequestHandler, status: int, message: str) -> None:
    _reply(handler, status, json.dumps({"code": _CODES.get(status, "internal error"), "message": message}).encode())


def _reply(handler: BaseHTTPRequestHandler, status: int, data: bytes, version: str = "") -> None:
    handler.send_response(status)
    if version:
        handler.send_header("X-Influxdb-Version", version)
    if status != 204:
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    if status != 204:
        handler.wfile.write(data)


if __name__ == "__main__":  # beside a bench: says its address, and works until its input ends
    beside = Adapter(sys.argv[1])
    print(beside.url, flush=True)
    sys.stdin.read()
    beside.close()
