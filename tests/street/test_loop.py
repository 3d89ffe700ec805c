"""tools.street.loop: what wakes the loop beside the street's word changes nothing of what it waits for."""

import selectors
import socket
from contextlib import closing

from tools.street.loop import StreetSelector


class Street:
    """Gives the time 400 once; remembers for how long somebody wanted to wait, and since when."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.waits: list[tuple[int, float | None]] = []
        self._ours, self._theirs = socket.socketpair()
        self._ours.send(b"!")

    def fileno(self) -> int:
        return self._theirs.fileno()

    def idle(self, timeout_s: float | None) -> bool:
        self.waits.append((self.now_ms, timeout_s))
        return True

    def take_word(self) -> None:
        self._theirs.recv(1)
        self.now_ms = 400

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


def test_a_wait_that_was_reckoned_before_the_word_is_not_told_after_it():
    with closing(Street()) as street, closing(StreetSelector(street)) as selector:
        assert selector.select(1.0) == []
        assert (street.now_ms, street.waits) == (400, []), "600 ms are left of the second: the loop has to reckon again"
        assert selector.select(0.6) == []
        assert street.waits == [(400, 0.6)]


def test_other_input_is_seen_with_the_word():
    viewer, page = socket.socketpair()
    with viewer, page, closing(Street()) as street, closing(StreetSelector(street)) as selector:
        selector.register(page, selectors.EVENT_READ)
        viewer.send(b"GET")
        assert [key.fileobj for key, _ in selector.select(1.0)] == [page]
        assert (street.now_ms, street.waits) == (400, [])
