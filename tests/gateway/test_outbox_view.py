"""The outbox seen by a bystander: what the running gateway has committed, without a way to change it."""

from __future__ import annotations

import sqlite3

import pytest

from gateway.errors import StoreError
from gateway.outbox_view import Backlog, DeadLetter, OutboxView
from gateway.store import SENT, Store
from tests.gateway.parts import T0

STATUS: dict[str, int | float | str] = {"outbox_points": 1, "outbox_age_s": 0, "dead_letters": 0}


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store.db")
    yield store
    store.close()


def test_it_sees_what_is_committed_while_the_gateway_goes_on(tmp_path, store):
    view = OutboxView(tmp_path)
    assert view.backlog() == Backlog(0, None, 0)
    for n in (3, 1, 2):
        store.add_gateway_status("gw", T0 + n, STATUS)
    assert view.backlog() == Backlog(3, T0 + 1, 0)
    first, second, _ = store.waiting(3)
    store.settle([first], SENT)
    store.bury(second, "line", "HTTP 400", T0 + 9)
    assert view.backlog() == Backlog(1, T0 + 3, 1)
    assert view.dead_letters(5) == [DeadLetter(T0 + 9, "line", "HTTP 400")]
    assert view.dead_letters(0) == []
    view.close()


def test_it_cannot_write(tmp_path, store):
    view = OutboxView(tmp_path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        view._db.execute("DELETE FROM outbox")
    view.close()


def test_it_waits_for_nobody_who_writes(tmp_path, store):
    with store._transaction():
        store._db.execute("INSERT INTO dead_letters(line, reason, at) VALUES('l', 'r', 1)")
        view = OutboxView(tmp_path)
        assert view.backlog().dead_letters == 0
    assert view.backlog().dead_letters == 1
    view.close()


def test_a_gateway_that_is_stopped_can_be_asked_too(tmp_path):
    store = Store(tmp_path / "store.db")
    store.add_gateway_status("gw", T0, STATUS)
    store.close()
    view = OutboxView(tmp_path)
    assert view.backlog().points == 1
    view.close()


def test_where_there_is_no_store_none_is_made(tmp_path):
    with pytest.raises(StoreError) as caught:
        OutboxView(tmp_path)
    assert caught.value.key == "store-none"
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_store_is_said(tmp_path):
    (tmp_path / "store.db").write_bytes(b"nothing of the kind " * 300)
    with pytest.raises(StoreError) as caught:
        OutboxView(tmp_path).backlog()
    assert caught.value.key == "store-unusable"
