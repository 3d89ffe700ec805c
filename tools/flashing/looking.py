"""Who is there on a port: a board is reset, and asked for its prompt while it starts.

Theory of operation
    reset   by RTS, which boards wire to EN. A port without such lines is let go of and opened again: hanging up is all it can do.
    ask     Ctrl-C, again and again. Firmware of ours leaves the first three seconds of a start to technicians (boot.py); a bare
            MicroPython is at its prompt anyway.
    empty   a bootloader that finds nothing to start says so, and is not waited for.
    The prompt is what lets us see what is there. A board that gives none is written through its bootloader in ROM, whatever it is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import serial

from gateway.drivers.serial import open_port
from gateway.errors import DeviceError
from tools.flashing.errors import StoppedError
from tools.flashing.prompt import Prompt

LOOK_S = 5.0
_PULSE_S = 0.1
_ASK_EVERY_S = 0.1
_PROMPT = b">>> "
_EMPTY = (b"invalid header", b"waiting for download", b"No bootable app")


def open_at_prompt(name: str, stop: threading.Event, within_s: float = LOOK_S) -> tuple[serial.Serial, Prompt | None]:
    """The port, which is the caller's to close, and its board at the raw prompt; None instead of it where the board gives none.
    DeviceError and PermissionDenied as open_port has them, or where the port is lost; StoppedError once `stop` is set."""
    port = open_port(name)
    try:
        port = _reset(port, name)
        if not _asked(port, stop, within_s):
            return port, None
        prompt = Prompt(port, name)
        prompt.enter()
    except (serial.SerialException, OSError, TypeError) as error:
        port.close()
        raise DeviceError("port-lost", port=name, found=error) from error
    except BaseException:
        port.close()
        raise
    return port, prompt


def _reset(port: serial.Serial, name: str, sleep: Callable[[float], None] = time.sleep) -> serial.Serial:
    try:
        port.rts = True
        sleep(_PULSE_S)
        port.rts = False
    except OSError:
        sleep(_PULSE_S)
        port.close()
        sleep(_PULSE_S)
        port = open_port(name)
    return port


def _asked(port: serial.Serial, stop: threading.Event, within_s: float) -> bool:
    port.timeout = _ASK_EVERY_S
    seen = b""
    ends_s = time.monotonic() + within_s
    while time.monotonic() < ends_s:
        if stop.is_set():
            raise StoppedError("flash-stopped", port=port.port)
        port.write(b"\r\x03")
        seen = (seen + port.read(4096))[-4096:]
        if seen.endswith(_PROMPT):
            return True
        if any(word in seen for word in _EMPTY):
            return False
    return False
