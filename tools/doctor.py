"""What a gateway needs on this machine: one function a check, each a few findings. Nothing is changed but by a finding's `fix`."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from gateway import config
from gateway.config import Config
from gateway.drivers.table import open_driver
from gateway.errors import ConfigError, DeviceError, PermissionDenied, StoreError
from gateway.moments import EARLIEST_S
from gateway.ownership import Ownership
from gateway.version import VERSION
from gateway.window import COMPILED
from gateway.words import Say
from tools import compile_core, page_client
from tools.doctor_ble import examine_ble
from tools.finding import BAD, GOOD, NOTE, Finding
from tools.rights import is_own_file, waits_for_login

LITTLE_DISK_MB, NO_DISK_MB = 1000, 100


def examine(path: Path | None) -> Iterator[Finding]:
    """All findings for a configuration file (None: defaults), in an order that a person would go by."""
    yield from _software()
    try:
        settings = config.load(path)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("config", BAD, problem)
        return
    yield Finding("config", GOOD, Say("doctor.config", {"file": path or Say("cli.defaults")}))
    is_running = _is_running(settings)
    yield Finding("gateway", GOOD if is_running else NOTE, Say("doctor.running" if is_running else "doctor.not-running"))
    yield from _folder(settings)
    yield from _secrets(settings)
    yield from _store(settings)
    yield from _ports(settings, is_running)
    yield from examine_ble(settings, is_running)
    yield from _clock()
    yield from _page(settings, is_running)
    yield from _uplink(settings)


def _software() -> Iterator[Finding]:
    python = sys.version.split()[0]
    about = {"trottoir": VERSION, "python": python, "sqlite": sqlite3.sqlite_version, "system": sys.platform}
    yield Finding("versions", GOOD, Say("doctor.versions", about))
    yield _core()


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


def _folder(settings: Config) -> Iterator[Finding]:
    folder = settings.gateway.state_dir
    about = {"folder": folder}
    try:
        folder.stat()
    except PermissionError:
        yield Finding("state folder", BAD, Say("doctor.folder-denied", about))
        return
    except OSError:
        pass  # not there yet
    if not folder.is_dir():
        above = next(parent for parent in folder.parents if parent.exists())
        if above.is_dir() and not folder.exists() and os.access(above, os.W_OK | os.X_OK):
            made = Say("doctor.fixed-folder", about)
            yield Finding("state folder", NOTE, Say("doctor.new-folder", about), partial(folder.mkdir, 0o750, parents=True), made)
        else:
            found = folder if folder.exists() else above
            yield Finding("state folder", BAD, Say("doctor.no-folder", {**about, "found": found}))
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding("state folder", BAD, Say("doctor.folder-denied", about))
        return
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    level = BAD if free_mb < NO_DISK_MB else NOTE if free_mb < LITTLE_DISK_MB else GOOD
    key = "doctor.folder" if level == GOOD else "doctor.little-disk"
    yield Finding("state folder", level, Say(key, {**about, "free_mb": free_mb}))


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


def _ports(settings: Config, is_running: bool) -> Iterator[Finding]:
    from serial.tools import list_ports

    listed = settings.serial.ports
    if not listed:
        yield Finding("ports", NOTE, Say("doctor.no-ports"))
    for port in listed:
        yield _port(port, is_running)
    known = {os.path.realpath(port) for port in listed}
    for found in list_ports.comports():
        if found.vid is not None and os.path.realpath(found.device) not in known:
            about = {"port": _stable_name(found.device), "what": found.description}
            yield Finding("ports", NOTE, Say("doctor.unlisted-port", about))


def _port(port: str, is_running: bool) -> Finding:
    driver = open_driver(f"serial:{port}", lambda: 0)
    try:
        driver.probe()  # type: ignore[attr-defined]
    except DeviceError as error:
        if error.is_busy and is_running:
            return Finding("ports", GOOD, Say("doctor.port-in-use", {"port": port}))
        return Finding("ports", BAD, Say(f"error.{error.key}", error.data))
    except PermissionDenied as error:
        key = "doctor.log-in-again" if waits_for_login("dialout") else f"error.{error.key}"
        return Finding("ports", BAD, Say(key, error.data))
    if not Path(port).exists():
        return Finding("ports", NOTE, Say("error.port-missing", {"port": port}))
    return Finding("ports", GOOD, Say("doctor.port", {"port": port}))


def _stable_name(device: str) -> str:
    """The name under /dev/serial/by-path that stays the same when nodes are plugged in another order."""
    names = [str(link) for link in Path("/dev/serial/by-path").glob("*") if os.path.realpath(link) == os.path.realpath(device)]
    return min(names, default=device)


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
