"""`trottoir backup` and `restore`: everything that a new machine needs, in one file under a passphrase."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from gateway import config
from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK, ConfigError, PermissionDenied, StoreError, TrottoirError
from gateway.ownership import Ownership
from gateway.rebuild import sync
from gateway.restored import STORE
from gateway.words import Say
from tools import asking, own_command
from tools.backup import contents, putting_back
from tools.backup.putting_back import Contents, Places
from tools.backup.sealed import BackupError, Opener, Sealer
from tools.install_command import CONFIG
from tools.progress import bar
from tools.terminal import UsageError, say, shared, show, t

_MOST_PASSPHRASE_B = 10_000


def run_backup(file: Path, passphrase_file: Path | None, replace: bool, dry_run: bool) -> int:
    """Writes `file`, readable by nobody else. The gateway may run meanwhile."""
    path = shared.config or (CONFIG if CONFIG.is_file() else None)
    settings = config.load(path)
    if file.exists() and not replace:
        raise UsageError("backup-there", file=file)
    with _told_as_ours(file):
        files = list(contents.state_files(settings.gateway.state_dir))
        if dry_run:
            manifest = contents.manifest_of(settings, path, None, int(time.time()))
            named = [
                str(found) for found in [*files, settings.gateway.state_dir / STORE, *map(Path, manifest.apart)] if found.exists()
            ]
            show({"ok": True, "written": False, "files": named}, t("backup.would", files="\n  ".join(named), file=file))
            return EXIT_OK
        passphrase = _passphrase(passphrase_file, twice=True)
        _write(file, settings, path, passphrase, len(files))
    about = {"file": str(file), "bytes": file.stat().st_size}
    show({"ok": True, "written": True, **about}, t("backup.done", file=file, size_mb=round(about["bytes"] / 1e6, 1)))
    return EXIT_OK


def _write(file: Path, settings: config.Config, path: Path | None, passphrase: str, count: int) -> None:
    copy, part = file.with_name(file.name + ".store"), file.with_name(file.name + ".part")
    try:
        for left in (copy, part):
            _create(left)  # closed to others from the beginning; what a cut has left is gone
        has_store = contents.copy_store(settings.gateway.state_dir / STORE, copy)
        store = copy if has_store else None
        manifest = contents.manifest_of(settings, path, store, int(time.time()))
        with bar(t("backup.writing"), count + 2) as done, part.open("r+b") as sealed:
            sealer = Sealer(sealed, passphrase, os.urandom)
            contents.write(manifest, store, sealer, done)  # type: ignore[arg-type]  # a tar needs `write` only
            sealer.close()
            sealed.flush()
            os.fsync(sealed.fileno())
        part.replace(file)
        sync(file.absolute().parent)
    finally:
        for left in (copy, part):
            left.unlink(missing_ok=True)


def run_restore(file: Path, passphrase_file: Path | None, prefix: Path | None, replace: bool, yes: bool, dry_run: bool) -> int:
    """Puts back what `run_backup` wrote. Nothing is changed before the whole file was found authentic, and the answer was yes."""
    with _told_as_ours(file):
        passphrase = _passphrase(passphrase_file, twice=False)
        with file.open("rb") as sealed, bar(t("restore.reading"), 1):
            found = putting_back.look_through(Opener(sealed, passphrase))
        places = putting_back.places_of(found.manifest, shared.config, prefix)
        here_s = contents.newest(places.state / STORE) if (places.state / STORE).exists() else 0
        about = _told(found, places, here_s)
        if dry_run:
            return _end(about, found, places, is_done=False)
        _check_room(found, places)
        places.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(places.state):
            if found.has_store and here_s > found.manifest.newest_s and not replace:
                raise StoreError("restore-newer", here=_moment(here_s), there=_moment(found.manifest.newest_s), folder=places.state)
            if not yes and not _agrees(about):
                return _end(about, found, places, is_done=False, code=EXIT_CHECK_FAILED)
            putting_back.clear(places)
            try:
                with file.open("rb") as sealed, bar(t("restore.writing"), len(found.sizes)) as done:
                    putting_back.lay_beside(Opener(sealed, passphrase), places, done)
            except BaseException:
                putting_back.clear(places)
                raise
            putting_back.put_in_place(places)
    return _end(about, found, places, is_done=True)


def _told(found: Contents, places: Places, here_s: int) -> str:
    manifest = found.manifest
    lines = [t("restore.of", gateway=manifest.gateway, made=_moment(manifest.made_s), nodes=manifest.nodes)]
    if found.has_store and manifest.newest_s:
        lines.append(t("restore.store", newest=_moment(manifest.newest_s)))
        if here_s:
            lines.append(t("restore.store-here", newest=_moment(here_s)))
    count = sum(name.startswith(contents.STATE) for name in found.sizes)
    lines.append(t("restore.state", folder=places.state, count=count, size_mb=round(found.bytes / 1e6, 1)))
    lines += [t("restore.replaces" if place.exists() else "restore.makes", file=place) for place in places.apart]
    return "\n".join(lines)


def _agrees(about: str) -> bool:
    if shared.json or not asking.is_answerable():
        raise UsageError("restore-yes")
    say(about)
    return asking.confirm(t("restore.ask"))


def _end(about: str, found: Contents, places: Places, is_done: bool, code: int = EXIT_OK) -> int:
    data = {
        "ok": code == EXIT_OK, "restored": is_done, "gateway": found.manifest.gateway, "made_s": found.manifest.made_s,
        "newest_s": found.manifest.newest_s, "state_dir": str(places.state), "files": list(map(str, places.apart)),
    }  # fmt: skip
    show(data, f"{about}\n{t('restore.done', trottoir=own_command.words()) if is_done else t('restore.nothing')}")
    return code


def _check_room(found: Contents, places: Places) -> None:
    above = next(place for place in (places.state, *places.state.parents) if place.exists())
    if shutil.disk_usage(above).free < found.bytes * 1.1 + 10_000_000:
        raise StoreError("store-full", path=places.state)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        owner = Ownership(folder / "lock")
    except StoreError as error:
        raise (StoreError("restore-running", folder=folder) if error.key == "store-taken" else error) from error
    try:
        yield
    finally:
        owner.release()


def _create(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600))


def _passphrase(path: Path | None, twice: bool) -> str:
    """From a file that nobody else may read, or from whoever sits here."""
    if path is None:
        if not asking.is_answerable():
            raise UsageError("passphrase-nobody")
        return asking.passphrase(twice=twice)
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if os.name == "posix" and mode & 0o077:
            raise ConfigError([Say("config.secret-open", {"key": "--passphrase-file", "file": path, "found": f"{mode:04o}"})])
        try:
            text = file.read(_MOST_PASSPHRASE_B).decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise ConfigError([Say("config.secret-not-utf8", {"key": "--passphrase-file", "file": path})]) from error
    if not text:
        raise UsageError("passphrase-empty")
    return text


def _moment(at_s: int) -> object:
    with suppress(ValueError, OverflowError, OSError):
        if at_s > 0:
            return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M} UTC"
    return Say("doctor.unknown")


@contextmanager
def _told_as_ours(file: Path) -> Iterator[None]:
    """Errors of the system, with the file that they are about; and of a backup, with its name."""
    try:
        yield
    except BackupError as error:
        raise BackupError(error.key, **{**error.data, "file": file}) from error
    except TrottoirError:
        raise
    except PermissionError as error:
        raise PermissionDenied("backup-denied", file=error.filename or file, command=shlex.join(["sudo", *sys.argv])) from error
    except OSError as error:
        raise StoreError("backup-file", file=error.filename or file, found=error) from error
