"""An archive -> the machine: looked through to its end first, then laid beside what is there, then put in its place.

Theory of operation
    1  every byte is read and authenticated, and nothing is written
    2  everything is written beside its place: the state into a folder of its own (`gateway/restored.py`), each file elsewhere
       beside itself
    3  the state becomes the one that was put back, by one rename; then the files elsewhere, the configuration last. Cut off in
       between, the same command once more does it; without a configuration nothing starts that was put back by half.
    The store becomes a new generation: what the old machine has published since is read from the server before anything counts.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from pydantic import TypeAdapter, ValidationError

from gateway import adoption, restored
from gateway.errors import StoreError
from gateway.ownership import hand_over
from gateway.rebuild import sync
from gateway.store import Store
from tools.backup.contents import APART, MANIFEST, STATE, Manifest
from tools.backup.sealed import CHUNK, BackupError, Opener
from tools.install.files import below

_MOST_MANIFEST_B = 1_000_000
_BESIDE = ".restoring"


@dataclass(frozen=True)
class Contents:
    """Of a backup that was read to its end: `sizes` by name."""

    manifest: Manifest
    sizes: dict[str, int]

    @property
    def has_store(self) -> bool:
        return f"{STATE}/{restored.STORE}" in self.sizes

    @property
    def bytes(self) -> int:
        return sum(self.sizes.values())


@dataclass(frozen=True)
class Places:
    """Where things go on this machine; `apart` in the manifest's order."""

    state: Path
    apart: list[Path]


def look_through(opener: Opener) -> Contents:
    """Step 1. BackupError for whatever is not a whole backup of ours."""
    sizes: dict[str, int] = {}
    manifest: Manifest | None = None
    with _archive(opener) as archive:
        for member in _members(archive):
            if manifest is None:
                manifest = _manifest(archive, member)
            elif member.name in sizes:
                raise BackupError("backup-strange", found=member.name)
            else:
                sizes[member.name] = member.size
    opener.drain()
    if manifest is None or {name for name in sizes if name.startswith(APART)} != {
        f"{APART}/{n}" for n in range(len(manifest.apart))
    }:
        raise BackupError("backup-strange", found=MANIFEST)
    return Contents(manifest, sizes)


def places_of(manifest: Manifest, config: Path | None, prefix: Path | None) -> Places:
    """As the manifest says, below `prefix` where there is one; with `config` the configuration goes there."""
    apart = [below(prefix, Path(path)) for path in manifest.apart]
    if config is not None and manifest.config is not None:
        apart[-1] = config.absolute()
    state = below(prefix, Path(manifest.state_dir))
    return Places(Path(os.path.realpath(state)), apart)  # systemd keeps a link there


def lay_beside(opener: Opener, places: Places, done: Callable[[int], None]) -> None:
    """Step 2. `places.state` is there, and ours. BackupError, StoreError or OSError; then nothing has changed."""
    filling = places.state / restored.FILLING
    filling.mkdir(mode=0o700)
    hand_over(filling)
    with _archive(opener) as archive:
        for count, member in enumerate(_members(archive)):
            kind, _, rest = member.name.partition("/")
            if kind == STATE:
                _write(archive, member, filling / rest, member.mode & 0o777)
            elif kind == APART:
                place = places.apart[int(rest)]
                place.parent.mkdir(parents=True, exist_ok=True)
                _write(archive, member, _beside(place), member.mode & 0o777)
            done(count)
    opener.drain()
    store = filling / restored.STORE
    if store.exists():
        _begin_generation(store)


def put_in_place(places: Places) -> None:
    """Step 3. OSError where the disk does not do; then the same command once more does it."""
    restored.commit(places.state)
    restored.finish(places.state)
    for place in places.apart:
        _beside(place).replace(place)
        sync(place.parent)


def clear(places: Places) -> None:
    """Whatever an earlier restore that did not get far has left beside."""
    restored.finish(places.state)
    for place in places.apart:
        _beside(place).unlink(missing_ok=True)


def _begin_generation(path: Path) -> None:
    try:
        store = Store(path)
        adoption.begin_generation(store)
        store.close()
    except StoreError as error:
        raise BackupError("backup-store", found=error.data.get("found", error.key)) from error
    hand_over(path)


def _beside(place: Path) -> Path:
    return place.with_name(place.name + _BESIDE)


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path, mode: int) -> None:
    if member.isdir():
        place.mkdir(mode=0o700)
    else:
        place.unlink(missing_ok=True)
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(handle, "wb") as file:
            source = _content(archive, member)
            while data := source.read(CHUNK):
                file.write(data)
            file.flush()
            os.fsync(handle)
    hand_over(place)
    place.chmod(mode | (0o700 if member.isdir() else 0o600))


class _archive:  # noqa: N801  used as the function that it stands for
    """A tar that is read as it comes; its mistakes are ours."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    def __enter__(self) -> tarfile.TarFile:
        try:
            self._tar = tarfile.open(mode="r|", fileobj=self._opener)  # type: ignore[call-overload]  # it needs `read` only
        except tarfile.TarError as error:
            raise BackupError("backup-strange", found=error) from error
        return self._tar

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._tar.close()
        if isinstance(error, tarfile.TarError):
            raise BackupError("backup-strange", found=error) from error


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Plain files and folders with names that lead nowhere else."""
    for member in archive:
        parts = PurePosixPath(member.name).parts
        is_named = (
            member.name == "/".join(parts) and ".." not in parts and not member.name.startswith("/") and "\0" not in member.name
        )
        is_ours = parts in ((MANIFEST,),) or (len(parts) > 1 and parts[0] == STATE) or (len(parts) == 2 and parts[0] == APART)
        if not (is_named and is_ours and member.type in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE)):
            raise BackupError("backup-strange", found=member.name)
        yield member


def _manifest(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Manifest:
    if member.name != MANIFEST or member.size > _MOST_MANIFEST_B:
        raise BackupError("backup-strange", found=member.name)
    try:
        manifest = TypeAdapter(Manifest).validate_json(_content(archive, member).read(), strict=True)
    except ValidationError as error:
        raise BackupError("backup-strange", found=MANIFEST) from error
    paths = [Path(path) for path in (manifest.state_dir, *manifest.apart)]
    if not all(path.is_absolute() and ".." not in path.parts for path in paths):
        raise BackupError("backup-strange", found=MANIFEST)
    return manifest


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(member)
    if content is None:
        raise BackupError("backup-strange", found=member.name)
    return content
