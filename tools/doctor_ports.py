"""What nodes on a cable need here: ports that open, rights, and nobody who takes them away. Each trap has its one command."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.config import Config
from gateway.drivers.table import open_driver
from gateway.errors import DeviceError, PermissionDenied
from gateway.words import Say
from tools.finding import BAD, GOOD, NOTE, Finding
from tools.install import udev
from tools.install.files import SystemFile, below
from tools.machine import Holder, Machine
from tools.rights import is_in_group, waits_for_login
from tools.usb_boards import BOARDS, UsbBoard

GROUP = "dialout"


def examine_ports(settings: Config, is_running: bool, machine: Machine) -> Iterator[Finding]:
    """The ports themselves, then, on Linux, what stands between them and us."""
    from serial.tools import list_ports

    listed = settings.serial.ports
    if not listed:
        yield Finding("ports", NOTE, Say("doctor.no-ports"))
    for port in listed:
        yield _port(port, is_running, machine)
    known = {os.path.realpath(port) for port in listed}
    for found in list_ports.comports():
        if found.vid is not None and os.path.realpath(found.device) not in known:
            about = {"port": _stable_name(found.device), "what": found.description}
            yield Finding("ports", NOTE, Say("doctor.unlisted-port", about))
    if sys.platform == "linux":
        yield from _rights(machine)
        yield from _traps(machine)


def _port(port: str, is_running: bool, machine: Machine) -> Finding:
    driver = open_driver(f"serial:{port}", lambda: 0)
    try:
        driver.probe()  # type: ignore[attr-defined]
    except DeviceError as error:
        if error.is_busy and is_running:
            return Finding("ports", GOOD, Say("doctor.port-in-use", {"port": port}))
        told = _busy(port, *machine.holders(os.path.realpath(port))) if error.is_busy else error.message
        return Finding("ports", BAD, told)
    except PermissionDenied as error:
        key = "doctor.log-in-again" if waits_for_login(GROUP) else f"error.{error.key}"
        return Finding("ports", BAD, Say(key, error.data))
    if not Path(port).exists():
        return Finding("ports", NOTE, Say("error.port-missing", {"port": port}))
    return Finding("ports", GOOD, Say("doctor.port", {"port": port}))


def _busy(port: str, holders: list[Holder], is_whole: bool) -> Say:
    if holders:
        who = ", ".join(f"{holder.name} ({holder.pid})" for holder in holders)
        return Say("doctor.port-held", {"port": port, "who": who, "pids": " ".join(str(holder.pid) for holder in holders)})
    return Say("error.port-busy" if is_whole else "doctor.port-held-unseen", {"port": port})


def _stable_name(device: str) -> str:
    """The name under /dev/serial/by-path that stays the same when nodes are plugged in another order."""
    names = [str(link) for link in Path("/dev/serial/by-path").glob("*") if os.path.realpath(link) == os.path.realpath(device)]
    return min(names, default=device)


def _rights(machine: Machine) -> Iterator[Finding]:
    if os.geteuid() != 0 and not is_in_group(GROUP):
        yield Finding("rights", NOTE, Say("doctor.dialout-login" if waits_for_login(GROUP) else "doctor.dialout"))
    rules = SystemFile(below(machine.root, udev.RULES), udev.render(BOARDS))
    try:
        differs = bool(rules.difference())
    except OSError:
        return  # not ours to read: nobody knows
    if not differs:
        yield Finding("rights", GOOD, Say("doctor.udev"))
        return
    # Not mended without asking: what is written to the system is shown first.
    yield Finding("rights", NOTE, Say("doctor.udev-missing" if rules.is_new() else "doctor.udev-other", {"file": rules.path}))


def _traps(machine: Machine) -> Iterator[Finding]:
    rules, plugged = machine.udev_rules(), machine.usb_ids()
    for name, text in sorted(rules.items()):
        grabbed = list(grabbed_by_brltty(text)) if "brltty" in name else []
        if grabbed:
            is_here = any((board.vid, board.pid) in plugged for board in grabbed)
            about = {"name": name, "boards": ", ".join(board.name for board in grabbed)}
            yield Finding("traps", BAD if is_here else NOTE, Say("doctor.brltty", about))
    if machine.runs("ModemManager") and "ID_MM_DEVICE_IGNORE" not in rules.get(udev.RULES.name, ""):
        yield Finding("traps", NOTE, Say("doctor.modemmanager"))


def grabbed_by_brltty(rules: str, boards: Iterable[UsbBoard] = BOARDS) -> Iterator[UsbBoard]:
    """Boards whose bridge these rules take for a Braille display that needs it: those that are named, and not in a comment."""
    active = [line for line in rules.lower().splitlines() if not line.lstrip().startswith("#")]
    for board in boards:
        product = f'"{board.vid:x}/{board.pid:x}/'  # as the kernel writes it, without zeros in front
        if any(product in line for line in active):
            yield board
