"""Where the node's own interpreter is on this machine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def find() -> str | None:
    """The interpreter beside this Python, where its wheel puts it, or else on the PATH."""
    return shutil.which("micropython", path=str(Path(sys.executable).parent)) or shutil.which("micropython")
