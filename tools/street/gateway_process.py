"""The street's handle on the gateway's process: start it, move its clock, kill it, stop it in order."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tools.street.aerial import Message
from tools.street.cable import Cable
from tools.street.node import FIRMWARE, ROOT

ANSWER_S = 60.0  # real seconds after which a silent gateway is a failure of the run


class GatewayDied(RuntimeError):
    """The gateway's process ended or fell silent unasked."""


class GatewayProcess:
    """`deadline_ms` is when it next wants to act by itself, None for never. Cables know which of its ports are open."""

    def __init__(self, config: Path, log: Path, cables: list[Cable], start_ms: int, now_ms: int, seed: int) -> None:
        self._cables = cables
        self._log_path = log
        ours, theirs = socket.socketpair()
        self._channel = ours
        self._received = b""
        self._words = 0
        self.deadline_ms: int | None = None
        self._said: list[tuple[str, int, str]] = []  # by nodes to their radios, since the last word
        self._happened: list[tuple[str, bytes]] = []
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{FIRMWARE}"}
        command = [sys.executable, "-m", "tools.street.gateway_host", str(config), str(theirs.fileno())]
        command += [str(start_ms), str(now_ms), str(seed)]
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                command, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL, env=environment, cwd=ROOT,
                pass_fds=(theirs.fileno(),), start_new_session=True,
            )  # fmt: skip
        theirs.close()
        self._wait()

    def advance(self, now_ms: int) -> None:
        """Gives it the time and waits until it has done all there is to do, every byte and plug of its ports included."""
        self._words += 1
        word = {"now_ms": now_ms, "said": self._said}
        self._said = []
        self._channel.sendall(json.dumps(word).encode() + b"\n")
        self._wait()

    def say_to_radio(self, address: str, message: Message) -> None:
        """A node says something to its radio; heard with the next `advance`."""
        kind, content = message
        self._said.append((address, kind, content.hex()))

    def take_from_radios(self) -> list[tuple[str, bytes]]:
        """What has happened to nodes' radios since the last call: (address, event)."""
        happened, self._happened = self._happened, []
        return happened

    def kill(self) -> None:
        """SIGKILL, as a power cut does it."""
        self._process.kill()
        self._end()

    def stop(self) -> int:
        """SIGTERM; returns the exit code after it has put its house in order."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(ANSWER_S)
        except subprocess.TimeoutExpired:
            raise self._death() from None
        self._end()
        return self._process.returncode

    def _end(self) -> None:
        self._process.wait()
        self._channel.close()
        for cable in self._cables:
            cable.port_closed()

    def _wait(self) -> None:
        while True:
            report = self._next_report()
            self.deadline_ms = report["deadline"]
            self._happened += [(address, bytes.fromhex(event)) for address, event in report["radios"]]
            for cable in self._cables:
                is_open, opens, rx_bytes = report["ports"].get(cable.link, (False, 0, 0))
                cable.heard_from_gateway(is_open, opens, rx_bytes)
            if report["words"] == self._words and all(cable.is_quiet for cable in self._cables):
                return

    def _next_report(self) -> dict:
        while b"\n" not in self._received:
            if not select.select([self._channel], [], [], ANSWER_S)[0]:
                raise self._death()
            data = self._channel.recv(65536)
            if not data:
                raise self._death()
            self._received += data
        line, self._received = self._received.split(b"\n", 1)
        return json.loads(line)

    def _death(self) -> GatewayDied:
        tail = self._log_path.read_text(encoding="utf-8", errors="replace")[-1500:]
        return GatewayDied(f"gateway (exit code {self._process.poll()}); its log ends with:\n{tail}")
