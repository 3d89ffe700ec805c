"""A board at MicroPython's prompt, by mpremote's own transport on a port that is open already.

What is said to a board may hold its key, so nothing of it goes into an error or a log; of what it answers only the last line of
an error does.
"""

from __future__ import annotations

import struct
from binascii import b2a_base64
from collections.abc import Callable
from typing import Any

import serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from gateway.errors import DeviceError
from tools.flashing.errors import FlashError
from tools.flashing.plan import NEW

ENTER_S = 3
CHUNK = 1024  # bytes of a file at a time
_READ_S = 2.0
_RAW = b"raw REPL; CTRL-B to exit\r\n"
_NO_SPACE = "28"  # ENOSPC as a board tells it
_TO_WRITE = """
import binascii, os
def make(path):
    at = path.find("/")
    while at > 0:
        try:
            os.mkdir(path[:at])
        except OSError as error:
            if error.errno != 17:
                raise
        at = path.find("/", at + 1)
def write(text):
    f.write(binascii.a2b_base64(text))
"""


class Prompt(SerialTransport):
    """`port` is open, and its board at the prompt; `close` is the caller's."""

    def __init__(self, port: serial.Serial, name: str) -> None:
        self.in_raw_repl = False
        self.use_raw_paste = True
        self.device_name = name
        self.mounted = False
        self.serial = port
        self.is_pty = False
        port.timeout = _READ_S

    def enter(self) -> None:
        """FlashError where the prompt does not become raw."""

        def ask_for_it() -> bytes:
            self.serial.write(b"\r\x03\x03\r\x01")
            return self.read_until(1, _RAW, timeout=ENTER_S, timeout_overall=ENTER_S)

        if not self._guarded(ask_for_it).endswith(_RAW):
            raise FlashError("flash-no-prompt", port=self.device_name)
        self.in_raw_repl = True

    def ask(self, code: str) -> str:
        """What the code prints. FlashError where it fails, DeviceError where the port is lost."""
        return self._guarded(lambda: self.exec(code)).decode("utf-8", "replace")

    def write_file(self, path: str, content: bytes, told: Callable[[int], None]) -> None:
        """Under another name, and then renamed. `told` is called with the bytes that are through."""
        new = path + NEW
        self.ask(f"{_TO_WRITE}make({path!r})\nf = open({new!r}, 'wb')")
        for at in range(0, len(content), CHUNK):
            chunk = content[at : at + CHUNK]
            self.ask(f"write({b2a_base64(chunk, newline=False)!r})")
            told(len(chunk))
        self.ask(f"f.close()\nos.rename({new!r}, {path!r})")

    def remove(self, path: str) -> None:
        self.ask(f"import os\nos.remove({path!r})")

    def restart(self) -> None:
        """The board begins anew; nothing answers."""
        self._guarded(lambda: self.exec_raw_no_follow("import machine\nmachine.reset()"))

    def _guarded(self, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except TransportExecError as error:
            key = "flash-full" if _is_full(error.error_output) else "flash-refused"
            raise FlashError(key, port=self.device_name, found=_last_line(error.error_output)) from None
        except (serial.SerialException, OSError, TypeError) as error:
            raise DeviceError("port-lost", port=self.device_name, found=error) from error
        except (TransportError, struct.error, IndexError):
            raise FlashError("flash-no-prompt", port=self.device_name) from None


def _is_full(text: str) -> bool:
    return "ENOSPC" in text or f"OSError: {_NO_SPACE}" in text or f"Errno {_NO_SPACE}]" in text


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:80] if lines else ""
