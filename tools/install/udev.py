"""The table of boards -> rules for udev: who may use their ports, who must keep off, and a name that stays.

Theory of operation
    The number is between udev's own rules that say where a device is plugged in (60) and those that hand it to whoever sits at the
    machine (73); ModemManager, which would talk to every new port, looks later (77).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tools.usb_boards import UsbBoard

RULES = Path("/etc/udev/rules.d/70-trottoir.rules")


def render(boards: Iterable[UsbBoard]) -> str:
    """The rules file. A port is reached as /dev/trottoir/PLACE, where PLACE is its socket, whichever board is plugged in there."""
    lines = [
        "# Made by trottoir install --udev: boards with a node.",
        'ACTION=="remove", GOTO="trottoir_end"',
    ]
    for board in boards:
        vid, pid = f"{board.vid:04x}", f"{board.pid:04x}"
        device = f'ATTR{{idVendor}}=="{vid}", ATTR{{idProduct}}=="{pid}"'
        above = f'ATTRS{{idVendor}}=="{vid}", ATTRS{{idProduct}}=="{pid}"'  # of the port: what stands at the device that it is of
        lines += [
            f"# {board.name}",
            f'SUBSYSTEM=="usb", ENV{{DEVTYPE}}=="usb_device", {device}, ENV{{ID_MM_DEVICE_IGNORE}}="1"',
            f'SUBSYSTEM=="tty", SUBSYSTEMS=="usb", {above}, GOTO="trottoir_port"',
        ]
    lines += [
        'GOTO="trottoir_end"',
        'LABEL="trottoir_port"',
        'GROUP="dialout", MODE="0660", TAG+="uaccess", ENV{ID_MM_PORT_IGNORE}="1"',
        'ENV{ID_PATH}=="?*", SYMLINK+="trottoir/$env{ID_PATH}"',
        'LABEL="trottoir_end"',
    ]
    return "\n".join(lines) + "\n"
