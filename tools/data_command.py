"""`trottoir data`: the books against the server, and received records against the points that were made of them."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from gateway import audits, logs, wishes
from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK, ConfigError, StoreError
from gateway.ownership import Ownership
from gateway.words import Say
from tools.terminal import shared, show, t

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.auditing import Auditing
    from gateway.config import Config
    from gateway.sending import Sending

SHOWN_AFTER_S = 3  # what was sent again may not show at once
ANSWER_S = 600  # of a running gateway
LOOKS = 20  # at what it sends again
MAX_LINES = 50


def audit(settings: Config) -> int:
    """One round, and a second one where points were missing: are they there now?"""
    if not settings.uplink.enabled:
        raise ConfigError([Say("data.off")])
    folder = settings.gateway.state_dir
    if not (folder / "store.db").exists():
        raise StoreError("store-none", folder=folder)
    try:
        ownership = Ownership(folder / "lock")
    except StoreError as error:
        if error.key != "store-taken":
            raise
        first, last = _ask(folder)
    else:
        try:
            first, last = asyncio.run(_read_back(settings))
        finally:
            ownership.release()
    still = last["missing"] + last["lasting"] + (last["waiting"] if first["missing"] else 0)
    result = {**first, "repaired": not (still or last["unread"]), "missing_after": still}
    result |= {"unread": last["unread"] and last["unread"]["en"], "exit_code": last["exit_code"]}
    show(result, "\n".join(_lines(first, last, still)))
    if last["unread"]:
        return last["exit_code"]
    return EXIT_CHECK_FAILED if still else EXIT_OK


def _ask(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    # A gateway is running: it does it, and leaves what it found in its folder.
    def one() -> dict[str, Any]:
        before = audits.newest(folder)
        wishes.ask(folder, wishes.AUDIT)
        deadline = time.monotonic() + ANSWER_S
        while (found := audits.newest(folder)) is None or (before is not None and found["round"] == before["round"]):
            if time.monotonic() > deadline:
                raise StoreError("audit-silent", folder=folder, seconds=ANSWER_S)
            time.sleep(0.2)
        return found

    first = last = one()
    for _ in range(LOOKS):  # what is sent again takes its time, in a gateway that has more to do
        if last["unread"] or not (last["missing"] or (first["missing"] and last["waiting"])):
            break
        time.sleep(SHOWN_AFTER_S)
        last = one()
    return first, last


async def _read_back(settings: Config) -> tuple[dict[str, Any], dict[str, Any]]:
    # No gateway is running: its work is done here, in one thread.
    from gateway.auditing import Auditing
    from gateway.booking import rebuild_windows
    from gateway.pipeline import Pipeline
    from gateway.sending import Sending
    from gateway.store import Store
    from gateway.uplink.table import open_uplink

    async def in_store(work: Any, *arguments: Any) -> Any:
        return work(*arguments)

    def now_s() -> int:
        return int(time.time())

    logs.set_up("text", shared.verbose, least=logging.ERROR)  # what it finds is told by the command
    folder, uplink = settings.gateway.state_dir, settings.uplink
    with closing(Store(folder / "store.db", bool(settings.gateway.keep_received_days))) as store:
        windows = Pipeline()
        sending = Sending(store, windows, open_uplink(uplink), uplink, now_s, lambda: 0.5, in_store)
        reader = open_uplink(uplink, to_read=True)
        keep = partial(audits.keep, folder)
        auditing = Auditing(store, reader, uplink, settings.gateway.id, set(settings.nodes), now_s, in_store, in_store, keep)

        async def send_all() -> None:
            await rebuild_windows(windows, store, now_s(), in_store)
            await _send_all(sending)
            store.note_rolled(windows.rolled_s)

        with closing(sending), closing(auditing):
            return await _compare_and_repair(auditing, send_all, now_s())


async def _compare_and_repair(
    auditing: Auditing, send_all: Callable[[], Awaitable[None]], now_s: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    from gateway.uplink.base import UplinkError

    try:
        await auditing.adopt()
    except UplinkError as error:  # who cannot be read is not sent to either: that is for the gateway to decide
        unread = audits.Audited(now_s, now_s, unread=error).as_data()
        return unread, unread
    await send_all()
    first = (await auditing.round()).as_data()
    if not first["missing"]:
        return first, first
    await send_all()
    return first, (await auditing.round()).as_data()


async def _send_all(sending: Sending) -> None:
    # All that waits; where the server takes nothing the audit says so.
    sent = 0
    while await sending.send_batch() < 0:
        sent += 1
    if sent:
        await asyncio.sleep(SHOWN_AFTER_S)


def _lines(first: dict[str, Any], last: dict[str, Any], still: int) -> list[str]:
    if last["unread"]:
        return [t("data.unread", reason=last["unread"][shared.language])]
    about = {"checked": first["checked"], "from": _utc(first["from_s"]), "to": _utc(first["at_s"])}
    lines = [t("data.compared", **about)]
    for hole in first["holes"][:MAX_LINES]:
        words = {**hole, "hour": _utc(hole["hour_s"]), "node": hole.get("node", ""), "site": hole.get("site", "")}
        lines.append(t("data.hole" if hole["points"] else "data.unknown", **words))
    if len(first["holes"]) > MAX_LINES:
        lines.append(t("data.more", hours=len(first["holes"]) - MAX_LINES))
    if still:
        lines.append(t("data.lasting", points=still))
    elif not first["missing"]:
        lines.append(t("data.whole"))
    else:
        lines.append(t("data.repaired", points=first["missing"], people=first["people"]))
    return lines


def replay(settings: Config) -> int:
    """Received records into an empty store: do they give the same bins?"""
    from gateway.replaying import replay as again
    from gateway.store import Store

    path = settings.gateway.state_dir / "store.db"
    if not path.exists():
        raise StoreError("store-none", folder=path.parent)
    with (
        TemporaryDirectory(prefix="trottoir-replay-") as folder,
        closing(Store(path)) as source,
        closing(Store(Path(folder, "store.db"))) as into,
    ):
        found = again(source, into)
    result = {"received": found.received, "bins": found.bins, "different": len(found.different)}
    if not found.received:
        show(result, t("data.replay-none"))
        return EXIT_CHECK_FAILED
    lines = [t("data.replayed", **result)]
    for was, became in found.different[:MAX_LINES]:
        lines.append(t("data.replay-differs", node=was.series.node, time=_utc(was.start_s), was=was, became=became))
    show(result, "\n".join(lines))
    return EXIT_CHECK_FAILED if found.different else EXIT_OK


def _utc(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
