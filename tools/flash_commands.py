"""The words of `node flash`, `report`, `label` and `firmware pin`; what they do is in flash_command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tools.arguments import whole
from tools.terminal import UsageError, config_path, t

# Annotations are read when a command is parsed or explained: help is looked up then, in the language of that moment.


def flash(
    *,
    board: Annotated[str, Parameter(help=t("help.flash-board"))] = "pavement-radar",
    port: Annotated[list[str] | None, Parameter(help=t("help.flash-port"), negative="")] = None,
    all: Annotated[bool, Parameter(negative="", help=t("help.flash-all"))] = False,
    jobs: Annotated[int | None, Parameter(help=t("help.flash-jobs"), converter=whole)] = None,
    watch: Annotated[bool, Parameter(negative="", help=t("help.flash-watch"))] = False,
    anew: Annotated[bool, Parameter(negative="", help=t("help.flash-anew"))] = False,
    test: Annotated[bool, Parameter(help=t("help.flash-test"))] = True,
    site: Annotated[str | None, Parameter(help=t("help.flash-site"))] = None,
    dry_run: Annotated[bool, Parameter(negative="", help=t("help.flash-dry"))] = False,
) -> int:
    from gateway import config
    from tools import flash_command

    settings = config.load(config_path())
    if site is None:
        return flash_command.flash(settings, board, port or [], all, jobs, watch, dry_run, test, anew)
    if all or watch or len(port or []) > 1:
        raise UsageError("flash-site", site=site)
    return flash_command.flash_for(site, settings, board, port or [], dry_run, test, anew)


def report(
    *,
    last: Annotated[int | None, Parameter(help=t("help.report-last"), converter=whole)] = None,
    csv: Annotated[Path | None, Parameter(help=t("help.report-csv"))] = None,
) -> int:
    from gateway import config
    from tools import flash_command

    return flash_command.report(config.load(config_path()), last, csv)


def label(
    *ids: Annotated[str, Parameter(help=t("help.label-ids"))],
    last: Annotated[int | None, Parameter(help=t("help.label-last"), converter=whole)] = None,
) -> int:
    from gateway import config
    from tools import flash_command

    return flash_command.label(config.load(config_path()), list(ids), last)


def firmware_pin(
    file: Annotated[Path, Parameter(help=t("help.firmware-pin-file"))],
    /,
    *,
    dry_run: Annotated[bool, Parameter(negative="", help=t("help.firmware-pin-dry"))] = False,
) -> int:
    from gateway import config
    from tools import flash_command, registry_command

    if not dry_run:
        registry_command.begin_here()
    return flash_command.pin_firmware(config.load(config_path()), file, dry_run)
