"""`trottoir node aim`: somebody walks the line, and the terminal and a phone show what the sensor sees and counts."""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing, nullcontext
from typing import Any

from pydantic import ValidationError

import streetwire
from gateway import config
from gateway.address import Address
from gateway.config import GatewayConfig
from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK, DeviceError
from gateway.results import AIMS
from gateway.words import Say
from tools.pole import picture
from tools.pole.finding import at_work
from tools.pole.page import PolePage
from tools.pole.screen import Screen, on_enter, screen
from tools.pole.showing import Shown
from tools.pole.walking import Aim, Walk
from tools.pole_command import keep, node_of
from tools.terminal import UsageError, config_path, say, shared, t
from tools.wired import Wired

WATCH_S = 600
AGAIN_S = 300.0  # it is asked for once more, so that it does not end
BLIND_S = 12.0  # without a sight
FAREWELL_S = 1.0  # for the page to show the end


def aim(node: str | None, port: str | None, walks: int, page: str) -> int:
    """0 where nine of ten walks in each direction were counted as they were walked, else 1."""
    settings, address = config.load(config_path()), address_of(page)
    with at_work(settings, node_of(node), port) as wired:
        assert wired.hello is not None
        kind = picture.kind_of(wired.hello.sensors.partition(",")[0])
        walking = Aim(kind, walks)
        shown = Shown(str(wired.node), kind, walking)
        _walk(wired, walking, shown, address)
        about = {"node": wired.node, "kit": wired.hello.kit, "port": wired.port}
    result = summary(walking)
    keep(settings, str(about["node"]), AIMS, {**about, **result})
    _tell(walking, {**about, **result})
    return EXIT_OK if walking.is_good else EXIT_CHECK_FAILED


def address_of(page: str) -> Address | None:
    """None for `off`. UsageError for what is no address."""
    try:
        return GatewayConfig(page=page).page_address
    except ValidationError:
        raise UsageError("usage", option="--page", found=repr(page), expected=Say("expected.address")) from None


def open_page(address: Address | None, shown: Shown, walked: threading.Event) -> PolePage | None:
    """None without an address, and where it is taken: the terminal does as well."""
    if address is None:
        return None
    try:
        page = PolePage(address, shown.document, walked.set)
    except OSError as error:
        say(t("aim.page-taken", address=address.url(), found=error))
        return None
    say(t("aim.page", url=page.url))
    return page


def watch(wired: Wired, has_ended: threading.Event | None = None) -> Any:
    """Sights and all other messages, for as long as somebody takes them, and None twice a second. DeviceError where the node has
    nothing to show."""
    asked_s = seen_s = time.monotonic()
    wired.command(streetwire.WATCH, WATCH_S)
    try:
        while has_ended is None or not has_ended.is_set():
            for message in wired.listen(0.5):
                if isinstance(message, streetwire.Sight):
                    seen_s = time.monotonic()
                if isinstance(message, streetwire.Hello) or time.monotonic() - asked_s > AGAIN_S:  # it has started anew
                    asked_s = time.monotonic()
                    wired.command(streetwire.WATCH, WATCH_S)
                yield message
            if time.monotonic() - seen_s > BLIND_S:
                raise DeviceError("test-silent", node=wired.node, seconds=round(BLIND_S))
            yield None
    finally:
        wired.command(streetwire.WATCH, 0)


def _walk(wired: Wired, walking: Aim, shown: Shown, address: Address | None) -> None:
    walked = threading.Event()
    page = open_page(address, shown, walked)
    on_enter(walked.set)
    with closing(page) if page is not None else nullcontext(), screen(to_stdout=False) as terminal:
        terminal.line(t("aim.begin", walks=walking.wanted))
        terminal.line(_order(walking))
        for message in watch(wired):
            told = len(walking.walks)
            if isinstance(message, streetwire.Sight):
                shown.on_sight(message, time.monotonic())
                walking.on_sight((message.total_ab, message.total_ba), message.seen, message.uptime_ms)
                counting = t("aim.counting", ab=walking.ab, ba=walking.ba)
                terminal.picture([*picture.draw(walking.kind, message.seen), counting])
            if walked.is_set():
                walked.clear()
                walking.end_walk()
            if len(walking.walks) > told:
                _tell_walk(terminal, walking)
            if walking.is_over:
                break
        shown.is_over = True
        if page is not None:
            time.sleep(FAREWELL_S)


def _order(walking: Aim) -> str:
    direction = t("aim.there") if walking.direction == "ab" else t("aim.back")
    return t("aim.order", n=len(walking.walks) + 1, of=walking.wanted, direction=direction)


def _tell_walk(terminal: Screen, walking: Aim) -> None:
    walk = walking.walks[-1]
    if shared.json:
        told = {"walk": len(walking.walks), "direction": walk.direction, "ab": walk.ab, "ba": walk.ba, "good": walk.is_good}
        print(json.dumps(told), flush=True)
    terminal.line(_said(walk), "green" if walk.is_good else "red")
    if not walking.is_over:
        terminal.line(_order(walking))


def _said(walk: Walk) -> str:
    if not walk.ab + walk.ba:
        return t("aim.missed")
    return t("aim.right" if walk.is_good else "aim.wrong", ab=walk.ab, ba=walk.ba)


def summary(walking: Aim) -> dict[str, Any]:
    """What is stored, and printed with --json."""
    directions = ("ab", "ba")
    return {
        "ok": walking.is_good,
        "walked": {direction: walking.walked(direction) for direction in directions},
        "counted": {direction: walking.counted(direction) for direction in directions},
        "advice": [advice.line() for advice in walking.advice()],
    }


def _tell(walking: Aim, result: dict[str, Any]) -> None:
    if shared.json:
        print(json.dumps({"summary": True, **result}), flush=True)
        return
    for direction in ("ab", "ba"):
        about = {"counted": walking.counted(direction), "walked": walking.walked(direction)}
        print(t("aim.sum-ab" if direction == "ab" else "aim.sum-ba", **about))
    for advice in walking.advice():
        print("→ " + advice.line(shared.language))
    print(t("aim.good" if walking.is_good else "aim.bad", node=result["node"]))
