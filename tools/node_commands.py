"""`trottoir node ...` for the nodes of a configuration, and for one on a cable: one function a command. Heavy modules are imported
by the command that needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tools.arguments import expect, whole
from tools.terminal import config_path, t


def list_() -> int:
    from gateway import config
    from tools import registry_command

    return registry_command.list_nodes(config.load(config_path()))


def add(
    id: Annotated[str, Parameter(name="ID", help=t("help.node-id"))],
    /,
    *,
    site: Annotated[str, Parameter(help=t("help.node-site"))],
    name: Annotated[str, Parameter(help=t("help.node-name"))] = "",
    port: Annotated[str | None, Parameter(help=t("help.node-add-port"))] = None,
    at: Annotated[str | None, Parameter(help=t("help.node-at-add"))] = None,
    new_site: Annotated[bool, Parameter(negative="", help=t("help.node-new-site"))] = False,
    dry_run: Annotated[bool, Parameter(negative="", help=t("help.node-dry-run"))] = False,
) -> int:
    from tools import registry_command

    return registry_command.add(id, site, name, port, at, new_site, dry_run)


def rename(
    id: Annotated[str, Parameter(name="ID", help=t("help.node-id"))],
    name: Annotated[str, Parameter(name="NAME", help=t("help.node-name"))],
    /,
    *,
    dry_run: Annotated[bool, Parameter(negative="", help=t("help.node-dry-run"))] = False,
) -> int:
    from tools import registry_command

    return registry_command.rename(id, name, dry_run)


def retire(
    id: Annotated[str, Parameter(name="ID", help=t("help.node-id"))],
    /,
    *,
    at: Annotated[str | None, Parameter(help=t("help.node-at"))] = None,
    dry_run: Annotated[bool, Parameter(negative="", help=t("help.node-dry-run"))] = False,
) -> int:
    from tools import registry_command

    return registry_command.retire(id, at, dry_run)


def replace(
    old: Annotated[str, Parameter(name="OLD", help=t("help.node-old"))],
    new: Annotated[str, Parameter(name="NEW", help=t("help.node-new"))],
    /,
    *,
    at: Annotated[str | None, Parameter(help=t("help.node-at"))] = None,
    dry_run: Annotated[bool, Parameter(negative="", help=t("help.node-dry-run"))] = False,
) -> int:
    from tools import registry_command

    return registry_command.replace(old, new, at, dry_run)


def test(
    id: Annotated[str | None, Parameter(name="ID", help=t("help.node-test-id"))] = None,
    /,
    *,
    port: Annotated[str | None, Parameter(help=t("help.node-test-port"))] = None,
    person: Annotated[bool, Parameter(negative="", help=t("help.node-person"))] = False,
) -> int:
    from tools import pole_command

    return pole_command.test(id, port, person)


def aim(
    id: Annotated[str | None, Parameter(name="ID", help=t("help.node-test-id"))] = None,
    /,
    *,
    port: Annotated[str | None, Parameter(help=t("help.node-test-port"))] = None,
    walks: Annotated[int, Parameter(help=t("help.node-walks"), converter=whole)] = 10,
    page: Annotated[str, Parameter(help=t("help.node-page"))] = "127.0.0.1:8378",
) -> int:
    from tools import aim_command

    expect("--walks", walks, 2 <= walks <= 50, "aim.range")
    return aim_command.aim(id, port, walks, page)


def monitor(
    place: Annotated[str, Parameter(name="PLACE", help=t("help.node-place"))],
    /,
    *,
    record: Annotated[Path | None, Parameter(help=t("help.node-record"))] = None,
    plot: Annotated[bool, Parameter(negative="", help=t("help.node-plot"))] = False,
    page: Annotated[str, Parameter(help=t("help.node-page"))] = "127.0.0.1:8378",
    seconds: Annotated[float, Parameter(help=t("help.node-seconds"))] = 0,
) -> int:
    from tools import monitor_command

    return monitor_command.monitor(place, record, plot, page, seconds)
