"""A real VictoriaMetrics (Debian package `victoria-metrics`), set up as the gateway needs it.

Copies of a point are dropped (by default all are kept), and retention is long enough for any test. What lies more than two
days ahead of this machine's clock it drops all the same, with a 204.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tools.street.server_process import ServerFailed, ServerProcess


def find() -> str | None:
    """Path of victoria-metrics, or None where the package is not installed."""
    return shutil.which("victoria-metrics")


class Victoria(ServerProcess):
    """`keeps_copies` starts it as it comes from the package, without dropping the copies of a point."""

    name = "victoria-metrics"

    def __init__(self, folder: Path, keeps_copies: bool = False) -> None:
        binary = find()
        if binary is None:
            raise ServerFailed("victoria-metrics is not installed: sudo apt install victoria-metrics")
        super().__init__(folder)
        self.command = [
            binary, f"-storageDataPath={folder / 'data'}", f"-httpListenAddr=127.0.0.1:{self.port}", "-retentionPeriod=100y",
            "-memory.allowedBytes=64MB", "-loggerLevel=ERROR", *([] if keeps_copies else ["-dedup.minScrapeInterval=1ms"]),
        ]  # fmt: skip

    def flush(self) -> None:
        """Shows at once what it has acknowledged; by itself it takes about a second."""
        self.ask("GET", "/internal/force_flush")

    def forget(self) -> None:
        """Drops all points."""
        answer = self.ask("GET", "/api/v1/admin/tsdb/delete_series", {"match[]": '{__name__!=""}'})
        if answer.status != 204:
            raise ServerFailed(f"delete_series: HTTP {answer.status}")
