"""Files of the system that a command wants to write: how they differ from those that are there, and writing them as a whole."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MODE = 0o644


@dataclass(frozen=True)
class SystemFile:
    """`text` is what is to stand at `path`."""

    path: Path
    text: str

    def difference(self) -> list[str]:
        """Lines of a unified diff from what is there; none where nothing changes. OSError where it cannot be read."""
        there = self._there()
        names = (str(self.path) if there is not None else os.devnull, str(self.path))
        return list(difflib.unified_diff((there or "").splitlines(), self.text.splitlines(), *names, lineterm=""))

    def is_new(self) -> bool:
        return self._there() is None

    def is_writable(self) -> bool:
        """For this user; folders that are not there yet would be made."""
        above = next(parent for parent in self.path.parents if parent.exists())
        return os.access(above, os.W_OK | os.X_OK)

    def write(self) -> None:
        """All or nothing, also when the power goes."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(self.path.name + ".new")
        new.unlink(missing_ok=True)  # left by a cut
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(self.text)
            file.flush()
            os.fchmod(handle, MODE)
            os.fsync(handle)
        new.replace(self.path)

    def _there(self) -> str | None:
        try:
            return self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None


def below(root: Path | None, path: Path) -> Path:
    """Where an absolute path lies in another tree, such as an image that is being made."""
    return path if root is None else root / path.relative_to("/")


def changed(files: Iterable[SystemFile]) -> list[SystemFile]:
    """Those that are not there as they should be."""
    return [file for file in files if file.difference() or file.is_new()]
