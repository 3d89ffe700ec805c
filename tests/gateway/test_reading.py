"""gateway.reading and gateway.watch: what is on the disk, read beside the writer, and only when something was written."""

from __future__ import annotations

import sqlite3

import pytest

from gateway import config
from gateway.errors import StoreError
from gateway.model import CountBin, Series
from gateway.reading import Reader
from gateway.shown import Counted, DeadLetter, OutboxState
from gateway.store import SENT, Store
from gateway.view import Now, View
from gateway.watch import Watch
from tests.gateway.parts import NAME, T0
from tests.gateway.test_store import accept

SERIES = Series("bahnhof", NAME, "radar")


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store.db")
    yield store
    store.close()


@pytest.fixture
def reader(store, tmp_path):
    reader = Reader(tmp_path / "store.db")
    yield reader
    reader.close()


STATUS: dict[str, int | float | str] = {"outbox_points": 1, "outbox_age_s": 0, "dead_letters": 0}


def fill(store: Store, minutes: int, first: int = 1) -> None:
    store.commit([accept(seq, T0 + 60 * (seq - 1), seq) for seq in range(first, first + minutes)], T0)


def test_sums_and_the_newest_minute(store, reader):
    fill(store, 5)
    assert reader.since(T0) == {SERIES: Counted(T0, 15, 0, 300)}
    assert reader.since(T0 + 180) == {SERIES: Counted(T0 + 180, 9, 0, 120)}
    assert reader.newest(T0) == {SERIES: Counted(T0 + 240, 5, 0, 60)}
    assert reader.since(T0 + 301) == reader.newest(T0 + 301) == {}


def test_a_nodes_minutes_in_order_and_missing_ones_are_missing(store, reader):
    fill(store, 2)
    fill(store, 1, first=5)
    rows = reader.counts_of(NAME, T0, T0 + 3600)
    assert [row[:4] for row in rows] == [(T0, 1, 0, 60), (T0 + 60, 2, 0, 60), (T0 + 240, 5, 0, 60)]
    assert reader.counts_of(NAME, T0 + 60, T0 + 61)[0][0] == T0 + 60
    assert reader.counts_of("tr-ffffff", T0, T0 + 3600) == []


def test_it_reads_while_a_transaction_is_open_and_cannot_write(store, reader):
    fill(store, 1)
    with store.transaction():
        store._db.execute("DELETE FROM bins")
        assert reader.since(T0) == {SERIES: Counted(T0, 1, 0, 60)}
    assert reader.since(T0) == {}
    with pytest.raises(StoreError):
        reader._read("DELETE FROM bins")


def test_it_sees_what_is_committed_while_the_gateway_goes_on(tmp_path, store):
    reader = Reader(tmp_path / "store.db")
    assert reader.outbox() == OutboxState(0, 0, 0)
    for n in (3, 1, 2):
        store.add_gateway_status("gw", T0 + n, STATUS)
    assert reader.outbox() == OutboxState(3, T0 + 1, 0)
    first, second, _ = store.waiting(3)
    store.settle([first], SENT)
    store.bury(second, "line", "HTTP 400", T0 + 9)
    assert reader.outbox() == OutboxState(1, T0 + 3, 1)
    assert reader.dead_letters(5) == [DeadLetter(T0 + 9, "line", "HTTP 400")]
    assert reader.dead_letters(0) == []
    reader.close()


def test_it_cannot_write(tmp_path, store):
    reader = Reader(tmp_path / "store.db")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._db.execute("DELETE FROM bins")
    reader.close()


def test_it_waits_for_nobody_who_writes(tmp_path, store):
    with store.transaction():
        store._db.execute("INSERT INTO dead_letters VALUES(NULL, 'passages', 1, 1, 'l', 'r', 1)")
        reader = Reader(tmp_path / "store.db")
        assert reader.outbox().dead_letters == 0
    assert reader.outbox().dead_letters == 1
    reader.close()


def test_a_gateway_that_is_stopped_can_be_asked_too(tmp_path):
    store = Store(tmp_path / "store.db")
    store.add_gateway_status("gw", T0, STATUS)
    store.close()
    reader = Reader(tmp_path / "store.db")
    assert reader.outbox().waiting == 1
    reader.close()


def test_where_there_is_no_store_none_is_made(tmp_path):
    with pytest.raises(StoreError) as caught:
        Reader(tmp_path / "store.db")
    assert caught.value.key == "store-none"
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_store_is_said(tmp_path):
    (tmp_path / "store.db").write_bytes(b"nothing of the kind " * 300)
    with pytest.raises(StoreError) as caught:
        Reader(tmp_path / "store.db").outbox()
    assert caught.value.key == "store-unusable"


# -- watching


TOML = '[gateway]\nstate_dir = "{folder}"\n[sites.bahnhof]\n[nodes.{node}]\nsite = "bahnhof"\n'


@pytest.fixture
def watch(store, tmp_path):
    watch = Watch(config.parse(TOML.format(folder=tmp_path, node=NAME), "test", {}), "0.1.0")
    yield watch
    watch.close()


def at(now_s: int) -> Now:
    return Now(now_s, [], [], None)


def look(watch: Watch, now: Now) -> View:
    watch.read(now.now_s)
    return watch.view(now)


def test_the_disk_is_read_only_when_something_was_written_or_a_minute_has_passed(store, watch, monkeypatch):
    reads = []
    since = watch.reader.since
    monkeypatch.setattr(watch.reader, "since", lambda start_s: (reads.append(start_s), since(start_s))[1])
    fill(store, 2)
    shown = look(watch, at(T0 + 130))
    assert shown["nodes"][0]["minute"]["ab"] == 2
    for _ in range(5):
        look(watch, at(T0 + 131))
    assert len(reads) == 1
    fill(store, 1, first=3)
    assert look(watch, at(T0 + 131))["nodes"][0]["minute"]["ab"] == 3
    look(watch, at(T0 + 185))
    assert len(reads) == 3


def test_whoever_reads_the_store_anew_is_told_to_ask_the_gateway_again(store, watch):
    fill(store, 1)
    assert watch.read(T0 + 70)
    assert not watch.read(T0 + 71)
    fill(store, 1, first=2)
    assert watch.read(T0 + 71)


def test_a_node_that_has_been_silent_for_long_still_shows_its_last_minute(store, watch):
    fill(store, 2)
    for hours in (1, 5, 100):
        assert look(watch, at(T0 + hours * 3600))["nodes"][0]["minute"]["from_s"] == T0 + 60


def test_after_a_night_without_viewers_the_newest_minute_is_the_newest(store, watch):
    fill(store, 2)
    assert look(watch, at(T0 + 130))["nodes"][0]["minute"]["from_s"] == T0 + 60
    fill(store, 300, first=3)  # five hours of counting, then silence
    shown = look(watch, at(T0 + 9 * 3600))["nodes"][0]
    assert shown["minute"]["from_s"] == T0 + 301 * 60


def test_a_node_that_was_silent_before_anybody_looked_shows_its_day(store, watch):
    look(watch, at(T0))
    fill(store, 2)
    shown = look(watch, at(T0 + 3 * 3600))["nodes"][0]
    assert shown["minute"]["from_s"] == T0 + 60
    assert shown["today"]["ab"] == 3


def test_a_folder_that_has_gone_is_an_error_of_the_store(store, watch, monkeypatch):
    def gone(_folder):
        raise FileNotFoundError(2, "No such file or directory")

    fill(store, 1)
    monkeypatch.setattr("gateway.watch.shutil.disk_usage", gone)
    with pytest.raises(StoreError):
        look(watch, at(T0))


def test_two_sensors_of_one_minute_are_one_row_with_all_their_flags(store, reader):
    for sensor, counted in (("radar", (3, 1, 60, 8)), ("tof", (2, 0, 40, 16))):
        store.put_bin(CountBin(Series("bahnhof", NAME, sensor), T0, *counted, 0, 0), SENT)
    assert reader.counts_of(NAME, T0, T0 + 60) == [(T0, 5, 1, 60, 24)]
    assert reader.counts_of(NAME, T0 - 60, T0) == []


def test_a_folder_that_may_not_be_entered_is_an_error_of_the_store(tmp_path, monkeypatch):
    def denied(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.exists", denied)
    with pytest.raises(StoreError) as caught:
        Reader(tmp_path / "store.db")
    assert "Zugriff verweigert" in caught.value.line("de")
