"""`trottoir node test`, `aim` and `monitor`: what a technician asks of a node on a cable."""

from __future__ import annotations

import re
import sys
import time
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway import config, findings
from gateway.config import Config
from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK
from gateway.results import AIMS, TESTS, failed
from gateway.words import Say
from tools.pole import checks as in_words
from tools.pole import self_test
from tools.pole.finding import at_work
from tools.pole.self_test import PERSON_S, Checks
from tools.terminal import UsageError, config_path, printable, say, shared, show, t

_COLOURS = {"good": "green", "bad": "bold red", "absent": "dim", "waiting": "yellow"}
_YES = ("y", "j", "yes", "ja")


def node_of(text: str | None) -> str | None:
    """As it stands on the label, in either case. UsageError for anything else."""
    if text is not None and not re.fullmatch(r"tr-[0-9a-f]{6}", text.lower()):
        raise UsageError("usage", option="ID", found=repr(text), expected=Say("expected.key-nodes"))
    return text and text.lower()


def test(node: str | None, port: str | None, is_person_there: bool) -> int:
    """0 where nothing is wrong, 1 where something is."""
    settings = config.load(config_path())
    with at_work(settings, node_of(node), port) as wired:
        if is_person_there:
            say(t("selftest.person", seconds=PERSON_S))
        checks = self_test.ask(wired, PERSON_S if is_person_there else 0, _tell_on_the_way if is_person_there else lambda _: None)
        if is_person_there and "lamp" in checks:
            checks["lamp"] = _ask_for_lamp(checks["lamp"])
        assert wired.hello is not None
        about = {"node": wired.node, "kit": wired.hello.kit, "firmware": wired.hello.firmware, "port": wired.port}
    bad = failed(checks)
    keep(settings, str(about["node"]), TESTS, {"ok": not bad, "checks": checks, **about})
    if shared.json:
        rows = [
            {"check": check, **told, "found": in_words.found(check, told).line(), "do": _line_of(check, told)}
            for check, told in checks.items()
        ]
        show({**about, "ok": not bad, "checks": rows}, "")
    else:
        Console(highlight=False).print(_table(checks))
        print(printable(t("selftest.not-good" if bad else "selftest.all-good", n=len(bad), **about)))
    return EXIT_CHECK_FAILED if bad else EXIT_OK


def keep(settings: Config, node: str, kind: str, entry: dict[str, Any]) -> None:
    """With the gateway's own findings; where that cannot be, it is said and nothing is lost but the memory of it."""
    assert kind in (TESTS, AIMS)
    try:
        findings.keep(settings.gateway.state_dir, node, kind, {"time": int(time.time()), "by": "command", **entry})
    except OSError as error:
        say(t("selftest.not-kept", found=error))


def _tell_on_the_way(checks: Checks) -> None:
    told = [f"{t('selftest.check-' + check)}: {_found(check, checks[check])}" for check in ("line", "button") if check in checks]
    say("  " + ", ".join(told))


def _ask_for_lamp(told: dict[str, Any]) -> dict[str, Any]:
    if shared.json or not sys.stdin.isatty():
        return told
    answer = input(printable(t("selftest.lamp-question"))).strip().lower()
    return {**told, "verdict": "good" if answer in _YES else "missed"}


def _table(checks: Checks) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for check, told in checks.items():
        level = in_words.level(told["verdict"])
        table.add_row(
            Text(t(f"selftest.{level}"), style=_COLOURS[level]), t(f"selftest.check-{check}"), printable(_found(check, told))
        )
        to_do = in_words.to_do(check, told)
        if to_do is not None:
            table.add_row("", "", Text("→ " + to_do.line(shared.language)))
    return table


def _found(check: str, told: dict[str, Any]) -> str:
    line = in_words.found(check, told).line(shared.language)
    return line.replace(".", ",") if shared.language == "de" and re.search(r"\d\.\d", line) else line


def _line_of(check: str, told: dict[str, Any]) -> str | None:
    to_do = in_words.to_do(check, told)
    return to_do and to_do.line()
