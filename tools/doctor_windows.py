"""Boards on Windows: which are plugged in, at which COM port, and which driver is missing. Nothing else needs an administrator.

Windows is asked by its own shell, which needs no rights for that; what it answers is read here without Windows.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gateway.words import Say
from tools.finding import BAD, GOOD, NOTE, Finding
from tools.usb_boards import BOARDS

ASK = (
    "[Console]::OutputEncoding = [Text.Encoding]::UTF8; "
    "Get-CimInstance Win32_PnPEntity -Filter \"PNPDeviceID LIKE 'USB%'\" | "
    "Select-Object Name, PNPDeviceID, ConfigManagerErrorCode | ConvertTo-Json -Compress"
)
_IDS = re.compile(r"VID_([0-9A-F]{4})&PID_([0-9A-F]{4})", re.IGNORECASE)
_PORT = re.compile(r"\((COM\d{1,3})\)\s*$")  # at the end of a device's name, whatever language that is in
_MOST_B = 4_000_000


@dataclass(frozen=True)
class Device:
    """`trouble` is Windows' own number for what is wrong, 0 where nothing is."""

    name: str
    vid: int
    pid: int
    trouble: int


def examine_windows(settings_ports: Iterable[str]) -> Iterator[Finding]:
    """Of what is plugged in now."""
    try:
        command = ["powershell", "-NoProfile", "-NonInteractive", "-Command", ASK]
        answer = subprocess.run(command, capture_output=True, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        answer = b""
    yield from judge(read_listing(answer), settings_ports)


def read_listing(answer: bytes) -> list[Device]:
    """What the shell said: one object or a list of them; nothing of what is neither."""
    try:
        told = json.loads(answer[:_MOST_B].decode("utf-8-sig", errors="replace") or "[]")
    except (ValueError, RecursionError):
        return []
    rows = told if isinstance(told, list) else [told]
    return [device for row in rows if isinstance(row, dict) and (device := _device(row)) is not None]


def judge(devices: Iterable[Device], ports: Iterable[str]) -> Iterator[Finding]:
    """A finding for each board of our table."""
    boards = {(board.vid, board.pid): board for board in BOARDS}
    listed = {port.upper() for port in ports}
    found = [(boards[device.vid, device.pid], device) for device in devices if (device.vid, device.pid) in boards]
    if not found:
        yield Finding("drivers", NOTE, Say("doctor.windows-none"))
    for board, device in found:
        port = _PORT.search(device.name)
        if device.trouble and board.driver:
            yield Finding("drivers", BAD, Say("doctor.windows-driver", {"board": board.name, "driver": board.driver}))
        elif device.trouble:
            yield Finding("drivers", BAD, Say("doctor.windows-trouble", {"board": board.name, "found": device.trouble}))
        elif port is not None:
            key = "doctor.windows-port" if port[1] in listed else "doctor.windows-unlisted"
            yield Finding("drivers", GOOD, Say(key, {"board": board.name, "port": port[1]}))


def _device(row: dict[str, object]) -> Device | None:
    ids = _IDS.search(str(row.get("PNPDeviceID", "")))
    trouble = row.get("ConfigManagerErrorCode")
    if ids is None:
        return None
    return Device(str(row.get("Name") or ""), int(ids[1], 16), int(ids[2], 16), trouble if isinstance(trouble, int) else 0)
