"""Making bundles of firmware: the key that signs them, and the file itself. What they are stands in gateway/bundle.py."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key

from gateway.bundle import HEAD, manifest_of
from gateway.errors import ConfigError
from gateway.words import Say

_WHEN = (2020, 1, 1, 0, 0, 0)  # of every file in it: the same firmware is the same bundle, byte by byte


def make_key(path: Path) -> str:
    """A new private key in a file of mode 0600; its public half as 64 hexadecimal digits. ConfigError where the file exists."""
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError([Say("config.system", {"file": path, "found": error})]) from error
    return public_of(key)


def read_key(path: Path) -> Ed25519PrivateKey:
    """ConfigError where it is missing, open to others, or none of ours."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError([Say("config.signing-key", {"file": path, "found": error})]) from error
    if os.name == "posix" and mode & 0o077:
        raise ConfigError([Say("config.key-open", {"file": path, "found": f"{mode:04o}"})])
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError([Say("config.signing-key", {"file": path, "found": type(key).__name__})])
    return key


def public_of(key: Ed25519PrivateKey) -> str:
    """What gateways are told as `gateway.update_key`."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def make_bundle(version: str, kits: Mapping[str, Mapping[str, bytes]], key: Ed25519PrivateKey) -> bytes:
    """Kit -> (path in the slot -> content). The same input gives the same bytes."""
    manifests = {kit: manifest_of(version, kit, files) for kit, files in sorted(kits.items())}
    lines = [HEAD, f"version {version}", *(f"kit {kit} {hashlib.sha256(text).hexdigest()}" for kit, text in manifests.items())]
    index = ("\n".join(lines) + "\n").encode("ascii")
    parts = {"index": index, "index.sig": key.sign(index)}
    parts |= {f"manifest/{kit}": text for kit, text in manifests.items()}
    contents = {hashlib.sha256(content).hexdigest(): content for files in kits.values() for content in files.values()}
    parts |= {f"file/{name}": content for name, content in sorted(contents.items())}
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name, _WHEN), content, zipfile.ZIP_DEFLATED)
    return made.getvalue()
