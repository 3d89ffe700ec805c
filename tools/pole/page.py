"""The phone-sized page of `node aim` and `node monitor --plot`: what the sensor sees, five times a second.

It stands beside the live page's files and under the same rules: no other host, no inline code, on loopback only this machine's
names. Whoever walks may say so on it; all else it can only look at.
"""

from __future__ import annotations

import asyncio
import html
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gateway import words
from gateway.address import Address
from gateway.page.app import LOOPBACK, SafeHeaders, static_folder
from gateway.page.server import BoundedProtocol

EVERY_S = 0.2
PING_S = 10.0
MAX_VIEWERS = 8
STOP_S = 3.0
OURS = "x-trottoir"  # a header that no other site's page may send here


class PolePage:
    """`look` gives the newest document, from any thread; `walked` is called when somebody says so. OSError where the address is
    taken."""

    def __init__(self, address: Address, look: Callable[[], dict[str, Any]], walked: Callable[[], None]) -> None:
        self._look = look
        self._walked = walked
        self._viewers = 0
        listener = socket.create_server(address, family=socket.AF_INET6 if address.is_ipv6 else socket.AF_INET)
        self.url = address.url(listener.getsockname()[1])
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
        settings = uvicorn.Config(
            self._app(address.is_loopback), http=BoundedProtocol, ws="none", loop="asyncio", lifespan="off", log_config=None,
            access_log=False, server_header=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._run, args=(listener,), name="pole page", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(STOP_S)

    def _run(self, listener: socket.socket) -> None:
        asyncio.run(self._server.serve(sockets=[listener]))

    def _app(self, is_local: bool) -> Starlette:
        middleware = [Middleware(SafeHeaders)]
        if is_local:
            middleware.append(Middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK, www_redirect=False))
        routes = [
            Route("/", self._index),
            Route("/events", self._events),
            Route("/walked", self._on_walked, methods=["POST"]),
            Mount("/static", StaticFiles(directory=static_folder())),
        ]
        return Starlette(routes=routes, middleware=middleware)

    async def _index(self, request: Request) -> Response:
        language = words.choose(request.query_params.get("lang"), request.headers.get("accept-language"))
        return Response(render(language), media_type="text/html", headers={"Content-Language": language})

    async def _events(self, request: Request) -> Response:
        if request.method != "GET":
            return Response(media_type="text/event-stream")
        if self._viewers >= MAX_VIEWERS:
            return PlainTextResponse("too many viewers", 503, {"Retry-After": "10"})
        return StreamingResponse(self._states(), media_type="text/event-stream")

    async def _on_walked(self, request: Request) -> Response:
        if request.headers.get(OURS) != "walked":
            return PlainTextResponse("not from this page", 403)
        self._walked()
        return Response(status_code=204)

    async def _states(self) -> AsyncIterator[bytes]:
        self._viewers += 1
        try:
            yield b"retry: 1000\n\n"
            said, quiet_s = b"", 0.0
            while not self._server.should_exit:
                text = json.dumps(self._look(), ensure_ascii=False, separators=(",", ":")).encode()
                if text != said:
                    said, quiet_s = text, 0.0
                    yield b"event: state\ndata: " + text + b"\n\n"
                elif quiet_s >= PING_S:
                    quiet_s = 0.0
                    yield b": nothing new\n\n"
                await asyncio.sleep(EVERY_S)
                quiet_s += EVERY_S
        finally:
            self._viewers -= 1


def render(language: words.Language) -> str:
    """aim.html in one language, as the live page's index.html is."""
    page = (static_folder() / "aim.html").read_text(encoding="utf-8")
    texts = {key: text for key, text in words.room("page", language).items() if key.startswith("aim-") or key == "languages"}
    for key, text in texts.items():
        page = page.replace("{{" + key + "}}", html.escape(text))
    safe = json.dumps(texts, ensure_ascii=False).replace("<", "\\u003c")
    return page.replace("{{words}}", safe).replace("{{language}}", language)
