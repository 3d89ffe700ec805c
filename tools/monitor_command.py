"""`trottoir node monitor`: what a node says, line by line, and what its sensor sees; or what was recorded of it.

A recording holds the port's bytes as they came. What a sensor sees dates people, so it is never asked for while one is made.
"""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import BinaryIO

import streetwire
from gateway import config
from gateway.errors import EXIT_OK, ConfigError, DeviceError
from gateway.model import node_name
from gateway.ownership import is_owned
from gateway.words import Say
from tools.aim_command import WATCH_S, address_of, open_page
from tools.pole import lines, picture
from tools.pole.finding import at_work
from tools.pole.screen import Screen, screen
from tools.pole.showing import Shown
from tools.pole.stream import Stream
from tools.terminal import UsageError, config_path, printable, shared, t
from tools.wired import Wired

_READ = 65536
_STYLES = {"log": "yellow", "hello": "bold", "record": "green", "test_result": "bold"}


def monitor(place: str, record: Path | None, plot: bool, page: str, seconds: float) -> int:
    """Until Ctrl-C, or for so many seconds; a file until its end."""
    is_file = Path(place).is_file()
    if is_file and (record is not None or plot):
        raise UsageError("usage", option="--record, --plot", found=place, expected=Say("monitor.port"))
    with screen(to_stdout=True) as terminal:
        teller = Teller(terminal)
        return _play(Path(place), teller) if is_file else _listen(place, teller, record, plot, page, seconds)


class Teller:
    """Says what comes from a stream. `shown` is told of sights."""

    def __init__(self, terminal: Screen) -> None:
        self.kind = ""
        self.shown: Shown | None = None
        self._terminal = terminal
        self._begin_s = time.monotonic()

    def tell(self, found: streetwire.Message | str) -> None:
        if isinstance(found, streetwire.Hello):
            self.kind = picture.kind_of(found.sensors.partition(",")[0])
            if self.shown is not None:
                self.shown.introduce(node_name(found.node), self.kind)
        if isinstance(found, streetwire.Sight) and self.shown is not None:
            self.shown.on_sight(found, time.monotonic())
        if shared.json:
            print(json.dumps(self._data(found)), flush=True)
        elif isinstance(found, str):
            self._terminal.line(t("monitor.text", text=found), "dim")
        elif isinstance(found, streetwire.Sight):
            self._terminal.picture([*picture.draw(self.kind, found.seen), f"A→B {found.total_ab}  B→A {found.total_ba}"])
        else:
            style = _STYLES.get(lines.kind_name(found), "")
            self._terminal.line(f"{node_name(found.node)}  {lines.line_of(found, shared.language)}", style)

    def say(self, text: str) -> None:
        self._terminal.line(text)

    def _data(self, found: streetwire.Message | str) -> dict[str, object]:
        at_s = round(time.monotonic() - self._begin_s, 2)
        if isinstance(found, str):
            return {"t_s": at_s, "kind": "text", "text": printable(found)}
        return {"t_s": at_s, "kind": lines.kind_name(found), "node": node_name(found.node), **lines.fields(found)}


def _play(path: Path, teller: Teller) -> int:
    stream = Stream()
    try:
        with path.open("rb") as file:
            while data := file.read(_READ):
                for found in stream.feed(data):
                    teller.tell(found)
    except OSError as error:
        raise ConfigError([Say("config.system", {"file": path, "found": error})]) from error
    for found in stream.end():
        teller.tell(found)
    if stream.bad and not shared.json:
        teller.say(t("monitor.bad", n=stream.bad))
    return EXIT_OK


def _listen(place: str, teller: Teller, record: Path | None, plot: bool, page: str, seconds: float) -> int:
    settings = config.load(config_path())
    stream = Stream()
    with ExitStack() as held:
        file = held.enter_context(_new_file(record)) if record is not None else None

        def on_bytes(data: bytes) -> None:
            if file is not None:
                file.write(data)
            for found in stream.feed(data):
                teller.tell(found)

        if plot:
            teller.shown = Shown("", "")
            opened = open_page(address_of(page), teller.shown, threading.Event())
            if opened is not None:
                held.enter_context(closing(opened))
        if re.fullmatch(r"tr-[0-9a-f]{6}", place.lower()):
            wired = held.enter_context(at_work(settings, place.lower(), None, on_bytes))
        else:
            wired = held.enter_context(_open(place, settings, on_bytes))
        _follow(wired, is_watched=record is None, seconds=seconds)
    return EXIT_OK


def _follow(wired: Wired, is_watched: bool, seconds: float) -> None:
    ends_s = time.monotonic() + seconds if seconds else float("inf")
    asked_s: float | None = None
    try:
        while time.monotonic() < ends_s:
            for _ in wired.listen(0.5):
                if asked_s is None and wired.hello is None:
                    wired.command(streetwire.SAY_HELLO)
                if asked_s is None or time.monotonic() - asked_s > WATCH_S / 2:
                    asked_s = time.monotonic()
                    wired.command(streetwire.WATCH, WATCH_S if is_watched else 0)
    finally:
        if asked_s is not None and is_watched:
            with suppress(DeviceError):
                wired.command(streetwire.WATCH, 0)


def _open(port: str, settings: config.Config, on_bytes: object) -> Wired:
    try:
        return Wired(port, on_bytes=on_bytes)  # type: ignore[arg-type]
    except DeviceError as error:
        if error.is_busy and is_owned(settings.gateway.state_dir):
            raise DeviceError("port-gateway", port=port) from error
        raise


def _new_file(path: Path) -> BinaryIO:
    try:
        return path.open("xb")
    except OSError as error:
        raise ConfigError([Say("config.system", {"file": path, "found": error})]) from error
