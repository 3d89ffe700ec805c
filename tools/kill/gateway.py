"""`trottoir run` as a process of its own on a real configuration: started, killed, stopped, its disk filled and freed."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DATABASE = "kills"
STOP_S = 30.0
TOML = """
[gateway]
state_dir = "{folder}/state"
log = "json"
page = "{page}"
[serial]
ports = [{ports}]
[uplink]
enabled = true
api = "v1"
url = "{url}"
database = "{database}"
batch_wait_s = 1
[sites.street]
{nodes}
"""


class GatewayEnded(RuntimeError):
    """It ended unasked, or not as it was asked to; the message has the end of its log."""


class Gateway:
    """`nodes` are their numbers and ports. Its log is `gateway.log` in the folder."""

    def __init__(self, folder: Path, nodes: Iterable[tuple[int, Path]], url: str, page: str = "off") -> None:
        nodes = list(nodes)
        ports = ", ".join(f'"{path}"' for _, path in nodes)
        tables = "\n".join(f'[nodes.tr-{number:06x}]\nsite = "street"' for number, _ in nodes)
        text = TOML.format(folder=folder, page=page, ports=ports, url=url, database=DATABASE, nodes=tables)
        self._config = folder / "trottoir.toml"
        self._config.write_text(text, encoding="utf-8")
        self._log = folder / "gateway.log"
        self._state = folder / "state"
        self._process: subprocess.Popen[bytes] | None = None
        self.started_s = 0.0

    def start(self) -> None:
        """Returns at once; `started_s` is the moment, on the monotonic clock."""
        command = [sys.executable, "-P", "-m", "tools.start", "--config", str(self._config), "run"]
        with self._log.open("ab") as log:
            self.started_s = time.monotonic()
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT)

    def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        process = self._running()
        process.kill()
        process.wait()

    def terminate(self) -> None:
        """SIGTERM; returns once it has put its house in order. GatewayEnded where it does not, or not with 0."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if code != 0:
            raise self._ended(code)

    def fill_disk(self) -> None:
        """From now on no file of it can grow."""
        largest = max(path.stat().st_size for path in self._state.iterdir())
        resource.prlimit(self._running().pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))

    def free_disk(self) -> None:
        resource.prlimit(self._running().pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def close(self) -> None:
        """Ends what is left of it."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        process = self._process
        assert process is not None, "it was never started"
        code = process.poll()
        if code is not None:
            raise self._ended(code)
        return process

    def _ended(self, code: int) -> GatewayEnded:
        tail = self._log.read_text(encoding="utf-8", errors="replace")[-1500:]
        return GatewayEnded(f"gateway (exit code {code}); its log ends with:\n{tail}")
