"""`trottoir node list`, `add`, `rename`, `retire` and `replace`: the nodes of a configuration, shown and changed."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway import config
from gateway.config import Config
from gateway.errors import EXIT_OK, ConfigError, StoreError
from gateway.model import PERIOD_S
from gateway.ownership import is_owned
from gateway.reading import Reader
from gateway.words import Say
from tools import page_client
from tools.registry import listing, moment, steps
from tools.registry.file import ConfigFile
from tools.registry.roll import NotEditable, list_port
from tools.registry.steps import Books, Change
from tools.terminal import CONFIG_HERE, UsageError, config_path, printable, say, shared, show, t

_USUAL = config.GatewayConfig().state_dir
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}

Step = Callable[[Books, int], Change]


# -- one function a command


def list_nodes(settings: Config) -> int:
    """A table, or one document."""
    now_s, view = int(time.time()), page_client.ask(settings)
    folder = settings.gateway.state_dir
    keys, flashed = listing.keys_in(settings.keys_dir), listing.read_flashed(folder)
    counted = {node: start_s + PERIOD_S for node, start_s in _newest_minutes(folder).items()}
    rows = listing.rows(settings, keys, view, flashed, counted, now_s)  # type: ignore[arg-type]
    if shared.json:
        show({"nodes": rows, "gateway_answers": view is not None}, "")
        return EXIT_OK
    if rows:
        Console(highlight=False, width=None if os.isatty(1) else 200).print(_table(rows, now_s))
    else:
        say(t("registry.empty"))
    if view is None and settings.nodes:
        say(t("registry.no-page"))
    return EXIT_OK


def add(node: str, site: str, name: str, port: str | None, at: str | None, is_new_site: bool, dry_run: bool) -> int:
    node = _id(node)

    def step(books: Books, now_s: int) -> Change:
        at_s = None if at is None else moment.parse(at, now_s, books.config.gateway.timezone)
        change = steps.add(books, node, site, name, at_s, now_s, is_new_site)
        if port is None or port in books.config.serial.ports:
            return change
        return dataclasses.replace(change, text=list_port(change.text, port))

    return _change(step, dry_run, may_make=True)


def place(node: str, site: str, port: str) -> int:
    """A node that has just been flashed; one that stands at that site already stays there, and may have another port."""

    def step(books: Books, now_s: int) -> Change:
        known = books.config.nodes.get(node)
        if known is not None and known.site_at(now_s) == site:
            change = Change(books.text, "registry.added", node, site)
        else:
            change = steps.add(books, node, site, "", None, now_s, is_new_site=False)
        return change if port in books.config.serial.ports else dataclasses.replace(change, text=list_port(change.text, port))

    return _change(step, False, may_make=True)


def rename(node: str, name: str, dry_run: bool) -> int:
    node = _id(node)
    return _change(lambda books, _now_s: steps.rename(books, node, name), dry_run)


def retire(node: str, at: str | None, dry_run: bool) -> int:
    node = _id(node)
    return _change(lambda books, now_s: steps.retire(books, node, _when(at, books, now_s)), dry_run)


def replace(old: str, new: str, at: str | None, dry_run: bool) -> int:
    old, new = _id(old), _id(new)
    return _change(lambda books, now_s: steps.replace(books, old, new, _when(at, books, now_s)), dry_run)


# -- what they share


def _change(step: Step, dry_run: bool, may_make: bool = False) -> int:
    file = ConfigFile(_path(may_make))
    text = _first_text(file.path) if file.is_new else file.text
    settings = config.parse(text, str(file.path), os.environ)
    counted = _newest_minutes(settings.gateway.state_dir)
    try:
        change = step(Books(text, settings, counted.get), int(time.time()))
    except NotEditable:
        raise ConfigError([Say("registry.by-hand", {"file": file.path})]) from None
    config.parse(change.text, str(file.path), os.environ)
    before = "" if file.is_new else file.text
    changes = list(difflib.unified_diff(before.splitlines(), change.text.splitlines(), lineterm="", n=2))[2:]
    if not dry_run and changes:
        file.write(change.text)
    _tell(file, change, settings, changes, dry_run)
    return EXIT_OK


def _tell(file: ConfigFile, change: Change, settings: Config, changes: list[str], dry_run: bool) -> None:
    at = None if change.at_s is None else steps.utc(change.at_s)
    is_running = bool(changes) and not dry_run and is_owned(settings.gateway.state_dir)
    if shared.json:
        result = {"file": str(file.path), "node": change.node, "site": change.site or None, "at": at, "dry_run": dry_run}
        show({**result, "changed": bool(changes), "diff": changes, "restart": is_running}, "")
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in changes:
        console.print(Text(printable(line), style=_COLOURS.get(line[:1], "")))
    if not changes:
        say(t("registry.unchanged", file=file.path))
    elif dry_run:
        say(t("registry.dry-run", file=file.path))
    else:
        say(t(change.told, file=file.path, node=change.node, site=change.site, at=at))
        if file.is_new:
            say(t("registry.made", file=file.path))
        if change.new_site:
            say(t("registry.made-site", site=change.site, file=file.path))
    if is_running:
        say(t("registry.restart"))


def begin_here() -> None:
    """Makes a first configuration in this folder, where there is none, none is named, and no gateway has its place on this machine:
    what comes next needs a folder that this user may write."""
    if config_path() is None and config.load(None).gateway.state_dir == _USUAL and not _USUAL.exists():
        file = ConfigFile(CONFIG_HERE)
        file.write(_first_text(file.path))
        say(t("registry.made", file=file.path))


def _path(may_make: bool) -> Path:
    path = config_path() or CONFIG_HERE
    if not path.exists() and not may_make:
        raise ConfigError([Say("registry.no-file", {"file": path})])
    return path


def _first_text(path: Path) -> str:
    folder = path.parent.absolute() / "trottoir-state"
    return t("registry.first-line") + f"\n\n[gateway]\nstate_dir = {_quoted(str(folder))}\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _id(text: str) -> str:
    """As it stands on the label, in either case."""
    if not re.fullmatch(r"tr-[0-9a-f]{6}", text.lower()):
        raise UsageError("usage", option="ID", found=repr(text), expected=Say("expected.key-nodes"))
    return text.lower()


def _when(at: str | None, books: Books, now_s: int) -> int:
    return steps.next_minute(now_s) if at is None else moment.parse(at, now_s, books.config.gateway.timezone)


def _newest_minutes(folder: Path) -> dict[str, int]:
    """Of each node in the books, the start of its newest minute; nothing where no gateway has run yet."""
    newest: dict[str, int] = {}
    try:
        with closing(Reader(folder / "store.db")) as reader:
            for series, counted in reader.newest(0).items():
                newest[series.node] = max(counted.from_s, newest.get(series.node, 0))
    except StoreError as error:
        if error.key != "store-none":
            raise
    return newest


def _table(rows: list[listing.Row], now_s: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("node", "name", "site", "kit", "firmware", "link", "heard", "state"):
        table.add_column(t(f"registry.{name}"), no_wrap=name == "node")
    for row in rows:
        heard = "" if row["heard_s"] is None else _ago(now_s - row["heard_s"])
        state = t(f"registry.state-{row['state']}")
        cells = [row["node"], row["name"], row["site_name"] or row["site"], row["kit"], row["firmware"], row["link"], heard, state]
        table.add_row(*[Text(printable(str(cell or "–"))) for cell in cells])
    return table


def _ago(seconds: int) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return t(f"registry.ago-{unit}", n=seconds // length)
    return t("registry.ago-s", n=max(0, seconds))
