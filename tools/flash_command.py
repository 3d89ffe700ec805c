"""`trottoir node flash` and what belongs to it: which MicroPython, the report, labels."""

from __future__ import annotations

from pathlib import Path

from gateway.config import Config
from gateway.errors import EXIT_OK
from tools.terminal import show, t


def pin_firmware(settings: Config, file: Path, is_dry: bool) -> int:
    """Names the MicroPython that is flashed from now on."""
    from tools.flashing.interpreter import CHIP
    from tools.flashing.pin import pin

    made = pin(file, settings.gateway.state_dir, is_dry=is_dry)
    result = {
        "file": str(made.path), "sha256": made.sha256, "size": made.size, "chip": CHIP, "version": made.version, "mpy": made.mpy,
        "dry_run": is_dry,
    }  # fmt: skip
    show(result, t("flash.would-pin" if is_dry else "flash.pinned", version=made.version, size=made.size, sha256=made.sha256))
    return EXIT_OK
