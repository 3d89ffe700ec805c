"""What stands on a real terminal while demo and run go on: tables, a bar, the user's language, no colour where none is wanted."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from typing import get_args

import pytest
from rich.console import Console

import streetwire
from gateway import config
from gateway.model import Heard, Series
from gateway.pipeline import Live
from gateway.shown import ClimateMean, Counted, NodeNow, OutboxState, Trouble
from gateway.view import Books, Now, State, assemble
from gateway.words import Say
from tests.gateway.parts import NAME, T0
from tests.real_parts import needs
from tools import terminal
from tools.live_table import MARKS, table_of
from tools.pictures import Terminal

TOML = '[sites.bahnhof]\nname = "Bahnhof"\n[nodes.tr-a3f1c2]\nsite = "bahnhof"\n[nodes.tr-0000b2]\nsite = "bahnhof"\n'
SERIES = Series("bahnhof", NAME, "radar")


@pytest.fixture(autouse=True)
def english_again():
    yield
    terminal.shared.language = "en"


def shown(
    language: str, trouble: Trouble | None = None, enabled: bool = True, toml: str = TOML, nodes: Sequence[NodeNow] = ()
) -> str:
    settings = config.parse(toml + f"[uplink]\nenabled = {str(enabled).lower()}\n", "test", {})
    books = Books(
        {SERIES: Counted(T0 - 36_000, 1210, 1188, 36_000)}, {SERIES: Counted(T0 - 60, 3, 0, 60)},
        {NAME: ClimateMean(T0, 21.35, 48.5, 0)}, OutboxState(12, T0, 1), 5000,
    )  # fmt: skip
    now = Now(T0, nodes, [Live(SERIES, {900: (40, 31, 0.5)})], trouble)
    terminal.shared.language = language
    console = Console(file=io.StringIO(), width=140)
    console.print(table_of(assemble(settings, "0.1.0", now, books), "http://127.0.0.1:8377/"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_number_stands_beside_its_coverage():
    text = shown("en")
    assert "3→ 0← (100 %)" in text
    assert "40→ 31← (50 %)" in text
    assert "1210→ 1188← (100 %)" in text
    assert "21.4 °C" in text or "21.3 °C" in text
    assert "points waiting: 12, refused: 1" in text
    assert "http://127.0.0.1:8377/" in text


def test_a_node_without_data_has_dashes_and_no_zero():
    row = next(line for line in shown("en").splitlines() if "tr-0000b2" in line)
    assert "0→" not in row
    assert row.count("–") == 4
    assert "not heard yet" in row


def test_it_speaks_german():
    text = shown("de")
    assert "letzte Minute" in text
    assert "21,4 °C" in text or "21,3 °C" in text
    assert "wartende Punkte: 12" in text


@pytest.mark.parametrize(("language", "said"), [("en", "◆ fault"), ("de", "◆ Störung")])
def test_a_node_that_says_that_it_cannot_count_has_a_fault(language, said):
    heard = Heard(T0 * 1000, "serial:x", health={"health": streetwire.HEALTH["log_failed"]})
    assert said in shown(language, nodes=[NodeNow(NAME, T0, heard, None, 0)])


def test_every_state_of_a_node_has_a_mark_of_its_own():
    assert list(MARKS) == list(get_args(State))
    assert len(set(MARKS.values())) == len(MARKS)


def test_trouble_and_an_uplink_that_is_off_are_said():
    assert "the server takes nothing: HTTP 401" in shown("en", Trouble("HTTP 401", T0, T0))
    told = Trouble("away", T0, T0, Say("error.uplink-silent", {"url": "http://x"}))
    assert "http://x antwortet nicht rechtzeitig" in shown("de", told)
    assert "nothing leaves this machine" in shown("en", enabled=False)


def test_without_nodes_it_says_what_to_do():
    assert "add [nodes]" in shown("en", toml="")


def test_names_and_answers_are_text_and_never_speak_to_the_terminal():
    hostile = TOML.replace('"Bahnhof"', '"[red]B[/red] [nope"')
    text = shown("en", Trouble("HTTP 500 \x1b[2J\x1b]0;gone\x07", T0, T0), toml=hostile)
    assert "[red]B[/red] [nope" in text
    assert "\x1b" not in text
    assert "\\x1b[2J" in text


# -- in a pseudo terminal


class Watched(Terminal):
    """Reads until something stands on the screen."""

    def until(self, text: str, rounds: int = 1200) -> None:
        for _ in range(rounds):
            self.read(0.1)
            if text in self.text():
                return
        raise AssertionError(f"{text!r} never stood there:\n{self.text()}")

    def interrupt(self) -> None:
        """Ctrl-C, and until the command has ended."""
        self.process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + 30
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text()
            self.read(0.05)


def cli(*words: str) -> list[str]:
    return [sys.executable, "-m", "tools.cli", *words]


@needs("pty")
def test_a_demo_at_a_terminal_shows_its_street_and_stays_until_it_is_interrupted(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    screen = Watched(cli("demo", "--duration", "10m", "--pace", "150", "--lang", "de"))
    try:
        screen.until("gegangen")
        screen.until("%")
        screen.until("Die Seite bleibt hier bis Strg-C")
        assert "Die Bücher" in screen.text()
        screen.interrupt()
        assert screen.process.returncode in (0, 1)
    finally:
        screen.close()


@needs("pty")
@pytest.mark.parametrize("is_plain", [False, True])
def test_run_at_a_terminal_shows_its_nodes_under_the_log(tmp_path, monkeypatch, is_plain):
    if is_plain:
        monkeypatch.setenv("NO_COLOR", "1")
    path = tmp_path / "trottoir.toml"
    path.write_text(f'[gateway]\nstate_dir = "{tmp_path}/state"\npage = "127.0.0.1:0"\n{TOML}', encoding="utf-8")
    screen = Watched(cli("--config", str(path), "--lang", "en", "run"))
    raw = bytearray()
    feed = screen._stream.feed
    monkeypatch.setattr(screen._stream, "feed", lambda data: (raw.extend(data), feed(data)))
    try:
        screen.until("page: http://127.0.0.1:")
        text = screen.text()
        assert text.index("started") < text.index("last minute") < text.index("tr-0000b2")
        screen.interrupt()
        assert screen.process.returncode == 130
    finally:
        screen.close()
    colours = re.findall(rb"\x1b\[[0-9;]*(?:3[0-7]|9[0-7]|38)[0-9;]*m", bytes(raw))
    assert not (is_plain and colours)


@needs("pty")
def test_without_a_terminal_run_prints_plain_lines(tmp_path):
    import subprocess

    path = tmp_path / "trottoir.toml"
    path.write_text(f'[gateway]\nstate_dir = "{tmp_path}/state"\npage = "off"\n', encoding="utf-8")
    running = subprocess.Popen(cli("--config", str(path), "run"), stderr=subprocess.PIPE, env={**os.environ, "TERM": "xterm"})
    assert running.stderr is not None
    lines = [running.stderr.readline() for _ in range(2)]
    running.terminate()
    rest = running.stderr.read()
    assert running.wait(20) == 0
    assert b"\x1b" not in b"".join(lines) + rest
