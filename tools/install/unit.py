"""A configuration -> the systemd unit of its gateway, out of one template; and what systemd could not start.

Theory of operation
    The unit runs as a user of its own who exists only while it runs, so its configuration is read by everybody, and its secrets
    by nobody: systemd hands them over as credentials, whose names take the place of the files' names in the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path

from gateway.config import Config
from gateway.words import Say

NAME = "trottoir.service"
STATES = Path("/var/lib")  # whose folders systemd gives to such a user
CLOSED = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108  not for the unit to look into
GROUPS = ("dialout", "bluetooth")
_SECRETS = ("password_file", "token_file", "read_token_file")

HasGroup = Callable[[str], bool]


def render(settings: Config, config: Path, command: Path, has_group: HasGroup) -> str:
    """The unit's text. `config` and `command` are absolute; `has_group` tells which groups this machine has. ValueError for paths
    that no unit can hold."""
    template = (resources.files("tools.install") / "trottoir.service.in").read_text(encoding="utf-8")
    return template.format(
        command=_word(command),
        config=_word(config),
        state=_plain(settings.gateway.state_dir.relative_to(STATES)),
        groups=" ".join(filter(has_group, GROUPS)),
        credentials="".join(_credentials(settings, config)),
    )


def secrets(settings: Config, config: Path) -> dict[str, Path]:
    """The files with secrets that a configuration names, by their key under [uplink]. A mere name is that of a file beside it."""
    named = {key: getattr(settings.uplink, key) for key in _SECRETS}
    return {key: config.parent / path for key, path in named.items() if path is not None}


def obstacles(
    settings: Config, config: Path, programs: Mapping[str, Path], has_group: HasGroup, closed: Sequence[Path]
) -> Iterator[Say]:
    """Why systemd could not start it. `programs` are what it runs: `trottoir`, a folder, and `python`; `closed` is where it may not
    look."""
    for what, path in {**programs, "config": config}.items():
        if _is_below(path, closed):
            yield Say(f"install.closed-{what}", {"file": path})
        elif (barrier := _barrier(path)) is not None:
            yield Say("install.unreadable", {"file": barrier, "right": "rx" if barrier.is_dir() else "r"})
    if not _is_below(settings.gateway.state_dir, [STATES]) or settings.gateway.state_dir == STATES:
        yield Say("install.state-dir", {"folder": settings.gateway.state_dir})
    inside = {"ble.keys_dir": settings.keys_dir}
    if settings.uplink.enabled and settings.uplink.api == "file":
        inside["uplink.folder"] = settings.uplink.folder
    for key, folder in inside.items():
        if not _is_below(folder, [settings.gateway.state_dir]):
            yield Say("install.outside", {"key": key, "folder": folder, "state": settings.gateway.state_dir})
    for key, path in secrets(settings, config).items():
        if not path.is_file():
            yield Say("install.no-secret", {"key": f"uplink.{key}", "file": path})
    needed = {"dialout": bool(settings.serial.ports), "bluetooth": settings.ble.enabled}
    for group in GROUPS:
        if needed[group] and not has_group(group):
            yield Say(f"install.no-{group}")


def _credentials(settings: Config, config: Path) -> Iterator[str]:
    for key, path in secrets(settings, config).items():
        yield f"LoadCredential={key}:{_plain(path)}\nEnvironment=TROTTOIR_UPLINK__{key.upper()}={key}\n"


def _is_below(path: Path, folders: Sequence[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _barrier(path: Path) -> Path | None:
    """What on the way to a file others may not enter or read; None where all is open. A file that is not there bars nothing."""
    for step in [*reversed(path.parents), path]:
        try:
            mode = step.stat().st_mode
        except OSError:
            return None
        wanted = 0o1 if step != path else 0o5 if step.is_dir() else 0o4
        if mode & wanted != wanted:
            return step
    return None


def _plain(path: Path) -> str:
    """As a setting takes it, whole: with systemd's own sign doubled. ValueError for what systemd takes for something else."""
    text = path.as_posix()
    if not text.isprintable() or set(text) & set("\"'\\$"):
        raise ValueError(text)
    return text.replace("%", "%%")


def _word(path: Path) -> str:
    """As a word of a command line."""
    return f'"{_plain(path)}"' if " " in str(path) else _plain(path)
