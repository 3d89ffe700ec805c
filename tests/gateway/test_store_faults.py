"""gateway.store on a disk that is full, broken or gone, and under kill -9."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import EXIT_ENVIRONMENT, StoreError
from gateway.store import SENT, Store
from tests.gateway.parts import T0
from tests.gateway.test_store import accept, everything

ROOT = Path(__file__).resolve().parents[2]
KILLS = 6


def fill_disk(store: Store) -> None:
    """From now on SQLite gets no further page: a real SQLITE_FULL."""
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")


def free_disk(store: Store) -> None:
    store._db.execute("PRAGMA max_page_count = 1000000")


def commit_until_full(store: Store, first_seq: int) -> int:
    """The sequence number of the first record that did not fit."""
    for seq in range(first_seq, first_seq + 2000):
        try:
            store.commit([accept(seq, T0 + 60 * seq)], T0)
        except StoreError:
            return seq
    raise AssertionError("the disk never got full")


def test_a_full_disk_is_one_clear_line_and_nothing_is_half_there(tmp_path):
    store = Store(tmp_path / "store.db")
    fill_disk(store)
    refused = commit_until_full(store, 1)
    assert [stream.watermark for stream in store.streams()] == [refused - 1]
    before = everything(store)
    with pytest.raises(StoreError) as caught:
        store.commit([accept(seq, T0 + 60 * seq) for seq in range(refused, refused + 50)], T0)
    assert everything(store) == before
    line = caught.value.line()
    assert "\n" not in line
    assert line.startswith(f"the disk that holds {tmp_path / 'store.db'} is full. ")
    assert caught.value.exit_code == EXIT_ENVIRONMENT
    free_disk(store)
    assert len(store.commit([accept(seq, T0 + 60 * seq) for seq in range(refused, refused + 50)], T0)) == 50
    store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE is POSIX")
def test_a_limit_of_the_operating_system_is_a_store_error_and_the_file_stays_whole(tmp_path):
    script = f"""
import resource, signal, sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "firmware")!r}]
from pathlib import Path
from gateway.errors import StoreError
from gateway.store import Store
from tests.gateway.test_store_faults import commit_until_full
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store(Path({str(tmp_path / "store.db")!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
refused = commit_until_full(store, 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
from tests.gateway.test_store import accept
from tests.gateway.parts import T0
store.commit([accept(refused, T0)], T0)
print(refused, max(s.watermark for s in store.streams()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    refused, watermark = map(int, done.stdout.split())
    assert watermark == refused > 1
    with sqlite3.connect(tmp_path / "store.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_an_empty_file_is_a_new_store(tmp_path):
    (tmp_path / "store.db").touch()
    store = Store(tmp_path / "store.db")
    assert store.streams() == []
    store.close()


def test_a_folder_that_is_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(StoreError) as caught:
        Store(tmp_path / "nowhere" / "store.db")
    assert "\n" not in caught.value.line()
    assert "nowhere" in caught.value.line()
    assert "full" not in caught.value.line()


READS = {
    "waiting": lambda store: store.waiting(9),
    "streams": lambda store: store.streams(),
    "silences": lambda store: store.silences(),
    "outbox_state": lambda store: store.outbox_state(),
    "count_bins_since": lambda store: store.count_bins_since(0),
    "simulated_nodes": lambda store: store.simulated_nodes(),
    "dead_letters": lambda store: store.dead_letters(),
}


@pytest.mark.parametrize("name", READS)
def test_a_disk_that_breaks_while_reading_is_a_store_error_too(tmp_path, name):
    store = Store(tmp_path / "store.db")
    store._db.close()
    store._db = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    store._db.execute("PRAGMA writable_schema = ON")
    store._db.execute("DELETE FROM sqlite_master")
    store._db.close()
    store._db = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    with pytest.raises(StoreError) as caught:
        READS[name](store)
    assert "\n" not in caught.value.line()
    store.close()


def test_two_writers_wait_for_each_other_and_lose_nothing(tmp_path):
    first, second = Store(tmp_path / "store.db"), Store(tmp_path / "store.db")
    for seq in range(1, 20):
        (first if seq % 2 else second).commit([accept(seq, T0 + 60 * seq)], T0)
    assert len(first.count_bins_since(0)) == 19
    first.close()
    second.close()


# -- kill -9

_WRITER = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "firmware")!r}]
from pathlib import Path
from gateway.store import SENT, Store
from tests.gateway.parts import T0
from tests.gateway.test_store import accept
store = Store(Path(sys.argv[1]))
seq = max([s.watermark for s in store.streams()], default=0)
while True:
    batch = [accept(n, T0 + 60 * (n // 3), climate=(2000, 100, 2)) for n in range(seq + 1, seq + 8)]
    store.commit(batch, T0)
    seq += 7
    store.settle(store.waiting(4), SENT)
    print(seq, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_kill_9_loses_nothing_that_was_acknowledged_and_keeps_nothing_half(tmp_path):
    path = tmp_path / "store.db"
    acknowledged = 0
    for kill in range(KILLS):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        wanted = acknowledged + 7 * (3 + 5 * kill)
        for line in writer.stdout:
            acknowledged = int(line)
            if acknowledged >= wanted:
                break
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged = max([acknowledged, *(int(line) for line in writer.stdout if line.endswith("\n"))])
        writer.stdout.close()
        writer.wait()
        store = Store(path)
        (stream,) = store.streams()
        assert stream.watermark >= acknowledged
        assert stream.watermark % 7 == 0, "half a batch"
        assert sum(b.ab for b in store.count_bins_since(0)) == stream.watermark
        assert {state for *_, state in everything(store)["outbox"]} <= {0, SENT}
        acknowledged = stream.watermark
        store.close()
