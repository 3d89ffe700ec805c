"""Firmware by a gateway that is running: a command leaves a wish in its folder, and finds there what becomes of it.

Theory of operation
    `state_dir/updates/tr-a3f1c2.bundle` is a bundle for that node, `tr-a3f1c2.rollback` an empty file that sends it back to its
    other slot; either goes when it is over. `tr-a3f1c2.json` says how far it is, and stays.
    The gateway looks every ten seconds, and every second while it is at work. A node is asked to say hello; from then on `updating`
    decides. Blocks go between what the node and the gateway have to tell each other anyway, so it counts and delivers meanwhile.
    A gateway that starts anew finds the wish again, and the node goes on where it stopped.
Nodes on the air are not updated: a conversation there lasts seconds, once an hour.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

import streetwire
from gateway import bundle
from gateway.errors import BundleError, ConfigError, TrottoirError
from gateway.model import Received, node_name
from gateway.ownership import hand_over
from gateway.radio.keys import KeyStore, NodeKey
from gateway.updating import RollBack, Stage, Step, Updater
from gateway.words import LANGUAGES, Say

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.drivers.base import Driver
    from gateway.shown import NodeNow

LOOK_S, TURN_S = 10.0, 1.0
HELLO_S = 3.0  # between two calls of a node that has not said hello
MEET_S = 60.0  # after that it is said to be silent
MOST = 8  # nodes at once
_HELD = 64  # messages of a node that wait; more are asked for again
KINDS = ("bundle", "rollback")
_WISH = re.compile(r"(tr-[0-9a-f]{6})\.(" + "|".join(KINDS) + ")")
_CABLE = "serial:"

_log = structlog.get_logger("gateway")


def ask(folder: Path, node: str, content: bytes | None) -> None:
    """Leaves a wish in `folder`, a gateway's state_dir: the bytes of a bundle, or None for the way back. BundleError where one for
    that node is not over yet."""
    place = folder / "updates"
    place.mkdir(exist_ok=True)
    hand_over(place)
    if any((place / f"{node}.{kind}").exists() for kind in KINDS):
        raise BundleError("update-under-way", node=node)
    (place / f"{node}.json").unlink(missing_ok=True)  # what becomes of this one is told anew
    wish = place / f"{node}.{'rollback' if content is None else 'bundle'}"
    draft = wish.with_suffix(".new")
    draft.write_bytes(content or b"")
    hand_over(draft)
    draft.replace(wish)


def newest(folder: Path, node: str) -> dict[str, Any] | None:
    """What was told last: `stage`, `share`, `before`, `version`, `problem` by language. None where nothing was yet."""
    try:
        found = json.loads((folder / "updates" / f"{node}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


@dataclass
class _Going:
    """One node's. `work` is there once it has said hello."""

    wish: Path
    node: str
    began_s: float
    work: Updater | RollBack | None = None
    before: str = ""
    version: str = ""
    heard: deque[streetwire.Hello | streetwire.UpdateState] = field(default_factory=lambda: deque(maxlen=_HELD))
    called_s: float = float("-inf")
    told: dict[str, Any] = field(default_factory=dict)


class Updates:
    """`hear` whatever drivers receive, `run` for ever. `steady_s` is a clock that nobody sets."""

    def __init__(
        self, config: Config, drivers: Mapping[str, Driver], nodes_now: Callable[[], list[NodeNow]], steady_s: Callable[[], float]
    ) -> None:
        self._config = config
        self._folder = config.gateway.state_dir / "updates"
        self._drivers = drivers
        self._nodes_now = nodes_now
        self._steady_s = steady_s
        self._going: dict[str, _Going] = {}
        self._is_told = asyncio.Event()

    def hear(self, received: Received) -> None:
        """Costs nothing while nothing is asked for."""
        if not self._going:
            return
        with contextlib.suppress(streetwire.WireError):
            message = streetwire.decode(received.payload)
            going = self._going.get(node_name(message.node))
            if going is not None and isinstance(message, (streetwire.Hello, streetwire.UpdateState)):
                going.heard.append(message)
                self._is_told.set()

    async def run(self) -> None:
        looked_s = float("-inf")
        while True:
            if self._steady_s() - looked_s >= LOOK_S:
                looked_s = self._steady_s()
                self._take_up()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TURN_S if self._going else LOOK_S):
                    await self._is_told.wait()
            self._is_told.clear()
            for going in list(self._going.values()):
                await self._go_on(going)

    def _take_up(self) -> None:
        with contextlib.suppress(OSError):  # nobody has ever asked
            for path in sorted(self._folder.iterdir()):
                found = _WISH.fullmatch(path.name)
                if found and found[1] not in self._going and len(self._going) < MOST:
                    _log.info("firmware asked for", node=found[1], wish=found[2])
                    self._going[found[1]] = _Going(path, found[1], self._steady_s())

    async def _go_on(self, going: _Going) -> None:
        try:
            if going.work is None:
                steps = await self._meet(going)
            else:
                steps = [step for message in _taken(going.heard) for step in going.work.on_message(message, self._steady_s())]
                steps += going.work.on_time(self._steady_s())
            for step in steps:
                await self._say(going.node, step)
            await self._tell(going, _data(going))
        except TrottoirError as error:
            failed = {"stage": Stage.FAILED.value, "problem": _lines(error), "exit_code": error.exit_code}
            await self._tell(going, _data(going) | failed)

    async def _meet(self, going: _Going) -> list[Step]:
        # Whoever is there says who it is; then it is known which of the kits' firmware it gets.
        for message in _taken(going.heard):
            if isinstance(message, streetwire.Hello):
                going.work, going.version = await asyncio.to_thread(self._open, going, message.kit)
                going.before = message.firmware
                return going.work.begin(message, self._steady_s())
        if self._steady_s() - going.began_s > MEET_S:
            raise BundleError("update-absent", node=going.node, seconds=round(MEET_S))
        if self._steady_s() - going.called_s < HELLO_S:
            return []
        going.called_s = self._steady_s()
        return [Step(streetwire.Command, (streetwire.SAY_HELLO, 0))]

    def _open(self, going: _Going, kit: str) -> tuple[Updater | RollBack, str]:
        # In a thread: a bundle is read, and its signature looked at.
        if going.wish.suffix == ".rollback":
            return RollBack(), ""
        public = self._config.gateway.update_key
        if public is None:
            raise ConfigError([Say("config.no-update-key")])
        found = bundle.for_kit(going.wish, bundle.open_bundle(going.wish, bytes.fromhex(public)), kit)
        return Updater(key_of(self._config, going.node), found), found.version

    async def _say(self, node: str, step: Step) -> None:
        now = next((now for now in self._nodes_now() if now.node == node), None)
        if now is None or now.heard is None or now.passport is None:
            return  # it is waited for
        link = now.heard.link
        if not link.startswith(_CABLE):
            raise BundleError("update-on-air", node=node)
        if link in self._drivers:
            await self._drivers[link].send(step.kind(now.passport.node, now.passport.incarnation, *step.fields))

    async def _tell(self, going: _Going, data: dict[str, Any]) -> None:
        if data == going.told:
            return
        going.told = data
        is_over = data["stage"] in (Stage.DONE.value, Stage.FAILED.value)
        if is_over:
            del self._going[going.node]
            _log.info("firmware", node=going.node, stage=data["stage"], version=data.get("version"), problem=data["problem"])
        try:
            await asyncio.to_thread(self._write, going, data, is_over)
        except OSError as error:
            _log.warning("state of an update not kept", node=going.node, problem=str(error))

    def _write(self, going: _Going, data: dict[str, Any], is_over: bool) -> None:
        draft = self._folder / f"{going.node}.draft"
        draft.write_text(json.dumps({"node": going.node, **data}), encoding="utf-8")
        draft.replace(self._folder / f"{going.node}.json")
        if is_over:
            going.wish.unlink(missing_ok=True)


def key_of(config: Config, node: str) -> NodeKey:
    """ConfigError where this gateway has no key of the node."""
    found, problems = KeyStore(config.keys_dir).read()
    for node_key in found.values():
        if node_key.node == node:
            return node_key
    raise ConfigError(problems or [Say("config.no-node-key", {"node": node, "folder": config.keys_dir})])


def _taken(heard: deque[Any]) -> list[Any]:
    messages = list(heard)
    heard.clear()
    return messages


def _data(going: _Going) -> dict[str, Any]:
    if going.work is None:
        return {"stage": "waiting", "share": 0.0, "before": "", "version": "", "problem": None}
    work = going.work
    return {
        "stage": work.stage.value, "share": round(work.share, 2), "before": going.before,
        "version": going.version or getattr(work, "version", ""), "problem": work.problem and _lines(work.problem),
    }  # fmt: skip


def _lines(told: Say | TrottoirError) -> dict[str, str]:
    return {language: told.line(language) for language in LANGUAGES}
