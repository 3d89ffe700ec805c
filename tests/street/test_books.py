"""The books find what is missing and what is there twice; they are what every other promise is measured with."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import streetwire
from gateway.model import Accept, Passport
from gateway.store import Store
from gateway.uplink.base import Row
from gateway.words import LANGUAGES, text
from tests.street.results import minute, results_of
from tools.street import books
from tools.street.cable import Witness
from tools.street.sights import KITS
from tools.street.walkers import Crossing

NODE, INCARNATION, MINUTE = 0x51A000, 77, 1_778_580_000


def record(seq: int, ab: int, ba: int, before: tuple[int, int], bin_start: int | None = None) -> streetwire.Record:
    start = MINUTE + 60 * seq if bin_start is None else bin_start
    return streetwire.Record(seq, 1, start, 60 * seq, 60, ab, ba, before[0] + ab, before[1] + ba)


RECORDS = [record(1, 3, 1, (0, 0)), record(2, 0, 0, (3, 1)), record(3, 2, 5, (3, 1))]


class FakeServer:
    """Holds these minutes, and the rolling results that follow from them."""

    def __init__(self, rows: list[Row], losses: list[Row] | None = None, gaps: list[Row] | None = None) -> None:
        self.rows = {"passages": rows, "passages_rolling": results_of(rows), "losses": losses or [], "gaps": gaps or []}

    def reader(self):
        return SimpleNamespace(read=self._read, close=lambda: None)

    def _read(self, measurement: str, start_s: int, end_s: int) -> list[Row]:
        return [row for row in self.rows.get(measurement, []) if start_s <= row.time_s < end_s]


def point(seq: int, ab: int, ba: int) -> Row:
    return minute(MINUTE + 60 * seq, ab, ba)


GOOD = [point(1, 3, 1), point(2, 0, 0), point(3, 2, 5)]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    store = Store(tmp_path / "store.db")
    store.commit([Passport(NODE, INCARNATION, "0", "kit", "linux", "radar", "sht4x")], 0)
    accepted = [Accept(NODE, INCARNATION, r, "s", r.bin_start, "radar", "sht4x", 0, 0) for r in RECORDS]
    store.commit(accepted, 0)
    store.close()
    return tmp_path


def post_of(witness: Witness) -> SimpleNamespace:
    crossings = [Crossing(0, direction, 0, "adult", 0) for direction in ["ab"] * 5 + ["ba"] * 6]
    cable = SimpleNamespace(witness=witness)
    return SimpleNamespace(kit=KITS[0], identity=SimpleNamespace(node=NODE), link=cable, crossings=crossings, from_ms=0)


def close(state: Path, server: FakeServer, live: tuple[int, int] = (5, 6)) -> dict:
    witness = Witness()
    for one in RECORDS:
        frame = streetwire.encode_frame(streetwire.RecordMessage(NODE, INCARNATION, one.seq - 1, one).encode())
        witness.hear(frame)
    witness.live = live
    post = post_of(witness)
    return books.close([post], state, server, MINUTE * 1000, 3_600_000)  # type: ignore[arg-type]


def test_equal_books_are_good(state):
    result = close(state, FakeServer(GOOD))
    assert result["ok"], result
    assert result["truth"] == result["counted"] == result["stored"] == {"ab": 5, "ba": 6}
    assert result["error"] == 0


def test_what_the_server_holds_is_counted_there(state):
    server = FakeServer(GOOD)
    server.rows["climate"] = [Row({}, MINUTE, {}), Row({}, MINUTE + 2 * 86_400, {})]
    server.rows["ledger"] = [Row({}, MINUTE + 86_400 - 3600, {})]
    result = close(state, server)
    assert result["rolling"] == len(server.rows["passages_rolling"]) == 9
    assert result["points"] == 3 + 9 + 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_rolling_results_at_fault_fail_the_run_and_are_told_in_words(state, language):
    server = FakeServer(GOOD)
    rows = server.rows["passages_rolling"]
    rows[0].fields["rev"] = 9
    rows[-1] = Row(rows[-1].tags, rows[-1].time_s + 86_400, rows[-1].fields)
    result = close(state, server)
    assert (result["rolling"], result["closed"], result["ok"]) == (7, False, False)
    told = [complaint.line(language) for complaint in result["complaints"]]
    assert told == [text(f"demo.complaint-rolling-{fault}", language, results=1) for fault in ("missing", "wrong", "surplus")]


def test_a_missing_point_is_people_lost(state):
    result = close(state, FakeServer(GOOD[:2]))
    assert (result["lost"], result["ok"]) == (7, False)


def test_a_point_counted_twice_is_found_even_where_another_hides_it_in_the_sum(state):
    result = close(state, FakeServer([point(1, 6, 2), point(2, 0, 0), point(3, 0, 3)]))
    assert (result["lost"], result["duplicated"], result["ok"]) == (4, 4, False)
    assert result["stored"] == {"ab": 6, "ba": 5}


def test_a_point_in_the_wrong_minute_is_lost_in_one_and_too_much_in_the_other(state):
    result = close(state, FakeServer([point(4, 3, 1), *GOOD[1:]]))
    assert (result["lost"], result["duplicated"]) == (4, 4)


def test_what_is_flagged_is_not_lost_but_too_much_of_it_is_not_good(state):
    flagged = [Row({}, MINUTE, {"people": 7, "bound": 7})]
    result = close(state, FakeServer(GOOD[:2], losses=flagged))
    assert (result["lost"], result["flagged"], result["ok"]) == (0, 7, False)


def test_an_open_gap_with_a_bound_is_flagged_and_a_resolved_one_is_not(state):
    open_gap, resolved, unknown = {"bound": 2, "resolved": 0}, {"bound": 9, "resolved": 5}, {"bound": -1, "resolved": 0}
    gaps = [Row({}, MINUTE, fields) for fields in (open_gap, resolved, unknown)]
    assert close(state, FakeServer(GOOD, gaps=gaps))["flagged"] == 2


def test_people_that_only_the_live_totals_know_count_as_counted(state):
    result = close(state, FakeServer(GOOD), live=(6, 6))
    assert result["counted"] == {"ab": 6, "ba": 6}
    assert result["lost"] == 1


def test_settled_means_every_record_accepted_and_nothing_waiting(state):
    witness = Witness()
    witness.records = {(INCARNATION, one.seq): one for one in RECORDS}
    post = post_of(witness)
    end_s = MINUTE + 60 * 4
    assert not books.is_settled(state, [post], end_s)  # type: ignore[list-item]  the outbox still holds all of it
    store = Store(state / "store.db")
    store.settle(store.waiting(100), 1)
    store.close()
    assert books.is_settled(state, [post], end_s)  # type: ignore[list-item]
    assert not books.is_settled(state, [post], end_s + 60)  # type: ignore[list-item]  the last minute is not closed
    witness.records[INCARNATION, 4] = record(4, 1, 0, (5, 6))
    assert not books.is_settled(state, [post], end_s)  # type: ignore[list-item]
