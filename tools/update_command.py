"""`trottoir node update` and `rollback`, over a cable or by the gateway that is running; `node firmware`: signing keys, bundles."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streetwire
from gateway import bundle, config, updates
from gateway.config import Config
from gateway.errors import EXIT_FLASH, EXIT_OK, BundleError, ConfigError, DeviceError, StoreError
from gateway.ownership import is_owned
from gateway.updates import key_of
from gateway.updating import Stage, Step, Updater
from gateway.words import Say
from tools.board import kits
from tools.bundles import make_bundle, make_key, read_key
from tools.progress import bar
from tools.registry.steps import RegistryError
from tools.slots_image import files_of, firmware_version
from tools.terminal import UsageError, config_path, say, shared, show, t
from tools.wired import Wired

ROLLED_BACK_WITHIN_S = 60.0  # a tick, a start, a pause for technicians
TAKEN_UP_S = 40.0  # by a gateway that is running
_TURN_S = 1.0
_LOOK_S = 0.2


def key(path: Path) -> int:
    """A new signing key; its public half is what gateways are told."""
    public = make_key(path)
    show({"file": str(path), "update_key": public}, t("firmware.key", file=path, public=public))
    return EXIT_OK


def make(path: Path, signing_key: Path, dry_run: bool) -> int:
    """A bundle of the firmware that is here, for every kit."""
    signer = read_key(signing_key)
    version = firmware_version()
    with bar(t("firmware.building"), len(kits())) as done:
        contents = {}
        for number, kit in enumerate(kits(), 1):
            contents[kit] = files_of(kit)[1]
            done(number)
    made = make_bundle(version, contents, signer)
    if not dry_run:
        path.write_bytes(made)
    about = {"file": str(path), "version": version, "kits": kits(), "bytes": len(made)}
    show(about, t("firmware.bundle", file=path, version=version, kits=", ".join(kits()), size_kb=len(made) // 1000))
    return EXIT_OK


def update(path: Path, port: str | None, dry_run: bool) -> int:
    """Brings the node on a port to the firmware of a bundle, and waits until it has proven itself there."""
    settings = config.load(config_path())
    found = bundle.open_bundle(path, trusted_key(settings))
    with Wired(port_of(settings, port)) as node:
        hello = node.meet()
        firmware = bundle.for_kit(path, found, hello.kit)
        about = {"node": node.node, "before": hello.firmware, "version": firmware.version, "kit": hello.kit}
        if dry_run:
            show(about | {"ok": True}, t("update.would", **about))
            return EXIT_OK
        updater = Updater(key_of(settings, str(node.node)), firmware)
        run(node, updater, hello)
    problem = updater.problem
    result = about | {"ok": updater.stage is Stage.DONE, "problem": problem.line() if problem else None}
    show(result, problem.line(shared.language) if problem else t("update.done", **about))
    return EXIT_OK if updater.stage is Stage.DONE else EXIT_FLASH


def update_by_gateway(path: Path, nodes: list[str], dry_run: bool) -> int:
    """The same by the gateway that is running, which has the ports; the nodes one after the other."""
    settings = _running(nodes)
    found = bundle.open_bundle(path, trusted_key(settings))
    version = next(iter(found.values())).version
    content = path.read_bytes()
    codes = []
    for node in nodes:
        key_of(settings, node)
        if dry_run:
            show({"node": node, "version": version, "ok": True}, t("update.would-by-gateway", node=node, version=version))
        else:
            codes.append(_by_gateway(settings, node, content, "update.done"))
    return max(codes, default=EXIT_OK)


def rollback_by_gateway(nodes: list[str], dry_run: bool) -> int:
    """The same by the gateway that is running."""
    settings = _running(nodes)
    codes = []
    for node in nodes:
        if dry_run:
            show({"node": node, "ok": True}, t("rollback.would-by-gateway", node=node))
        else:
            codes.append(_by_gateway(settings, node, None, "rollback.done"))
    return max(codes, default=EXIT_OK)


def _running(nodes: list[str]) -> Config:
    # The configuration of a gateway that runs and knows these nodes.
    settings = config.load(config_path())
    for node in nodes:
        if node not in settings.nodes:
            raise RegistryError("node-unlisted", node=node)
    if not is_owned(settings.gateway.state_dir):
        raise StoreError("update-no-gateway", folder=settings.gateway.state_dir)
    return settings


def _by_gateway(settings: Config, node: str, content: bytes | None, done_words: str) -> int:
    folder = settings.gateway.state_dir
    updates.ask(folder, node, content)
    found = _follow(folder, node)
    problem = found["problem"]
    about = {key: found[key] for key in ("node", "before", "version")}
    words = problem[shared.language] if problem else t(done_words, **about)
    show({**about, "ok": problem is None, "problem": problem and problem["en"]}, words)
    return found.get("exit_code", EXIT_FLASH) if problem else EXIT_OK


def _follow(folder: Path, node: str) -> dict[str, Any]:
    # Until it is over. Ctrl-C ends the looking on, not the work.
    stages: list[str] = []
    began_s = time.monotonic()
    with bar(t("update.running"), 100) as done:
        while True:
            found = updates.newest(folder, node)
            if found is None and time.monotonic() - began_s > TAKEN_UP_S:
                raise StoreError("audit-silent", folder=folder, seconds=round(TAKEN_UP_S))
            if found is not None:
                if found["stage"] in (Stage.DONE.value, Stage.FAILED.value):
                    return found
                done(int(100 * found["share"]))
                if found["stage"] not in stages:
                    stages.append(found["stage"])
                    say(f"{node}: {t('update.' + found['stage'])}")
            time.sleep(_LOOK_S)


def run(node: Wired, updater: Updater, hello: streetwire.Hello, steady: Callable[[], float] = time.monotonic) -> None:
    """Until it is over. The cable may be pulled; then DeviceError, and the node goes on where it stopped the next time."""

    def tell(steps: list[Step]) -> None:
        for step in steps:
            node.send(step.kind, *step.fields)

    stages: list[Stage] = []
    introduce(node)
    with bar(t("update.running"), 100) as done:
        tell(updater.begin(hello, steady()))
        while not updater.is_over:
            for message in node.listen(_TURN_S):
                if isinstance(message, streetwire.Hello):
                    introduce(node)
                tell(updater.on_message(message, steady()))
                if updater.is_over:
                    break
                done(int(100 * updater.share))
                if updater.stage not in stages:
                    stages.append(updater.stage)
                    say(t(f"update.{updater.stage.value}"))
            tell(updater.on_time(steady()))


def introduce(node: Wired) -> None:
    """What makes a node trust a new start: somebody acknowledges. Of its records nothing is, so it keeps all of them."""
    node.send(streetwire.Ack, 0)
    node.send(streetwire.Time, time.time_ns() // 1_000_000)


def rollback(port: str | None, dry_run: bool) -> int:
    """Tells the node on a port to start from its other slot, and waits for what it says then."""
    with Wired(port_of(config.load(config_path()), port)) as node:
        before = node.meet()
        if dry_run:
            show({"node": node.node, "before": before.firmware, "ok": True}, t("rollback.would", node=node.node))
            return EXIT_OK
        node.command(streetwire.ROLL_BACK)
        after = _after_restart(node, before)
        about = {"node": node.node, "before": before.firmware, "version": after.firmware}
    show(about | {"ok": True}, t("rollback.done", **about))
    return EXIT_OK


def _after_restart(node: Wired, before: streetwire.Hello) -> streetwire.Hello:
    for message in node.listen(ROLLED_BACK_WITHIN_S):
        if isinstance(message, streetwire.UpdateState) and message.state == streetwire.REFUSED:
            raise BundleError("update-refused", found=message.text)
        if isinstance(message, streetwire.Hello) and message.boot != before.boot:
            introduce(node)
            return message
    raise DeviceError("node-silent", port=node.port, seconds=round(ROLLED_BACK_WITHIN_S))


def port_of(settings: Config, port: str | None) -> str:
    """The one that was named, or the only one of the configuration. DeviceError where a gateway that is running has it."""
    if port is None and len(settings.serial.ports) != 1:
        raise UsageError("port-which", found=", ".join(settings.serial.ports) or "-")
    named = port or settings.serial.ports[0]
    is_of_gateway = os.path.realpath(named) in map(os.path.realpath, settings.serial.ports)
    if is_of_gateway and is_owned(settings.gateway.state_dir):
        raise DeviceError("port-of-gateway", port=named)
    return named


def trusted_key(settings: Config) -> bytes:
    """ConfigError where none is set: nobody is trusted then."""
    if settings.gateway.update_key is None:
        raise ConfigError([Say("config.no-update-key")])
    return bytes.fromhex(settings.gateway.update_key)
