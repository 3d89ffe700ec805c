"""Simulated time: what happens next happens at once, in the order of its moments. The gateway's asyncio runs on it too.

Theory of operation
    `Timeline` is a heap of (moment, number, action). Nothing else moves time, so the same actions give the same run.
    `Loop` is asyncio's event loop on it. A loop that was killed runs nothing more: tasks, timers and work under way stay where
    they are, as a process's memory does. Work handed to a thread starts after what that thread does already, takes the time that it
    says (`spend`), and only then is its result seen: a kill falls between any two of these.
"""

from __future__ import annotations

import asyncio
from asyncio.events import _set_running_loop
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

WORK_MS = 2  # of a thread: between asked and begun, and again before its result is seen


class Killed(BaseException):
    """The process ended at this very step. No handler of the code under test may live on."""


class Timeline:
    def __init__(self) -> None:
        self.now_ms = 0
        self._heap: list[tuple[int, int, Callable[..., object], tuple[Any, ...]]] = []
        self._number = 0

    def at(self, at_ms: int, action: Callable[..., object], *arguments: Any) -> None:
        """Does something at that moment, or now if it is over; after what was asked for earlier at the same moment."""
        self._number += 1
        heappush(self._heap, (max(at_ms, self.now_ms), self._number, action, arguments))

    def after(self, ms: int, action: Callable[..., object], *arguments: Any) -> None:
        self.at(self.now_ms + ms, action, *arguments)

    def run_until(self, end_ms: int) -> None:
        """Everything up to and including that moment."""
        heap = self._heap
        while heap and heap[0][0] <= end_ms:
            self.now_ms, _, action, arguments = heappop(heap)
            action(*arguments)
        self.now_ms = max(self.now_ms, end_ms)


class _Lane:
    """One worker thread."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]] = deque()
        self.is_busy = False


class Loop(asyncio.AbstractEventLoop):
    """`step` is called at every point at which a process may end; it raises Killed or ends the loop by `kill`."""

    def __init__(self, timeline: Timeline, step: Callable[[], None]) -> None:
        self._timeline = timeline
        self._step = step
        self._lanes: dict[int, _Lane] = {}
        self._spent_ms = 0
        self.is_dead = False
        self.problems: list[dict[str, Any]] = []

    def kill(self) -> None:
        self.is_dead = True

    def spend(self, ms: int) -> None:
        """Called by work in a thread: it takes that long."""
        self._spent_ms += ms

    # -- what asyncio asks of a loop

    def time(self) -> float:
        return self._timeline.now_ms / 1000

    def get_debug(self) -> bool:
        return False

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Any = None) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._timeline.at(self._timeline.now_ms, self._run, handle)
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._timeline.at(round(when * 1000 + 0.4999), self._run, handle)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is looked at when its moment comes."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.is_dead:
            self.problems.append(context)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = self.create_future()
        lane = self._lanes.setdefault(id(executor), _Lane())
        lane.waiting.append((future, func, args))
        if not lane.is_busy:
            self._begin(lane)
        return future

    # -- work in threads

    def _begin(self, lane: _Lane) -> None:
        lane.is_busy = bool(lane.waiting)
        if lane.is_busy:
            self._timeline.after(WORK_MS, self._work, lane, *lane.waiting.popleft())

    def _work(self, lane: _Lane, future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if self.is_dead:
            return
        self._spent_ms = WORK_MS
        result: Any = None
        error: Exception | None = None
        try:
            self._step()
            result = func(*args)
            self._step()
        except Killed:
            return
        except Exception as problem:
            error = problem
        self._timeline.after(self._spent_ms, self._finish, lane, future, result, error)

    def _finish(self, lane: _Lane, future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
        if self.is_dead:
            return
        if not future.cancelled():
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        self._begin(lane)

    def _run(self, handle: asyncio.Handle) -> None:
        if not self.is_dead and not handle.cancelled():
            _set_running_loop(self)
            try:
                handle._run()
            finally:
                _set_running_loop(None)
