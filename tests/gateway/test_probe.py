"""The probe of an uplink: what it asks, in which order, and that it stops at the first thing that does not hold."""

from __future__ import annotations

import string

import pytest

from gateway.probe import READ_TRIES, probe
from gateway.uplink.base import VICTORIA, Answer, Identity, Outcome, Row, UplinkError
from gateway.words import Say, catalogue
from tests.gateway.parts import T0

STORED = Answer(Outcome.STORED, status=204)
ROW = Row({"gateway": "gw"}, T0, {"value": T0 % 1_000_000})
ALL_STEPS = ["address", "reachable", "server", "token", "target", "write", "read"]


class Server:
    """An uplink that says what a test wants, and remembers what it was asked."""

    name = "v2"
    address = "http://influx.stadt.de"
    target = Say("check.bucket", {"bucket": "b", "org": "o"})
    is_local = False

    def __init__(self, identity=Identity("InfluxDB", "2.7"), answers=(STORED, STORED), rows=((ROW,),)) -> None:  # noqa: B008
        self._identity = identity
        self._answers = list(answers)
        self._rows = list(rows)
        self.asked: list[object] = []

    def identify(self):
        self.asked.append("identify")
        if isinstance(self._identity, UplinkError):
            raise self._identity
        return self._identity

    def send(self, lines):
        self.asked.append(b"".join(lines))
        return self._answers.pop(0)

    def read(self, measurement, start_s, end_s):
        self.asked.append((measurement, start_s, end_s))
        if isinstance(self._rows[0], UplinkError):
            raise self._rows[0]
        return list(self._rows.pop(0) if len(self._rows) > 1 else self._rows[0])

    def close(self):
        """Nothing to close."""


def steps(server: Server, pauses: list | None = None) -> list[tuple[str, int]]:
    pauses = [] if pauses is None else pauses
    return [(f.step, f.exit_code) for f in probe(server, "gw", T0, lambda: pauses.append(1))]


def test_the_same_point_is_written_twice_and_read_once():
    server = Server()
    assert steps(server) == [(step, 0) for step in ALL_STEPS]
    line = b"uplink_check,gateway=gw value=%di %d" % (T0 % 1_000_000, T0)
    assert server.asked == ["identify", line, line, ("uplink_check", T0, T0 + 1)]


def test_findings_come_as_they_happen():
    server = Server()
    findings = probe(server, "gw", T0, lambda: None)
    assert next(findings).step == "address"
    assert server.asked == []
    assert next(findings).step == "reachable"
    assert server.asked == ["identify"]


def test_nobody_is_asked_any_more_after_the_first_failure():
    server = Server(identity=UplinkError("uplink-silent", url="u", found="f"))
    assert steps(server) == [("address", 0), ("reachable", 9)]
    assert server.asked == ["identify"]
    server = Server(answers=[Answer(Outcome.HOLD, "HTTP 404", status=404)])
    assert steps(server)[3:] == [("token", 0), ("target", 8)]
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("answer", "step", "exit_code"),
    [
        (Answer(Outcome.HOLD, "x", status=401), "token", 7), (Answer(Outcome.HOLD, "x", status=403), "token", 7),
        (Answer(Outcome.HOLD, "x", status=302), "write", 9), (Answer(Outcome.RETRY, "x", status=503), "write", 9),
        (Answer(Outcome.RETRY, "x"), "write", 9), (Answer(Outcome.REFUSED, "x", status=400), "write", 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", [(), (STORED,)])
def test_what_an_answer_says_about_whom(answer, step, exit_code, before):
    assert steps(Server(answers=[*before, answer]))[-1] == (step, exit_code)


def test_a_point_that_shows_late_is_waited_for_and_one_that_never_shows_is_not():
    pauses: list = []
    assert steps(Server(rows=[[], [], [ROW]]), pauses)[-1] == ("read", 0)
    assert len(pauses) == 2
    assert steps(Server(rows=[[]]), pauses)[-1] == ("read", 1)
    assert len(pauses) == 2 + READ_TRIES - 1


@pytest.mark.parametrize(
    ("key", "exit_code", "words"),
    [("uplink-missing", 8, "dbrp create"), ("uplink-forbidden", 7, "right to write and read"), ("uplink-copies", 1, "-dedup")],
)
def test_a_point_that_was_taken_and_cannot_be_read(key, exit_code, words):
    server = Server(rows=[UplinkError(key, url="u", target=Server.target, found="f")])
    last = list(probe(server, "gw", T0, lambda: None))[-1]
    assert (last.step, last.exit_code) == ("read", exit_code)
    assert words in last.detail.line()
    assert words in last.detail.line("de") or exit_code == 7


def test_another_gateways_point_is_not_ours():
    other = Row({"gateway": "other"}, T0, ROW.fields)
    assert steps(Server(rows=[[other]]))[-1] == ("read", 1)
    assert steps(Server(rows=[[other, ROW]]))[-1] == ("read", 0)
    assert steps(Server(rows=[[Row(ROW.tags, T0, {"value": 5})]]))[-1] == ("read", 1)


def test_what_victoriametrics_does_not_promise_is_said():
    found = [step for step, _ in steps(Server(identity=Identity(VICTORIA)))]
    assert found == [*ALL_STEPS[:3], "promise", *ALL_STEPS[3:]]


@pytest.mark.parametrize(
    ("url", "is_local", "words"),
    [("http://a", True, "on this machine"), ("https://a", False, "encrypted"), ("http://a", False, "in clear")],
)
def test_who_can_read_along_is_said(url, is_local, words):
    server = Server()
    server.address, server.is_local = url, is_local
    assert words in next(probe(server, "gw", T0, lambda: None)).detail.line()


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", [key for key in catalogue("en") if key.startswith(("check.", "error.uplink"))])
def test_both_languages_say_the_same(key):
    assert placeholders(catalogue("en")[key]) == placeholders(catalogue("de")[key])


def test_no_language_says_more():
    assert set(catalogue("en")) == set(catalogue("de"))
