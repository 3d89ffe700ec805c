"""The bootloader in ROM: the protocol mock `esp32-mock-bootloader` on a board's line, with this board's flash, MAC and chip.

A mock, and no more: real frames, the stub's commands and hashes, but no reset wiring, no timing of a flash chip.
"""

from __future__ import annotations

import os
import socket
import threading
from typing import cast

from esp32_mock_bootloader import protocol, registers, server

from tools.standin.flash import FlashFile
from tools.standin.line import HungUpError, Line

SYNC = b"\xc0\x00\x08\x24\x00"  # how esptool's first frame begins: here it stands for the levels of EN and IO0
BLANK = b"invalid header: 0xffffffff\r\n"
_END = 0xC0
_SMALL_FLASH_ID = 0x00154020  # 2 MB


def prepare(mac: str, is_small: bool) -> None:
    """This process's mock is this board."""
    registers.mac_bytes_for_chip = lambda chip: tuple(bytes.fromhex(mac))  # type: ignore[assignment]
    registers.rom_profile.cache_clear()
    if is_small:
        protocol.MOCK_FLASH_ID = _SMALL_FLASH_ID


def serve(line: Line, flash: FlashFile, chip: str, first: bytes) -> None:
    """Until the host hangs up: then HungUpError, or PulledError. `first` are bytes that have come already."""
    connection = _Connection(line, first)
    server.handle_client(
        cast("server.BootloaderConnection", connection), threading.Event(), chip, exit_on_disconnect=True, flash=flash
    )
    raise connection.ended or HungUpError


def babble(line: Line) -> None:
    """A bootloader that answers nonsense, until the host hangs up."""
    while True:
        if line.read(0.1):
            line.write(os.urandom(24).replace(b"\xc0", b"\0"))


class _Connection:
    """As the mock asks for bytes. Frames are handed over whole: it would look at a beginning again and again."""

    def __init__(self, line: Line, first: bytes) -> None:
        self._line = line
        self._held = bytearray(first)
        self.ended: OSError | None = None

    def set_timeout(self, timeout: float) -> None:
        """The line's own."""

    def recv(self, size: int) -> bytes:
        try:
            data = self._line.read(0.5)
        except OSError as error:
            self.ended = error
            return b""
        self._held += data
        end = self._held.rfind(_END)
        if end <= 0 or self._held.count(_END) % 2:
            raise TimeoutError if socket.timeout is TimeoutError else socket.timeout
        whole = bytes(self._held[: end + 1])
        del self._held[: end + 1]
        return whole

    def sendall(self, data: bytes) -> None:
        self._line.write(data)

    def close(self) -> None:
        """The line stays."""

    def ignore_eof_for_disconnect(self) -> bool:
        return False

    def abort_empty_session(self) -> bool:
        return False
