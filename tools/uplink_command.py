"""`trottoir uplink`: does the way to the server work, what waits, and what the server refused."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gateway import wishes
from gateway.errors import EXIT_OK, ConfigError, StoreError
from gateway.ownership import Ownership
from gateway.reading import Reader
from gateway.store import Store
from gateway.words import Language, Say
from tools import page_client
from tools.terminal import say, shared, show, t

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.probe import Finding

SHOWN_AFTER_S = 0.5  # between two looks for the test point; VictoriaMetrics takes about a second
MAX_LETTERS = 1_000_000


def check(settings: Config, language: Language) -> int:
    """Says each step as it happens; the exit code of the first that fails. What --json gives is English, as all data."""
    if not settings.uplink.enabled:
        say(Say("check.disabled").line(language))
    findings = []
    for finding in _findings(settings, language):
        findings.append(finding)
        mark = "failed" if not finding.ok else "note" if finding.is_note else "ok"
        line = f"{Say(f'check.{mark}').line(language):7} {finding.detail.line(language)}"
        if shared.json:
            say(line)
        else:
            show({}, line)
    last = findings[-1]
    server = next((str(finding.server) for finding in findings if finding.server), None)
    steps = [{"step": found.step, "ok": found.ok, "detail": str(found.detail)} for found in findings]
    if shared.json or last.ok:
        result = {"ok": last.ok, "steps": steps, "server": server, "exit_code": last.exit_code}
        show(result, Say("check.all-good").line(language))
    return last.exit_code


def _findings(settings: Config, language: Language) -> Iterator[Finding]:
    from gateway.probe import Finding, probe
    from gateway.uplink.table import open_uplink

    try:
        uplink = open_uplink(settings.uplink)
    except ConfigError as error:  # a secret that cannot be read
        yield Finding("secret", error.problems[0], error.exit_code)
        return
    with closing(uplink):
        yield from probe(uplink, settings.gateway.id, int(time.time()), _pause(language))


def _pause(language: Language) -> Callable[[], None]:
    # Says once that there is something to wait for, to whoever sits in front of it.
    notes = [Say("check.not-yet").line(language)] if sys.stderr.isatty() else []

    def pause() -> None:
        if notes:
            say(notes.pop())
        time.sleep(SHOWN_AFTER_S)

    return pause


def status(settings: Config, language: Language) -> int:
    """What waits, by the store; and why, where a running gateway can be asked."""
    with closing(Reader(settings.gateway.state_dir / "store.db")) as reader:
        outbox = reader.outbox()
    uplink = settings.uplink
    address = str(uplink.folder) if uplink.api == "file" else uplink.url
    state = Say("check.state-on" if uplink.enabled else "check.state-off", {"api": uplink.api, "address": address})
    oldest = _utc(outbox.oldest_s) if outbox.waiting else None
    waiting = Say(
        "check.waiting" if outbox.waiting else "check.waiting-none",
        {"points": outbox.waiting, "oldest": oldest, "dead": outbox.dead_letters},
    )
    lines = [state.line(language), waiting.line(language)]
    said = _trouble(settings)
    trouble = {**said, "reason": said["reason"]["en"]} if said else None  # as all data
    if said:
        lines.append(Say("check.trouble", {**said, "reason": said["reason"][language]}).line(language))
    result = {
        "enabled": uplink.enabled, "api": uplink.api, "address": address, "waiting": outbox.waiting, "oldest": oldest,
        "dead_letters": outbox.dead_letters, "trouble": trouble,
    }  # fmt: skip
    show(result, "\n".join(lines))
    return EXIT_OK


def _trouble(settings: Config) -> dict[str, Any] | None:
    """Why nothing is taken (in every language), since when, and when it is tried again."""
    view = page_client.ask(settings)
    outbox = view["outbox"] if view else {}
    if not outbox.get("trouble"):
        return None
    return {"reason": outbox["trouble"], "since": _utc(outbox["trouble_since_s"]), "next": _utc(outbox["next_try_s"])}


def dead_letters(settings: Config, limit: int, language: Language) -> int:
    """The newest `limit`, oldest first; says how many older ones there are."""
    with closing(Reader(settings.gateway.state_dir / "store.db")) as reader:
        letters, count = reader.dead_letters(max(0, min(limit, MAX_LETTERS))), reader.outbox().dead_letters
    if count > len(letters):
        say(Say("check.dead-letters-more", {"hidden": count - len(letters), "all": count}).line(language))
    result = [{"time": _utc(letter.at_s), "line": letter.line, "reason": letter.reason} for letter in letters]
    lines = [Say("check.dead-letter", row).line(language) for row in result]
    show({"dead_letters": result, "count": count}, "\n".join(lines) or Say("check.dead-letters-none").line(language))
    return EXIT_OK


def resend_dead_letters(settings: Config) -> int:
    """They wait to be sent once more, as they are now: by the gateway if one is running, else by the next one."""
    folder = settings.gateway.state_dir
    with closing(Reader(folder / "store.db")) as reader:
        count = reader.outbox().dead_letters
    try:
        ownership = Ownership(folder / "lock")
    except StoreError as error:
        if error.key != "store-taken":
            raise
        wishes.ask(folder, wishes.RESEND)
    else:
        with closing(Store(folder / "store.db")) as store:
            store.exhume()
        ownership.release()
    show({"resend": count}, t("check.resend", count=count))
    return EXIT_OK


def _utc(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
