"""How `trottoir run` starts: plain words go straight to the gateway, ports come before the page, and nothing else is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway import errors
from tests.real_parts import needs
from tools import cli, start

ROOT = Path(__file__).resolve().parents[2]
TOML = """
[gateway]
state_dir = "{folder}/state"
page = "127.0.0.1:0"
[serial]
ports = ["{port}"]
[uplink]
enabled = true
[sites.bahnhof]
[nodes.tr-a3f1c2]
site = "bahnhof"
"""
# Tells in their order which packages are looked for and when the port is opened.
WITNESS = """
import sys
port = sys.argv.pop()
def witness(event, about):
    if event == "import":
        print(about[0].partition(".")[0], flush=True)
    elif event == "open" and about[0] == port:
        print("PORT", flush=True)
sys.addaudithook(witness)
from tools.start import main
main()
"""


@needs("pty")
def test_the_port_is_opened_before_the_page_is_loaded_and_what_is_not_needed_is_not_loaded(tmp_path, line):
    config = tmp_path / "trottoir.toml"
    config.write_text(TOML.format(folder=tmp_path, port=line.path), encoding="utf-8")
    command = [sys.executable, "-P", "-c", WITNESS, "--config", str(config), "run", str(line.path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    seen: list[str] = []
    for told in process.stdout:
        seen.append(told.strip())
        if seen[-1] in ("uvicorn", "starlette", "h11"):  # the page's
            process.kill()
            break
    process.wait()
    assert seen[-1] in ("uvicorn", "starlette", "h11"), "the page never came"
    assert seen.count("PORT") == 2, "tried, then opened by its driver"
    assert not {"cyclopts", "influxdb_client"} & set(seen)


@pytest.mark.parametrize("words", [["--config", "a.toml", "run"], ["run", "--config", "a.toml"]])
def test_the_plain_form_needs_no_parser(words):
    assert start.plain_run(words) == Path("a.toml")


@pytest.mark.parametrize(
    "words",
    [
        [], ["run"], ["doctor"], ["--config", "a.toml"], ["--config", "run"], ["--config", "--json", "run"],
        ["--config", "a.toml", "run", "--json"], ["run", "--help"], ["--config", "a.toml", "doctor"],
    ],
)  # fmt: skip
def test_everything_else_is_for_the_parser(words, monkeypatch):
    assert start.plain_run(words) is None
    monkeypatch.setattr(sys, "argv", ["trottoir", *words])
    monkeypatch.setattr(cli, "main", lambda told: told)
    assert start.main() == words


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ('[gateway]\nlog = "xml"\n', errors.EXIT_ENVIRONMENT, "xml"),
        (None, errors.EXIT_ENVIRONMENT, "missing.toml"),
    ],
)
def test_a_mistake_is_told_as_by_every_other_command(tmp_path, text, code, said, monkeypatch, capsys):
    path = tmp_path / "missing.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    words = ["--config", str(path), "run"]
    assert cli.main(words) == code
    by_parser = capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["trottoir", *words])
    assert start.main() == code
    assert capsys.readouterr().err == by_parser
    assert said in by_parser


def test_a_bug_is_written_down_and_an_exit_stays_an_exit(tmp_path, monkeypatch, capsys):
    ends = iter([ZeroDivisionError("ours"), KeyboardInterrupt(), SystemExit(3)])

    def ending(_path):
        raise next(ends)

    monkeypatch.setattr("tools.run_command.run_gateway", ending)
    monkeypatch.setattr(sys, "argv", ["trottoir", "--config", "a.toml", "run"])
    monkeypatch.setattr(cli, "_bug", lambda error: f"written down: {error}")
    assert start.main() == errors.EXIT_BUG
    assert "written down: ours" in capsys.readouterr().err
    assert start.main() == errors.EXIT_INTERRUPTED
    with pytest.raises(SystemExit):
        start.main()
