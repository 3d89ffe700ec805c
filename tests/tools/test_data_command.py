"""`trottoir data` and `uplink dead-letters --resend`: beside a running gateway and without one, in words, as JSON, by exit code."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import closing, contextmanager

import pytest
import structlog

from gateway import adoption, audits, wishes
from gateway.audits import Audited, Hole
from gateway.model import CountBin
from gateway.outbox import ROLLED
from gateway.ownership import Ownership
from gateway.store import DEAD, QUEUED, Store
from gateway.uplink.base import Answer, Outcome, UplinkError, tags_of
from gateway.uplink.file import FileUplink
from tests.gateway.parts import NAME, SERIES
from tests.gateway.test_replaying import lived
from tests.real_parts import needs
from tools import cli, data_command
from tools.street.server_process import free_port

NODES = '[sites.bahnhof]\n[nodes.tr-a3f1c2]\nsite = "bahnhof"\n'


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    for name in [name for name in os.environ if name.startswith("TROTTOIR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(data_command, "SHOWN_AFTER_S", 0.01)
    yield
    structlog.reset_defaults()  # what the command has set up writes to a stream of this test


@pytest.fixture
def trottoir(tmp_path, capsys):
    """Runs `trottoir NOUN VERB` with keys of [uplink]; exit code, stdout and stderr."""

    def call(*words: str, before: tuple[str, ...] = (), **keys: object) -> tuple[int, str, str]:
        path = tmp_path / "trottoir.toml"
        uplink = {"enabled": True, "api": "file", "folder": str(tmp_path / "points"), **keys}
        table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in uplink.items())
        state = json.dumps(str(tmp_path / "state"))
        path.write_text(f"[gateway]\nstate_dir = {state}\nkeep_received_days = 3\n[uplink]\n{table}{NODES}", encoding="utf-8")
        code = cli.main(["--config", str(path), *before, *words])
        done = capsys.readouterr()
        assert "Traceback" not in done.out + done.err
        return code, done.out, done.err

    return call


@pytest.fixture
def books(tmp_path):
    """A store of yesterday's hour, as a gateway has left it: everything waits."""
    (tmp_path / "state").mkdir()
    start_s = (int(time.time()) - 86_400) // 3600 * 3600
    with closing(Store(tmp_path / "state" / "store.db")) as store:
        store.note(adoption.ADOPTED, 1)
        with store.transaction():
            for minute in range(60):
                at_s = start_s + 60 * minute
                store.put_bin(CountBin(SERIES, at_s, 2, 1, 60, 0, 0, at_s, 77, minute + 1), QUEUED)
    return start_s


def rob(tmp_path, start_s: int) -> None:
    """The points of ten minutes are gone from the files."""
    for path in (tmp_path / "points").glob("passages-*.lp"):
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if not start_s <= int(line.rpartition(b" ")[2]) < start_s + 600]
        path.write_bytes(b"".join(kept))


# -- data audit, no gateway running


def test_what_waits_is_sent_and_found(trottoir, books, tmp_path):
    code, out, err = trottoir("data", "audit")
    assert (code, err) == (0, "")
    first, last = out.splitlines()
    assert first.startswith("60 points compared, from ")
    assert last == "Everything that was sent is on the server."
    assert len(FileUplink(tmp_path / "points").read("passages", books, books + 3600)) == 60


def test_what_is_missing_is_named_and_sent_again(trottoir, books, tmp_path):
    trottoir("data", "audit")
    rob(tmp_path, books)
    code, out, _ = trottoir("data", "audit")
    lines = out.splitlines()
    assert code == 0
    hour = time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(books))
    assert lines[1] == f"missing   {hour}  bahnhof  {NAME}  passages: points 10, people 30"
    assert lines[-1] == "Sent again: points 10, people 30. All of it is on the server now."
    assert len(FileUplink(tmp_path / "points").read("passages", books, books + 3600)) == 60


def test_rolling_results_are_sent_and_come_back_with_the_minutes_they_are_made_of(trottoir, books, tmp_path):
    def hours() -> dict[int, object]:
        rows = FileUplink(tmp_path / "points").read("passages_rolling", books, books + 7200)
        return {row.time_s - books: row.fields["count"] for row in rows if row.tags["window"] == "1h"}

    with closing(Store(tmp_path / "state" / "store.db")) as store:
        store.note(ROLLED, books)  # nothing of it was published
    trottoir("data", "audit")
    before = hours()
    assert before == {300 * n: 3 * min(5 * n, 60, 120 - 5 * n) for n in range(1, 24)}
    rob(tmp_path, books)
    for path in (tmp_path / "points").glob("passages_rolling-*.lp"):
        path.unlink()
    trottoir("data", "audit")
    assert hours() == before


def test_the_document_says_what_was_found_and_what_became_of_it(trottoir, books, tmp_path):
    trottoir("data", "audit")
    rob(tmp_path, books)
    code, out, _ = trottoir("data", "audit", before=("--json",))
    found = json.loads(out)
    about = {key: found[key] for key in ("missing", "people", "repaired", "missing_after", "unread", "exit_code", "lasting")}
    assert (code, about) == (0, {
        "missing": 10, "people": 30, "repaired": True, "missing_after": 0, "unread": None, "exit_code": 0, "lasting": 0,
    })  # fmt: skip
    (hole,) = found["holes"]
    assert (hole["node"], hole["hour_s"], hole["points"], hole["people"], hole["unknown"]) == (NAME, books, 10, 30, 0)


def test_german(trottoir, books, tmp_path):
    trottoir("data", "audit")
    rob(tmp_path, books)
    code, out, _ = trottoir("data", "audit", before=("--lang", "de"))
    assert code == 0
    assert out.splitlines()[-1] == "Noch einmal gesendet: Punkte 10, Menschen 30. Jetzt ist alles auf dem Server."


def test_what_a_server_does_not_take_again_is_not_called_repaired(trottoir, books, tmp_path, monkeypatch):
    trottoir("data", "audit")
    rob(tmp_path, books)
    monkeypatch.setattr(FileUplink, "send", lambda _self, _lines: Answer(Outcome.RETRY, "no"))
    code, out, _ = trottoir("data", "audit")
    assert code == 1
    assert out.splitlines()[-1] == (
        "Points still missing: 11. They stay marked as unaudited; see the gateway's log and the server's."
    ), "the ledger's own row waits with them"


def test_an_uplink_that_is_off_or_a_store_that_is_not_there_ends_with_3(trottoir, tmp_path):
    assert trottoir("data", "audit", enabled=False)[0] == 3
    code, _, err = trottoir("data", "audit")
    assert code == 3 and str(tmp_path / "state") in err


def test_a_server_that_is_not_there_ends_with_9(trottoir, books):
    code, out, _ = trottoir("data", "audit", before=("--json",), api="v1", url=f"http://127.0.0.1:{free_port()}")
    found = json.loads(out)
    assert (code, found["exit_code"], found["repaired"]) == (9, 9, False)
    assert "nothing listens" in found["unread"]


def test_why_a_server_was_not_read_is_told_in_the_language_of_who_asks(trottoir, books):
    code, out, _ = trottoir("data", "audit", before=("--lang", "de"), api="v1", url=f"http://127.0.0.1:{free_port()}")
    assert code == 9 and "hört niemand" in out and "nothing listens" not in out


@needs("influxd")
def test_a_database_that_is_not_there_ends_with_8(trottoir, books, influxd):
    code, out, _ = trottoir("data", "audit", api="v1", url=influxd.url, database="nowhere")
    assert code == 8 and out.startswith("the server was not read back: ")


@needs("influxd")
def test_a_token_that_may_not_read_ends_with_7_and_a_read_token_with_0(trottoir, books, adapter, database, tmp_path):
    for name, token in (("write", adapter.blind), ("read", adapter.reader)):
        (tmp_path / name).write_text(token)
        (tmp_path / name).chmod(0o600)
    keys = {"api": "v2", "url": adapter.url, "org": adapter.org, "bucket": database, "token_file": str(tmp_path / "write")}
    code, out, err = trottoir("data", "audit", **keys)
    assert code == 7 and adapter.blind not in out + err
    assert trottoir("data", "audit", **keys, read_token_file=str(tmp_path / "read"))[0] == 0


def test_a_new_store_takes_over_what_the_server_has(trottoir, books, tmp_path):
    trottoir("data", "audit")
    for path in (tmp_path / "state").glob("store.db*"):
        path.unlink()
    Store(tmp_path / "state" / "store.db").close()
    code, out, _ = trottoir("data", "audit")
    assert (code, out.splitlines()[-1]) == (0, "Everything that was sent is on the server.")
    with closing(Store(tmp_path / "state" / "store.db")) as store:
        assert len(store.count_bins_since(0)) == 60


# -- data audit, beside a running gateway


@contextmanager
def running(folder, *rounds: Audited):
    """Holds the lock and answers each wish with the next round."""
    ownership = Ownership(folder / "lock")
    left, ended = list(rounds), threading.Event()

    def serve() -> None:
        number = 100
        while left and not ended.wait(0.02):
            if wishes.take(folder):
                number += 1
                found = left.pop(0)
                found.round = number
                audits.keep(folder, found)

    server = threading.Thread(target=serve)
    server.start()
    try:
        yield left
    finally:
        ended.set()
        server.join()
        ownership.release()


def hole(points: int) -> Hole:
    return Hole("passages", tags_of({"site": "bahnhof", "node": NAME, "sensor": "radar"}), 1_800_000_000, points, 3 * points, 0)


FORBIDDEN, AWAY = (UplinkError(key, url="memory:", found="no", target="it") for key in ("uplink-forbidden", "uplink-unreached"))
RUNNING = {
    "whole": ([Audited(2, checked=5)], 0, "Everything that was sent is on the server."),
    "repaired": ([Audited(2, holes=[hole(4)]), Audited(3)], 0, "Sent again: points 4, people"),
    "repaired after a while": (
        [Audited(2, holes=[hole(4)]), Audited(3, waiting=4), Audited(4, waiting=1), Audited(5)], 0, "Sent again: points 4, people",
    ),
    "lasting": ([Audited(2, lasting=4)], 1, "Points still missing: 4."),
    "not readable": ([Audited(2, unread=FORBIDDEN)], 7, "the server was not read back: memory: knows us but does not allow it"),
    "not readable the second time": (
        [Audited(2, holes=[hole(4)]), Audited(3, unread=AWAY)], 9, "the server was not read back: nothing listens at memory:",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rounds", "code", "says"), RUNNING.values(), ids=RUNNING)
def test_a_running_gateway_does_it(trottoir, books, tmp_path, rounds, code, says):
    with running(tmp_path / "state", *rounds) as left:
        found = trottoir("data", "audit")
    assert found[0] == code and says in found[1].splitlines()[-1]
    assert left == []


def test_points_that_go_on_waiting_are_not_called_repaired(trottoir, books, tmp_path, monkeypatch):
    monkeypatch.setattr(data_command, "LOOKS", 3)
    with running(tmp_path / "state", Audited(2, holes=[hole(4)]), *(Audited(3, waiting=4) for _ in range(3))):
        code, out, _ = trottoir("data", "audit")
    assert code == 1 and out.splitlines()[-1].startswith("Points still missing: 4.")


def test_a_gateway_that_does_not_answer_is_said(trottoir, books, tmp_path, monkeypatch):
    monkeypatch.setattr(data_command, "ANSWER_S", 0.1)
    with running(tmp_path / "state"):
        code, _, err = trottoir("data", "audit")
    assert code == 3 and "has not answered" in err


def test_what_an_earlier_round_found_is_no_answer(trottoir, books, tmp_path):
    audits.keep(tmp_path / "state", Audited(1, round=7, lasting=3))
    with running(tmp_path / "state", Audited(2, checked=5)):
        assert trottoir("data", "audit")[0] == 0


# -- data replay


def keep_life(tmp_path) -> None:
    (tmp_path / "state").mkdir(exist_ok=True)
    life = lived([(1, 3, False, 0)] * 5)
    with closing(Store(tmp_path / "state" / "store.db", keeps_received=True)) as store:
        life.store._db.backup(store._db)
    life.store.close()


def test_replayed_records_give_the_same_bins(trottoir, tmp_path):
    keep_life(tmp_path)
    code, out, _ = trottoir("data", "replay")
    assert (code, out) == (0, "5 records replayed: 5 bins compared, 0 differ\n")
    assert json.loads(trottoir("data", "replay", before=("--json",))[1]) == {"received": 5, "bins": 5, "different": 0}


def test_a_bin_that_somebody_changed_is_named(trottoir, tmp_path):
    keep_life(tmp_path)
    with closing(Store(tmp_path / "state" / "store.db")) as store, store.transaction():
        store.put_bin(CountBin(SERIES, 1_800_000_120, 4, 0, 30, 0, 0, 1, 77, 2), QUEUED)
    code, out, _ = trottoir("data", "replay")
    assert code == 1
    assert out.splitlines()[1].startswith(f"differs   2027-01-15T08:02:00Z  {NAME}: ")
    code, out, _ = trottoir("data", "replay", before=("--lang", "de"))
    assert out.splitlines()[1].startswith("anders ")


def test_where_nothing_is_kept_there_is_nothing_to_replay(trottoir, books):
    code, out, _ = trottoir("data", "replay")
    assert code == 1 and len(out.splitlines()) == 1 and "keep_received_days" in out


# -- uplink dead-letters --resend


@pytest.fixture
def letters(books, tmp_path):
    with closing(Store(tmp_path / "state" / "store.db")) as store:
        for ref in store.waiting(2):
            store.bury(ref, "a line", "400", 1)
    return tmp_path / "state"


def states(folder) -> list[int]:
    with closing(Store(folder / "store.db")) as store:
        return [state for (state,) in store.read("SELECT state FROM bins ORDER BY start LIMIT 2")]


def test_dead_letters_wait_again_where_no_gateway_runs(trottoir, letters):
    assert states(letters) == [DEAD, DEAD]
    code, out, _ = trottoir("uplink", "dead-letters", "--resend", before=("--json",))
    assert (code, json.loads(out)) == (0, {"resend": 2})
    assert states(letters) == [QUEUED, QUEUED]


def test_dead_letters_are_left_to_a_gateway_that_runs(trottoir, letters):
    with running(letters):
        assert trottoir("uplink", "dead-letters", "--resend")[0] == 0
        assert states(letters) == [DEAD, DEAD]
    assert wishes.take(letters) == [wishes.RESEND]
