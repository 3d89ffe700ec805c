"""A real InfluxDB 1.x server (Debian package `influxdb`)."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlencode

from tools.street.server_process import ServerFailed, ServerProcess, free_port

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
auth-enabled = {auth}
log-enabled = false
flux-enabled = false
[logging]
level = "error"
"""


def find() -> str | None:
    """Path of influxd, or None where the package is not installed."""
    return shutil.which("influxd")


class Influxd(ServerProcess):
    """What it acknowledged is still there after `stop` or `kill` and `start`. With `auth`, only users that exist get in."""

    name = "influxd"

    def __init__(self, folder: Path, auth: bool = False) -> None:
        binary = find()
        if binary is None:
            raise ServerFailed("influxd is not installed: sudo apt install influxdb")
        super().__init__(folder)
        folders = {name: json.dumps(str(folder / name)) for name in ("meta", "data", "wal")}
        config = _CONFIG.format(port=self.port, rpc=free_port(), auth=json.dumps(auth), **folders)
        (folder / "influxdb.conf").write_text(config, encoding="utf-8")
        self.command = [binary, "-config", str(folder / "influxdb.conf")]
        version = subprocess.run([binary, "version"], capture_output=True, text=True).stdout.split()
        self.version = version[1].lstrip("v").partition("~")[0] if len(version) > 1 else "?"

    def create_database(self, name: str) -> None:
        self.query(f'CREATE DATABASE "{name}"')

    def query(self, text: str, **login: str) -> None:
        """InfluxQL that changes something; `login` may be `u` and `p`. ServerFailed where it is not allowed."""
        answer = self.ask("POST", f"/query?{urlencode({'q': text, **login})}")
        if answer.status != 200:
            raise ServerFailed(f"{text.partition(' WITH ')[0]}: HTTP {answer.status}")
