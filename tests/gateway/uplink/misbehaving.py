"""A database on loopback that keeps what it says it keeps, and answers, or does not, as a cell of the matrix wants it."""

from __future__ import annotations

import gzip
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

RESET_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing is a reset


class Exchange:
    """One request, of which the head was read."""

    def __init__(self, server: Misbehaving, connection: socket.socket, head: bytes, begun: bytes) -> None:
        self._server = server
        self._connection = connection
        self._head = head
        self._body = begun

    def lines(self) -> list[bytes]:
        """The body, read to its end."""
        while len(self._body) < self._said("Content-Length"):
            part = self._connection.recv(65536)
            if not part:
                raise ConnectionError("the client has gone")
            self._body += part
        return (gzip.decompress(self._body) if b"gzip" in self._head else self._body).split(b"\n")

    def part(self) -> None:
        """Some of the body."""
        self._body = self._body or self._connection.recv(10)

    def store(self, lines: list[bytes]) -> None:
        """As a database does: the same point again is the same point."""
        self._server.stored |= set(lines)

    def answer(self, status: int, text: bytes = b"", **headers: str) -> None:
        fields = {"Content-Length": str(len(text)), **headers} if status != 204 else headers
        self.say(
            b"HTTP/1.1 %d whatever\r\n" % status
            + b"".join(f"{name.replace('_', '-')}: {value}\r\n".encode() for name, value in fields.items())
            + b"\r\n" + text
        )  # fmt: skip

    def say(self, raw: bytes) -> None:
        self._connection.sendall(raw)

    def end(self) -> None:
        self._connection.close()

    def reset(self) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
        self._connection.close()

    def wait_for_the_client_to_go(self) -> None:
        with suppress(OSError):
            while self._connection.recv(65536):
                pass

    def _said(self, name: str) -> int:
        for line in self._head.split(b"\r\n"):
            if line.lower().startswith(name.lower().encode() + b":"):
                return int(line.partition(b":")[2])
        return 0


def well(exchange: Exchange) -> None:
    """As a database behaves."""
    exchange.store(exchange.lines())
    exchange.answer(204)


class Misbehaving:
    """`behave` is called for every request; `stored` are the lines it has kept; `requests` counts."""

    def __init__(self, behave: Callable[[Exchange], None] = well) -> None:
        self.behave = behave
        self.stored: set[bytes] = set()
        self.requests = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        data = b""
        with suppress(OSError):  # the client, or a behaviour, has ended it
            while part := connection.recv(256):  # so that some of a body is still on its way
                data += part
                head, end, body = data.partition(b"\r\n\r\n")
                if end:
                    self.requests += 1
                    self.behave(Exchange(self, connection, head, body))
                    data = b""  # one request at a time: nobody sends the next before the answer

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
