"""A board that runs: real MicroPython behind what stands for its reset circuit.

Theory of operation
    The interpreter has a terminal of its own, so that Ctrl-C interrupts it as on a board. What ends it says why:
    0     Ctrl-D at the prompt: a soft reset. In raw mode boot.py alone is run, and the prompt is raw again.
    42    machine.reset()
    else  a crash, or the board was reset from outside
    `shims/power_on.py` is what the board does then: it mounts the files of the flash and runs boot.py and main.py from them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import termios
import tty
from dataclasses import dataclass
from pathlib import Path

from tools import micropython
from tools.standin.line import Line
from tools.standin.rom import SYNC
from tools.street.node import SHIMS as STREET_SHIMS
from tools.street.wiring import places

SHIMS = Path(__file__).resolve().parent / "shims"
HEAP = "256wK"  # a board's and what the stand-ins need; how a board's own heap does is tools/heap_cycles' affair
RESET = 42
_BANNER = b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
_RAW_ON, _RAW_OFF = b"\x01", b"\x02"


@dataclass(frozen=True)
class Wired:
    """What a board is made of: its flash's file, its MAC as twelve digits, the kit that hangs on it."""

    flash: Path
    mac: str
    kit: str

    def environment(self, is_soft: bool, ready: int) -> dict[str, str]:
        nvs = self.flash.with_suffix(".nvs")
        return {
            "PATH": os.environ.get("PATH", ""),
            "MICROPYPATH": f"{SHIMS}:{STREET_SHIMS / 'board'}:.frozen",
            "STANDIN_FLASH": str(self.flash),
            "STANDIN_READY": f"/dev/fd/{ready}",
            "STANDIN_SHIMS": f"{SHIMS}:{STREET_SHIMS / 'board'}",
            "STANDIN_SOFT": "1" if is_soft else "",
            "STREET_MAC": self.mac,
            "STREET_NVS": f"/host{nvs}",
            "STREET_PARTS": places(self.kit),
        }


class Running:
    """`serve` relays between the line and the interpreter until something other than a soft reset ends it."""

    def __init__(self, wired: Wired) -> None:
        self._wired = wired
        self._is_raw = False

    def serve(self, line: Line) -> bytes:
        """From power on. Gives the first bytes of a host that asks for the bootloader, or b"" where the board resets itself.
        HungUpError and PulledError as the line has them."""
        line.write(_BANNER)
        self._is_raw = is_soft = False
        while True:
            board = _Interpreter(self._wired, is_soft)
            try:
                asked = self._relay(line, board)
            finally:
                code = board.end()
            if asked or code != 0:
                return asked
            line.write(b"MPY: soft reboot\r\n")
            is_soft = self._is_raw

    def _relay(self, line: Line, board: _Interpreter) -> bytes:
        seen = b""
        while board.is_alive:
            data = line.read(0)
            if data:
                seen = (seen + data)[-4096:]
                if SYNC in seen:
                    return seen[seen.rindex(SYNC) :]
                self._is_raw = data.rfind(_RAW_ON) > data.rfind(_RAW_OFF) or (self._is_raw and _RAW_OFF not in data)
                if board.is_up:  # what comes while a board starts is lost
                    board.write(data)
            said = board.read(0.002)
            if said:
                line.write(said)
        return b""


class _Interpreter:
    def __init__(self, wired: Wired, is_soft: bool) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)
        modes = termios.tcgetattr(slave)
        modes[3] |= termios.ISIG
        termios.tcsetattr(slave, termios.TCSANOW, modes)

        self._ready, ready_in = os.pipe()
        os.set_blocking(self._ready, False)
        self._is_up = False

        def own_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self._process = subprocess.Popen(
            [micropython.find() or "micropython", "-X", f"heapsize={HEAP}", str(SHIMS / "power_on.py")],
            stdin=slave, stdout=slave, stderr=slave, env=wired.environment(is_soft, ready_in), start_new_session=True,
            preexec_fn=own_terminal,  # noqa: PLW1509  this process has one thread
            pass_fds=(ready_in,), cwd="/",
        )  # fmt: skip
        os.close(slave)
        os.close(ready_in)
        os.set_blocking(self._master, False)
        self._first = _RAW_ON if is_soft else b""

    @property
    def is_up(self) -> bool:
        """Whether it has begun with boot.py; before, an interrupt would end the process that it is."""
        if not self._is_up:
            with contextlib.suppress(BlockingIOError):
                self._is_up = bool(os.read(self._ready, 1))
                self.write(self._first)
        return self._is_up

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def read(self, timeout_s: float) -> bytes:
        if not select.select([self._master], [], [], timeout_s)[0]:
            return b""
        try:
            return os.read(self._master, 4096)
        except OSError:  # it has ended
            return b""

    def write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._master, data) :]
            except BlockingIOError:
                return  # a board that does not read loses what does not fit
            except OSError:
                return

    def end(self) -> int:
        """Its exit code; it is killed if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            if self.is_alive:
                os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        os.close(self._master)
        os.close(self._ready)
        return code
