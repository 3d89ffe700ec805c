"""The cable of a board: a pty that the host opens by a name that stays, as fast as the host has set its port, and pulled on demand.

A pty has no modem lines, so a host cannot pull EN. What it does have is a hang-up: the host lets go of the port. Here that is
what resets the board.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import termios
import time
import tty
from pathlib import Path

BITS = 10  # on the line for a byte
_SPEEDS = {getattr(termios, name): int(name[1:]) for name in dir(termios) if name[0] == "B" and name[1:].isdigit()}
_WAIT_S = 0.005


class PulledError(OSError):
    """The cable is out: nothing comes and nothing goes."""


class HungUpError(OSError):
    """The host has let go of the port."""


class Line:
    """`baud` is the most, 0 for as fast as it goes; the host may set less. `pulled_at`: bytes from the host after which the cable
    is pulled, once."""

    def __init__(self, link: Path, baud: int, pulled_at: int | None = None) -> None:
        self._link = link
        self._baud = baud
        self._pulled_at = pulled_at
        self._received = 0
        self._read_free_s = self._write_free_s = 0.0
        self._master = -1
        self._holder = -1
        self.is_open = False  # by the host
        self.plug_in()

    def plug_in(self) -> None:
        """A new pty below the same name."""
        self._master, slave = os.openpty()
        tty.setraw(slave)
        name = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        new = self._link.with_name(self._link.name + ".new")
        new.unlink(missing_ok=True)
        new.symlink_to(name)
        new.replace(self._link)
        self.is_open = False

    def pull(self) -> None:
        """Whoever has it open meets an error."""
        self._link.unlink(missing_ok=True)
        os.close(self._master)
        self.is_open = False

    def hold(self) -> None:
        """Another program has the port: as pyserial and others lock it."""
        self._holder = os.open(self._link, os.O_RDWR | os.O_NOCTTY)
        fcntl.flock(self._holder, fcntl.LOCK_EX)

    def read(self, timeout_s: float) -> bytes:
        """What has arrived, after the time that it takes on the line; b"" if nothing has. HungUpError once the host lets go."""
        data = b""
        if self._is_held_open():
            self.is_open = True
            if select.select([self._master], [], [], timeout_s)[0]:
                with contextlib.suppress(OSError):  # let go meanwhile: seen next time
                    data = os.read(self._master, 65536)
            return self._passed(data) if data else b""
        if self.is_open:
            self.is_open = False
            raise HungUpError
        time.sleep(min(timeout_s, _WAIT_S))
        return b""

    def _is_held_open(self) -> bool:
        waiting = select.poll()
        waiting.register(self._master, select.POLLIN)
        return not any(event & select.POLLHUP for _, event in waiting.poll(0))

    def write(self, data: bytes) -> None:
        """Returns when the last byte has left. What nobody takes within a second is lost."""
        self._write_free_s = self._wait(self._write_free_s, len(data))
        ends_s = time.monotonic() + 1
        while data and self.is_open and time.monotonic() < ends_s:
            try:
                data = data[os.write(self._master, data) :]
            except BlockingIOError:
                select.select([], [self._master], [], 0.1)
            except OSError:
                return

    def _passed(self, data: bytes) -> bytes:
        if self._pulled_at is not None and self._received + len(data) >= self._pulled_at:
            data = data[: self._pulled_at - self._received]
            self._wait(self._read_free_s, len(data))
            self._pulled_at = None
            raise PulledError
        self._received += len(data)
        self._read_free_s = self._wait(self._read_free_s, len(data))
        return data

    def _wait(self, free_s: float, size: int) -> float:
        """Until so many bytes are through, behind those before them; when that is."""
        if not self._baud:
            return 0.0
        speed = min(self._baud, _SPEEDS.get(termios.tcgetattr(self._master)[5], self._baud) or self._baud)
        free_s = max(free_s, time.monotonic()) + size * BITS / speed
        time.sleep(max(free_s - time.monotonic(), 0))
        return free_s
