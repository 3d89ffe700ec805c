"""A bundle: firmware for every kit, as one signed file that goes from whoever builds it to gateways and from there to nodes.

It is a ZIP archive:
    index           text: `trottoir-bundle 1`, `version V`, then `kit NAME SHA256` of each manifest
    index.sig       64 bytes: the Ed25519 signature of `index`
    manifest/KIT    what a node of this kit gets, as node/update on the node has it: `SHA256 SIZE PATH` for each file
    file/SHA256     each file once, under the SHA-256 of its content
Nothing in it is believed before the signature; after it every byte has to be what a hash above it says.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.errors import BundleError

HEAD = "trottoir-bundle 1"
MANIFEST_HEAD = "trottoir 1"
MAX_BUNDLE = 16_000_000  # bytes
MAX_PART = 65_536  # of one file in it, as on a node
MAX_FILES = 230  # of a kit: their numbers fit into a byte
_VERSION = re.compile(r"version (\d{1,6}(?:\.\d{1,6}){0,3})")
_KIT = re.compile(r"kit ([a-z0-9-]{1,32}) ([0-9a-f]{64})")
_FILE = re.compile(r"([0-9a-f]{64}) (\d{1,6}) ([a-z0-9_/.]{1,64})")


@dataclass(frozen=True)
class Firmware:
    """What one kit's nodes get: the manifest and, in its order, the content of every file."""

    version: str
    kit: str
    manifest: bytes
    files: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Bytes that go to a node."""
        return len(self.manifest) + sum(map(len, self.files))

    @property
    def parts(self) -> tuple[bytes, ...]:
        """As a node counts them: the manifest is number 0."""
        return (self.manifest, *self.files)


def number_of(version: str) -> tuple[int, ...]:
    """What versions are compared by; (0,) for what is none."""
    return tuple(int(part) for part in version.split(".")) if re.fullmatch(r"\d{1,6}(\.\d{1,6}){0,3}", version) else (0,)


def open_bundle(path: Path, public_key: bytes) -> dict[str, Firmware]:
    """Kit -> firmware. BundleError where it is not signed with this key, or not whole."""
    try:
        if path.stat().st_size > MAX_BUNDLE:
            raise BundleError("bundle-large", file=path, found=path.stat().st_size, expected=MAX_BUNDLE)
        with zipfile.ZipFile(path) as archive:
            return _opened(path, archive, public_key)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, UnicodeDecodeError) as error:
        raise BundleError("bundle-broken", file=path, found=error) from error


def for_kit(path: Path, found: dict[str, Firmware], kit: str) -> Firmware:
    """BundleError where the bundle has nothing for this kit."""
    if kit not in found:
        raise BundleError("bundle-kit", file=path, found=", ".join(found), expected=kit)
    return found[kit]


def _opened(path: Path, archive: zipfile.ZipFile, public_key: bytes) -> dict[str, Firmware]:
    index = _part(path, archive, "index")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(_part(path, archive, "index.sig"), index)
    except InvalidSignature as error:
        raise BundleError("bundle-unsigned", file=path) from error
    head, version_line, *kit_lines = [*index.decode("ascii").splitlines(), "", ""]
    version = _VERSION.fullmatch(version_line)
    if head != HEAD or version is None:
        raise BundleError("bundle-broken", file=path, found=head[:40])
    kits: dict[str, Firmware] = {}
    for line in filter(None, kit_lines):
        kit = _KIT.fullmatch(line)
        if kit is None:
            raise BundleError("bundle-broken", file=path, found=line[:80])
        manifest = _part(path, archive, f"manifest/{kit[1]}")
        _hashed(path, manifest, kit[2], f"manifest/{kit[1]}")
        kits[kit[1]] = Firmware(version[1], kit[1], manifest, _files(path, archive, manifest, version[1], kit[1]))
    return kits


def _files(path: Path, archive: zipfile.ZipFile, manifest: bytes, version: str, kit: str) -> tuple[bytes, ...]:
    head, version_line, kit_line, *lines = [*manifest.decode("ascii").splitlines(), "", "", ""]
    if (head, version_line, kit_line) != (MANIFEST_HEAD, f"version {version}", f"kit {kit}"):
        raise BundleError("bundle-broken", file=path, found=f"manifest/{kit}")
    contents = []
    for line in filter(None, lines):
        named = _FILE.fullmatch(line)
        if named is None or len(contents) == MAX_FILES:
            raise BundleError("bundle-broken", file=path, found=line[:80])
        content = _part(path, archive, f"file/{named[1]}")
        _hashed(path, content, named[1], named[3])
        if len(content) != int(named[2]):
            raise BundleError("bundle-broken", file=path, found=named[3])
        contents.append(content)
    return tuple(contents)


def _part(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    """Never more than MAX_PART bytes, whatever the archive says of itself."""
    try:
        with archive.open(name) as file:
            content = file.read(MAX_PART + 1)
    except KeyError as error:
        raise BundleError("bundle-broken", file=path, found=f"no {name}") from error
    if len(content) > MAX_PART:
        raise BundleError("bundle-large", file=path, found=name, expected=MAX_PART)
    return content


def _hashed(path: Path, content: bytes, expected: str, name: str) -> None:
    if hashlib.sha256(content).hexdigest() != expected:
        raise BundleError("bundle-changed", file=path, found=name)


def manifest_of(version: str, kit: str, files: Mapping[str, bytes]) -> bytes:
    """The text of a manifest: files by path, in the order of their paths."""
    lines = [MANIFEST_HEAD, f"version {version}", f"kit {kit}"]
    lines += [f"{hashlib.sha256(content).hexdigest()} {len(content)} {path}" for path, content in sorted(files.items())]
    return ("\n".join(lines) + "\n").encode("ascii")
