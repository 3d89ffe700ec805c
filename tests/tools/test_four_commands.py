"""The README's four commands, typed in a fresh clone: from nothing to a node that counts. And what they rest on."""

import shutil
from pathlib import Path

import pytest

from gateway import config
from tests.real_parts import needs
from tools import four_commands, registry_command, terminal
from tools.four_commands import FailedError, commands
from tools.terminal import config_path, shared


@needs("micropython")
@needs("pty")
@pytest.mark.skipif(shutil.which("git") is None, reason="the first command is git's")
def test_the_four_commands_of_the_readme_lead_to_a_minute_in_the_books(capfd):
    assert four_commands.main(["--ready"]) == 0, capfd.readouterr().out
    said = capfd.readouterr().out
    assert next(line.split()[-1] for line in said.splitlines() if line.startswith("$")) == "trottoir"
    assert said.count("exit code 0 after") == 3 and "Ctrl-C: exit code 130" in said


def test_they_are_read_out_of_the_readme():
    found = commands((four_commands.ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(found) == 4
    assert found[0].startswith("git clone ADDRESS trottoir && cd trottoir")
    assert all(line.startswith("python3 tools/go.py ") and "#" not in line for line in found[1:])
    with pytest.raises(FailedError):
        commands("no commands here")


@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_who_has_no_place_yet_gets_one_in_this_folder(tmp_path, monkeypatch, is_elsewhere):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shared, "config", None)
    monkeypatch.delenv("TROTTOIR_GATEWAY__STATE_DIR", raising=False)
    if is_elsewhere:
        monkeypatch.setenv("TROTTOIR_GATEWAY__STATE_DIR", str(tmp_path / "elsewhere"))
    has_one = is_elsewhere or Path("/var/lib/trottoir").exists()
    registry_command.begin_here()
    assert Path("trottoir.toml").exists() != has_one
    if not has_one:
        before = Path("trottoir.toml").read_bytes()
        assert config.load(config_path()).gateway.state_dir == tmp_path / "trottoir-state"
        registry_command.begin_here()
        assert Path("trottoir.toml").read_bytes() == before


def test_the_configuration_of_this_folder_is_taken_unless_another_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shared, "config", None)
    assert config_path() is None
    (tmp_path / "trottoir.toml").write_text("")
    assert config_path() == Path("trottoir.toml")
    monkeypatch.setattr(shared, "config", tmp_path / "other.toml")
    assert config_path() == tmp_path / "other.toml"
    assert terminal.CONFIG_HERE.name == "trottoir.toml"
