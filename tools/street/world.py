"""The clock of the street: a discrete-event loop over nodes, cables and the gateway.

Theory of operation
    Time advances only when everybody is idle and no byte is under way. `horizon` is the next moment at which something is
    due: an event on the heap, or the gateway's own deadline. All nodes run up to it, in parallel, each inside its grant; one that
    has spoken stops there, and its bytes become an event. When every node has reached the horizon, the gateway gets the time
    and does what it had planned for it; then the events of that moment happen in order, and after each it works until it is
    idle again. What it wrote becomes events too.
    A node that ran ahead before another one's bytes lowered the horizon hears an answer at its own time, never earlier.
    The order of everything follows from times and from a running number, so a seed repeats a run.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tools.street.cable import Cable
from tools.street.climate import Weather, sht4x_raw
from tools.street.gateway_process import GatewayProcess
from tools.street.node import NodeProcess

LOOKAHEAD_MS = 10_000  # of radar reports in one grant


@dataclass
class Post:
    """One node with what it sees and the cable that it hangs on."""

    node: NodeProcess
    cable: Cable
    frames: Iterator[tuple[int, bytes]]
    weather: Weather
    next_frame: tuple[int, bytes] | None = None

    def grant(self, until_ms: int) -> None:
        due = []
        while True:
            if self.next_frame is None:
                self.next_frame = next(self.frames, (1 << 62, b""))
            if self.next_frame[0] > until_ms:
                break
            due.append(self.next_frame)
            self.next_frame = None
        # The air of these ten seconds, however they are cut into grants.
        self.node.grant(until_ms, sht4x_raw(*self.weather.at(self.node.local_ms // LOOKAHEAD_MS * LOOKAHEAD_MS / 1000)), due)


class World:
    """`now_ms` counts from the street's start. `at` puts an action on the calendar; actions get nothing and return nothing."""

    def __init__(self, posts: list[Post], gateway: GatewayProcess | None = None) -> None:
        self.posts = posts
        self.gateway = gateway
        self.now_ms = 0
        self._calendar: list[tuple[int, int, Callable[[], object]]] = []
        self._number = itertools.count()

    def at(self, time_ms: int, action: Callable[[], object]) -> None:
        heapq.heappush(self._calendar, (max(time_ms, self.now_ms), next(self._number), action))

    def run_until(self, end_ms: int) -> None:
        while self.now_ms < end_ms:
            self._step(end_ms)

    def _step(self, end_ms: int) -> None:
        self.now_ms = self._let_nodes_run(end_ms)
        self._let_gateway_run()
        while self._calendar and self._calendar[0][0] <= self.now_ms:
            heapq.heappop(self._calendar)[2]()
            self._let_gateway_run()  # one event at a time: two ports are read by two threads, and either could be first

    def _let_gateway_run(self) -> None:
        if self.gateway is None:
            return
        self.gateway.advance(self.now_ms)
        for post in self.posts:
            answer = post.cable.take_from_gateway()
            if answer:
                self.at(self.now_ms + Cable.transit_ms(answer), lambda p=post, a=answer: p.cable.deliver_to_node(a))

    def _horizon(self, end_ms: int) -> int:
        horizon = end_ms
        if self._calendar:
            horizon = min(horizon, self._calendar[0][0])
        if self.gateway is not None and self.gateway.deadline_ms is not None:
            horizon = min(horizon, self.gateway.deadline_ms)
        return max(horizon, self.now_ms)

    def _let_nodes_run(self, end_ms: int) -> int:
        for post in self.posts:  # one that has just been switched on has spoken before its first grant
            self._collect(post)
        while True:
            horizon = self._horizon(end_ms)
            behind = [post for post in self.posts if post.node.local_ms < horizon]
            if not behind:
                return horizon
            for post in behind:
                post.grant(min(horizon, (post.node.local_ms // LOOKAHEAD_MS + 1) * LOOKAHEAD_MS))
            for post in behind:
                post.node.wait()
                self._collect(post)

    def _collect(self, post: Post) -> None:
        said = post.node.take_output()
        if said:
            post.cable.witness.hear(said)
            self.at(post.node.local_ms + Cable.transit_ms(said), lambda: post.cable.deliver_to_gateway(said))
