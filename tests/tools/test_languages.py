"""The command in both languages: help, mistakes, results; and which language it takes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import words
from tests.tools.test_cli import GOOD, WRONG, no_environment, one_line, trottoir  # noqa: F401
from tools import cli, terminal

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def english_again():
    yield
    terminal.shared.language = "en"


@pytest.mark.parametrize("command", ["", *cli.COMMANDS, *sorted({name.split()[0] for name in cli.COMMANDS if " " in name})])
@pytest.mark.parametrize("language", words.LANGUAGES)
def test_help_is_whole_in_each_language(trottoir, command, language):  # noqa: F811
    code, out, err = trottoir("--lang", language, *command.split(), "--help")
    other = {"en": "Aufruf:", "de": "Usage:"}[language]
    assert (code, err) == (0, "")
    assert out.startswith({"en": "Usage: trottoir", "de": "Aufruf: trottoir"}[language])
    assert other not in out
    if command in cli.COMMANDS:
        assert f"{ {'en': 'Example', 'de': 'Beispiel'}[language] }: trottoir" in " ".join(out.split())
        # Every option says what it is for.
        assert not re.search(r"│ --?\S+( [A-Z]+)?\s+│", out), out
    if not command:
        assert all(name.split()[0] in out for name in cli.COMMANDS)


@pytest.mark.parametrize(
    ("words_", "english", "german"),
    [
        (["runn"], "unknown command runn; did you mean run?", "unbekannter Befehl runn; ist run gemeint?"),
        (["xyzzy"], "unknown command xyzzy. See trottoir --help.", "unbekannter Befehl xyzzy. Siehe trottoir --help."),
        (["bench", "xyzzy"], "See trottoir bench --help.", "Siehe trottoir bench --help."),
        (["uplink", "status", "--qqq"], "See trottoir uplink status --help.", "Siehe trottoir uplink status --help."),
        (["config", "chek"], "did you mean check?", "ist check gemeint?"),
        (["demo", "--sede", "3"], "unknown option --sede; did you mean --seed?", "unbekannte Option --sede; ist --seed gemeint?"),
        (["run", "--qqq"], "unknown option --qqq.", "unbekannte Option --qqq."),
        (["demo", "--seed", "1.5"], "--seed: found '1.5', expected a whole number", "--seed: '1.5' gefunden, ganze Zahl erwartet"),
        (["demo", "--pace", "fast"], "--pace: found 'fast', expected a number", "--pace: 'fast' gefunden, Zahl erwartet"),
        (["demo", "--stay=perhaps"], "--stay: found 'perhaps'", "--stay: 'perhaps' gefunden"),
        (["demo", "--seed"], "--seed: its value is missing", "--seed: der Wert fehlt"),
        (["demo", "--seed", "1", "--seed", "2"], "--seed is given twice", "--seed ist doppelt angegeben"),
        (["run", "extra"], "found extra, expected nothing more", "extra gefunden, nichts weiter erwartet"),
        (["demo", "--nodes", "9"], "--nodes: found 9, expected 1 to 8", "--nodes: 9 gefunden, 1 bis 8 erwartet"),
        (["demo", "--port", "0"], "--port: found 0, expected 1 to 65535", "--port: 0 gefunden, 1 bis 65535 erwartet"),
        (["demo", "--pace", "-1"], "--pace: found -1, expected 0 or more", "--pace: -1 gefunden, 0 oder mehr erwartet"),
        (["demo", "--pace", "nan"], "--pace", "--pace"),
        (["demo", "--pace", "inf"], "--pace", "--pace"),
        (["demo", "--duration", "6"], "such as 30m, 6h or 24h", "etwa 30m, 6h oder 24h"),
        (["demo", "--outage", "25:00-26:00"], "expected HH:MM-HH:MM", "HH:MM-HH:MM erwartet"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_in_the_users_language(trottoir, words_, english, german):  # noqa: F811
    for language, said in (("en", english), ("de", german)):
        code, out, err = trottoir("--lang", language, *words_)
        assert (code, out) == (2, "")
        assert said in one_line(err)


def test_a_language_that_nobody_speaks_is_a_mistake(trottoir):  # noqa: F811
    code, _, err = trottoir("--lang", "fr", "run")
    assert code == 2
    assert one_line(err) == "--lang: found 'fr', expected de, en"


def test_mistakes_of_the_configuration_are_told_in_the_users_language_and_as_data_in_english(trottoir):  # noqa: F811
    _, english, _ = trottoir("config", "check", toml=WRONG)
    _, german, _ = trottoir("--lang", "de", "config", "check", toml=WRONG)
    assert "did you mean 'id'?" in english
    assert "ist 'id' gemeint?" in german
    data = json.loads(trottoir("--lang", "de", "--json", "config", "check", toml=WRONG)[1])
    assert data["problems"] == english.splitlines()


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LANG": "de_DE.UTF-8"}, "de"), ({"LANG": "en_GB.UTF-8"}, "en"), ({"LANG": "C.UTF-8"}, "en"), ({}, "en"),
        ({"LANG": "de_DE.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"), ({"LC_MESSAGES": "en_US", "LC_ALL": "de_AT"}, "de"),
    ],
)  # fmt: skip
def test_without_a_word_it_speaks_the_systems_language(trottoir, monkeypatch, variables, language):  # noqa: F811
    for name in ("LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ("gut" if language == "de" else "good") in trottoir("config", "check", toml=GOOD)[1]
    assert "good" in trottoir("--lang=en", "config", "check", toml=GOOD)[1]


def test_numbers_are_written_as_the_language_does():
    for language, shown in (("en", ["-11.6 %", "15 %", "+0.5 %", "21.4"]), ("de", ["-11,6 %", "15 %", "+0,5 %", "21,4"])):
        terminal.shared.language = language
        percents = [terminal.percent(-0.116, 1, "+"), terminal.percent(0.15), terminal.percent(0.005, 1, "+")]
        assert [*percents, terminal.decimal(21.36, 1)] == shown


def test_help_loads_nothing_heavy():
    heavy = ["pydantic", "asyncio", "sqlite3", "serial", "aioserial", "uvicorn", "influxdb_client", "structlog", "urllib3"]
    code = f"import sys; from tools import cli; cli.main(['--help']); sys.exit(' '.join(set({heavy}) & sys.modules.keys()) or None)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage" in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_knows_fewer_letters_still_gets_its_lines(encoding, tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "tools.cli", "--lang", "de", "demo", "--nodes", "9"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, env=environment)
    assert done.returncode == 2
    assert b"--nodes: 9 gefunden" in done.stderr
    command = [sys.executable, "-m", "tools.cli", "--lang", "de", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
