"""The real programs that some tests need, how to tell whether they are here, and how to add them.

A test that needs one says `@needs("influxd")`. Without it the test is skipped; under TROTTOIR_REQUIRE_REAL=1, as our CI
sets it, it fails instead, so that a green run there means that the real thing was tested.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tools import micropython

REQUIRED = os.environ.get("TROTTOIR_REQUIRE_REAL") == "1"


@dataclass(frozen=True)
class RealPart:
    """One real part; `find` answers where it is, or None."""

    name: str
    serves: str
    remedy: str
    find: Callable[[], str | None]

    @property
    def lack(self) -> str:
        """One line for whoever lacks it."""
        return f"{self.name} is missing ({self.serves}). To add it: {self.remedy}"


def find_pty() -> str | None:
    """A pair of serial ends: how the gateway is given a port without hardware."""
    try:
        ends = os.openpty()
    except (AttributeError, OSError):
        return None
    for end in ends:
        os.close(end)
    return "os.openpty"


def find_chromium() -> str | None:
    """Debian's name for it, or others'."""
    return next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


PARTS = {
    part.name: part
    for part in (
        RealPart(
            "influxd",
            "points are written to and read back from a real InfluxDB server",
            "sudo apt install influxdb",
            lambda: shutil.which("influxd"),
        ),
        RealPart(
            "chromium",
            "the live page is opened in a real browser",
            "sudo apt install chromium",
            find_chromium,
        ),
        RealPart(
            "micropython",
            "the firmware runs under the node's own interpreter",
            "its package exists for x86_64 Linux; elsewhere put a MicroPython unix build on the PATH",
            micropython.find,
        ),
        RealPart(
            "dbus-daemon",
            "BlueZ's side of Bluetooth is asked over a real D-Bus",
            "sudo apt install dbus-daemon",
            lambda: shutil.which("dbus-daemon"),
        ),
        RealPart(
            "systemd-analyze",
            "systemd itself reads the gateway's unit, and says how open it is",
            "sudo apt install systemd",
            lambda: shutil.which("systemd-analyze"),
        ),
        RealPart(
            "pty",
            "node and gateway talk over a serial line",
            "run the tests on Linux or macOS, on Windows inside WSL",
            find_pty,
        ),
        RealPart(
            "victoria-metrics",
            "points are written to and read back from a real VictoriaMetrics",
            "sudo apt install victoria-metrics",
            lambda: shutil.which("victoria-metrics"),
        ),
    )
}


@dataclass(frozen=True)
class _FailsWhenAsked:
    """A skip condition that answers by failing the test: before its fixtures start, and for classes and modules too."""

    reason: str

    def __bool__(self) -> bool:
        raise pytest.fail.Exception(self.reason, pytrace=False)


def needs(name: str) -> pytest.MarkDecorator:
    """Marks a test, a class or (as `pytestmark`) a module that needs a real part."""
    part = PARTS[name]
    if part.find():
        return pytest.mark.skipif(False, reason=part.lack)
    condition = _FailsWhenAsked(part.lack) if REQUIRED else True
    return pytest.mark.skipif(condition, reason=part.lack)  # type: ignore[arg-type]
