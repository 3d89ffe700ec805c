"""A stream under a passphrase: nobody reads it without, and nobody changes, cuts or reorders it unnoticed.

Layout
    magic (16), version (1), salt (16), nonce (7), then chunks of 64 KiB, the last one shorter or empty, each with its tag (16).
    AES-256-GCM; the key by scrypt (n 2^16, r 8, p 2: 64 MB, a few seconds on a Pi) from passphrase and salt. A chunk's nonce
    holds its number and whether it is the last, and every chunk authenticates the header as well; so an order other than the
    written one, an end that came too early and a header of another file are all found out. What is read was authentic; that it is
    whole is known only with the end.
    Another way of doing it is another version: nothing that a file says makes a reader spend more.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from gateway.errors import EXIT_FLASH, TrottoirError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC, VERSION = b"TROTTOIR-BACKUP\n", 1
SALT_SIZE, PREFIX_SIZE, TAG_SIZE, CHUNK = 16, 7, 16, 64 * 1024
HEADER_SIZE = len(MAGIC) + 1 + SALT_SIZE + PREFIX_SIZE
_N, _R, _P = 1 << 16, 8, 2


class BackupError(TrottoirError):
    """A backup that cannot be believed, or is none. Its name is put in by who knows it."""

    exit_code = EXIT_FLASH

    def __init__(self, key: str, **data: object) -> None:
        super().__init__(key, **{"file": "", **data})


class Sealer:
    """`write` whatever you have, then `close`: without it the file is none. `random(n)` gives n bytes that nobody can guess."""

    def __init__(self, file: BinaryIO, passphrase: str, random: Callable[[int], bytes]) -> None:
        self._header = MAGIC + bytes([VERSION]) + random(SALT_SIZE) + random(PREFIX_SIZE)
        self._cipher = _cipher(passphrase, self._header)
        self._file = file
        self._waiting = bytearray()
        self._number = 0
        file.write(self._header)

    def write(self, data: bytes) -> int:
        self._waiting += data
        while len(self._waiting) > CHUNK:  # not the last one, which is not known yet
            self._put(bytes(self._waiting[:CHUNK]), is_last=False)
            del self._waiting[:CHUNK]
        return len(data)

    def close(self) -> None:
        self._put(bytes(self._waiting), is_last=True)

    def _put(self, chunk: bytes, is_last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._header, self._number, is_last), chunk, self._header))
        self._number += 1


class Opener:
    """`read` gives what was written. BackupError for what is no backup, another passphrase, and whatever was changed."""

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        self._header = file.read(HEADER_SIZE)
        if len(self._header) < HEADER_SIZE or not self._header.startswith(MAGIC):
            raise BackupError("backup-none")
        if self._header[len(MAGIC)] != VERSION:
            raise BackupError("backup-version", found=self._header[len(MAGIC)], expected=VERSION)
        self._cipher = _cipher(passphrase, self._header)
        self._file = file
        self._sealed = file.read(CHUNK + TAG_SIZE)
        self._opened = b""
        self._number = 0
        self.is_at_end = False

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end, which was authentic then."""
        while not self._opened and not self.is_at_end:
            self._take()
        given, self._opened = self._opened[:size], self._opened[size:]
        return given

    def drain(self) -> None:
        """To the end, so that it is known to be whole."""
        while self.read(CHUNK):
            pass

    def _take(self) -> None:
        from cryptography.exceptions import InvalidTag

        following = self._file.read(CHUNK + TAG_SIZE)
        try:
            if len(self._sealed) < TAG_SIZE:
                raise InvalidTag
            nonce = _nonce(self._header, self._number, not following)
            self._opened = self._cipher.decrypt(nonce, self._sealed, self._header)
        except InvalidTag:
            raise BackupError("backup-changed" if self._number else "backup-passphrase") from None
        self._sealed, self.is_at_end = following, not following
        self._number += 1


def _nonce(header: bytes, number: int, is_last: bool) -> bytes:
    return header[-PREFIX_SIZE:] + number.to_bytes(4, "big") + bytes([is_last])


def _cipher(passphrase: str, header: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    salt = header[len(MAGIC) + 1 : -PREFIX_SIZE]
    words = unicodedata.normalize("NFC", passphrase).encode()  # an umlaut is typed in more than one way
    return AESGCM(Scrypt(salt=salt, length=32, n=_N, r=_R, p=_P).derive(words))
