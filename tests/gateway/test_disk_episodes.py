"""A disk that is full now and free then, at any moment: nothing is lost and nothing counts twice."""

from __future__ import annotations

import random

import pytest

from gateway.errors import StoreError
from tests.gateway.parts import T0, Desk, acked, hello, minute
from tests.gateway.test_store_faults import fill_disk, free_disk

EPISODES = 200


class Node:
    """Closes a minute after the other and keeps each until it is acknowledged."""

    def __init__(self) -> None:
        self.held: list = []
        self.truth: dict[int, int] = {}
        self.total = 0

    def close_minute(self, people: int) -> None:
        seq = len(self.truth) + 1
        start = T0 + 60 * seq
        self.total += people
        self.truth[start] = people
        self.held.append(minute(seq, start, people, total=(self.total, 0), uptime_end_s=60 * seq))

    def hear(self, watermark: int | None) -> None:
        self.held = [message for message in self.held if watermark is None or message.record.seq > watermark]


@pytest.mark.parametrize("seed", [1, 2])
def test_episodes_of_a_full_disk_lose_nothing_and_count_nothing_twice(tmp_path, seed):
    rng = random.Random(seed)
    desk, node = Desk(tmp_path / "store.db"), Node()
    desk.hear(hello(), T0 + 61)
    refused = 0
    for _ in range(EPISODES // 2):
        for fill in (True, False):
            (fill_disk if fill else free_disk)(desk.store)
            for _ in range(rng.randrange(1, 12)):
                node.close_minute(rng.randrange(30))
                for message in list(node.held):
                    try:
                        node.hear(acked(desk.hear(message, T0 + 60 * len(node.truth) + 61)))
                    except StoreError:
                        refused += 1
                        desk.restart()
                        break
    free_disk(desk.store)
    for message in list(node.held):
        node.hear(acked(desk.hear(message)))
    assert node.held == []
    assert refused > EPISODES // 10
    assert {start: ab for start, (ab, _) in desk.counts().items()} == node.truth
    assert desk.facts("losses") == {}
    desk.store.close()
