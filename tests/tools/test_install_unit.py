"""The gateway's unit, as systemd itself reads it; and what systemd could not start."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import config
from tests.real_parts import needs
from tools.install import unit

CONFIG = Path("/etc/trottoir/trottoir.toml")
COMMAND = Path(sys.prefix, "bin", "trottoir")
MOST_OPEN = 2.0  # of systemd's scale from 0 to 10


def settings(text: str = "") -> config.Config:
    return config.parse(text, "test", {})


def rendered(text: str = "", path: Path = CONFIG, command: Path = COMMAND, groups=unit.GROUPS) -> str:
    return unit.render(settings(text), path, command, lambda name: name in groups)


def lines_of(text: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(key + "=")]


def analyze(*words: str) -> tuple[int, str]:
    done = subprocess.run(
        ["systemd-analyze", *words], capture_output=True, text=True, timeout=60, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    )
    return done.returncode, done.stdout + done.stderr


SECRET = '[uplink]\nenabled = true\napi = "v2"\norg = "o"\ntoken_file = "{token}"\n'


@needs("systemd-analyze")
def test_systemd_finds_nothing_wrong_and_little_open(tmp_path, record_property):
    file = tmp_path / unit.NAME
    file.write_text(rendered(SECRET.format(token=tmp_path / "token")))
    code, said = analyze("verify", "--man=no", str(file))
    assert (code, said) == (0, "")
    code, said = analyze("security", "--offline=true", "--no-pager", str(file))
    verdict = said.strip().splitlines()[-1]
    print(f"systemd-analyze: verify clean; {verdict}")
    found = re.search(r"exposure level for trottoir.service: ([\d.]+)", verdict)
    assert code == 0
    assert found, said
    assert float(found[1]) <= MOST_OPEN


@needs("systemd-analyze")
@pytest.mark.parametrize("name", ["plain", "with space", "50 % off", "Straße", "~x;y#z"])
def test_systemd_reads_any_path_as_it_is(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    command = folder / "trottoir"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    file = tmp_path / unit.NAME
    file.write_text(rendered(SECRET.format(token="token"), folder / "trottoir.toml", command))
    assert analyze("verify", "--man=no", str(file)) == (0, "")
    command.unlink()  # and this is noticed: so it was this command that was looked at
    assert analyze("verify", "--man=no", str(file))[0] != 0


@pytest.mark.parametrize("name", ["evil\\nExecStartPre=/bin/sh", "a$HOME", "it's", 'quo\\"te', "back\\\\slash"])
def test_what_systemd_would_take_for_something_else_is_refused(name):
    path = settings(f'[uplink]\ntoken_file = "/etc/{name}"\n').uplink.token_file
    assert path is not None
    for words in ({"path": path}, {"command": path}, {"text": f'[uplink]\ntoken_file = "/etc/{name}"\n'}):
        with pytest.raises(ValueError, match="/etc/"):
            rendered(**words)


def test_it_starts_this_command_with_this_configuration_and_has_a_watchdog():
    text = rendered()
    assert lines_of(text, "ExecStart") == [f"{COMMAND} --config {CONFIG} run"]
    assert lines_of(text, "Type") == ["notify"]
    assert lines_of(text, "WatchdogSec") == ["60"]
    assert lines_of(text, "DynamicUser") == ["yes"]
    assert lines_of(text, "StateDirectory") == ["trottoir"]


def test_a_port_that_is_plugged_in_later_is_allowed_since_its_driver_is_loaded_first():
    text = rendered()
    for module in ("usbserial", "cdc_acm"):
        assert all(f"modprobe@{module}.service" in line for key in ("Wants", "After") for line in lines_of(text, key))
    assert {"char-ttyUSB rw", "char-ttyACM rw"} <= set(lines_of(text, "DeviceAllow"))


def test_secrets_come_as_credentials_and_the_gateway_takes_them_there(tmp_path, monkeypatch):
    toml = SECRET.format(token=tmp_path / "secrets" / "token") + 'read_token_file = "reader"\n'
    text = rendered(toml, tmp_path / "trottoir.toml")
    assert lines_of(text, "LoadCredential") == [f"token_file:{tmp_path}/secrets/token", f"read_token_file:{tmp_path}/reader"]
    (tmp_path / "given").mkdir()
    for name in ("token_file", "read_token_file"):
        (tmp_path / "given" / name).write_text(f"secret of {name}")
        (tmp_path / "given" / name).chmod(0o440)  # as systemd gives them
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "given"))
    environment = dict(line.split("=", 1) for line in lines_of(text, "Environment"))
    told = config.parse(toml, "test", environment).uplink
    assert (told.read_token(), told.read_read_token()) == ("secret of token_file", "secret of read_token_file")


def test_groups_that_are_not_here_are_left_out_since_systemd_would_not_start():
    assert lines_of(rendered(), "SupplementaryGroups") == ["dialout bluetooth"]
    assert lines_of(rendered(groups=("dialout",)), "SupplementaryGroups") == ["dialout"]


# -- what systemd could not start


def found(text: str, path: Path, programs=None, groups=unit.GROUPS, closed=()) -> list[str]:
    return [say.key for say in unit.obstacles(settings(text), path, programs or {}, lambda name: name in groups, closed)]


@pytest.fixture
def file(tmp_path) -> Path:
    for folder in [tmp_path, *tmp_path.parents][:-1]:
        if not folder.stat().st_mode & 0o1:
            folder.chmod(folder.stat().st_mode | 0o5)
    path = tmp_path / "trottoir.toml"
    path.write_text("")
    path.chmod(0o644)
    return path


def test_nothing_is_in_the_way_of_an_ordinary_configuration(file):
    assert found("", file, {"trottoir": file.parent, "python": file}) == []


@pytest.mark.parametrize("what", ["trottoir", "python", "config"])
def test_what_lies_where_a_service_may_not_look(file, tmp_path, what):
    closed = tmp_path / "home"
    closed.mkdir()
    (closed / "x").write_text("")
    programs = {} if what == "config" else {what: closed / "x"}
    assert found("", closed / "x" if what == "config" else file, programs, closed=[closed]) == [f"install.closed-{what}"]


def test_homes_and_temporary_folders_are_closed():
    assert {Path("/home"), Path("/root"), Path("/tmp")} <= set(unit.CLOSED)


def test_what_others_may_not_read(file):
    file.chmod(0o600)
    assert found("", file) == ["install.unreadable"]
    file.chmod(0o644)
    file.parent.chmod(0o700)
    assert found("", file) == ["install.unreadable"]


@pytest.mark.parametrize(
    ("toml", "keys"),
    [
        ('[gateway]\nstate_dir = "/var/lib"\n', ["install.state-dir"]),
        ('[gateway]\nstate_dir = "/srv/trottoir"\n', ["install.state-dir"]),
        ('[gateway]\nstate_dir = "/var/lib/gateways/one"\n', []),
        ('[ble]\nkeys_dir = "/etc/trottoir/keys"\n', ["install.outside"]),
        ('[uplink]\nenabled = true\napi = "file"\nfolder = "/srv/points"\n', ["install.outside"]),
        ('[uplink]\nenabled = true\napi = "file"\n', []),
        ('[uplink]\ntoken_file = "/nowhere/token"\n', ["install.no-secret"]),
    ],
)
def test_a_configuration_that_a_closed_service_cannot_have(file, toml, keys):
    assert found(toml, file) == keys


def test_a_group_that_is_needed_and_not_here(file):
    toml = '[serial]\nports = ["/dev/ttyUSB0"]\n[ble]\nenabled = true\n'
    assert found(toml, file, groups=()) == ["install.no-dialout", "install.no-bluetooth"]
    assert found("", file, groups=()) == []
