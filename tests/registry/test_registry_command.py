"""`trottoir node list`, `add`, `rename`, `retire`, `replace`: real files, a gateway that runs, words, JSON, exit codes."""

from __future__ import annotations

import json
import os
import threading
import time
from concurrent.futures import Future
from contextlib import closing

import pytest

from gateway import config
from gateway.errors import EXIT_ENVIRONMENT, EXIT_OK, EXIT_PERMISSION, EXIT_USAGE
from gateway.model import CountBin, Series
from gateway.ownership import Ownership
from gateway.page.server import PageServer
from gateway.store import QUEUED, Store
from gateway.view import Now
from tests.gateway.parts import NAME
from tools import cli, registry_command
from tools.street.server_process import free_port

OTHER = "tr-0000b2"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("TROTTOIR_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


@pytest.fixture
def trottoir(capsys):
    """Runs `trottoir WORDS`; exit code, stdout and stderr."""

    def call(*words: str) -> tuple[int, str, str]:
        code = cli.main(list(words))
        done = capsys.readouterr()
        assert "Traceback" not in done.out + done.err
        return code, done.out, done.err

    return call


@pytest.fixture
def text(here):
    """A configuration with one node, and its file."""
    path = here / "trottoir.toml"
    path.write_text(
        f"# ours\n[gateway]\nstate_dir = {json.dumps(str(here / 'state'))}\npage = \"off\"\n[sites.bahnhof]\nname = 'Bahnhof'\n"
        f"[nodes.{NAME}]  # at the lamp\nname = 'Nord'\nsite = 'bahnhof'\n",
        encoding="utf-8",
    )
    return path


def book(folder, node: str, start_s: int) -> None:
    folder.mkdir(exist_ok=True)
    with closing(Store(folder / "store.db")) as store, store.transaction():
        store.put_bin(CountBin(Series("bahnhof", node, "radar"), start_s, 2, 1, 60, 0, 0, start_s, 77, 1), QUEUED)


def test_whoever_begins_gets_a_file_that_the_gateway_takes(trottoir, here):
    code, out, err = trottoir("node", "add", "TR-A3F1C2", "--site", "ritterstrasse", "--name", "Nord", "--port", "/dev/ttyX")
    assert code == EXIT_OK
    found = config.load(here / "trottoir.toml")
    assert (found.nodes[NAME].site, found.nodes[NAME].name, found.serial.ports) == ("ritterstrasse", "Nord", ["/dev/ttyX"])
    assert found.gateway.state_dir == here / "trottoir-state"
    assert '+site = "ritterstrasse"' in out
    assert f"trottoir --config {here / 'trottoir.toml'} run" in err
    assert trottoir("config", "check", "--config", "trottoir.toml")[0] == EXIT_OK


def test_a_dry_run_shows_and_writes_nothing(trottoir, here, text):
    before = text.read_bytes()
    code, out, err = trottoir("node", "retire", NAME, "--dry-run")
    assert code == EXIT_OK
    assert "+valid_until = " in out
    assert "nothing is written" in err
    assert text.read_bytes() == before
    assert trottoir("node", "add", OTHER, "--site", "x", "--config", "new.toml", "--dry-run")[0] == EXIT_OK
    assert not (here / "new.toml").exists()


def test_the_difference_is_all_that_changes(trottoir, text):
    before = text.read_text(encoding="utf-8")
    code, out, _ = trottoir("--json", "node", "replace", NAME, OTHER, "--at", "2026-05-01T12:05Z")
    told = json.loads(out)
    assert (code, told["changed"], told["at"], told["site"], told["restart"]) == (
        EXIT_OK,
        True,
        "2026-05-01T12:05Z",
        "bahnhof",
        False,
    )
    assert [line for line in told["diff"] if line.startswith("-")] == []
    after = text.read_text(encoding="utf-8")
    assert after.startswith(before + "valid_until = 2026-05-01T12:05:00Z\n")
    assert config.load(text).nodes[OTHER].name == "Nord"


def test_the_same_once_more_changes_nothing(trottoir, text):
    assert trottoir("node", "rename", NAME, "Süd")[0] == EXIT_OK
    before = text.stat()
    code, out, err = trottoir("node", "rename", NAME, "Süd")
    assert (code, out) == (EXIT_OK, "")
    assert "says so already" in err
    assert text.stat().st_ino == before.st_ino


def test_a_gateway_that_runs_is_to_be_started_again(trottoir, text, here):
    (here / "state").mkdir()
    running = Ownership(here / "state" / "lock")
    assert "systemctl restart trottoir" in trottoir("node", "rename", NAME, "Süd")[2]
    assert json.loads(trottoir("--json", "node", "rename", NAME, "West")[1])["restart"]
    running.release()
    assert "restart" not in trottoir("node", "rename", NAME, "Ost")[2]


@pytest.mark.parametrize("language", ["en", "de"])
def test_minutes_that_are_booked_stay_where_they_were_counted(trottoir, text, here, language):
    start_s = int(time.time()) // 60 * 60 - 600
    book(here / "state", NAME, start_s)
    before = text.read_bytes()
    at = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(start_s))
    code, out, err = trottoir("--lang", language, "node", "replace", NAME, OTHER, "--at", at)
    assert (code, out, text.read_bytes()) == (EXIT_ENVIRONMENT, "", before)
    earliest = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(start_s + 60))
    assert earliest in err
    assert err.count("\n") == 1
    assert trottoir("node", "replace", NAME, OTHER, "--at", earliest)[0] == EXIT_OK


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("node", "add", "A3F1C2", "--site", "x"), EXIT_USAGE),
        (("node", "add", OTHER, "--site", "Ritter Straße"), EXIT_ENVIRONMENT),
        (("node", "add", OTHER, "--site", "bahnhoff"), EXIT_ENVIRONMENT),
        (("node", "add", NAME, "--site", "bahnhof"), EXIT_ENVIRONMENT),
        (("node", "add", OTHER, "--site", "bahnhof", "--name", "x" * 61), EXIT_ENVIRONMENT),
        (("node", "add", OTHER, "--site", "bahnhof", "--at", "soon"), EXIT_USAGE),
        (("node", "rename", OTHER, "x"), EXIT_ENVIRONMENT),
        (("node", "rename", NAME), EXIT_USAGE),
        (("node", "retire", OTHER), EXIT_ENVIRONMENT),
        (("node", "replace", NAME, NAME), EXIT_ENVIRONMENT),
        (("node", "retire", NAME, "--config", "none.toml"), EXIT_ENVIRONMENT),
    ],
)
def test_what_cannot_be_is_one_line_and_changes_nothing(trottoir, text, words, code):
    before = text.read_bytes()
    found, out, err = trottoir(*words)
    assert (found, out, text.read_bytes()) == (code, "", before)
    assert err.count("\n") == 1


def test_a_file_with_mistakes_is_not_made_worse(trottoir, text):
    text.write_text(text.read_text(encoding="utf-8") + "[uplink]\nbatch_points = 0\n", encoding="utf-8")
    code, _, err = trottoir("node", "rename", NAME, "x")
    assert code == EXIT_ENVIRONMENT
    assert "batch_points" in err


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may do everything")
def test_a_file_that_may_not_be_changed_is_said(trottoir, text, here):
    here.chmod(0o500)
    code, _, err = trottoir("node", "rename", NAME, "x")
    here.chmod(0o700)
    assert code == EXIT_PERMISSION
    assert "sudo" in err


# -- node list


def test_an_empty_list_says_what_to_do(trottoir):
    code, out, err = trottoir("node", "list")
    assert (code, out) == (EXIT_OK, "")
    assert "node add" in err


def test_the_list_knows_keys_books_boards_and_who_is_retired(trottoir, text, here):
    now_s = int(time.time())
    trottoir("node", "replace", NAME, OTHER, "--at", "2026-05-01T12:05Z")
    book(here / "state", NAME, now_s // 60 * 60 - 7200)
    (here / "state" / "keys").mkdir()
    (here / "state" / "keys" / f"{OTHER}.key").touch()
    (here / "state" / "nodes").mkdir()
    boards = [
        {"id": OTHER, "kit": "doors-tof", "firmware": "0.0.9", "result": "good", "time": 1},
        {"id": OTHER, "kit": "doors-tof", "firmware": "0.1.0", "result": "good", "time": 2},
        {"id": "tr-0000c3", "kit": "school-pir", "firmware": "0.1.0", "result": "good", "time": 3},
    ]
    lines = [*map(json.dumps, boards), "half a li", "[]", '{"id": 7}', "[" * 100_000]
    (here / "state" / "nodes" / "flashed.jsonl").write_text("\n".join(lines), encoding="utf-8")
    code, out, _ = trottoir("--json", "node", "list")
    rows = json.loads(out)["nodes"]
    assert code == EXIT_OK
    assert [(row["node"], row["state"]) for row in rows] == [(OTHER, "unknown"), (NAME, "retired"), ("tr-0000c3", "unlisted")]
    assert (rows[0]["kit"], rows[0]["firmware"], rows[0]["has_key"], rows[0]["name"]) == ("doors-tof", "0.1.0", True, "Nord")
    assert rows[1]["heard_s"] == now_s // 60 * 60 - 7140
    code, out, err = trottoir("--lang", "de", "node", "list")
    assert "vor 119 min" in out
    assert "abgemeldet" in out
    assert "geflasht, nicht eingetragen" in out
    assert "Seite" in err


def test_the_list_asks_the_gateway_that_runs(trottoir, text, here):
    port = free_port()
    text.write_text(text.read_text(encoding="utf-8").replace('"off"', f'"127.0.0.1:{port}"'), encoding="utf-8")
    book(here / "state", NAME, int(time.time()) // 60 * 60 - 120)

    def ask() -> Future[Now]:
        answer: Future[Now] = Future()
        answer.set_result(Now(int(time.time()), [], [], None))
        return answer

    page = PageServer(config.load(text), ask, 1.0)
    page.open()
    try:
        told = json.loads(trottoir("--json", "node", "list")[1])
    finally:
        page.close()
    assert told["gateway_answers"]
    assert told["nodes"][0]["state"] == "never"
    assert threading.active_count() < 20


def test_ages_are_told_in_the_unit_that_fits():
    assert [registry_command._ago(seconds) for seconds in (5, 119, 120, 7199, 7200, 172_800)] == [
        "5 s ago", "119 s ago", "2 min ago", "119 min ago", "2 h ago", "2 d ago",
    ]  # fmt: skip


def test_a_node_that_was_flashed_for_a_site_is_listed_with_its_port_and_once(here, text, trottoir):
    assert registry_command.place(OTHER, "bahnhof", "/dev/ttyUSB7") == EXIT_OK
    found = config.load(text)
    assert (found.nodes[OTHER].site, found.serial.ports) == ("bahnhof", ["/dev/ttyUSB7"])
    before = text.read_bytes()
    assert registry_command.place(OTHER, "bahnhof", "/dev/ttyUSB7") == EXIT_OK
    assert text.read_bytes() == before
    assert registry_command.place(OTHER, "bahnhof", "/dev/ttyUSB8") == EXIT_OK
    found = config.load(text)
    assert (found.nodes[OTHER].site, found.serial.ports) == ("bahnhof", ["/dev/ttyUSB7", "/dev/ttyUSB8"])


def test_a_site_is_for_one_board(here, trottoir):
    for more in (("--all",), ("--watch",), ("--port", "/dev/a", "--port", "/dev/b")):
        code, _, err = trottoir("node", "flash", "--site", "bahnhof", *more)
        assert (code, "node add" in err) == (EXIT_USAGE, True)
    assert trottoir("node", "flash", "--site", "Bahn Hof", "--port", "/dev/a")[0] == EXIT_USAGE
