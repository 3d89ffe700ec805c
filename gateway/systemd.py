"""What systemd wants to hear of a service (`Type=notify`, `WatchdogSec=`): datagrams to the socket that it names.

Without systemd nothing is sent. Protocol: sd_notify(3).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Systemd:
    """`watchdog_s` is how often a sign of life is wanted, 0.0 where it is not."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        period_us = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID") in (None, str(os.getpid()))
        self.watchdog_s = int(period_us) / 2_000_000 if period_us.isdecimal() and is_ours and self._address else 0.0

    def ready(self) -> None:
        self._say("READY=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._say("STATUS=" + text.replace("\n", " "))

    def alive(self) -> None:
        self._say("WATCHDOG=1")

    def stopping(self) -> None:
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        name = "\0" + self._address[1:] if self._address.startswith("@") else self._address  # an abstract socket
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.settimeout(1.0)
                channel.sendto(text.encode(), name)
        except OSError:
            return  # systemd is gone or full; the service goes on
