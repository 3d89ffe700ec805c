"""A page of its own for a test: the real server in its thread, in front of a store, with a gateway that a test can hold."""

from __future__ import annotations

import json
import socket
import threading
from concurrent.futures import Future
from pathlib import Path

import urllib3

from gateway import config
from gateway.page.server import PageServer
from gateway.shown import NodeNow
from gateway.store import Store
from gateway.view import Now
from tests.gateway.parts import NAME, T0
from tests.gateway.test_store import accept

TOML = """
[gateway]
id = "gw-1"
state_dir = "{folder}"
page = "{page}"
[sites.bahnhof]
name = "<b>Bahnhof & Co</b>"
[nodes.{node}]
site = "bahnhof"
"""


class Page:
    """`now_s` is the gateway's time, `nodes` what it hears; `asked` counts how often the page wanted to know;
    `is_stuck` lets it wait for ever."""

    def __init__(self, folder: Path, page: str = "127.0.0.1:0", every_s: float = 0.05) -> None:
        self.store = Store(folder / "store.db")
        self.now_s = T0 + 130
        self.asked = 0
        self.nodes: list[NodeNow] = []
        self.is_stuck = False
        self._every_s = every_s
        settings = config.parse(TOML.format(folder=folder, page=page, node=NAME), "test", {})
        self.server = PageServer(settings, self._ask, every_s)
        self.server.open()
        self.url = self.server.url
        self.port = int(self.url.rstrip("/").rpartition(":")[2])
        self._pool = urllib3.PoolManager(retries=False, timeout=10)

    def open_again(self) -> None:
        """After a close: the same page at the same address."""
        settings = self.server._config
        gateway = settings.gateway.model_copy(update={"page": f"127.0.0.1:{self.port}"})
        self.server = PageServer(settings.model_copy(update={"gateway": gateway}), self._ask, self._every_s)
        self.server.open()

    def _ask(self) -> Future[Now]:
        self.asked += 1
        answer: Future[Now] = Future()
        if not self.is_stuck:
            answer.set_result(Now(self.now_s, self.nodes, [], None))
        return answer

    def count(self, minutes: int, first: int = 1) -> None:
        self.store.commit([accept(seq, T0 + 60 * (seq - 1), seq) for seq in range(first, first + minutes)], T0)

    def get(self, path: str, **headers: str) -> urllib3.BaseHTTPResponse:
        return self._pool.request("GET", self.url.rstrip("/") + path, headers=headers)

    def fill_states(self, ballast: str) -> None:
        """From now on every state carries this."""
        self.server._config.sites["bahnhof"].__dict__["name"] = ballast

    def viewer(self) -> Viewer:
        return Viewer(self.port)

    def close(self) -> None:
        self.server.close()
        self.store.close()


class Viewer:
    """One open event stream, read by hand."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(10)
        self._socket.connect(("127.0.0.1", port))
        self._socket.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        self._file = self._socket.makefile("rb")

    def status(self) -> int:
        return int(self._file.readline().split()[1])

    def next_state(self) -> dict:
        """The next state that arrives."""
        while True:
            line = self._file.readline()
            assert line, "the stream has ended"
            if line.startswith(b"data: "):
                return json.loads(line.removeprefix(b"data: "))

    def has_ended(self) -> bool:
        """Whether the other side closes within the socket's patience, whatever still comes before."""
        try:
            while self._file.readline():
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def page_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "page"]
