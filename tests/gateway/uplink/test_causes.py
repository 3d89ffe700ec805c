"""Why a server cannot be asked, what it is, and what it gives back: each cause is data, with the contract's exit code."""

from __future__ import annotations

import gzip
import socket
import ssl
import subprocess
import threading
import time

import pytest

from gateway.errors import EXIT_UPLINK_AUTHORISATION, EXIT_UPLINK_MISSING, EXIT_UPLINK_UNREACHABLE
from gateway.uplink import connection, http, reading
from gateway.uplink.base import Identity, Outcome, UplinkError, cause_of
from tests.gateway.uplink.hostile import cause, drip, hang_up, pings_like_influxdb, unreached
from tests.gateway.uplink.test_contract import T0, passages
from tools.street.server_process import free_port

# -- nobody is reached


def test_nobody_there_keeps_the_data(open_it):
    uplink = open_it(f"http://127.0.0.1:{free_port()}")
    unreached(uplink, "uplink-unreached")
    assert "Connection refused" in uplink.send([passages(0, 1)]).reason


def test_a_name_that_does_not_exist_keeps_the_data(open_it):
    unreached(open_it("http://nowhere.invalid:8086"), "uplink-unresolved")


def test_a_server_without_a_certificate_that_we_trust_keeps_the_data(open_it, tmp_path):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", tmp_path / "key", "-out", tmp_path / "cert"], check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def shake_hands():
            while True:
                try:
                    connection, _ = listening.accept()
                    context.wrap_socket(connection, server_side=True)
                except ssl.SSLError:  # the client turns away, as it should
                    continue
                except OSError:
                    return

        threading.Thread(target=shake_hands, daemon=True).start()
        unreached(open_it(f"https://127.0.0.1:{listening.getsockname()[1]}"), "uplink-tls")
        listening.shutdown(socket.SHUT_RDWR)


def test_a_server_that_hangs_up_keeps_the_data(hostile, uplink):
    hostile.answer = hang_up
    unreached(uplink, "uplink-broken")


def test_a_server_that_is_silent_keeps_the_data(impatient, open_it):
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        unreached(open_it(f"http://127.0.0.1:{silent.getsockname()[1]}"), "uplink-silent")
    assert time.monotonic() - started < 5


def test_a_connection_gets_3_s_a_body_and_an_answer_30_s():
    assert (http.TIMEOUT.connect_timeout, connection.UPLOAD_S, http.TIMEOUT.read_timeout) == (3, 30, 30)


def test_a_slow_line_gets_longer_for_a_body_than_a_server_to_be_reached(impatient, open_it):
    """The server reads nothing for three times as long as a connection may take, and then everything."""
    taken = []

    def take(listening):
        connection, _ = listening.accept()
        time.sleep(0.6)
        while not taken or taken[-1]:
            connection.settimeout(0.1)
            try:
                taken.append(len(connection.recv(1 << 20)))
            except TimeoutError:
                break
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        connection.close()

    uplink = open_it("http://127.0.0.1:1")
    body = b"x" * 16_000_000  # more than the sockets between us hold
    with socket.create_server(("127.0.0.1", 0)) as listening:
        reader = threading.Thread(target=take, args=(listening,))
        reader.start()
        slow = http.Http(f"http://127.0.0.1:{listening.getsockname()[1]}", uplink.target)
        assert slow.post("/write", body).status == 204
        reader.join()
        slow.close()
    assert sum(taken) > len(body)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux can be told so")
def test_who_is_gone_without_a_word_is_given_up_after_3_s_and_an_idle_connection_costs_nothing(hostile, open_it, monkeypatch):
    asked = []
    whether = connection._Connection._ask_whether_it_is_there

    def note(self, wanted):
        whether(self, wanted)
        asked.append((self.sock, self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)))

    monkeypatch.setattr(connection._Connection, "_ask_whether_it_is_there", note)
    uplink = open_it(hostile.url)
    uplink.send([passages(0, 1)])
    (sock, waiting), (_, idle) = asked
    assert (bool(waiting), bool(idle)) == (True, False)
    names = ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL")
    set_to = [sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names]
    assert set_to == [3000, 1, 1]


def test_only_whoever_was_reached_may_have_been_stopped_by_the_size(hostile, impatient, open_it):
    nobody = (f"http://127.0.0.1:{free_port()}", "http://nowhere.invalid:8086")
    assert [open_it(url).send([passages(0, 1)]).may_be_size for url in nobody] == [False, False]
    hostile.answer = hang_up
    assert open_it(hostile.url).send([passages(0, 1)]).may_be_size
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert open_it(f"http://127.0.0.1:{silent.getsockname()[1]}").send([passages(0, 1)]).may_be_size


def test_a_server_that_drips_is_not_listened_to_for_ever(hostile, uplink, monkeypatch):
    monkeypatch.setattr(http, "ANSWER_S", 0.2)
    hostile.answer = drip
    started = time.monotonic()
    assert uplink.send([passages(0, 1)]).outcome is Outcome.RETRY
    assert time.monotonic() - started < 5


# -- who answers


@pytest.mark.parametrize(
    ("status", "key", "exit_code"),
    [
        (401, "uplink-denied", EXIT_UPLINK_AUTHORISATION), (403, "uplink-forbidden", EXIT_UPLINK_AUTHORISATION),
        (200, "uplink-page", EXIT_UPLINK_UNREACHABLE), (404, "uplink-page", EXIT_UPLINK_UNREACHABLE),
        (204, "uplink-page", EXIT_UPLINK_UNREACHABLE), (302, "uplink-redirect", EXIT_UPLINK_UNREACHABLE),
        (429, "uplink-trouble", EXIT_UPLINK_UNREACHABLE), (503, "uplink-trouble", EXIT_UPLINK_UNREACHABLE),
    ],
)  # fmt: skip
def test_who_does_not_say_that_it_is_a_database_is_none(hostile, uplink, status, key, exit_code):
    hostile.say(status, b"<html>log in first</html>", Location="/elsewhere")
    assert cause(uplink.identify) == (key, exit_code)


@pytest.mark.parametrize(
    ("status", "headers", "page", "identity"),
    [
        (204, {"X-Influxdb-Version": "1.8.10"}, b"", Identity("InfluxDB", "1.8.10")),
        (204, {"X-Influxdb-Version": "v2.7.5", "X-Influxdb-Build": "OSS"}, b"", Identity("InfluxDB", "2.7.5")),
        (200, {"X-Influxdb-Version": "3.0.1", "X-Influxdb-Build": "Core"}, b'{"version":"3.0.1"}', Identity("InfluxDB", "3.0.1")),
        (204, {"X-Server-Hostname": "vm"}, b'vm_app_version{version="victoria-metrics-2", short_version="v1.101.0"} 1',
         Identity("VictoriaMetrics", "1.101.0")),
        (204, {"X-Server-Hostname": "vm"}, b"forbidden", Identity("VictoriaMetrics")),
        (204, {"X-Influxdb-Version": "1\x1b[2J" + "9" * 999}, b"", Identity("InfluxDB", "1 [2J" + "9" * 35)),
    ],
)  # fmt: skip
def test_a_server_is_known_by_its_ping(hostile, uplink, status, headers, page, identity):
    hostile.answer = pings_like_influxdb(200, page, status, **headers)
    assert uplink.identify() == identity


def test_every_status_has_a_cause_and_404_alone_means_missing():
    for status in range(100, 1000):
        error = UplinkError(cause_of(status), url="u", target="t", found="f")
        assert error.line() != error.line("de")
        assert (error.exit_code == EXIT_UPLINK_MISSING) == (status == 404), status
        assert (error.exit_code == EXIT_UPLINK_AUTHORISATION) == (status in (401, 403)), status


# -- reading back


@pytest.mark.parametrize(
    "page",
    [
        b"<html>", b"[]", b"{}", b'{"results": []}', b'{"results": [{"error": "no"}]}', b'{"error": "no"}',
        b'{"results": [{"series": [{"partial": true, "columns": [], "values": []}]}]}',
        b"", b"\xff", b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_query_that_is_not_answered_by_influxdb_is_one_clear_error(hostile, uplink, page):
    hostile.answer = pings_like_influxdb(200, page)
    assert cause(lambda: uplink.read("passages", T0, T0 + 60)) == ("query-failed", EXIT_UPLINK_UNREACHABLE)


@pytest.mark.parametrize(
    ("status", "key"),
    [
        (204, "uplink-page"), (302, "uplink-redirect"), (401, "uplink-denied"), (403, "uplink-forbidden"),
        (404, "uplink-missing"), (500, "uplink-trouble"),
    ],
)  # fmt: skip
def test_a_query_answered_by_another_status_is_an_error(hostile, uplink, status, key):
    hostile.answer = pings_like_influxdb(status, b'{"results": [{}]}')
    assert cause(lambda: uplink.read("passages", T0, T0 + 60))[0] == key


def test_a_server_is_asked_once_what_it_is(hostile, uplink):
    hostile.answer = pings_like_influxdb(200, b'{"results": [{}]}')
    for _ in range(3):
        uplink.read("passages", T0, T0 + 60)
    assert [path for _, path, _, _ in hostile.requests].count("/ping") == 1


VICTORIA = {"X-Server-Hostname": "vm"}
SERIES = b'{"metric":{"__name__":"passages_count","site":"a"},"values":[%s],"timestamps":[%s]}\n'


@pytest.mark.parametrize(
    "page",
    [
        b"<html>", b"[]", b"{}", SERIES % (b"1", b""), SERIES % (b"null", b"1"), SERIES % (b"1e999", b"1"),
        SERIES.replace(b"_count", b"_x") % (b"1", b"1"),
    ],
)  # fmt: skip
def test_an_export_that_makes_no_sense_is_one_clear_error(hostile, uplink, page):
    hostile.answer = pings_like_influxdb(200, page, **VICTORIA)
    assert cause(lambda: uplink.read("passages", 0, 60)) == ("query-failed", EXIT_UPLINK_UNREACHABLE)


def test_an_answer_longer_than_the_limit_is_no_shorter_answer(hostile, uplink, monkeypatch):
    line = SERIES % (b"1", b"1000")
    monkeypatch.setattr(reading, "MAX_ANSWER", len(line))
    hostile.answer = pings_like_influxdb(200, line, **VICTORIA)
    assert [row.fields for row in uplink.read("passages", 0, 60)] == [{"count": 1}]
    hostile.answer = pings_like_influxdb(200, line + line.replace(b'"a"', b'"b"'), **VICTORIA)
    assert cause(lambda: uplink.read("passages", 0, 60))[0] == "query-failed"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4000\r\n\r\n%(line)s", b"Transfer-Encoding: chunked\r\n\r\n%(length)x\r\n%(line)s\r\n",
        b"Content-Length: %(zipped_length)d\r\nContent-Encoding: gzip\r\n\r\n%(zipped)s",
    ],
)  # fmt: skip
def test_an_answer_that_breaks_off_is_no_shorter_answer(hostile, uplink, head):
    line = SERIES % (b"1", b"1000")
    zipped = gzip.compress(line * 50)[:-20]
    values = {b"line": line, b"length": len(line), b"zipped": zipped, b"zipped_length": len(zipped) + 20}
    ping = pings_like_influxdb(200, b"", **VICTORIA)

    def answer(handler):
        if handler.path.startswith("/api/v1/export"):
            handler.connection.sendall(b"HTTP/1.1 200 OK\r\n" + head % values)
            hang_up(handler)
        else:
            ping(handler)

    hostile.answer = answer
    assert cause(lambda: uplink.read("passages", 0, 60)) == ("uplink-broken", EXIT_UPLINK_UNREACHABLE)


def test_an_answer_that_comes_compressed_and_in_pieces_is_read_whole(hostile, uplink):
    lines = b"".join(SERIES.replace(b'"a"', b'"%d"' % n) % (b"1", b"1000") for n in range(5000))
    zipped = gzip.compress(lines)
    pieces = [zipped[n : n + 100] for n in range(0, len(zipped), 100)]
    ping = pings_like_influxdb(200, b"", **VICTORIA)

    def answer(handler):
        if not handler.path.startswith("/api/v1/export"):
            ping(handler)
            return
        handler.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in [*pieces, b""]:
            handler.connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))

    hostile.answer = answer
    assert len(uplink.read("passages", 0, 60)) == 5000
