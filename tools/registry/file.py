"""A configuration's file: read as it is, and changed all or nothing, with the rights and the owner that it had."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from gateway import mistakes
from gateway.errors import ConfigError, PermissionDenied
from gateway.words import Say

_BOM = "\ufeff"


class ConfigFile:
    """`path` need not exist. ConfigError or PermissionDenied where it can be neither read nor written."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))  # where it is a link, the file behind it is changed
        self.is_new = not self.path.exists()
        self._before = b"" if self.is_new else self._read()
        text = self._decoded()
        self._head = _BOM if text.startswith(_BOM) else ""
        self.text = text.removeprefix(_BOM)

    def write(self, text: str) -> None:
        """On disk when this returns. ConfigError where somebody else has changed it meanwhile."""
        try:
            self._replace((self._head + text).encode())
        except PermissionError as error:
            raise PermissionDenied("file-denied", file=self.path) from error
        except OSError as error:
            raise ConfigError([Say("config.system", {"file": self.path, "found": error})]) from error

    def _decoded(self) -> str:
        try:
            return self._before.decode()
        except UnicodeDecodeError as error:  # written again, it would not be what it was
            line = self._before.count(b"\n", 0, error.start) + 1
            problem = Say("config.not-utf8", {"found": f"0x{self._before[error.start]:02x}", "line": line})
            raise ConfigError([mistakes.at(str(self.path), problem)]) from error

    def _read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except PermissionError as error:
            raise PermissionDenied("file-denied", file=self.path) from error
        except OSError as error:
            raise ConfigError([Say("config.system", {"file": self.path, "found": error})]) from error

    def _replace(self, content: bytes) -> None:
        new = self.path.with_name(self.path.name + ".new")
        new.unlink(missing_ok=True)  # left by a cut
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                if os.name == "posix":
                    self._as_before(handle)
                os.fsync(handle)
            if not self.is_new and self.path.read_bytes() != self._before:
                raise ConfigError([Say("registry.changed", {"file": self.path})])
            new.replace(self.path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                new.unlink()
        _sync(self.path.parent)

    def _as_before(self, handle: int) -> None:
        if self.is_new:
            os.fchmod(handle, 0o644)  # secrets are in files of their own
            return
        was, now = self.path.stat(), os.fstat(handle)
        if (was.st_uid, was.st_gid) != (now.st_uid, now.st_gid):
            os.fchown(handle, was.st_uid, was.st_gid)
        os.fchmod(handle, stat.S_IMODE(was.st_mode))


def _sync(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        handle = os.open(folder, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
