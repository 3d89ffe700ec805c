"""The uplinks over HTTP against every answer that a server, a portal or a broken line can give: what is kept, what is stored."""

from __future__ import annotations

import base64
import gzip
import logging
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.uplink import http
from gateway.uplink.base import Outcome, UplinkError
from gateway.uplink.http import classify
from gateway.uplink.influx_v1 import InfluxV1
from gateway.uplink.influx_v2 import InfluxV2
from tests.gateway.uplink.hostile import TOKEN, Hostile, hang_up, pings_like_influxdb, talk_without_end
from tests.gateway.uplink.test_contract import T0, passages

RETRIED = {408, 425, 429, *range(500, 600)}
REFUSED = {400, 422}
PATHS = {"v1": "/write?db=trottoir&precision=s", "v2": "/api/v2/write?org=stadt&bucket=trottoir&precision=s"}


def test_only_204_means_stored_and_a_status_that_nobody_named_keeps_the_data():
    for status in range(100, 1000):
        outcome = classify(status).outcome
        assert (outcome is Outcome.STORED) == (status == 204), status
        assert (outcome is Outcome.REFUSED) == (status in REFUSED), status
        assert (outcome is Outcome.TOO_LARGE) == (status == 413), status
        assert (outcome is Outcome.RETRY) == (status in RETRIED), status
        assert classify(status).status == status


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
    assert answer.status == status
    assert [path for _, path, _, _ in hostile.requests] == [PATHS[uplink.name]], "a redirect was followed"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0), ("0", 0.0), ("-5", None), ("soon", None), ("1.5", None), ("", None), ("nan", None), ("1e3", None),
        ("Wed, 21 Oct 2026 07:28:42 GMT", 42.0), ("Wednesday, 21-Oct-26 07:28:01 GMT", 1.0), ("Wed Oct 21 07:29:00 2026", 60.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("Wed, 21 Oct 2026 07:27:59 GMT", None), ("Sat, 21 Oct 9999 07:28:00 GMT", 2.5e11),
        ("Wed, 99 Oct 2026 07:28:00 GMT", None), ("Wed, 21 Oct 2026 07:28:00 +9999999", None), (", , ,", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [429, 503])
def test_what_the_server_asks_for_is_told_by_its_own_clock(hostile, uplink, status, header, seconds):
    hostile.say(status, b"slow down", Retry_After=header, Date="Wed, 21 Oct 2026 07:28:00 GMT")
    answer = uplink.send([passages(0, 1)])
    assert answer.outcome is Outcome.RETRY
    assert answer.retry_after_s == (pytest.approx(seconds, rel=0.01) if seconds else seconds)


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_a_moment_says_nothing_without_the_clock_it_is_meant_by(hostile, uplink, date):
    hostile.say(503, b"", Retry_After="Wed, 21 Oct 2026 07:28:42 GMT", Date=date)
    assert uplink.send([passages(0, 1)]).retry_after_s is None


@given(st.text(max_size=40) | st.text("0123456789:, GMTWedOct+-", max_size=40), st.text(max_size=40))
def test_no_wish_and_no_clock_is_too_strange(wish, date):
    seconds = http._seconds(wish, date)
    assert seconds is None or seconds >= 0
    assert (http._seconds(wish, "Wed, 21 Oct 2026 07:28:42 GMT") or 0) >= 0


def test_an_absurd_wish_is_still_a_number(hostile, uplink):
    hostile.say(503, b"", Retry_After="9" * 400)
    assert uplink.send([passages(0, 1)]).retry_after_s == float("inf")


def test_lines_are_sent_as_they_are_with_second_precision(hostile, uplink):
    lines = [passages(n, n) for n in range(3)]
    uplink.send(lines)
    ((method, path, body, headers),) = hostile.requests
    assert (method, path) == ("POST", PATHS[uplink.name])
    if uplink.name == "v2":
        assert headers["Content-Encoding"] == "gzip"
        assert headers["Content-Type"].startswith("text/plain")
        assert body[:2] == b"\x1f\x8b"
        body = gzip.decompress(body)
    assert body == b"\n".join(lines)


@pytest.mark.parametrize("uplink_of", [lambda url: InfluxV1(url, "trottoir"), lambda url: InfluxV2(url, "", "trottoir")])
def test_without_a_secret_none_is_sent(hostile, uplink_of):
    uplink = uplink_of(hostile.url)
    uplink.send([passages(0, 1)])
    assert "Authorization" not in hostile.requests[0][3]
    uplink.close()


def test_the_token_goes_with_every_request(hostile):
    uplink = InfluxV2(hostile.url, "stadt", "trottoir", TOKEN)
    hostile.answer = pings_like_influxdb(200, b'{"results": [{}]}')
    uplink.send([passages(0, 1)])
    uplink.read("passages", T0, T0 + 60)
    assert [headers["Authorization"] for _, _, _, headers in hostile.requests] == [f"Token {TOKEN}"] * 3
    uplink.close()


def test_user_and_password_go_as_utf_8(hostile):
    uplink = InfluxV1(hostile.url, "trottoir", "gerät", "Straße€")
    uplink.send([passages(0, 1)])
    scheme, _, secret = hostile.requests[0][3]["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(secret).decode()) == ("Basic", "gerät:Straße€")
    uplink.close()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_secret_is_not_sent_on_by_a_redirect(hostile, uplink, status):
    elsewhere = Hostile()
    hostile.say(status, b"", Location=f"{elsewhere.url}/api/v2/write")
    assert uplink.send([passages(0, 1)]).outcome is Outcome.HOLD
    for ask in (uplink.identify, lambda: uplink.read("passages", T0, T0 + 60)):
        with pytest.raises(UplinkError) as caught:
            ask()
        assert caught.value.key == "uplink-redirect"
    assert elsewhere.requests == []
    elsewhere.close()


def test_a_secret_that_the_server_repeats_is_blotted_out(hostile, uplink, caplog):
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []

    def echo(handler):
        secret = handler.headers["Authorization"]
        seen.append(secret.partition(" ")[2])
        text = f"you said {secret}".encode()
        handler.send_response(403, "no")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    hostile.answer = echo
    said = [repr(uplink.send([passages(0, 1)])), repr(uplink)]
    for ask in (uplink.identify, lambda: uplink.read("passages", T0, T0 + 60)):
        with pytest.raises(UplinkError) as caught:
            ask()
        said += [repr(caught.value), caught.value.line("de")]
    said += [record.getMessage() for record in caplog.records]
    assert any("you said" in text for text in said)
    for secret in (TOKEN, seen[0]):
        assert not [text for text in said if secret in text]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"code":"unauthorized","message":"unauthorized access"}', "HTTP 401 unauthorized access"),
        (b'{"error":"authorization failed"}', "HTTP 401 authorization failed"), (b"{}", "HTTP 401 {}"), (b"[1]", "HTTP 401 [1]"),
        (b"", "HTTP 401"), (b"[" * 4096, "HTTP 401 " + "[" * 300),
    ],
)  # fmt: skip
def test_the_reason_is_what_the_server_says_in_its_own_way(hostile, uplink, text, reason):
    hostile.say(401, text)
    assert uplink.send([passages(0, 1)]).reason == reason


def test_what_a_server_says_is_one_short_line_that_commands_no_terminal(hostile, uplink):
    hostile.say(500, b"first\nsecond\x1b[2Jthird\r\n" + b"x" * 3000)
    reason = uplink.send([passages(0, 1)]).reason
    assert reason.startswith("HTTP 500 first second [2Jthird x")
    assert reason.isprintable()
    assert len(reason) < 400


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
    assert InfluxV2(url, "o", "trottoir").is_local is is_local


def test_a_long_reason_in_json_is_told_in_its_words_and_not_as_json(hostile, uplink):
    words = "field type conflict " + "x" * 600
    hostile.say(400, b'{"error": "%b", "message": "%b", "code": "invalid"}' % (words.encode(), words.encode()))
    answer = uplink.send([passages(0, 1)])
    assert answer.reason.startswith("HTTP 400 field type conflict x")
    assert len(answer.reason) < 400


def test_a_web_page_is_told_in_its_words(hostile, uplink):
    hostile.say(404, b"<!DOCTYPE html><head><style>p {color: red}</style><title>Error</title></head><p>File not found</p>")
    assert uplink.send([passages(0, 1)]).reason == "HTTP 404 Error File not found"
