"""The page's routes. Reads only: nothing here can change the gateway.

Every answer forbids the browser to ask any other host. Where the page is on loopback, only loopback's names are answered, so that
no web site can read it by a name of its own.
"""

from __future__ import annotations

import asyncio
import html
import importlib.util
import json
import re
from collections.abc import AsyncIterator
from functools import lru_cache, partial
from importlib import resources
from pathlib import Path

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import words
from gateway.errors import StoreError
from gateway.page.feed import Feed
from gateway.reading import Reader

LOOPBACK = ["127.0.0.1", "localhost", "[::1]"]
MAX_HOURS = 48
HEADERS = {
    b"content-security-policy": b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-cache",
}
CHART = {"dygraph.js": "assets/dygraph-combined.js"}  # name on the page: place in the chart library's package

_log = structlog.get_logger("gateway")


class SafeHeaders:
    """Adds HEADERS to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in HEADERS]
                message = {**message, "headers": [*kept, *HEADERS.items()]}
            await send(message)

        await self._app(scope, receive, send_with)


class EventStream(StreamingResponse):
    """The states for one viewer, or word that every place is taken."""

    def __init__(self, feed: Feed) -> None:
        super().__init__(_events(feed), media_type="text/event-stream")
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._feed.place() as is_free:
            answer = super().__call__ if is_free else PlainTextResponse("too many viewers", 503, {"Retry-After": "30"})
            await answer(scope, receive, send)


async def _events(feed: Feed) -> AsyncIterator[bytes]:
    yield b"retry: 2000\n\n"  # the browser's own pause before it comes back, in ms
    async for text in feed.states():
        yield b"event: state\ndata: " + text + b"\n\n" if text else b": nothing new\n\n"


def make_app(feed: Feed, reader: Reader, is_local: bool) -> Starlette:
    """`reader` reads the store; `is_local` when the page listens on loopback only."""
    one_at_a_time = asyncio.Semaphore(1)  # histories are read and written while the gateway counts

    async def index(request: Request) -> Response:
        language = words.choose(request.query_params.get("lang"), request.headers.get("accept-language"))
        return Response(render_index(language), media_type="text/html", headers={"Content-Language": language})

    async def state(_request: Request) -> Response:
        return Response(await feed.newest(), media_type="application/json")

    async def events(request: Request) -> Response:
        return EventStream(feed) if request.method == "GET" else Response(media_type="text/event-stream")

    async def history(request: Request) -> Response:
        node = request.query_params.get("node", "")
        hours = request.query_params.get("hours", "6")
        if not re.fullmatch(r"[0-9]{1,2}", hours) or not 1 <= int(hours) <= MAX_HOURS:
            return PlainTextResponse(f"hours: expected 1 to {MAX_HOURS}", 400)
        async with one_at_a_time:
            until_s = await feed.now_s()
            text = await asyncio.to_thread(_history, reader, node, until_s - int(hours) * 3600, until_s)
        return Response(text, media_type="application/json")

    middleware = [Middleware(SafeHeaders)]
    if is_local:
        middleware.append(Middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK, www_redirect=False))
    routes = [
        Route("/", index),
        Route("/state", state),
        Route("/events", events),
        Route("/history", history),
        *[Route(f"/static/{name}", partial(_chart, name)) for name in CHART],
        Mount("/static", StaticFiles(directory=static_folder())),
    ]
    return Starlette(routes=routes, middleware=middleware, exception_handlers={StoreError: _store_trouble})


async def _chart(name: str, _request: Request) -> Response:
    found = importlib.util.find_spec("dygraphs")  # without importing it: only its JavaScript is wanted
    if found is None or found.origin is None:
        return PlainTextResponse("the chart library is not installed", 404)
    return FileResponse(Path(found.origin).parent / CHART[name])


async def _store_trouble(_request: Request, error: Exception) -> Response:
    _log.error("page not fed", problem=str(error))
    return PlainTextResponse("the store cannot be read", 503, {"Retry-After": "30"})


def _history(reader: Reader, node: str, start_s: int, until_s: int) -> bytes:
    start_s = start_s // 60 * 60
    climate = reader.climate_of(node, start_s, until_s)
    found = {
        "node": node,
        "from_s": start_s,
        "until_s": until_s,
        "step_s": 60,
        "rows": reader.counts_of(node, start_s, until_s),
        "climate": [(minute.from_s, minute.temperature_c, minute.humidity_pct) for minute in climate],
    }
    return json.dumps(found, separators=(",", ":")).encode()


@lru_cache(maxsize=len(words.LANGUAGES))
def render_index(language: words.Language) -> str:
    """index.html in one language: `{{key}}` is the text `page.key`, `{{words}}` all of them as JSON."""
    page = (resources.files("gateway") / "page/static/index.html").read_text(encoding="utf-8")
    texts = words.room("page", language)
    for key, text in texts.items():
        page = page.replace("{{" + key + "}}", html.escape(text))
    safe = json.dumps(texts, ensure_ascii=False).replace("<", "\\u003c")
    return page.replace("{{words}}", safe).replace("{{language}}", language)


def static_folder() -> Path:
    return Path(str(resources.files("gateway"))) / "page" / "static"
