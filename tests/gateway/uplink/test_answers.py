"""The v1 uplink against every answer that a server, a portal or a broken line can give: what is kept, what counts as stored."""

from __future__ import annotations

import base64
import socket
import tracemalloc

import pytest
import urllib3

from gateway.errors import EXIT_UPLINK_UNREACHABLE
from gateway.uplink import influx
from gateway.uplink.base import Outcome
from gateway.uplink.influx_v1 import InfluxV1, UplinkError, classify
from tests.gateway.parts import T0
from tests.gateway.uplink.hostile import Hostile, hang_up, talk_without_end
from tests.gateway.uplink.test_contract import counts, passages
from tests.real_parts import needs
from tools.street.server_process import free_port

RETRIED = {408, 425, 429, *range(500, 600)}
REFUSED = {400, 422}


@pytest.fixture
def hostile():
    server = Hostile()
    yield server
    server.close()


@pytest.fixture
def uplink(hostile):
    uplink = InfluxV1(hostile.url, "trottoir")
    yield uplink
    uplink.close()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(influx, "TIMEOUT", urllib3.Timeout(connect=0.2, read=0.2))


def test_only_204_means_stored_and_a_status_that_nobody_named_keeps_the_data():
    for status in range(100, 1000):
        outcome = classify(status).outcome
        assert (outcome is Outcome.STORED) == (status == 204), status
        assert (outcome is Outcome.REFUSED) == (status in REFUSED), status
        assert (outcome is Outcome.TOO_LARGE) == (status == 413), status
        assert (outcome is Outcome.RETRY) == (status in RETRIED), status


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.HOLD), (201, Outcome.HOLD), (301, Outcome.HOLD), (302, Outcome.HOLD), (307, Outcome.HOLD),
        (308, Outcome.HOLD),
        (401, Outcome.HOLD), (403, Outcome.HOLD), (404, Outcome.HOLD), (413, Outcome.TOO_LARGE), (400, Outcome.REFUSED),
        (422, Outcome.REFUSED), (429, Outcome.RETRY), (500, Outcome.RETRY), (503, Outcome.RETRY), (204, Outcome.STORED),
    ],
)  # fmt: skip
def test_an_answer_over_the_wire(hostile, uplink, status, outcome):
    hostile.say(status, b"<html>log in first</html>", Location=f"{hostile.url}/elsewhere")
    answer = uplink.send([passages(0, 1)])
    assert answer.outcome is outcome
    assert (str(status) in answer.reason) == (status != 204)
    assert [path for _, path, _, _ in hostile.requests] == ["/write?db=trottoir&precision=s"], "a redirect was followed"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-5", None), ("soon", None), ("1.5", None), ("", None)],
)
def test_what_the_server_asks_for_is_told(hostile, uplink, header, seconds):
    hostile.say(429, b"slow down", Retry_After=header)
    answer = uplink.send([passages(0, 1)])
    assert (answer.outcome, answer.retry_after_s) == (Outcome.RETRY, seconds)


def test_an_absurd_wish_is_still_a_number(hostile, uplink):
    hostile.say(503, b"", Retry_After="9" * 400)
    assert uplink.send([passages(0, 1)]).retry_after_s == float("inf")


def test_lines_are_sent_as_they_are_with_second_precision(hostile, uplink):
    lines = [passages(n, n) for n in range(3)]
    uplink.send(lines)
    ((method, path, body, headers),) = hostile.requests
    assert (method, path, body) == ("POST", "/write?db=trottoir&precision=s", b"\n".join(lines))
    assert "Authorization" not in headers


def test_user_and_password_go_as_utf_8(hostile):
    uplink = InfluxV1(hostile.url, "trottoir", "gerät", "Straße€")
    uplink.send([passages(0, 1)])
    scheme, _, secret = hostile.requests[0][3]["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(secret).decode()) == ("Basic", "gerät:Straße€")
    uplink.close()


def test_nobody_there_keeps_the_data():
    uplink = InfluxV1(f"http://127.0.0.1:{free_port()}", "trottoir")
    answer = uplink.send([passages(0, 1)])
    assert answer.outcome is Outcome.RETRY
    assert answer.reason
    assert "\n" not in answer.reason
    with pytest.raises(UplinkError) as caught:
        uplink.read("passages", T0, T0 + 60)
    assert caught.value.exit_code == EXIT_UPLINK_UNREACHABLE
    uplink.close()


def test_a_name_that_does_not_exist_keeps_the_data():
    assert InfluxV1("http://nowhere.invalid:8086", "trottoir").send([passages(0, 1)]).outcome is Outcome.RETRY


def test_a_server_that_hangs_up_keeps_the_data(hostile, uplink):
    hostile.answer = hang_up
    assert uplink.send([passages(0, 1)]).outcome is Outcome.RETRY


def test_a_server_that_is_silent_keeps_the_data(impatient):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uplink = InfluxV1(f"http://127.0.0.1:{silent.getsockname()[1]}", "trottoir")
        assert uplink.send([passages(0, 1)]).outcome is Outcome.RETRY
        uplink.close()


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 nonsense\r\n\r\n", b"\x00" * 100,
        b"HTTP/1.1 204 No Content\r\nX: " + b"y" * 99_999 + b"\r\n\r\n",
        b"HTTP/1.1 500 x\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 500 x\r\nContent-Length: 4000\r\n\r\nshort", b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)  # fmt: skip
def test_what_is_no_http_keeps_the_data(hostile, uplink, garbage):
    def answer(handler):
        handler.connection.sendall(garbage)
        hang_up(handler)

    hostile.answer = answer
    assert uplink.send([passages(0, 1)]).outcome is Outcome.RETRY
    hostile.say(204)
    assert uplink.send([passages(0, 1)]).outcome is Outcome.STORED


def test_a_page_without_end_costs_little_memory_and_is_no_success(hostile, uplink):
    hostile.answer = talk_without_end
    tracemalloc.start()
    answer = uplink.send([passages(0, 1)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.outcome is Outcome.HOLD
    assert len(answer.reason) < 400
    assert peak < 4_000_000
    hostile.say(204)
    assert uplink.send([passages(0, 1)]).outcome is Outcome.STORED


def test_one_connection_is_used_again_and_again(hostile, uplink):
    hostile.say(500, b"x" * 100)
    ports = set()
    original = hostile.answer
    hostile.answer = lambda handler: (ports.add(handler.client_address), original(handler))
    for _ in range(5):
        uplink.send([passages(0, 1)])
    assert len(ports) == 1


@pytest.mark.parametrize("page", [b"<html>", b"[]", b"{}", b'{"results": []}', b'{"results": [{"error": "no"}]}', b"", b"\xff"])
def test_a_query_that_is_not_answered_by_influxdb_is_one_clear_error(hostile, uplink, page):
    hostile.say(200, page)
    with pytest.raises(UplinkError) as caught:
        uplink.read("passages", T0, T0 + 60)
    assert "\n" not in caught.value.line()


@pytest.mark.parametrize("status", [204, 302, 401, 404, 500])
def test_a_query_answered_by_another_status_is_an_error(hostile, uplink, status):
    hostile.say(status, b'{"results": [{}]}')
    with pytest.raises(UplinkError):
        uplink.read("passages", T0, T0 + 60)


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://127.0.0.1:8086", True), ("http://localhost", True), ("http://[::1]:8086/", True),
        ("https://influx.city.de", False),
        ("http://127.0.0.1.city.de", False), ("http://10.0.0.1", False), ("http://city.de\\@127.0.0.1", False),
    ],
)  # fmt: skip
def test_only_loopback_is_local(url, is_local):
    assert InfluxV1(url, "trottoir").is_local is is_local


# -- the real server


@needs("influxd")
def test_a_database_that_is_not_there_is_held(influxd):
    uplink = InfluxV1(influxd.url, "nowhere")
    answer = uplink.send([passages(0, 1)])
    assert answer.outcome is Outcome.HOLD
    assert "404" in answer.reason
    uplink.close()


@needs("influxd")
def test_a_type_conflict_refuses_its_line_and_stores_the_others(influxd, database):
    uplink = InfluxV1(influxd.url, database)
    assert uplink.send([passages(0, 1)]).outcome is Outcome.STORED
    answer = uplink.send([passages(1, 2), passages(2, 3).replace(b"count=3i", b"count=3.0"), passages(3, 4)])
    assert answer.outcome is Outcome.REFUSED
    assert "count" in answer.reason
    assert counts(uplink) == {0: 1, 1: 2, 3: 4}
    uplink.close()
