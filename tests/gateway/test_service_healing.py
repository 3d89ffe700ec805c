"""gateway.service: a store that is damaged, too large or on a failing disk while it runs; and what is noted of contact."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sqlite3
import threading
from contextlib import closing

import pytest

from gateway import config, keeping
from gateway.delivery import Backoff
from gateway.errors import StoreError
from gateway.keeping import CONNECTED, CONTACT, Yielded
from gateway.uplink.base import Answer, Outcome
from gateway.uplink.influx_v1 import InfluxV1
from tests.gateway.gateways import Clock, FakeUplink, Gateway, acked, in_all_rooms
from tests.gateway.parts import T0, hello, minute
from tests.gateway.ptys import run, until
from tests.real_parts import needs

pytestmark = needs("pty")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    in_all_rooms(monkeypatch, "DISK_PAUSE_S", 0.02)
    monkeypatch.setattr(Backoff, "LIMITS_S", dict.fromkeys(Backoff.LIMITS_S, 0.02))
    monkeypatch.setattr(Backoff, "UNANSWERED_S", 0.02)


@pytest.fixture
def said(monkeypatch):
    """Every event of the log."""
    events: list[str] = []

    class Log:
        def __getattr__(self, _level):
            return lambda event, **_: events.append(event)

    in_all_rooms(monkeypatch, "_log", Log())
    return events


def remount(folder, how: str) -> None:
    os.system(f"mount -o remount,{how} {folder}")


HEALED = "store was damaged, and made anew of what is whole"


def test_a_store_that_is_damaged_at_the_start_is_healed_and_said(tmp_path, line, said):
    async def scenario():
        async with Gateway(tmp_path, line):
            line.say(hello(), minute(1, T0, 3))
            await acked(line, 1)
        with (tmp_path / "state" / "store.db").open("r+b") as file:
            file.write(bytes(100))
        async with Gateway(tmp_path, line) as gateway:
            assert said.count(HEALED) == 1
            line.say(minute(1, T0, 3))
            line.say(minute(2, T0 + 60, 4, total=(7, 0)))
            await acked(line, 2)
            await until(lambda: gateway.stored() == {T0: 3, T0 + 60: 4})

    run(scenario())


def test_a_store_that_is_damaged_while_it_runs_is_healed_and_counting_goes_on(tmp_path, line, said):
    async def scenario():
        async with Gateway(tmp_path, line, clock=Clock(T0 + 9000), enabled=False) as gateway:
            line.say(hello(), minute(1, T0, 3), minute(2, T0 + 60, 4, total=(7, 0)))
            await acked(line, 2)
            await gateway.in_store(lambda store: store.read("UPDATE bins SET ab = 99 WHERE start = ?", (T0,)))
            line.say(minute(3, T0, 1, total=(8, 0)))
            await until(lambda: HEALED in said)
            for seq, start, ab, total in ((1, T0, 3, 3), (2, T0 + 60, 4, 7), (3, T0, 1, 8)):
                line.say(minute(seq, start, ab, total=(total, 0), previous=0 if seq == 1 else None))
            await acked(line, 3)
            bins = gateway.rows("SELECT start, ab FROM bins ORDER BY start")
            assert bins == [(T0, 4), (T0 + 60, 4)]
            assert not gateway.task.done()

    run(scenario())


def test_a_row_that_is_damaged_is_no_reason_to_end_at_the_next_start(tmp_path, line, said):
    async def scenario():
        async with Gateway(tmp_path, line, enabled=False) as gateway:
            line.say(hello(), minute(1, T0, 3))
            await acked(line, 1)
            await gateway.in_store(lambda store: store.read("UPDATE bins SET ab = 99"))
        async with Gateway(tmp_path, line, enabled=False) as gateway:
            assert said.count(HEALED) == 1
            line.say(minute(1, T0, 3))
            await until(lambda: gateway.rows("SELECT ab FROM bins") == [(3,)])

    run(scenario())


def test_a_store_beyond_its_allowance_gives_way_each_minute_and_says_what(tmp_path, monkeypatch, said):
    asked = []

    def make_room(_store, _now_s, allowed_b):
        asked.append(allowed_b)
        return Yielded(thinned_minutes=15) if len(asked) < 3 else Yielded()

    monkeypatch.setattr(keeping, "make_room", make_room)

    async def scenario():
        async with Gateway(tmp_path, enabled=False) as gateway:
            await gateway.service._minutes.make_room(T0)

    run(scenario())
    assert asked == 3 * [400_000_000]
    assert said.count("store is full") == 1
    assert config.parse("[gateway]\nstore_mb = 50", "test", {}).gateway.store_mb == 50


@pytest.mark.skipif(shutil.which("mount") is None or os.name == "nt" or os.geteuid() != 0, reason="needs a disk of its own: root")
def test_a_disk_that_fills_up_and_turns_read_only_heals_when_it_is_well_again(tmp_path, line):
    state = tmp_path / "state"
    state.mkdir()
    if os.system(f"mount -t tmpfs -o size=600k none {state} 2>/dev/null"):
        pytest.skip("no disk of its own here: mount is not allowed")

    async def scenario():
        seq = 0
        async with Gateway(tmp_path, line, clock=Clock(T0 + 90_000), enabled=False) as gateway:
            line.say(hello())
            for is_full in (False, True, False, True, False):
                stuffing = state / "stuffing"
                if is_full:
                    with stuffing.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
                        while True:
                            file.write(bytes(1024))
                else:
                    stuffing.unlink(missing_ok=True)
                for _ in range(6):
                    seq += 1
                    line.say(minute(seq, T0 + 60 * seq, 1, total=(seq, 0)))
                    await asyncio.sleep(0.03)
                if not is_full:
                    for again in range(1, seq + 1):
                        line.say(minute(again, T0 + 60 * again, 1, total=(again, 0)))
                    await acked(line, seq)
            assert gateway.rows("SELECT count(*), sum(ab) FROM bins") == [(seq, seq)]
        remount(state, "ro")
        with pytest.raises(StoreError):  # it ends with 3, and whoever keeps it running tries again
            Gateway(tmp_path, line)
        remount(state, "rw")
        async with Gateway(tmp_path, line, enabled=False) as gateway:
            assert gateway.rows("SELECT sum(ab) FROM bins") == [(seq,)]

    try:
        run(scenario())
    finally:
        os.system(f"umount {state}")


# -- contact with a server


def test_it_is_noted_before_anything_is_sent_and_until_when_something_may_have_been_taken(tmp_path, line):
    answers = [Answer(Outcome.RETRY, "refused", is_undelivered=True)]
    uplink = FakeUplink(lambda _lines: answers[-1])
    seen: list[int] = []

    async def scenario():
        async with Gateway(tmp_path, line, uplink=uplink, clock=Clock(T0 + 9000)) as gateway:

            def notes() -> dict[str, int]:
                return dict(gateway.rows("SELECT name, value FROM meta"))

            line.say(hello(), minute(1, T0, 3))
            await until(lambda: len(uplink.sent) > 2 and notes().get(CONNECTED) == 0)
            assert notes()[CONTACT] == 0
            original = uplink.send

            def send(lines):
                with sqlite3.connect(tmp_path / "state" / "store.db") as database:
                    if lines:  # an empty batch finds out whether anybody is there
                        seen.append(database.execute("SELECT value FROM meta WHERE name = ?", (CONNECTED,)).fetchone()[0])
                return original(lines)

            uplink.send = send
            answers.append(Answer(Outcome.RETRY, "no answer, so who knows"))
            await until(lambda: notes()[CONNECTED] == 1 and len(seen) > 2)
            answers.append(Answer(Outcome.RETRY, "refused", is_undelivered=True))
            await until(lambda: notes()[CONTACT] >= T0 + 9000)

    run(scenario())
    assert set(seen) == {1}


def test_while_nobody_is_reached_nothing_is_written_and_then_everything_is_sent(tmp_path, line):
    answers = [Answer(Outcome.RETRY, "refused", is_undelivered=True)]
    uplink = FakeUplink(lambda _lines: answers[-1])

    async def scenario():
        async with Gateway(tmp_path, line, uplink=uplink, clock=Clock(T0 + 9000)) as gateway:
            line.say(hello(), minute(1, T0, 3))
            await until(lambda: len(uplink.sent) > 3 and gateway.records() == [1] and not uplink.sent[-1])
            with closing(sqlite3.connect(tmp_path / "state" / "store.db")) as database:
                before, knocks = database.execute("PRAGMA data_version").fetchall(), len(uplink.sent)
                await until(lambda: len(uplink.sent) > knocks + 20)
                assert database.execute("PRAGMA data_version").fetchall() == before
            assert not any(uplink.sent[knocks:])
            answers.append(Answer(Outcome.STORED))
            await until(lambda: any(b"passages," in key for key in uplink.table))

    run(scenario())


def test_only_where_no_connection_came_about_certainly_nothing_was_taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"

        def hang_up() -> None:
            server.accept()[0].close()

        closing = threading.Thread(target=hang_up)
        closing.start()
        assert not InfluxV1(address, "x").send([b"a b=1 1"]).is_undelivered
        closing.join()
    assert InfluxV1(address, "x").send([b"a b=1 1"]).is_undelivered
    assert InfluxV1("http://no-such-host.invalid:80", "x").send([b"a b=1 1"]).is_undelivered
