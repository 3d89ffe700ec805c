"""What to type for this very command, also where `sudo` would not find it by its name."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def path() -> Path:
    """Where it is, or would be: in the environment that runs now."""
    return Path(sys.prefix, "bin", "trottoir")


def words() -> str:
    """As a shell takes it; its mere name where it is elsewhere."""
    return shlex.quote(str(path())) if path().is_file() else "trottoir"
