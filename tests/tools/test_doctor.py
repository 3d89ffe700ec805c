"""doctor: what it finds on machines where something is wrong, and what it may mend."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import sqlite3
import stat
import sys
from pathlib import Path

import pytest

from gateway.moments import EARLIEST_S
from gateway.ownership import Ownership
from gateway.store import Store
from tests.gateway.ptys import Line
from tests.real_parts import needs
from tests.tools.test_cli import no_environment, trottoir  # noqa: F401
from tools import doctor, doctor_disk
from tools.doctor import examine
from tools.finding import BAD, GOOD, NOTE

TOML = '[gateway]\nstate_dir = "{state}"\npage = "off"\n'


@pytest.fixture
def state(tmp_path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def findings(tmp_path, state):
    """All findings for some TOML: check -> [(level, message)]."""

    def look(toml: str = TOML) -> dict[str, list[tuple[str, str]]]:
        path = tmp_path / "trottoir.toml"
        path.write_text(toml.format(state=state, folder=tmp_path), encoding="utf-8")
        found: dict[str, list[tuple[str, str]]] = {}
        for finding in examine(path):
            found.setdefault(finding.check, []).append((finding.level, finding.detail.line()))
        return found

    return look


def test_on_a_good_machine_nothing_is_bad_and_everything_is_named(findings):
    found = findings()
    names = [name for name in found if name not in ("wear", "rights", "traps")]  # what only some machines have
    assert names == ["versions", "core", "config", "gateway", "state folder", "ports", "bluetooth", "clock", "page", "uplink"]
    assert BAD not in {level for rows in found.values() for level, _ in rows}


@pytest.mark.parametrize(
    ("compiled", "checkout", "compiler", "stale", "key", "may_fix"),
    [
        (True, True, True, False, "compiled", False), (True, True, False, True, "stale", True),
        (True, False, False, True, "compiled", False), (False, True, True, True, "uncompiled", True),
        (False, True, False, True, "no-compiler", False), (False, False, False, True, "pure", False),
    ],
)  # fmt: skip
def test_what_is_said_of_the_counting_core(monkeypatch, compiled, checkout, compiler, stale, key, may_fix):
    monkeypatch.setattr(doctor, "COMPILED", compiled)
    monkeypatch.setattr(doctor.compile_core, "is_checkout", lambda: checkout)
    monkeypatch.setattr(doctor.compile_core, "is_possible", lambda: checkout and compiler)
    monkeypatch.setattr(doctor.compile_core, "is_stale", lambda root: stale)
    (found,) = [finding for finding in examine(None) if finding.check == "core"]
    assert (found.level, found.detail.key) == (GOOD if key == "compiled" else NOTE, f"doctor.{key}")
    assert (found.fix is not None) is may_fix


def test_a_compiler_that_fails_is_said_with_the_way_to_see_why(monkeypatch, trottoir):  # noqa: F811
    def fail() -> None:
        raise OSError("many lines of a compiler")

    monkeypatch.setattr(doctor, "COMPILED", False)
    monkeypatch.setattr(doctor.compile_core, "is_possible", lambda: True)
    monkeypatch.setattr(doctor.compile_core, "renew", fail)
    _, out, _ = trottoir("doctor", "--fix", toml=TOML)
    assert f"compiling it failed, so it runs as pure Python: the same counts, slower. This says why: {sys.executable} -m" in out
    assert "many lines" not in out


def test_mistakes_of_the_configuration_are_all_said_and_end_the_visit(findings):
    found = findings(TOML + 'log = "xml"\nidd = 3\n')
    assert [level for level, _ in found["config"]] == [BAD, BAD]
    assert "state folder" not in found


def test_a_state_folder_that_is_not_there(findings, state):
    state.rmdir()
    ((level, text),) = findings()["state folder"]
    assert level == NOTE  # run makes it
    assert str(state) in text
    state.write_text("in the way")
    ((level, text),) = findings()["state folder"]
    assert level == BAD


def test_a_state_folder_that_is_not_ours(findings, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # to root, as whom tests may run, everything is writable
    assert "not writable" in findings()["state folder"][0][1]


@pytest.mark.parametrize(("free_mb", "level"), [(99, BAD), (100, NOTE), (999, NOTE), (1000, GOOD)])
def test_a_disk_that_is_short(findings, monkeypatch, free_mb, level):
    monkeypatch.setattr(doctor_disk.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free_mb * 1_000_000}))
    assert findings()["state folder"][0][0] == level


def test_a_running_gateway_is_seen_and_not_disturbed(findings, state):
    owner = Ownership(state / "lock")
    assert findings()["gateway"] == [(GOOD, "the gateway is running")]
    owner.release()
    assert findings()["gateway"][0][0] == NOTE


def test_a_store_is_whole_or_not(findings, state):
    Store(state / "store.db").close()
    assert findings()["store"][0][0] == GOOD
    data = bytearray((state / "store.db").read_bytes())
    data[4096:8192] = b"\xa5" * 4096
    (state / "store.db").write_bytes(data)
    assert findings()["store"][0][0] == BAD
    (state / "store.db").write_bytes(b"nothing of the kind" * 99)
    assert findings()["store"][0][0] == BAD


def test_looking_changes_nothing(findings, state):
    Store(state / "store.db").close()
    before = sorted(path.name for path in state.iterdir())
    findings()
    assert [name for name in before if not name.endswith(("-wal", "-shm"))] == [
        path.name for path in sorted(state.iterdir()) if not path.name.endswith(("-wal", "-shm"))
    ]
    with sqlite3.connect(state / "store.db") as database:
        assert database.execute("SELECT count(*) FROM outbox").fetchone() == (0,)


# -- ports


@needs("pty")
def test_ports_that_are_good_busy_missing_or_none(findings, tmp_path):
    line = Line(tmp_path / "port")
    ports = TOML + '[serial]\nports = ["{folder}/port"]\n'
    assert findings(ports)["ports"][0][0] == GOOD
    holder = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    ((level, text),) = [found for found in findings(ports)["ports"] if "busy" in found[1]]
    assert level == BAD
    assert re.search(rf"\({os.getpid()}\) has it open.*sudo kill {os.getpid()}", text)  # we
    os.close(holder)
    line.unplug()
    assert findings(ports)["ports"][0][0] == NOTE  # it may be plugged in later
    (tmp_path / "port").write_text("a file")
    assert findings(ports)["ports"][0][0] == BAD


@needs("pty")
def test_a_port_that_the_running_gateway_holds_is_good(findings, tmp_path, state):
    line = Line(tmp_path / "port")
    holder = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    owner = Ownership(state / "lock")
    assert findings(TOML + '[serial]\nports = ["{folder}/port"]\n')["ports"][0][0] == GOOD
    owner.release()
    os.close(holder)
    line.unplug()


def test_a_board_that_is_plugged_in_and_not_listed_is_named(findings, monkeypatch):
    from serial.tools import list_ports

    board = type("Port", (), {"vid": 0x10C4, "device": "/dev/ttyUSB7", "description": "CP2102 USB to UART"})
    soldered = type("Port", (), {"vid": None, "device": "/dev/ttyS0", "description": "n/a"})
    monkeypatch.setattr(list_ports, "comports", lambda: [board, soldered])
    texts = [text for _, text in findings()["ports"]]
    assert any("/dev/ttyUSB7 (CP2102 USB to UART)" in text for text in texts)
    assert not any("ttyS0" in text for text in texts)


# -- clock, page, uplink


@pytest.mark.parametrize(("answer", "level"), [("yes\n", GOOD), ("no\n", NOTE), ("", NOTE)])
def test_who_sets_the_clock(findings, monkeypatch, answer, level):
    monkeypatch.setattr(doctor.subprocess, "run", lambda *_, **__: type("Done", (), {"stdout": answer}))
    assert findings()["clock"][0][0] == level


def test_a_clock_that_is_not_set_is_bad(findings, monkeypatch):
    monkeypatch.setattr(doctor.time, "time", lambda: EARLIEST_S - 1)
    assert findings()["clock"][0][0] == BAD


def test_the_pages_address_is_free_taken_or_the_gateways_own(findings, state):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        toml = TOML.replace('"off"', f'"127.0.0.1:{port}"')
        assert findings(toml)["page"][0][0] == BAD
        owner = Ownership(state / "lock")
        assert findings(toml)["page"][0][0] == BAD  # it runs, and another program has its address
        owner.release()
    assert findings(toml)["page"][0][0] == GOOD
    assert findings(toml.replace("127.0.0.1", "0.0.0.0"))["page"][0][0] == NOTE  # for everybody: by choice


def test_the_uplink_points_to_its_own_check(findings):
    assert findings()["uplink"][0] == (NOTE, "the uplink is off: nothing leaves this machine")
    assert "uplink check" in findings(TOML + '[uplink]\nenabled = true\napi = "v2"\n')["uplink"][0][1]
    assert str(Path("/x")) in findings(TOML + '[uplink]\nenabled = true\napi = "file"\nfolder = "/x"\n')["uplink"][0][1]


# -- the command


def test_json_is_one_document_and_the_exit_code_says_whether_all_is_well(trottoir, state):  # noqa: F811
    code, out, _ = trottoir("--json", "doctor", toml=TOML)
    found = json.loads(out)
    assert (code, found["ok"]) == (0, True)
    assert {row["level"] for row in found["checks"]} <= {GOOD, NOTE}
    state.rmdir()
    state.write_text("in the way")
    code, out, _ = trottoir("--json", "doctor", toml=TOML)
    assert (code, json.loads(out)["ok"]) == (1, False)


def test_it_mends_only_when_asked(trottoir, state, tmp_path):  # noqa: F811
    state.rmdir()
    secret = tmp_path / "token"
    secret.write_text("geheim")
    secret.chmod(0o644)
    toml = TOML + f'[uplink]\ntoken_file = "{secret}"\n'
    code, out, _ = trottoir("doctor", toml=toml)
    assert code == 1
    assert "doctor --fix" in out
    assert not state.exists()
    assert stat.S_IMODE(secret.stat().st_mode) == 0o644
    code, out, _ = trottoir("doctor", "--fix", toml=toml)
    assert code == 0
    assert f"{state} is made" in out
    assert f"{secret} is closed to others now" in out
    assert state.is_dir()
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert "geheim" not in out


def test_what_cannot_be_mended_stays_bad(trottoir, state):  # noqa: F811
    state.rmdir()
    state.parent.joinpath("state").write_text("in the way")
    code, out, _ = trottoir("doctor", "--fix", toml=TOML)
    assert code == 1
    assert "BAD" in out


def test_what_is_not_ours_or_only_a_link_is_never_closed(trottoir, state, tmp_path):  # noqa: F811
    victim = tmp_path / "victim"
    victim.write_text("somebody else's")
    victim.chmod(0o644)
    (tmp_path / "token").symlink_to(victim)
    code, out, _ = trottoir("doctor", "--fix", toml=TOML + f'[uplink]\ntoken_file = "{tmp_path}/token"\n')
    assert code == 1
    assert "expected 0600" in out
    assert stat.S_IMODE(victim.stat().st_mode) == 0o644


def test_a_folder_that_may_not_be_entered_is_said(findings, state, monkeypatch):
    original = Path.stat

    def denied(path, **how):
        if state in (path, *path.parents):
            raise PermissionError(13, "Permission denied", str(path))
        return original(path, **how)

    monkeypatch.setattr(Path, "stat", denied)
    assert findings()["state folder"][0][0] == BAD


def test_a_page_that_answers_is_the_gateways_own(findings, state, monkeypatch):
    monkeypatch.setattr(doctor.page_client, "ask", lambda _settings: {"gateway": {"id": "gateway"}})
    with socket.create_server(("127.0.0.1", 0)) as other:
        owner = Ownership(state / "lock")
        toml = TOML.replace('"off"', f'"127.0.0.1:{other.getsockname()[1]}"')
        assert findings(toml)["page"][0][0] == GOOD
        owner.release()
