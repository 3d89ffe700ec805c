"""The store's thread. SQLite blocks and has one writer: whatever is done to the store is done here, one thing after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class InStore(Protocol):
    """Runs work in the store's thread."""

    async def __call__(self, work: Callable[..., T], *arguments: Any) -> T: ...


class StoreThread:
    """An `InStore`; `close` waits for what has begun."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "store")

    async def __call__(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def close(self) -> None:
        self._thread.shutdown()
