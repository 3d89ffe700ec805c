"""One connection on the air: when its data move, and how it ends.

Theory of operation
    Connection events lie on a grid from the moment of connecting, the air's `interval_s` apart. At each, as many data packets go
    each way as there is room for, and only then does a controller tell its host that they are gone: a host that sends faster
    fills its controller's buffers.
    An event is planned only while something waits.
    One end hangs up: it is over there at once, and at the other end with the next event, or after the supervision timeout
    if the word cannot get through. Out of reach: data wait; after the supervision timeout it is over at both ends.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING

from bumble import hci, ll

if TYPE_CHECKING:
    from bumble.controller import Connection

    from tools.air.controller import Radio
    from tools.air.link import Air

INTERVAL_S = 0.030  # BlueZ asks for 30 to 50 ms (net/bluetooth: le_conn_min_interval 0x18)
# In 30 ms a controller that also scans finds room for about four pairs of full packets, 5 ms each with data length extension;
# in more it does not plan for more.
MAX_PACKETS_PER_EVENT = 4
PAIR_S = 0.0075
SUPERVISION_S = 4.0  # BlueZ's default is 420 ms, NimBLE's 2.56 s; centrals in the field ask for 4 to 6 s
ESTABLISHING_EVENTS = 6  # without an answer in these there is no connection (Core 5.4, Vol 6, Part B, 4.5.2)


class Contact:
    """Between two radios; `ends` are the central and the peripheral."""

    def __init__(self, air: Air, central: Radio, peripheral: Radio) -> None:
        self.ends = (central, peripheral)
        self._air = air
        self._interval_s = air.interval_s
        self._packets_per_event = max(1, min(MAX_PACKETS_PER_EVENT, round(air.interval_s / PAIR_S)))
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._waiting: dict[Radio, deque[tuple[Connection, hci.HCI_AclDataPacket]]] = {end: deque() for end in self.ends}
        self._next_event: asyncio.TimerHandle | None = None
        self._silence: asyncio.TimerHandle | None = None
        self._has_ended = False

    def begin(self, packet: ll.ConnectInd) -> None:
        """The peripheral answers, or it has not heard: then the central finds out."""
        central, peripheral = self.ends
        if self._has_ended or (self._air.is_in_reach(central, peripheral) and peripheral.accept(packet)):
            return
        self._is_over()
        error = hci.HCI_CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR
        self._loop.call_later(ESTABLISHING_EVENTS * self._interval_s, central.drop, central.connection_to(peripheral), error)

    def send(self, sender: Radio, connection: Connection, packet: hci.HCI_AclDataPacket) -> None:
        self._waiting[sender].append((connection, packet))
        self._plan()

    def send_control(self, sender: Radio, packet: ll.ControlPdu) -> None:
        """Of the link layer; it does not wait behind data."""
        other = self._other(sender)
        if isinstance(packet, ll.TerminateInd):
            self.hang_up(sender, packet.error_code)
        elif self._air.is_in_reach(sender, other):
            self._loop.call_soon(other.on_ll_control_pdu, sender.public_address, packet)

    def look(self) -> None:
        """Whether the ends still hear each other."""
        if self._air.is_in_reach(*self.ends):
            if self._silence is not None:
                self._silence.cancel()
                self._silence = None
            self._plan()
        elif self._silence is None:
            if self._next_event is not None:
                self._next_event.cancel()
                self._next_event = None
            self._silence = self._loop.call_later(SUPERVISION_S, self.end)

    def end(self) -> None:
        """Over at both ends, for want of any word."""
        if self._is_over():
            return
        for end in self.ends:
            end.drop(end.connection_to(self._other(end)), hci.HCI_CONNECTION_TIMEOUT_ERROR)

    def _is_over(self) -> bool:
        """True from the second time on: whoever asks is about to end it."""
        was_over, self._has_ended = self._has_ended, True
        if not was_over:
            self._air.forget(self)
            for timer in (self._next_event, self._silence):
                if timer is not None:
                    timer.cancel()
        return was_over

    def hang_up(self, by: Radio, reason: int) -> None:
        """Over for one end; the other is told, or finds out."""
        if self._is_over():
            return
        other = self._other(by)
        connection = other.connection_to(by)
        if self._air.is_in_reach(by, other):
            self._loop.call_later(self._until_next_event_s(), other.drop, connection, reason)
        else:
            self._loop.call_later(SUPERVISION_S, other.drop, connection, hci.HCI_CONNECTION_TIMEOUT_ERROR)

    def _other(self, end: Radio) -> Radio:
        return self.ends[1] if end is self.ends[0] else self.ends[0]

    def _plan(self) -> None:
        if self._next_event is None and any(self._waiting.values()) and self._silence is None and not self._has_ended:
            self._next_event = self._loop.call_later(self._until_next_event_s(), self._event)

    def _until_next_event_s(self) -> float:
        since_s = self._loop.time() - self._began_s
        # A hair beyond a grid point still belongs to it: clocks tick in milliseconds, floats do not.
        return (math.floor(since_s / self._interval_s + 1e-6) + 1) * self._interval_s - since_s

    def _event(self) -> None:
        self._next_event = None
        for end in self.ends:
            waiting = self._waiting[end]
            for _ in range(min(self._packets_per_event, len(waiting))):
                connection, packet = waiting.popleft()
                connection.on_hci_acl_data_packet(packet)
        self._plan()
