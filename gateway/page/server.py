"""The page's own thread: a web server with a loop of its own, so that no viewer can hold up the gateway.

Theory of operation
    The gateway hands over a function that answers what only it knows, as of now. The thread asks it at most once in a while and
    only while somebody looks; all else is read from the store beside the writer. Connections are bounded in number, in the
    time they may take to ask, and in the time they may leave what they are sent unread.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future

import h11
import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.config import Config
from gateway.page.app import make_app
from gateway.page.feed import Feed
from gateway.version import VERSION
from gateway.view import Now, View
from gateway.watch import Watch

MAX_CONNECTIONS = 128
REQUEST_S = 10.0
UNREAD_S = 20.0
STOP_S = 5.0
STOP_CHECK_S = 0.1

_log = structlog.get_logger("gateway")


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 that lets go of whoever takes a connection and neither asks nor reads."""

    _asking: asyncio.TimerHandle | None = None  # until when a request must be whole
    _reading: asyncio.TimerHandle | None = None  # until when something must be read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        self._asking = self.loop.call_later(REQUEST_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        is_half = self.conn.their_state is h11.SEND_BODY or bool(self.conn.trailing_data[0])
        if not is_half:
            self._asking = _cancelled(self._asking)
        elif self._asking is None:
            self._asking = self.loop.call_later(REQUEST_S, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._reading is None:
            self._reading = self.loop.call_later(UNREAD_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reading = _cancelled(self._reading)

    def connection_lost(self, exc: Exception | None) -> None:
        self._asking, self._reading = _cancelled(self._asking), _cancelled(self._reading)
        super().connection_lost(exc)


def _cancelled(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


class PageServer:
    """`ask` answers from any thread, and is asked at most once in `every_s`. `open` raises OSError where the address is taken;
    `close` waits for the thread."""

    def __init__(self, config: Config, ask: Callable[[], Future[Now]], every_s: float) -> None:
        self._config = config
        self._ask = ask
        self._every_s = every_s
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self.url = ""

    def open(self) -> None:
        """Listens at once; `url` is where."""
        address = self._config.gateway.page_address
        assert address is not None, "the page is off"
        listener = socket.create_server(address, family=socket.AF_INET6 if address.is_ipv6 else socket.AF_INET)
        self.url = address.url(listener.getsockname()[1])
        thread = threading.Thread(target=self._run, args=(listener, address.is_loopback), name="page", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            listener.close()
            raise
        self._thread = thread

    @property
    def is_open(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        if self._thread is None:
            return
        self._stop.set()
        self._thread.join(STOP_S)

    def _run(self, listener: socket.socket, is_local: bool) -> None:
        try:
            asyncio.run(self._serve(listener, is_local))
        except Exception as error:  # counting goes on without the page
            _log.error("page failed", problem=repr(error))

    async def _serve(self, listener: socket.socket, is_local: bool) -> None:
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # what matters is said by us
        watch = await asyncio.to_thread(Watch, self._config, VERSION)

        async def look() -> View:
            now = await asyncio.wrap_future(self._ask())
            if await asyncio.to_thread(watch.read, now.now_s):
                now = await asyncio.wrap_future(self._ask())
            return await asyncio.to_thread(watch.view, now)

        feed = Feed(look, self._every_s)
        app = make_app(feed, watch.reader, is_local)
        settings = uvicorn.Config(
            app, http=BoundedProtocol, ws="none", loop="asyncio", lifespan="off", log_config=None, access_log=False,
            server_header=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        server = uvicorn.Server(settings)
        tasks = [asyncio.create_task(feed.run()), asyncio.create_task(self._end(feed, server))]
        try:
            await server.serve(sockets=[listener])
        finally:
            for task in tasks:
                task.cancel()
            watch.close()

    async def _end(self, feed: Feed, server: uvicorn.Server) -> None:
        while not self._stop.is_set():
            await asyncio.sleep(STOP_CHECK_S)
        feed.close()
        server.should_exit = True
