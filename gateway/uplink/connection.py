"""Connections that notice when the other side is gone, and are patient with a slow line. A leaf.

Theory of operation
    A line that fails without a word leaves three things to wait for, and each has an end of its own. A server that cannot be
    reached: the connect timeout. Bytes that nobody acknowledges: UNHEARD_MS. An answer that cannot come, since the line failed
    behind the last byte of ours: while one is waited for, the other side's kernel is asked every second whether it is there.
    Whoever is there may take as long as the read timeout says, and a body may take as long to leave, over a line however slow.
"""

from __future__ import annotations

import socket
from contextlib import suppress

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse

UPLOAD_S = 30.0  # for a body to leave
UNHEARD_MS = 3000  # what was sent and nobody has acknowledged
ASK_S = 1  # how often, while an answer is waited for

_OWN = {"TCP_USER_TIMEOUT": UNHEARD_MS, "TCP_KEEPIDLE": ASK_S, "TCP_KEEPINTVL": ASK_S, "TCP_KEEPCNT": UNHEARD_MS // 1000}


def options() -> list[tuple[int, int, int]]:
    """Of every socket; where a system has not all of them, the timeouts have to do."""
    own = [(socket.IPPROTO_TCP, getattr(socket, name), value) for name, value in _OWN.items() if hasattr(socket, name)]
    return [*HTTPConnection.default_socket_options, *own]  # type: ignore[list-item]


class _Connection(HTTPConnection):
    def send(self, data: object) -> None:
        if self.sock is None:
            self.connect()
        if self.sock is not None:
            self.sock.settimeout(UPLOAD_S)
        super().send(data)  # type: ignore[arg-type]

    def getresponse(self) -> HTTPResponse:
        self._ask_whether_it_is_there(True)
        try:
            return super().getresponse()
        finally:
            self._ask_whether_it_is_there(False)  # an idle connection costs nothing

    def _ask_whether_it_is_there(self, wanted: bool) -> None:
        if self.sock is not None:
            with suppress(OSError):  # it has been closed from the other side: reading says so
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, wanted)


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection  # type: ignore[assignment]


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection  # type: ignore[assignment]


POOLS = {"http": _Pool, "https": _TlsPool}
