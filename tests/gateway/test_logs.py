"""gateway.logs: one line an event, bounded, harmless to a terminal, and without secrets."""

from __future__ import annotations

import json

import pytest
import structlog

from gateway import logs
from gateway.config import UplinkConfig
from gateway.uplink.table import open_uplink
from tests.gateway.parts import T0
from tests.gateway.uplink.test_contract import passages
from tools.street.server_process import free_port


@pytest.fixture
def log(capsys, request):
    """Logs an event and returns the line that came out. The form is the test's parameter, `text` by default."""

    def write(level="info", event="event", **data):
        logs.set_up(getattr(request, "param", "text"), verbose=False)
        getattr(structlog.get_logger("test"), level)(event, **data)
        return capsys.readouterr().err

    yield write
    structlog.reset_defaults()


def test_a_line_for_people_has_level_event_and_values(log):
    line = log("warning", "port lost", link="serial:x", n=3)
    assert line.count("\n") == 1
    for part in ("warning", "port lost", "link=serial:x", "n=3"):
        assert part in line


@pytest.mark.parametrize("log", ["json"], indirect=True)
def test_a_line_for_a_journal_is_json(log):
    found = json.loads(log("error", "port lost", link="serial:x", n=3, who={"a": 1}))
    assert found.pop("timestamp").endswith("Z")
    assert found == {"level": "error", "event": "port lost", "link": "serial:x", "n": 3, "who": {"a": 1}}


BOTH = pytest.mark.parametrize("log", ["text", "json"], indirect=True)


@BOTH
@pytest.mark.parametrize(
    "value", ["x" * 100_000, ["y" * 100_000], {"k": "z" * 100_000}, {n: n for n in range(99_999)}, OSError("e" * 99_999)]
)
def test_no_value_fills_the_disk(log, value):
    assert len(log(value=value)) < 2 * logs.MAX_VALUE


@BOTH
@pytest.mark.parametrize(
    "text", ["a\nERROR forged", "\x1b[2J", "a\rb", "\x00", "\u2028", "\u202e", "\x85x", ["\x1b[2J"], {"k": "a\n\x1b[2J"}]
)
def test_no_value_breaks_the_line_or_speaks_to_the_terminal(log, text):
    line = log(value=text)
    assert line.endswith("\n")
    assert line[:-1].isprintable()


@pytest.mark.parametrize("log", ["json"], indirect=True)
def test_what_can_be_read_is_kept_and_what_cannot_is_spelt_out(log):
    assert json.loads(log(value="Straße"))["value"] == "Straße"
    assert json.loads(log(value="Straße\x1b[2J\n"))["value"] == "Straße\\x1b[2J\\n"


def test_details_are_said_only_when_asked_for(capsys):
    for verbose, lines in ((False, 0), (True, 1)):
        logs.set_up("text", verbose=verbose)
        structlog.get_logger("test").debug("detail")
        assert capsys.readouterr().err.count("detail") == lines
    structlog.reset_defaults()


def test_no_answer_of_an_uplink_repeats_the_secret(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("geheim")
    secret.chmod(0o600)
    url = f"http://127.0.0.1:{free_port()}"
    uplink = open_uplink(UplinkConfig(url=url, user="gw", password_file=secret))
    answer = uplink.send([passages(0, 1, site=f"t{T0}")])
    assert "geheim" not in repr(answer)
    assert "geheim" not in repr(uplink)
    uplink.close()
