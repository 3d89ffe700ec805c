"""The nodes' keys: a folder with a file for each node that has no cable, closed to everybody else.

A file is named after its node and holds three lines of TOML: node, address, key as hexadecimal digits. One that cannot be
trusted (open to others, somebody else's, a link, not what we write) is left out and said, and the other nodes are heard all
the same. A key is never shown: not in messages, not in the repr of anything here.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import ConfigError
from gateway.model import node_number
from gateway.ownership import hand_over
from gateway.words import Say

KEY_SIZE = 16  # of AES-128, as BTHome has it
_MAX_FILE = 1024
_NODE = re.compile(r"tr-[0-9a-f]{6}")
_ADDRESS = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}")
_IS_POSIX = os.name == "posix"  # elsewhere rights are no bits of a mode


@dataclass(frozen=True)
class NodeKey:
    """`address` is that of the node's radio, `24:DC:C3:51:A0:02`; `key` are KEY_SIZE bytes."""

    node: str
    address: str
    key: bytes = field(repr=False)

    @property
    def key_id(self) -> int:
        """Tells one key of a node from the next, and nothing of the key."""
        return int.from_bytes(hashlib.sha256(self.key).digest()[:4], "big")

    @property
    def number(self) -> int:
        """The node's number on the wire."""
        return node_number(self.node)

    @property
    def address_bytes(self) -> bytes:
        """The six bytes of the address as it is read."""
        return bytes.fromhex(self.address.replace(":", ""))


class KeyStore:
    """`folder` need not exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self) -> tuple[dict[str, NodeKey], list[Say]]:
        """Address -> key of every node whose file is as it should be, and a problem for each other one."""
        keys: list[NodeKey] = []
        problems: list[Say] = []
        try:
            paths = sorted(path for path in self.folder.iterdir() if path.suffix == ".key")
        except FileNotFoundError:
            paths = []
        except OSError as error:
            return {}, [_problem("file", self.folder, found=error)]
        for path in paths:
            try:
                keys.append(_parse(path, _read_closed(path)))
            except ConfigError as error:
                problems += error.problems
            except OSError as error:
                problems.append(_problem("file", path, found=error))
        owners = Counter(key.address for key in keys)
        problems += [_problem("twice", self._path(key.node), address=key.address) for key in keys if owners[key.address] > 1]
        return {key.address: key for key in keys if owners[key.address] == 1}, problems

    def make(self, node: str, address: str, random: Callable[[int], bytes], *, replace: bool = False) -> NodeKey:
        """A new key for a node, on disk when this returns. `random(n)` gives n bytes that nobody can guess. ConfigError where the
        node has one already and `replace` does not allow for that, or where it cannot be written."""
        path, made = self._path(node), NodeKey(node, address, random(KEY_SIZE))
        text = f'node = "{node}"\naddress = "{address}"\nkey = "{made.key.hex()}"\n'
        _parse(path, text.encode())  # what could not be read again is not written
        if path.exists() and not replace:
            raise ConfigError([_problem("there", path)])
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            hand_over(self.folder)
            _write_closed(path, text.encode())
        except OSError as error:
            raise ConfigError([_problem("file", path, found=error)]) from error
        return made

    def remove(self, node: str) -> None:
        """ConfigError where there is none, or where it cannot be removed."""
        path = self._path(node)
        try:
            path.unlink()
        except OSError as error:
            raise ConfigError([_problem("file", path, found=error)]) from error
        _sync_folder(self.folder)

    def _path(self, node: str) -> Path:
        if not _NODE.fullmatch(node):  # or it would name a file elsewhere
            raise ConfigError([Say("config.wrong", {"key": "node", "found": repr(node), "expected": Say("expected.key-nodes")})])
        return self.folder / f"{node}.key"


def _problem(kind: str, path: Path, **about: object) -> Say:
    return Say(f"config.key-{kind}", {"file": path, **about})


def _read_closed(path: Path) -> bytes:
    """What stands in a file that is plain, ours, and open to nobody else."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ConfigError([_problem("not-a-file", path)])
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if _IS_POSIX and about.st_uid not in _trusted(path.parent):
            raise ConfigError([_problem("owner", path, found=about.st_uid)])
        if _IS_POSIX and about.st_mode & 0o077:
            raise ConfigError([_problem("open", path, found=f"{stat.S_IMODE(about.st_mode):04o}")])
        return file.read(_MAX_FILE + 1)


def _trusted(folder: Path) -> set[int]:
    """Whose files are believed: ours, and where root looks into a gateway's folder, that gateway's."""
    return {os.geteuid(), folder.stat().st_uid} if os.geteuid() == 0 else {os.geteuid()}


def _parse(path: Path, content: bytes) -> NodeKey:
    found = _found(content)
    if found is None or found.node != path.stem or not _NODE.fullmatch(found.node) or not _ADDRESS.fullmatch(found.address):
        raise ConfigError([_problem("layout", path)])
    if len(found.key) != KEY_SIZE:
        raise ConfigError([_problem("size", path, found=len(found.key), expected=KEY_SIZE)])
    return found


def _found(content: bytes) -> NodeKey | None:
    try:
        told = tomllib.loads(content.decode()) if len(content) <= _MAX_FILE else {}
        made = NodeKey(told["node"], told["address"], bytes.fromhex(told["key"]))
    except (ValueError, KeyError, TypeError, RecursionError):  # no text, no TOML, another layout; told no further: it may quote it
        return None
    return made if len(told) == 3 and isinstance(made.node, str) and isinstance(made.address, str) else None


def _write_closed(path: Path, content: bytes) -> None:
    """All or nothing, also when the power goes; nobody else can read it at any moment."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)  # left by a cut
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    hand_over(new)
    new.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if _IS_POSIX:  # elsewhere a folder cannot be opened
        handle = os.open(folder, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
