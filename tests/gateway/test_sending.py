"""gateway.sending: what is said while a server takes nothing."""

from __future__ import annotations

import asyncio

import pytest

from gateway import sending
from gateway.uplink.base import Answer, Outcome
from tests.gateway.parts import T0
from tests.gateway.readback import Office
from tests.gateway.test_store import accept

AWAY, DENIED = Answer(Outcome.RETRY, "away", status=503), Answer(Outcome.HOLD, "denied", status=401)


@pytest.fixture
def said(monkeypatch):
    """(level, reason) of every time that it is said."""
    found = []

    class Log:
        def __getattr__(self, level):
            return lambda event, **data: found.append((level, data["reason"])) if event == "server takes nothing" else None

    monkeypatch.setattr(sending, "_log", Log())
    return found


@pytest.fixture
def office():
    office = Office()
    office.store.commit([accept(1)], T0)
    return office


def try_at(office: Office, second: int, answer: Answer) -> None:
    office.now_s = T0 + second
    office.server.answers = lambda: answer
    asyncio.run(office.sending.send_batch())


def test_the_same_trouble_is_said_again_after_five_minutes_and_not_at_each_try(office, said):
    told = {}
    for second in (0, 1, 30, 299, 300, 301, 599, 600):
        said.clear()
        try_at(office, second, AWAY)
        told[second] = len(said)
    assert [second for second, times in told.items() if times] == [0, 300, 600]
    assert office.sending.trouble is not None
    assert office.sending.trouble.since_s == T0


def test_another_trouble_is_said_at_once(office, said):
    for second, answer in enumerate((AWAY, AWAY, DENIED, DENIED, AWAY)):
        try_at(office, second, answer)
    assert said == [("warning", "away"), ("error", "denied"), ("warning", "away")]


def test_trouble_that_comes_back_after_a_success_is_said_at_once(office, said):
    for seq, answer in enumerate((AWAY, Answer(Outcome.STORED), AWAY), 2):
        try_at(office, seq, answer)
        office.store.commit([accept(seq, T0 + 60 * seq)], T0)
    assert said == [("warning", "away")] * 2


def test_what_may_be_published_no_longer_is_not_sent_though_a_batch_has_just_failed(office):
    sending_ = office.sending
    tried = []

    def answer():
        tried.append(1)
        sending_.may_publish.clear()  # as when a store was healed meanwhile
        return Answer(Outcome.RETRY, "away", status=503)

    async def scenario():
        sending_.may_publish.set()
        sending_.wake()
        task = asyncio.create_task(sending_.run())
        await asyncio.sleep(0.05)
        assert tried == [1]
        task.cancel()

    office.server.answers = answer
    sending_._pause_after = lambda _stopped: -1.0
    asyncio.run(scenario())
