"""`trottoir install`: system files for the gateway of this machine. Says the difference first, asks, writes, and makes it count."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

import gateway
from gateway import config
from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK, ConfigError, PermissionDenied
from gateway.words import Say
from tools import asking
from tools.install import udev, unit
from tools.install.files import SystemFile, below, changed
from tools.rights import has_group
from tools.terminal import UsageError, printable, say, shared, show, t
from tools.usb_boards import BOARDS

CONFIG = Path("/etc/trottoir/trottoir.toml")
UNITS = Path("/etc/systemd/system")
ACTIVATE = {
    "systemd": ["systemctl daemon-reload", f"systemctl enable {unit.NAME}", f"systemctl restart {unit.NAME}"],
    "udev": ["udevadm control --reload", "udevadm trigger --action=change --subsystem-match=usb --subsystem-match=tty"],
}
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
Runner = Callable[[Sequence[str]], int]


def run_install(systemd: bool, udev_too: bool, prefix: Path | None, yes: bool, dry_run: bool, runner: Runner | None = None) -> int:
    """0 where everything is as it should be, 1 where the answer was no. With `prefix` files go below it, and nothing is started."""
    if not (systemd or udev_too):
        raise UsageError("install-what")
    wanted = [kind for kind, is_wanted in (("udev", udev_too), ("systemd", systemd)) if is_wanted]
    try:
        files = [below_prefix(_unit() if kind == "systemd" else _rules(), prefix) for kind in wanted]
        changes = changed(files)
    except OSError as error:
        raise PermissionDenied("install-file", file=error.filename, found=error) from error
    steps = [step for kind in wanted for step in ACTIVATE[kind]] if prefix is None else []
    if not shared.json:
        _show_differences(changes)
    if not changes or dry_run:
        return _told(files, changes, [], key="install.same" if not changes else "install.dry-run")
    _ask_for_root(changes, systemd, udev_too, prefix)
    if not yes and not _agrees(changes, steps):
        return _told(files, changes, [], key="install.no", code=EXIT_CHECK_FAILED)
    for file in changes:
        try:
            file.write()
        except OSError as error:
            raise PermissionDenied("install-file", file=file.path, found=error) from error
    for step in steps:
        if (runner or _run)(step.split()):
            raise ConfigError([Say("install.step", {"command": f"sudo {step}"})])
    return _told(files, changes, steps, key="install.started" if steps and systemd else "install.written")


def command_path() -> Path:
    """The `trottoir` command that this process is. ConfigError where there is none to be started by its name."""
    command = Path(sys.prefix, "bin", "trottoir")
    if not command.is_file():
        raise ConfigError([Say("install.no-command", {"file": command})])
    return command


def below_prefix(file: SystemFile, prefix: Path | None) -> SystemFile:
    return SystemFile(below(prefix, file.path), file.text)


def _unit() -> SystemFile:
    path = (shared.config or CONFIG).absolute()
    if not path.exists():
        raise ConfigError([Say("install.no-config", {"file": path})])
    settings, command = config.load(path), command_path()
    programs = {"trottoir": Path(gateway.__file__ or "").resolve().parent, "python": Path(sys.executable).resolve()}
    found = list(unit.obstacles(settings, path, programs, has_group, unit.CLOSED))
    if found:
        raise ConfigError(found)
    try:
        return SystemFile(UNITS / unit.NAME, unit.render(settings, path, command, has_group))
    except ValueError as error:
        raise ConfigError([Say("install.path", {"file": str(error)})]) from error


def _rules() -> SystemFile:
    return SystemFile(udev.RULES, udev.render(BOARDS))


def _show_differences(changes: Sequence[SystemFile]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for file in changes:
        for line in file.difference():
            console.print(Text(printable(line), style=_COLOURS.get(line[:1], "")))


def _ask_for_root(changes: Sequence[SystemFile], systemd: bool, udev_too: bool, prefix: Path | None) -> None:
    if all(file.is_writable() for file in changes):
        return
    words = ["sudo", str(command_path())]
    if shared.config is not None:
        words += ["--config", str(shared.config.absolute())]
    words += ["install", *(["--systemd"] if systemd else []), *(["--udev"] if udev_too else [])]
    words += ["--prefix", str(prefix)] if prefix is not None else []
    raise PermissionDenied("install-root", command=shlex.join(words))


def _agrees(changes: Sequence[SystemFile], steps: Sequence[str]) -> bool:
    if shared.json or not asking.is_answerable():
        raise UsageError("install-yes")
    if steps:
        say(t("install.then", steps="; ".join(steps)))
    return asking.confirm(t("install.ask", files=", ".join(str(file.path) for file in changes)))


def _told(files: Sequence[SystemFile], changes: Sequence[SystemFile], steps: Sequence[str], key: str, code: int = EXIT_OK) -> int:
    is_written = key in ("install.written", "install.started")
    told = [
        {"path": str(file.path), "state": "same" if file not in changes else "written" if is_written else "to be written",
         "diff": "" if is_written else "\n".join(file.difference())}
        for file in files
    ]  # fmt: skip
    show({"ok": code == EXIT_OK, "written": is_written, "files": told, "done": list(steps)}, t(key))
    return code


def _run(words: Sequence[str]) -> int:
    try:
        return subprocess.run(words, stdout=sys.stderr).returncode
    except FileNotFoundError:
        return 127
