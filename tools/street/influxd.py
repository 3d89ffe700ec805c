"""A real InfluxDB 1.x server (Debian package `influxdb`) on loopback, in a folder of its own, stopped by its own id."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import urllib3

START_S = 30.0

_CONFIG = """reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = {meta}
[data]
dir = {data}
wal-dir = {wal}
query-log-enabled = false
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
flux-enabled = false
[logging]
level = "error"
"""


class ServerFailed(RuntimeError):
    """influxd did not come up; the message has the end of its log."""


def find() -> str | None:
    """Path of influxd, or None where the package is not installed."""
    return shutil.which("influxd")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _end_with_us() -> list[str]:
    # util-linux: the kernel kills the server when this process is gone, even by SIGKILL. Elsewhere `stop` has to do.
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


class Influxd:
    """`start` and `stop` as often as you like; what it acknowledged is still there afterwards."""

    name = "influxd"

    def __init__(self, folder: Path) -> None:
        self._binary = find()
        if self._binary is None:
            raise ServerFailed("influxd is not installed: sudo apt install influxdb")
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen | None = None
        folders = {name: json.dumps(str(folder / name)) for name in ("meta", "data", "wal")}
        config = _CONFIG.format(port=self.port, rpc=free_port(), **folders)
        (folder / "influxdb.conf").write_text(config, encoding="utf-8")
        version = subprocess.run([self._binary, "version"], capture_output=True, text=True).stdout.split()
        self.version = version[1].lstrip("v").partition("~")[0] if len(version) > 1 else "?"
        self._pool = urllib3.PoolManager(retries=False, timeout=5)

    def start(self) -> None:
        """Returns once it answers. ServerFailed after START_S."""
        assert self._binary is not None
        environment = {"HOME": str(self._folder), "PATH": os.environ.get("PATH", "")}
        with (self._folder / "influxd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_end_with_us(), self._binary, "-config", str(self._folder / "influxdb.conf")],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self._pool.request("GET", f"{self.url}/ping").status == 204:
                    return
            except urllib3.exceptions.HTTPError:
                time.sleep(0.05)
        self.stop()
        tail = (self._folder / "influxd.log").read_text(encoding="utf-8", errors="replace")[-800:]
        raise ServerFailed(f"influxd did not answer; its log ends with:\n{tail}")

    def create_database(self, name: str) -> None:
        answer = self._pool.request("POST", f"{self.url}/query", fields={"q": f'CREATE DATABASE "{name}"'})
        if answer.status != 200:
            raise ServerFailed(f"CREATE DATABASE: HTTP {answer.status}")

    def stop(self) -> None:
        self._end("terminate")

    def kill(self) -> None:
        """SIGKILL, as a power cut does it."""
        self._end("kill")

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
