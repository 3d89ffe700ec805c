"""The clock of the street: a discrete-event loop over nodes, cables and the gateway.

Theory of operation
    Time advances only when everybody is idle and no byte is under way. `horizon` is the next moment at which something is
    due: an event on the heap, or the gateway's own deadline. All nodes run up to it, in parallel, each inside its grant; one that
    has spoken stops there, and its bytes become an event. When every node has reached the horizon, the gateway gets the time
    and does what it had planned for it; then the events of that moment happen in order, and after each it works until it is
    idle again. What it wrote becomes events too.
    What a node says to its radio is heard by the gateway's process with the time at which it was said; what happens at the radio
    comes back with the gateway's report, and reaches the node at that time.
    A node that ran ahead before another one's bytes lowered the horizon hears an answer at its own time, never earlier.
    The order of everything follows from times and from a running number, so a seed repeats a run.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tools.street.aerial import SUPERVISION_MS, Aerial, Message
from tools.street.cable import Cable
from tools.street.gateway_process import GatewayProcess
from tools.street.node import Event, Identity, NodeProcess
from tools.street.sights import Kit
from tools.street.walkers import Crossing
from tools.street.wiring import RADIO

# Of what happens, in one grant: events wait in the node's own heap, and nodes with as much to do shall run side by side.
LOOKAHEAD_MS, SHORT_LOOKAHEAD_MS = 10_000, 1_000


@dataclass(eq=False)
class Post:
    """One node of a street with its site: what happens before its sensors, who really passes, the cable that it hangs on or what
    stands for the air. It is put up at `from_ms`; only then is there a `node`."""

    kit: Kit
    identity: Identity
    link: Cable | Aerial
    events: Iterator[Event]
    crossings: list[Crossing]
    from_ms: int = 0
    node: NodeProcess = field(init=False)
    next_event: Event | None = None
    heard: list[Event] = field(default_factory=list)  # at its radio, since the last grant

    def grant(self, until_ms: int) -> None:
        """Lets the node run until then, or as far as one grant goes."""
        lookahead_ms = SHORT_LOOKAHEAD_MS if self.kit.is_short else LOOKAHEAD_MS
        until_ms = min(until_ms, (self.node.local_ms // lookahead_ms + 1) * lookahead_ms)
        due, self.heard = self.heard, []
        while True:
            if self.next_event is None:
                self.next_event = next(self.events, (1 << 62, 0, b""))
            if self.next_event[0] > until_ms:
                break
            due.append(self.next_event)
            self.next_event = None
        self.node.grant(until_ms, due)


class World:
    """`now_ms` counts from the street's start, `posts` are those that are up. `at` puts an action on the calendar; actions get
    nothing and return nothing."""

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
            if isinstance(post.link, Cable) and (answer := post.link.take_from_gateway()):
                self.at(self.now_ms + Cable.transit_ms(answer), lambda c=post.link, a=answer: c.deliver_to_node(a))
        for address, event in self.gateway.take_from_radios():
            for post in self.posts:
                if isinstance(post.link, Aerial) and post.link.address == address:
                    self._at_radio(post, post.link, event)

    def start_gateway(self, gateway: GatewayProcess) -> None:
        """From now on; radios say to it what stands."""
        self.gateway = gateway
        for post in self.posts:
            if isinstance(post.link, Aerial):
                for message in post.link.standing():
                    gateway.say_to_radio(post.link.address, message)

    def end_gateway(self) -> None:
        """It is gone, however that came about; who was connected notices."""
        self.gateway = None
        for post in self.posts:
            if isinstance(post.link, Aerial) and (event := post.link.gateway_died()):
                self.at(self.now_ms + SUPERVISION_MS, lambda p=post, a=post.link, e=event: self._at_radio(p, a, e))

    def _at_radio(self, post: Post, aerial: Aerial, event: bytes) -> None:
        aerial.event(event)
        post.heard.append((max(self.now_ms, post.node.local_ms), RADIO, event))

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
                post.grant(horizon)
            for post in behind:
                post.node.wait()
                self._collect(post)

    def _collect(self, post: Post) -> None:
        said = post.node.take_output()
        if isinstance(post.link, Aerial):  # whatever it says to its port, nobody hears
            for message in post.link.messages(post.node.take_from_radio()):
                self.at(post.node.local_ms, lambda a=post.link.address, m=message: self._say_to_radio(a, m))
        elif said:
            cable = post.link
            cable.witness.hear(said)
            self.at(post.node.local_ms + Cable.transit_ms(said), lambda: cable.deliver_to_gateway(said))

    def _say_to_radio(self, address: str, message: Message) -> None:
        if self.gateway is not None:
            self.gateway.say_to_radio(address, message)
