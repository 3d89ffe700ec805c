"""The live page is the gateway's guest: it comes after the ports, and whatever becomes of it, counting goes on.

Theory of operation
    Loading the page's packages takes a quarter as long as all the rest of a start, so nodes are heard before that. Where the
    address is taken, that is said once, and every minute the page tries again. It runs in a thread of its own and asks in the
    gateway's loop for what only the gateway knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

import structlog

from gateway.config import Config
from gateway.view import Now

if TYPE_CHECKING:
    from gateway.page.server import PageServer

PAGE_AFTER_S = 0.3

_log = structlog.get_logger("gateway")


class Hosting:
    """`begin` after the ports were opened, `open` every minute, `close` at last; without an address all three do nothing. `now` is
    called in the loop in which the page was opened."""

    def __init__(self, config: Config, now: Callable[[], Now], every_s: float) -> None:
        self._config = config
        self._now = now
        self._every_s = every_s
        self._page: PageServer | None = None
        self._is_missed = False

    @property
    def url(self) -> str:
        """Empty where there is no page."""
        return self._page.url if self._page is not None and self._page.is_open else ""

    async def begin(self) -> None:
        if self._config.gateway.page_address is not None:
            await asyncio.sleep(PAGE_AFTER_S)
            await asyncio.to_thread(import_module, "gateway.page.server")
            self.open()

    def open(self) -> None:
        """Unless it is open already."""
        if self._config.gateway.page_address is None or (self._page is not None and self._page.is_open):
            return
        from gateway.page.server import PageServer

        loop = asyncio.get_running_loop()

        async def now() -> Now:
            return self._now()

        page = PageServer(self._config, lambda: asyncio.run_coroutine_threadsafe(now(), loop), self._every_s)
        try:
            page.open()
        except (OSError, RuntimeError) as error:  # taken, or no thread to be had
            if not self._is_missed:
                action = "counting goes on without the page; close the program that has the address, or set gateway.page"
                _log.warning("page not open", address=self._config.gateway.page, problem=str(error), action=action)
            self._is_missed = True
            return
        self._page = page
        _log.info("page open", url=page.url)

    async def close(self) -> None:
        if self._page is not None:
            await asyncio.to_thread(self._page.close)
