"""The words of commands about this machine as a whole: `install`, `backup`, `restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tools.terminal import t

# Annotations are read when a command is parsed or explained: help is looked up then, in the language of that moment.


def install(
    *,
    systemd: Annotated[bool, Parameter(negative="", help=t("help.install-systemd"))] = False,
    udev: Annotated[bool, Parameter(negative="", help=t("help.install-udev"))] = False,
    prefix: Annotated[Path | None, Parameter(help=t("help.install-prefix"))] = None,
    yes: Annotated[bool, Parameter(negative="", help=t("help.yes"))] = False,
    dry_run: Annotated[bool, Parameter(negative="", help=t("help.dry-run"))] = False,
) -> int:
    from tools.install_command import run_install

    return run_install(systemd, udev, prefix, yes, dry_run)
