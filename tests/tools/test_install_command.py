"""`trottoir install`: the difference first, then a question, then files; and nothing without rights or an answer."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from pathlib import Path

import pytest

from tests.tools.test_cli import no_environment, one_line, trottoir  # noqa: F401
from tools import asking, install_command
from tools.install import udev, unit
from tools.install.files import SystemFile
from tools.terminal import shared
from tools.usb_boards import BOARDS

GOOD = '[gateway]\nstate_dir = "/var/lib/trottoir"\n'
RULES, UNIT = "etc/udev/rules.d/70-trottoir.rules", "etc/systemd/system/trottoir.service"


@pytest.fixture(autouse=True)
def anywhere(monkeypatch):
    """Where this checkout and its Python lie is no matter here."""
    monkeypatch.setattr(unit, "CLOSED", ())
    monkeypatch.setattr(unit, "_barrier", lambda path: None)


@pytest.fixture
def steps(monkeypatch) -> list[str]:
    """What would have been started; nothing is."""
    done: list[str] = []

    def run(words) -> int:
        done.append(" ".join(words))
        return 0

    monkeypatch.setattr(install_command, "_run", run)
    return done


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A system of our own, without --prefix."""
    monkeypatch.setattr(install_command, "UNITS", tmp_path / "root/etc/systemd/system")
    monkeypatch.setattr(udev, "RULES", tmp_path / "root" / RULES)
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def answers(monkeypatch):
    """Somebody at a terminal who gives this answer."""

    def give(text: str) -> None:
        monkeypatch.setattr(asking, "is_answerable", lambda: True)
        monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"readline": lambda self: text + "\n"})())

    return give


def test_it_says_the_difference_and_dry_run_writes_nothing(trottoir, root, steps):  # noqa: F811
    code, out, err = trottoir("install", "--systemd", "--udev", "--dry-run", toml=GOOD)
    assert (code, err, steps, list(root.rglob("*"))) == (0, "", [], [])
    assert f"+++ {root}/{UNIT}" in out
    assert "+Type=notify" in out
    assert f"+++ {root}/{RULES}" in out
    assert out.endswith("Nothing was written.\n")


def test_yes_writes_starts_and_a_second_time_there_is_nothing_to_do(trottoir, root, steps):  # noqa: F811
    code, out, _ = trottoir("install", "--systemd", "--udev", "--yes", toml=GOOD)
    assert code == 0
    assert "service is started" in out
    assert [stat.S_IMODE((root / name).stat().st_mode) for name in (UNIT, RULES)] == [0o644, 0o644]
    assert steps == install_command.ACTIVATE["udev"] + install_command.ACTIVATE["systemd"]
    steps.clear()
    code, out, _ = trottoir("install", "--systemd", "--udev", toml=GOOD)
    assert (code, out, steps) == (0, "Everything is as it should be already.\n", [])


def test_only_what_is_asked_for_and_rules_need_no_configuration(trottoir, root, steps):  # noqa: F811
    assert trottoir("install", "--udev", "--yes")[0] == 0
    assert [path.name for path in root.rglob("*") if path.is_file()] == ["70-trottoir.rules"]
    assert steps == install_command.ACTIVATE["udev"]


def test_a_change_is_shown_as_a_change(trottoir, root, steps):  # noqa: F811
    trottoir("install", "--systemd", "--yes", toml=GOOD)
    (root / UNIT).write_text((root / UNIT).read_text().replace("WatchdogSec=60", "WatchdogSec=5\x1b[2J"))
    code, out, _ = trottoir("--json", "install", "--systemd", "--dry-run", toml=GOOD)
    (told,) = json.loads(out)["files"]
    assert (code, told["state"]) == (0, "to be written")
    assert "+WatchdogSec=60" in told["diff"].splitlines()
    code, out, _ = trottoir("install", "--systemd", "--dry-run", toml=GOOD)
    assert "-WatchdogSec=5\\x1b[2J" in out.splitlines()  # what is there does not speak to the terminal


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("ja", 0), ("", 1), ("n", 1), ("yesterday", 1)])
def test_it_asks_and_only_a_clear_yes_is_one(trottoir, root, steps, answers, answer, code):  # noqa: F811
    answers(answer)
    found, _, err = trottoir("install", "--systemd", toml=GOOD)
    assert found == code
    assert (root / UNIT).exists() is (code == 0)
    assert "Afterwards: systemctl daemon-reload" in err


def test_where_nobody_can_be_asked_yes_is_wanted(trottoir, root, answers):  # noqa: F811
    answers("y")
    code, _, err = trottoir("--json", "install", "--udev")
    assert (code, "--yes" in one_line(err)) == (2, True)
    assert not list(root.rglob("*"))


def test_without_rights_the_one_command_is_said(trottoir, root, monkeypatch, tmp_path):  # noqa: F811
    monkeypatch.setattr(os, "access", lambda *_: False)
    code, out, err = trottoir("install", "--systemd", "--udev", "--yes", toml=GOOD)
    assert code == 5
    assert "+Type=notify" in out  # the difference all the same
    command = f"sudo {sys.prefix}/bin/trottoir --config {tmp_path}/trottoir.toml install --systemd --udev"
    assert one_line(err).endswith(command)
    assert trottoir("install", "--systemd", "--dry-run", toml=GOOD)[0] == 0


def test_a_step_that_fails_is_said_with_its_command(trottoir, root, monkeypatch):  # noqa: F811
    monkeypatch.setattr(install_command, "_run", lambda words: int(words[1] == "restart"))
    code, _, err = trottoir("install", "--systemd", "--yes", toml=GOOD)
    assert (code, "sudo systemctl restart trottoir.service" in one_line(err)) == (3, True)


def test_below_another_root_nothing_is_started(trottoir, tmp_path, steps):  # noqa: F811
    assert trottoir("install", "--systemd", "--udev", "--yes", "--prefix", str(tmp_path / "image"), toml=GOOD)[0] == 0
    assert {str(path.relative_to(tmp_path / "image")) for path in (tmp_path / "image").rglob("*") if path.is_file()} == {
        UNIT,
        RULES,
    }
    assert steps == []


def test_what_makes_no_sense(trottoir, root, monkeypatch, tmp_path):  # noqa: F811
    assert (trottoir("install")[0], "--systemd" in trottoir("install")[2]) == (2, True)
    monkeypatch.setattr(install_command, "CONFIG", tmp_path / "none.toml")
    code, _, err = trottoir("install", "--systemd", "--yes")
    assert (code, "none.toml" in one_line(err)) == (3, True)
    assert trottoir("install", "--systemd", "--yes", toml="[gateway]\nidd = 1\n")[0] == 3
    code, _, err = trottoir("install", "--systemd", "--yes", toml=GOOD.replace("/var/lib/", "/srv/"))
    assert (code, "gateway.state_dir" in one_line(err)) == (3, True)
    assert not list(root.rglob("*"))


def test_german(trottoir, root, steps):  # noqa: F811
    code, out, _ = trottoir("--lang", "de", "install", "--udev", "--dry-run")
    assert (code, out.splitlines()[-1]) == (0, "Nichts wurde geschrieben.")
    shared.language = "en"


# -- files


def test_what_a_cut_has_left_is_no_hindrance(tmp_path):
    (tmp_path / "a.new").write_text("half")
    SystemFile(tmp_path / "a", "whole\n").write()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "whole\n")]


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_text("not ours")
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    SystemFile(tmp_path / "a", "ours\n").write()
    assert ((tmp_path / "elsewhere").read_text(), (tmp_path / "a").read_text()) == ("not ours", "ours\n")


# -- rules


def test_each_board_is_left_alone_by_modemmanager_and_its_port_is_for_people_and_the_gateway():
    text = udev.render(BOARDS)
    for board in BOARDS:
        ids = re.escape(f'=="{board.vid:04x}"'), re.escape(f'=="{board.pid:04x}"')
        assert re.search(rf'^SUBSYSTEM=="usb".*\{{idVendor\}}{ids[0]}.*{ids[1]}, ENV\{{ID_MM_DEVICE_IGNORE\}}="1"$', text, re.M)
        assert re.search(rf'^SUBSYSTEM=="tty".*\{{idVendor\}}{ids[0]}.*{ids[1]}, GOTO="trottoir_port"$', text, re.M)
    port = text.partition('LABEL="trottoir_port"')[2]
    for word in ('GROUP="dialout"', 'TAG+="uaccess"', 'ENV{ID_MM_PORT_IGNORE}="1"', 'SYMLINK+="trottoir/$env{ID_PATH}"'):
        assert word in port


def test_other_devices_are_not_touched():
    before_port = udev.render(BOARDS).partition('LABEL="trottoir_port"')[0]
    assert before_port.splitlines()[-1] == 'GOTO="trottoir_end"'
    assert udev.RULES.name < "73-seat-late.rules"  # which hands out what is tagged
