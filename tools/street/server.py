"""Where the demo's points go: a real influxd behind a proxy that can misbehave, or plain files where there is none."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import urllib3

from gateway.uplink.base import Uplink
from gateway.uplink.file import FileUplink
from gateway.uplink.influx_v1 import InfluxV1
from tools.street import influxd

DATABASE = "demo"
PROXY_TIMEOUT_S = 30
POLL_S = 0.02  # so soon it notices that it is to close


class Server(Protocol):
    """`name` says what it is; `toml` is the gateway's [uplink] section for it. Nothing runs before `start`."""

    name: str
    where: str  # what to tell somebody who wants to look at the points

    def start(self) -> None: ...
    def toml(self) -> str: ...
    def go_away(self) -> None: ...
    def come_back(self) -> None: ...

    def reader(self) -> Uplink: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class _Handler(BaseHTTPRequestHandler):
    """`ask` gets method, path and body of each request; where it gives no answer the connection is closed."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body would wait 40 ms for the acknowledgement of the head

    def __init__(self, ask: Callable[[str, str, bytes | None], _Answer | None], *connection: Any) -> None:
        self._ask = ask
        super().__init__(*connection)  # which handles it

    def do_POST(self) -> None:
        self._pass_on(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def do_GET(self) -> None:
        self._pass_on(None)

    def _pass_on(self, body: bytes | None) -> None:
        answer = self._ask(self.command, self.path, body)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.status != 204:
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """The demo's own output is enough."""


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed in the middle of a request is part of the demo."""


class FaultProxy:
    """Passes everything on to influxd, but answers 400 to any batch that holds the refused line. Nobody listens between `close`
    and `open`."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._pool = urllib3.PoolManager(retries=False, timeout=PROXY_TIMEOUT_S)
        self._matches: Callable[[bytes], bool] | None = None
        self.refused_line: bytes | None = None
        self._address = ("127.0.0.1", 0)
        self.open()
        self.url = f"http://127.0.0.1:{self._address[1]}"

    def open(self) -> None:
        self._http = _QuietServer(self._address, partial(_Handler, self._ask))
        self._address = ("127.0.0.1", int(self._http.server_address[1]))
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": POLL_S}, daemon=True).start()

    def refuse(self, matches: Callable[[bytes], bool]) -> None:
        self._matches = matches

    def _ask(self, method: str, path: str, body: bytes | None) -> _Answer | None:
        if body is not None and self._finds_refused(body):
            return _Answer(400, json.dumps({"error": "partial write: refused by the demo's proxy dropped=1"}).encode())
        try:
            answer = self._pool.request(method, self._upstream + path, body=body, redirect=False)
        except urllib3.exceptions.HTTPError:  # nobody behind us: to the client the server is away
            return None
        told = {name: answer.headers[name] for name in ("X-Influxdb-Version",) if name in answer.headers}
        return _Answer(answer.status, answer.data, told)

    def _finds_refused(self, body: bytes) -> bool:
        lines = body.split(b"\n")
        if self._matches is not None and self.refused_line is None:
            self.refused_line = next((line for line in lines if self._matches(line)), None)
        return self.refused_line is not None and self.refused_line in lines

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class InfluxServer:
    def __init__(self, folder: Path) -> None:
        self._influxd = influxd.Influxd(folder)
        self._proxy = FaultProxy(self._influxd.url)
        self.name = f"influxd {self._influxd.version}"
        query = "SELECT sum(count) FROM passages GROUP BY node"
        self.where = f"curl -G '{self._influxd.url}/query?db={DATABASE}' --data-urlencode 'q={query}'"

    def start(self) -> None:
        self._influxd.start()
        self._influxd.create_database(DATABASE)

    def toml(self) -> str:
        return f'enabled = true\napi = "v1"\nurl = "{self._proxy.url}"\ndatabase = "{DATABASE}"\n'

    def go_away(self) -> None:
        self._proxy.close()
        self._influxd.stop()

    def come_back(self) -> None:
        self._influxd.start()
        self._proxy.open()

    def refuse_one(self, matches: Callable[[bytes], bool]) -> None:
        """From now on the first line that matches is refused, alone and for good."""
        self._proxy.refuse(matches)

    def reader(self) -> Uplink:
        return InfluxV1(self._influxd.url, DATABASE)

    def close(self) -> None:
        self._proxy.close()
        self._influxd.stop()


class FileServer:
    """Away means: a file stands where the folder should be, so that nothing can be written there."""

    name = "file"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._aside = folder.with_suffix(".aside")
        self.where = str(folder)

    def start(self) -> None:
        self._folder.mkdir(parents=True)

    def toml(self) -> str:
        return f'enabled = true\napi = "file"\nfolder = {json.dumps(str(self._folder))}\n'

    def go_away(self) -> None:
        self._folder.rename(self._aside)
        self._folder.write_bytes(b"")

    def come_back(self) -> None:
        self._folder.unlink()
        self._aside.rename(self._folder)

    def reader(self) -> Uplink:
        return FileUplink(self._folder)

    def close(self) -> None:
        with suppress(OSError):
            self._aside.rename(self._folder)


def choose_server(folder: Path) -> Server:
    return InfluxServer(folder) if influxd.find() else FileServer(folder)
