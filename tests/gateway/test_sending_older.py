"""gateway.sending: older rolling results find their place or wait for it, and never hold up others."""

from __future__ import annotations

import asyncio

import pytest

from gateway import sending
from gateway.booking import rebuild_windows
from gateway.model import Series, node_name
from gateway.sending import UNWANTED, UNWANTED_S
from gateway.uplink.base import Answer, Outcome
from tests.gateway.parts import NAME, NODE, OTHER, T0
from tests.gateway.readback import MemoryServer, Office, in_store
from tests.gateway.test_store import accept

DAY_S = 86_400
KEPT_S = 7 * DAY_S
NOW_S = T0 + 9 * DAY_S
CONFLICT = "partial write: field type conflict"
STATUS = {"outbox_points": 0, "outbox_age_s": 0, "dead_letters": 0, "disk_free_mb": 1}


class Keeper(MemoryServer):
    """Keeps KEPT_S by its own clock, and says of how many lines of a batch that they are older. `sent` is all it was told."""

    def __init__(self, now_s: int = NOW_S) -> None:
        super().__init__()
        self.now_s = now_s
        self.sent: list[bytes] = []

    def send(self, lines):
        self.sent += lines
        kept = [line for line in lines if time_of(line) >= self.now_s - KEPT_S]
        answer = super().send(kept) if kept else Answer(Outcome.STORED)
        dropped = len(lines) - len(kept)
        return Answer(Outcome.REFUSED, "beyond retention", status=400, too_old=dropped) if dropped else answer


def time_of(line: bytes) -> int:
    return int(line.rpartition(b" ")[2])


def results(server: MemoryServer, since_s: int = 0, node: str = "") -> dict:
    return {
        (tags, end_s): fields
        for (tags, end_s), fields in server.of("passages_rolling").items()
        if end_s >= since_s and node in ("", dict(tags)["node"])
    }


def street(server: MemoryServer) -> Office:
    """Two nodes that were counting nine and one day ago, of which nothing was sent yet."""
    office = Office(server=server, now_s=NOW_S)
    starts = [begin_s + 60 * n for begin_s in (T0, NOW_S - DAY_S) for n in range(20)]
    for node in (NODE, OTHER):
        office.store.commit([accept(seq, start, node=node) for seq, start in enumerate(starts, 1)], NOW_S)
    office.store.add_gateway_status("gateway", NOW_S, STATUS)
    asyncio.run(rebuild_windows(office.sending._windows, office.store, NOW_S, in_store))
    return office


def settled(server: MemoryServer) -> Office:
    """The same, after everything was published; then all results of the older day are due again."""
    office = street(server)
    office.send()
    server.points = {place: fields for place, fields in server.points.items() if place[0] != "passages_rolling"}
    for node in (NODE, OTHER):
        office.sending._windows.revise(Series("bahnhof", node_name(node), "radar"), T0, T0 + 1200)
    return office


def buried(office: Office) -> list[str]:
    return [line for line, _ in office.store.dead_letters() if line.startswith("passages_rolling")]


@pytest.fixture(scope="module")
def everything():
    """What a server has that keeps all."""
    server = MemoryServer()
    street(server).send()
    return server


@pytest.fixture
def said(monkeypatch):
    found = []

    class Log:
        def __getattr__(self, _level):
            return lambda event, **data: found.append((event, data))

    monkeypatch.setattr(sending, "_log", Log())
    return found


def test_after_an_outage_longer_than_the_retention_every_result_within_it_arrives(everything, said):
    server = Keeper()
    office = street(server)
    office.send()
    assert results(server) == results(everything, NOW_S - KEPT_S) != {}
    assert office.sending._windows.rolled_s == NOW_S - 60
    assert office.sending.trouble is None
    assert buried(office) == []
    dropped = [data["ends"] for event, data in said if event == "older results dropped"]
    assert len(dropped) == 1
    assert dropped[0] >= len(results(everything)) - len(results(server))


def test_what_is_too_old_is_counted_also_where_it_was_due_beside_younger_results(said):
    office = settled(MemoryServer())
    windows = office.sending._windows
    while windows.take_older(5000):
        windows.done()
    windows.renew(Series("bahnhof", NAME, "radar"), T0 + 60)  # of the windows up to 15 minutes
    windows.renew(Series("bahnhof", NAME, "radar"), T0 + 600)
    office.sending._refused_until_s = T0 + 300
    said.clear()
    office.send()
    assert [data["ends"] for event, data in said if event == "older results dropped"] == [3]


def test_what_is_too_old_of_one_series_is_not_even_made_of_the_others():
    server = Keeper()
    street(server).send()
    refused = [line for line in server.sent if line.startswith(b"passages_rolling") and time_of(line) < NOW_S - KEPT_S]
    assert len({line.partition(b",window=")[0] for line in refused}) == 1


def test_a_server_that_forgets_its_retention_after_a_while_gets_results_as_old_as_before():
    server = Keeper()
    office = street(server)
    office.send()
    server.now_s = 0
    office.sending._windows.revise(Series("bahnhof", NAME, "radar"), T0, T0 + 60)
    office.send()
    assert T0 + 60 in {end_s for _, end_s in results(server)}


def test_a_server_with_a_wrong_clock_costs_nothing(everything):
    server = Keeper()
    server.now_s = 0
    office = settled(server)
    server.now_s = NOW_S + 365 * DAY_S
    office.send()
    assert office.sending.trouble is not None
    assert office.sending._windows.rolled_s <= T0
    server.now_s = 0
    office.send()
    within = {place: fields for place, fields in results(everything).items() if place[1] < T0 + 2 * DAY_S}
    assert results(server) == within


def test_of_a_series_that_a_server_at_work_does_not_want_nothing_is_lost_and_others_go_on(everything):
    server = MemoryServer()
    office = settled(server)
    server.refuses = lambda line: line.startswith(b"passages_rolling") and NAME.encode() in line
    server.batches = 0
    office.send()
    other = node_name(OTHER)
    older = {place: fields for place, fields in results(everything).items() if place[1] < T0 + 2 * DAY_S}
    assert results(server) == {place: fields for place, fields in older.items() if dict(place[0])["node"] == other}
    assert buried(office) == []
    assert server.batches < 3 * UNWANTED + 20, "a line is asked for once, and not all of them"
    assert office.sending.trouble is not None
    assert (office.sending.trouble.reason, office.sending.trouble.next_try_s) == ("400 refused", NOW_S + UNWANTED_S)
    assert office.sending._windows.rolled_s <= T0

    server.refuses = lambda _line: False
    server.batches = 0
    office.send()
    assert server.batches == 0, "not before its time"
    office.now_s += UNWANTED_S
    office.send()
    assert results(server) == older
    assert office.sending.trouble is None


def test_a_series_of_which_nothing_is_due_any_more_is_no_trouble():
    server = MemoryServer()
    office = settled(server)
    server.refuses = lambda line: line.startswith(b"passages_rolling") and NAME.encode() in line
    office.send()
    assert office.sending.trouble is not None
    windows = office.sending._windows
    asyncio.run(rebuild_windows(windows, office.store, NOW_S, in_store))
    while windows.take_older(5000):
        windows.done()
    windows.revise(Series("bahnhof", node_name(OTHER), "radar"), T0, T0 + 60)
    office.send()
    assert office.sending.trouble is None


def test_a_clock_that_is_put_back_makes_nobody_wait_for_longer():
    server = MemoryServer()
    office = settled(server)
    server.refuses = lambda line: line.startswith(b"passages_rolling")
    office.send()
    server.refuses = lambda _line: False
    office.now_s -= 365 * DAY_S
    office.send()
    assert office.sending.trouble is None
    assert office.sending._windows.is_published


def test_a_single_older_result_that_is_refused_is_a_dead_letter_and_the_others_are_there():
    server = MemoryServer()
    office = settled(server)
    bad = b"passages_rolling,site=bahnhof,node=%s,sensor=radar,window=5m " % NAME.encode()
    server.refuses = lambda line: line.startswith(bad) and time_of(line) == T0 + 300
    office.send()
    assert [line.startswith(bad.decode()) for line in buried(office)] == [True]
    assert office.sending._windows.is_published
    assert office.sending.trouble is None


def test_who_refuses_also_what_it_had_taken_is_no_database_at_work_and_nothing_is_buried():
    server = MemoryServer()
    office = settled(server)
    server.refuses = lambda _line: True
    office.send()
    assert office.sending.trouble is not None
    assert (office.store.dead_letters(), office.sending._windows.is_published) == ([], False)
    assert office.sending._unwanted == {}
