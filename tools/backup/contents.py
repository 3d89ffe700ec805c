"""What a gateway's machine holds that a new one needs, as one archive: the way out.

Theory of operation
    An archive is a tar. `manifest.json` comes first and says where everything belongs; `state/...` is what the state folder holds,
    whoever put it there, but for what only the running gateway needs; `apart/N` are files elsewhere: the configuration, its
    secrets, and keys where they are kept apart. The store is copied by SQLite, so that a gateway at work is not disturbed.
"""

from __future__ import annotations

import io
import json
import os
import sqlite3
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from gateway.config import Config
from gateway.database import Failure, disk_error
from gateway.restored import FILLED, FILLING, STORE
from gateway.version import VERSION
from tools.install.unit import secrets

MANIFEST, STATE, APART = "manifest.json", "state", "apart"
_NOT_NEEDED = {"lock", "wishes", FILLING, FILLED}  # of the running gateway only


@dataclass(frozen=True)
class Manifest:
    """`apart` are absolute paths, the configuration's last; `newest_s` is the newest moment that the store knows of."""

    trottoir: str
    gateway: str
    made_s: int
    state_dir: str
    config: str | None
    apart: list[str] = field(default_factory=list)
    newest_s: int = 0
    nodes: int = 0


def manifest_of(settings: Config, config: Path | None, store: Path | None, now_s: int) -> Manifest:
    """Of the machine that this is. `store` is the copy that was made of it."""
    apart = list(secrets(settings, config or Path("/")).values())
    if not settings.keys_dir.is_relative_to(settings.gateway.state_dir) and settings.keys_dir.is_dir():
        apart += sorted(path for path in settings.keys_dir.iterdir() if _is_plain(path))
    apart = [path.absolute() for path in dict.fromkeys(apart)]
    if config is not None:
        apart.append(config.absolute())
    state = str(settings.gateway.state_dir.absolute())
    told = str(config.absolute()) if config is not None else None
    newest_s = newest(store, nobody_writes=True) if store is not None else 0
    return Manifest(VERSION, settings.gateway.id, now_s, state, told, list(map(str, apart)), newest_s, len(settings.nodes))


def copy_store(path: Path, copy: Path) -> bool:
    """The store as it is at one moment, also while the gateway writes it; False where there is none. StoreError where it cannot
    be read."""
    if not path.is_file():
        return False
    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as to,
        ):
            source.backup(to)
    except Failure as error:
        raise disk_error(path, error) from error
    return True


def newest(store: Path, nobody_writes: bool = False) -> int:
    """The newest moment that a store knows of, 0 for one that knows none or cannot be read. Where `nobody_writes`, no file is made
    beside it."""
    how = "mode=ro&immutable=1" if nobody_writes else "mode=ro"
    try:
        with closing(sqlite3.connect(f"{store.absolute().as_uri()}?{how}", uri=True)) as database:
            ((told_s,),) = database.execute("SELECT coalesce(max(value), 0) FROM meta WHERE name = 'told_s'").fetchall()
            ((start_s,),) = database.execute("SELECT coalesce(max(start), 0) FROM bins").fetchall()
    except Failure:
        return 0
    return max(told_s, start_s)


def write(manifest: Manifest, store: Path | None, to: BinaryIO, done: Callable[[int], None]) -> None:
    """The archive. `done` hears how many files are in it. OSError where one cannot be read."""
    state = Path(manifest.state_dir)
    with tarfile.open(mode="w|", fileobj=to, format=tarfile.PAX_FORMAT) as archive:
        _add_bytes(archive, MANIFEST, json.dumps(asdict(manifest)).encode())
        count = 0
        for count, path in enumerate(state_files(state), 1):
            _add(archive, path, f"{STATE}/{path.relative_to(state).as_posix()}")
            done(count)
        if store is not None:
            _add(archive, store, f"{STATE}/{STORE}")
        for number, path in enumerate(manifest.apart):
            _add(archive, Path(path), f"{APART}/{number}")
            done(count + number)


def state_files(state: Path) -> Iterator[Path]:
    """Folders and plain files of a state folder that are worth keeping, in order; no links, which could lead anywhere."""
    for path in sorted(state.iterdir()) if state.is_dir() else []:
        if path.name in _NOT_NEEDED or path.name.startswith(STORE):
            continue
        if path.is_dir() and not path.is_symlink():
            yield path
            yield from (
                inner for inner in sorted(path.rglob("*")) if _is_plain(inner) or (inner.is_dir() and not inner.is_symlink())
            )
        elif _is_plain(path):
            yield path


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.suffix != ".new"  # a draft


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    about = tarfile.TarInfo(name)  # without owner: who it belongs to is decided where it is put back
    if path.is_dir():
        about.type, about.mode = tarfile.DIRTYPE, stat.S_IMODE(path.stat().st_mode)
        archive.addfile(about)
        return
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            about.mode, about.size, about.mtime = stat.S_IMODE(found.st_mode), found.st_size, int(found.st_mtime)
            archive.addfile(about, file)
    except FileNotFoundError:
        if not name.startswith(STATE):
            raise
        # else it went while we looked: a running gateway tidies up


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    about = tarfile.TarInfo(name)
    about.size, about.mode = len(data), 0o600
    archive.addfile(about, io.BytesIO(data))
