"""A real server as a process on loopback, in a folder of its own, stopped by its own id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import urllib3

START_S = 30.0


class ServerFailed(RuntimeError):
    """A server that is not there or did not come up; the message has the end of its log."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _end_with_us() -> list[str]:
    # util-linux: the kernel kills the server when this process is gone, even by SIGKILL. Elsewhere `stop` has to do.
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


class ServerProcess:
    """`start` and `stop` as often as you like. `command` is what to run, on `port`; /ping answers 204 once it is up."""

    name = "server"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.command: list[str] = []
        self._process: subprocess.Popen | None = None
        self._pool = urllib3.PoolManager(retries=False, timeout=5)

    def start(self) -> None:
        """Returns once it answers. ServerFailed after START_S."""
        log_path = self.folder / f"{self.name}.log"
        environment = {"HOME": str(self.folder), "PATH": os.environ.get("PATH", "")}
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*_end_with_us(), *self.command],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self.ask("GET", "/ping").status == 204:
                    return
            except urllib3.exceptions.HTTPError:
                time.sleep(0.05)
        self.stop()
        tail = log_path.read_text(encoding="utf-8", errors="replace")[-800:]
        raise ServerFailed(f"{self.name} did not answer; its log ends with:\n{tail}")

    def ask(self, method: str, path: str, fields: dict[str, str] | None = None) -> urllib3.BaseHTTPResponse:
        return self._pool.request(method, self.url + path, fields=fields)

    def stop(self) -> None:
        self._end("terminate")

    def kill(self) -> None:
        """SIGKILL, as a power cut does it."""
        self._end("kill")

    def freeze(self) -> None:
        """A black hole: connections still open, nothing is answered, until `thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def cpu_s(self) -> float:
        """Processor seconds that its threads have used; 0 where the system does not tell (other than Linux)."""
        assert self._process is not None, "it is not running"
        threads = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(path.read_text(encoding="ascii").split()[0]) for path in threads) / 1e9

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "it is not running"
        self._process.send_signal(number)

    def _end(self, how: str) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        getattr(process, how)()
        try:
            process.wait(START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
