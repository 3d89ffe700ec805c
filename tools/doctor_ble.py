"""What nodes without a cable need here: a radio, Linux's BlueZ, keys. Each trouble that Pis are known for has its answer."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.config import Config
from gateway.errors import EXIT_NO_ADAPTER, AdapterError, PermissionDenied
from gateway.radio.keys import KeyStore
from gateway.words import Say
from tools import page_client
from tools.finding import BAD, GOOD, NOTE, Finding
from tools.rights import is_own_file, waits_for_login

if TYPE_CHECKING:
    from gateway.drivers.bluez import Adapter

CHECK = "bluetooth"
OLDEST_BLEAK = (3, 1)
OLDEST_BLUEZ = (5, 55)  # bleak refuses older ones
SILENT_S = 3600


def examine_ble(settings: Config, is_running: bool) -> Iterator[Finding]:
    """In an order that a person would go by; what hides the rest ends it."""
    if not settings.ble.enabled:
        yield _found(NOTE, "ble-off")
        return
    yield from _keys(settings)
    bleak = _version_in(_installed("bleak"))
    if bleak is None or bleak < OLDEST_BLEAK:
        yield _found(BAD, "ble-old-bleak", found=_told(bleak), expected=_told(OLDEST_BLEAK))
    elif sys.platform != "linux":
        yield _found(NOTE, "ble-elsewhere")
    else:
        yield from _linux(settings, is_running)
    if is_running:
        yield from _silence(settings)


def _keys(settings: Config) -> Iterator[Finding]:
    keys, problems = KeyStore(settings.keys_dir).read()
    if not keys and not problems:
        yield _found(NOTE, "ble-no-keys", folder=settings.keys_dir)
    for problem in problems:
        file = problem.values.get("file")
        if problem.key == "config.key-open" and isinstance(file, Path) and is_own_file(file):
            yield Finding(CHECK, BAD, problem, partial(file.chmod, 0o600), Say("doctor.fixed-secret", {"file": file}))
        else:
            yield Finding(CHECK, BAD, problem)


def _linux(settings: Config, is_running: bool) -> Iterator[Finding]:
    from gateway.drivers import bluez

    name = settings.ble.adapter
    version = _version_in(_bluetoothctl())
    if version is not None and version < OLDEST_BLUEZ:
        yield _found(BAD, "ble-old-bluez", found=_told(version), expected=_told(OLDEST_BLUEZ))
        return
    block = bluez.rfkill_block(name)
    if block is not None:
        key = "error.ble-blocked-hard" if block == "hard" else "error.ble-blocked-soft"
        yield Finding(CHECK, BAD, Say(key, {"adapter": name}))
        return
    try:
        adapter = asyncio.run(bluez.look(name))
    except AdapterError as error:
        yield Finding(CHECK, BAD, error.message, exit_code=EXIT_NO_ADAPTER)
        return
    except PermissionDenied as error:
        yield Finding(CHECK, BAD, Say("doctor.ble-log-in-again") if waits_for_login("bluetooth") else error.message)
        return
    yield _found(GOOD, "ble-adapter", adapter=name, version=_told(version))
    yield from _adapter(adapter, settings.ble.scan, is_running)
    if bluez.is_on_uart(name):
        yield _found(NOTE, "ble-uart", adapter=name)


def _adapter(adapter: Adapter, scan: str, is_running: bool) -> Iterator[Finding]:
    if not adapter.is_powered:
        yield _found(BAD, "ble-unpowered", adapter=adapter.name)
    if adapter.roles and "central" not in adapter.roles:
        yield _found(BAD, "ble-no-central", adapter=adapter.name)
    if scan != "active" and not adapter.hears_passively:
        yield _found(BAD, "ble-no-passive") if scan == "passive" else _found(NOTE, "ble-active-instead")
    searches_itself = is_running and (scan == "active" or not adapter.hears_passively)
    if adapter.is_discovering and not searches_itself:
        yield _found(NOTE, "ble-in-progress", adapter=adapter.name)


def _silence(settings: Config) -> Iterator[Finding]:
    """Of nodes that were heard by radio since the gateway started, as its page tells."""
    view = page_client.ask(settings)
    if view is None:
        return
    heard = [node["health"] for node in view["nodes"] if (node["health"]["link"] or "").startswith("ble:")]
    last_s = max((health["heard_s"] for health in heard if health["heard_s"] is not None), default=None)
    if last_s is not None and view["gateway"]["now_s"] - last_s >= SILENT_S:
        yield _found(BAD, "ble-silent", hours=(view["gateway"]["now_s"] - last_s) // 3600)


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _bluetoothctl() -> str:
    """BlueZ tells its version by no property, but its tool is of the same one."""
    try:
        return subprocess.run(["bluetoothctl", "--version"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _version_in(text: str) -> tuple[int, int] | None:
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def _told(version: tuple[int, int] | None) -> object:
    return Say("doctor.unknown") if version is None else f"{version[0]}.{version[1]}"


def _found(level: str, key: str, **about: object) -> Finding:
    return Finding(CHECK, level, Say(f"doctor.{key}", about))
