"""The `trottoir` command: one clear line and the contract's exit code for whatever goes wrong, JSON where it is asked for."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import structlog

from gateway import config, service
from tests.gateway.ptys import Line
from tests.real_parts import needs
from tools import cli

ROOT = Path(__file__).resolve().parents[2]
GOOD = '[gateway]\nid = "gw-1"\nstate_dir = "{state}"\npage = "off"\n'
COMMANDS = tuple(cli.COMMANDS)
WRONG = '[gateway]\nlog = "xml"\nidd = "x"\n[uplink]\nbatch_points = 0\n'


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("TROTTOIR_")]:
        monkeypatch.delenv(name)
    yield
    structlog.reset_defaults()  # a log of `run` goes to the stderr of its test, which is closed now


@pytest.fixture
def trottoir(tmp_path, capsys):
    """Runs the command with a configuration; returns exit code, stdout and stderr."""

    def call(*words: str, toml: str | None = None) -> tuple[int, str, str]:
        before: list[str] = []
        if toml is not None:
            path = tmp_path / "trottoir.toml"
            path.write_text(toml.format(state=tmp_path / "state"), encoding="utf-8")
            before = ["--config", str(path)]
        code = cli.main([*before, *words]) or 0  # help ends without a number
        done = capsys.readouterr()
        return code, done.out, done.err

    return call


def one_line(text: str) -> str:
    assert len(text.strip().splitlines()) == 1, text
    assert "Traceback" not in text
    return text.strip()


# -- configuration


def test_a_good_configuration_is_said_and_ends_with_0(trottoir, tmp_path):
    code, out, _ = trottoir("config", "check", toml=GOOD)
    assert (code, one_line(out)) == (0, f"{tmp_path / 'trottoir.toml'}: good")
    code, out, _ = trottoir("config", "check")
    assert (code, one_line(out)) == (0, "defaults: good")


def test_mistakes_are_said_all_at_once_one_a_line_and_end_with_3(trottoir):
    code, out, _ = trottoir("config", "check", toml=WRONG)
    assert code == 3
    assert [line.split(": ")[1] for line in out.splitlines()] == ["gateway.log", "gateway.idd", "uplink.batch_points"]


def test_config_check_as_json_is_one_document(trottoir):
    code, out, _ = trottoir("--json", "config", "check", toml=GOOD)
    assert (code, json.loads(out)) == (0, {"ok": True, "problems": []})
    code, out, _ = trottoir("--json", "config", "check", toml=WRONG)
    found = json.loads(out)
    assert (code, found["ok"], len(found["problems"])) == (3, False, 3)


def test_config_check_looks_at_the_secret_too(trottoir, tmp_path):
    toml = GOOD + f'[uplink]\nuser = "gw"\npassword_file = "{tmp_path / "secret"}"\n'
    code, out, _ = trottoir("config", "check", toml=toml)
    assert (code, one_line(out)) == (3, f"uplink.password_file: {tmp_path / 'secret'}: No such file or directory")


def test_a_configuration_that_is_not_there_ends_with_3(trottoir, capsys, tmp_path):
    for words in (["run"], ["config", "check"]):
        code, out, err = trottoir("--config", str(tmp_path / "none.toml"), *words)
        assert code == 3
        assert "none.toml: No such file or directory" in one_line(out + err)


def test_the_schema_is_valid_json_schema_that_knows_every_section(trottoir):
    code, out, _ = trottoir("config", "schema")
    assert code == 0
    schema = json.loads(out)
    assert set(schema["properties"]) == set(config.Config.model_fields)
    assert schema["additionalProperties"] is False
    assert all(name in schema["$defs"] for name in references(schema))
    uplink = schema["$defs"]["UplinkConfig"]["properties"]
    assert (uplink["batch_points"]["minimum"], uplink["batch_points"]["maximum"]) == (1, 5000)
    assert json.loads(trottoir("--json", "config", "schema")[1]) == schema


def references(value) -> set[str]:
    """Names of all definitions that a schema refers to."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    here = {value["$ref"].removeprefix("#/$defs/")} if isinstance(value.get("$ref"), str) else set()
    return here.union(*map(references, value.values()))


# -- usage


@pytest.mark.parametrize(
    "words",
    [
        ["runn"], ["config", "chek"], ["--nonsense"], ["run", "--nonsense"], ["run", "extra"], ["demo", "--seed", "x"],
        ["demo", "--seed", "1.5"], ["demo", "--duration", "5 years"],
    ],
)  # fmt: skip
def test_words_that_make_no_sense_end_with_2(trottoir, words):
    code, out, err = trottoir(*words)
    assert (code, out) == (2, "")
    assert one_line(err)


def test_a_noun_alone_prints_its_help(trottoir):
    code, out, _ = trottoir("config")
    assert code == 0
    assert "check" in out
    assert "schema" in out


@pytest.mark.parametrize("words", [["--help"], *([*command.split(), "--help"] for command in COMMANDS)])
def test_every_command_has_help_with_an_example(trottoir, words):
    code, out, _ = trottoir(*words)
    assert code == 0
    assert "Example: trottoir" in " ".join(out.split()) or words == ["--help"]


# -- run


def test_run_with_a_wrong_value_ends_with_3_and_names_it(trottoir):
    code, _, err = trottoir("run", toml=WRONG)
    assert code == 3
    assert "gateway.log: found 'xml', expected 'text' or 'json'" in err
    assert "Traceback" not in err


def test_run_without_its_secret_makes_nothing_on_the_disk(trottoir, tmp_path):
    toml = GOOD + f'[uplink]\nenabled = true\nuser = "gw"\npassword_file = "{tmp_path / "secret"}"\n'
    code, _, err = trottoir("run", toml=toml)
    assert code == 3 and "uplink.password_file" in err
    assert not (tmp_path / "state").exists()


@needs("pty")
def test_run_on_a_busy_port_ends_with_4(trottoir, tmp_path):
    line = Line(tmp_path / "port")
    holder = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    code, out, err = trottoir("run", toml=GOOD + f'[serial]\nports = ["{line.path}"]\n')
    os.close(holder)
    line.unplug()
    assert (code, out) == (4, "")
    assert one_line(err) == f"port {line.path} is busy. Close the program that has it open."


def test_run_where_the_state_folder_cannot_be_ends_with_3(trottoir, tmp_path):
    (tmp_path / "state").write_text("in the way")
    code, _, err = trottoir("run", toml=GOOD)
    assert code == 3
    assert str(tmp_path / "state") in one_line(err)


def test_run_where_the_state_folder_is_not_ours_ends_with_3(trottoir, tmp_path, monkeypatch):
    def forbidden(path, *_, **__):  # to root, as which tests may run, nothing is
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", forbidden)
    code, _, err = trottoir("run", toml=GOOD)
    assert code == 3
    assert f"{tmp_path / 'state'}: Permission denied" in one_line(err)


def test_run_on_a_full_disk_ends_with_3(trottoir, tmp_path, monkeypatch):
    class Full(sqlite3.Connection):
        def executescript(self, _script):
            raise sqlite3.OperationalError("database or disk is full")

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **kwargs: connect(*args, **kwargs, factory=Full))
    code, _, err = trottoir("run", toml=GOOD)
    assert code == 3
    assert one_line(err).startswith(f"the disk that holds {tmp_path / 'state' / 'store.db'} is full")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_run_ends_in_order_when_it_is_told_to_and_its_log_is_json_lines(tmp_path, number, code):
    path = tmp_path / "trottoir.toml"
    path.write_text(GOOD.format(state=tmp_path / "state"))
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'firmware'}"}
    command = [sys.executable, "-m", "tools.cli", "--json", "--config", str(path), "run"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    assert [json.loads(process.stdout.readline())["event"] for _ in range(2)] == ["started", "nothing to count"]
    process.send_signal(number)
    started = time.monotonic()
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (code, "")
    assert time.monotonic() - started < 10
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["stopped"]


# -- bugs


def test_a_bug_ends_with_70_and_names_its_report(trottoir, monkeypatch, tmp_path):
    def broken(*_, **_named):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(service, "Service", broken)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    code, out, err = trottoir("run", toml=GOOD)
    assert (code, out) == (70, "")
    report = Path(one_line(err).rpartition(" ")[2])
    text = report.read_text()
    assert "ZeroDivisionError: a bug" in text
    assert "in broken" in text
    report.unlink()


def test_an_interruption_ends_with_130(trottoir, monkeypatch):
    def interrupted(*_, **_named):
        raise KeyboardInterrupt

    monkeypatch.setattr(service, "Service", interrupted)
    code, _, err = trottoir("run", toml=GOOD)
    assert code == 130
    assert one_line(err)
