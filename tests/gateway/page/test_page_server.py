"""The page's server with real sockets: what it serves, whom it serves, and whom it lets go."""

from __future__ import annotations

import html
import json
import re
import socket
import time

import pytest

from gateway import words
from gateway.page import feed, server
from gateway.page.app import CHART, static_folder
from tests.gateway.page.pages import Page, Viewer, page_threads
from tests.gateway.parts import NAME, T0


@pytest.fixture
def page(tmp_path):
    page = Page(tmp_path)
    yield page
    page.close()


def eventually(is_so) -> bool:
    """Within ten real seconds: another thread has to notice."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if is_so():
            return True
        time.sleep(0.02)
    return False


# -- what it serves


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_the_page_is_served_in_the_readers_language(page, language):
    for answer in (page.get(f"/?lang={language}"), page.get("/", **{"Accept-Language": f"{language}-XX,fr;q=0.5"})):
        text = answer.data.decode()
        assert (answer.status, answer.headers["Content-Language"]) == (200, language)
        assert f'<html lang="{language}"' in text
        tokens = re.findall(r"{{([\w-]+)}}", (static_folder() / "index.html").read_text(encoding="utf-8"))
        texts = words.room("page", language)
        assert len(tokens) > 10
        assert all(html.escape(texts[token]) in text for token in tokens if token not in ("language", "words"))
        assert "{{" not in text
        assert answer.headers["Content-Type"].startswith("text/html")


def test_every_file_that_the_page_names_is_there(page):
    for name in ("page.js", "page.css", *CHART):
        answer = page.get(f"/static/{name}")
        assert (answer.status, len(answer.data) > 100) == (200, True), name
    assert page.get("/static/../app.py").status == 404
    assert page.get("/static/%2e%2e/app.py").status == 404
    assert page.get("/nonsense").status == 404


def test_the_first_view_is_small_and_asks_no_other_host(page):
    size = 0
    for path in ("/", *[f"/static/{name.name}" for name in static_folder().iterdir() if name.name not in CHART]):
        answer = page.get(path)
        size += len(answer.data)
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert size < 500_000


def test_the_state_is_what_the_gateway_and_its_store_know(page):
    page.count(2)
    state = json.loads(page.get("/state").data)
    assert state["gateway"]["now_s"] == page.now_s
    assert state["nodes"][0]["minute"] == {"from_s": T0 + 60, "ab": 2, "ba": 0, "coverage": 1.0}
    assert state["nodes"][0]["site_name"] == "<b>Bahnhof & Co</b>"
    assert state["outbox"]["waiting"] > 0


def test_the_history_holds_the_minutes_that_are_there(page):
    page.count(2)
    answer = json.loads(page.get(f"/history?node={NAME}&hours=1").data)
    assert [row[:4] for row in answer["rows"]] == [[T0, 1, 0, 60], [T0 + 60, 2, 0, 60]]
    assert (answer["until_s"], answer["step_s"]) == (page.now_s, 60)
    assert json.loads(page.get("/history?node=tr-none").data)["rows"] == []


@pytest.mark.parametrize("hours", ["0", "49", "-1", "x", "", "1.5", "9" * 5000, "0048", "00489999", "000199999999", "٣"])
def test_hours_that_make_no_sense_are_refused(page, hours):
    assert page.get(f"/history?node={NAME}&hours={hours}").status in (400, 431)


def test_nothing_can_be_changed_through_the_page(page):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        for path in ("/", "/state", "/events", "/history", "/static/page.js"):
            assert page._pool.request(method, page.url.rstrip("/") + path).status == 405


def test_states_arrive_one_after_the_other_and_are_made_once_for_all(page):
    viewers = [page.viewer() for _ in range(10)]
    for viewer in viewers:
        assert viewer.status() == 200
        viewer.next_state()
    before = page.asked
    page.now_s += 60
    page.count(1)
    for viewer in viewers:
        while viewer.next_state()["gateway"]["now_s"] < page.now_s:
            pass
        viewer.close()
    assert page.asked - before < 60  # not ten times as many as states were sent


def test_with_nobody_looking_nobody_is_asked(page):
    viewer = page.viewer()
    viewer.next_state()
    viewer.close()
    assert eventually(lambda: is_quiet(page))


def is_quiet(page) -> bool:
    before = page.asked
    time.sleep(0.3)
    return page.asked == before


def test_who_comes_after_a_pause_gets_no_old_state(page):
    first = page.viewer()
    first.next_state()
    first.close()
    assert eventually(lambda: is_quiet(page))
    page.now_s += 5000
    late = page.viewer()
    assert late.next_state()["gateway"]["now_s"] == page.now_s
    late.close()


# -- whom it serves


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("127.0.0.1:99", 200), ("[::1]:99", 200), ("evil.city.de", 400), ("127.0.0.1.city.de", 400), ("", 400)],
)
def test_on_loopback_only_loopbacks_names_are_answered(page, host, status):
    assert page.get("/state", Host=host).status == status


def test_on_a_network_that_was_chosen_every_name_is_answered(tmp_path):
    page = Page(tmp_path, page="0.0.0.0:0")
    page.url = page.url.replace("0.0.0.0", "127.0.0.1")
    assert page.get("/state", Host="gateway.schule.local").status == 200
    page.close()


def test_an_address_that_is_taken_is_an_error_of_its_own(tmp_path, page):
    (tmp_path / "other").mkdir()
    with pytest.raises(OSError, match="in use"):
        Page(tmp_path / "other", page=f"127.0.0.1:{page.port}")


def test_it_listens_on_ipv6_too(tmp_path):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    page = Page(tmp_path, page="[::1]:0")
    assert page.url.startswith("http://[::1]:")
    assert page.get("/state").status == 200
    page.close()


# -- whom it lets go


def test_fifty_viewers_are_served_and_one_too_many_is_told_to_come_back(page, monkeypatch):
    monkeypatch.setattr(feed, "MAX_VIEWERS", 50)
    viewers = [page.viewer() for _ in range(50)]
    assert {viewer.status() for viewer in viewers} == {200}
    assert all(viewer.next_state() for viewer in viewers)
    extra = page.viewer()
    assert extra.status() == 503
    extra.close()
    for viewer in viewers:
        viewer.close()

    def is_let_in() -> bool:
        viewer = page.viewer()
        status = viewer.status()
        viewer.close()
        return status == 200

    assert eventually(is_let_in)


def test_a_client_that_never_reads_is_dropped_and_holds_up_nobody(page, monkeypatch):
    monkeypatch.setattr(server, "UNREAD_S", 0.3)
    page.count(50)
    sleeper = Viewer(page.port, receive_buffer=1024)
    viewer = page.viewer()
    page.fill_states("x" * 200_000)  # so that the sleeper's buffers are full soon
    started = time.monotonic()
    while time.monotonic() - started < 1.5:
        viewer.next_state()
    assert eventually(lambda: sleeper_is_gone(sleeper))
    viewer.next_state()
    viewer.close()


def sleeper_is_gone(sleeper: Viewer) -> bool:
    sleeper._socket.settimeout(0.5)
    return sleeper.has_ended()


def test_a_connection_that_asks_nothing_is_closed(page, monkeypatch):
    monkeypatch.setattr(server, "REQUEST_S", 0.2)
    for half in (b"", b"GET /state HT", b"GET /state HTTP/1.1\r\nHost: local"):
        with socket.create_connection(("127.0.0.1", page.port)) as idle:
            idle.settimeout(10)
            idle.sendall(half)
            assert idle.recv(100) == b""


def test_more_connections_than_places_are_closed_and_the_rest_work(page, monkeypatch):
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 5)
    held = [socket.create_connection(("127.0.0.1", page.port)) for _ in range(8)]
    ends = 0
    for one in held:
        one.settimeout(0.5)
        try:
            ends += one.recv(1) == b""
        except ConnectionResetError:
            ends += 1
        except TimeoutError:
            pass
    assert ends == 3
    for one in held:
        one.close()
    assert eventually(lambda: page.get("/state").status == 200)


def test_a_request_that_is_no_http_is_refused(page):
    tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"
    for garbage in (b"\x00" * 100 + b"\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"y" * 200_000, tls):
        with socket.create_connection(("127.0.0.1", page.port)) as hostile:
            hostile.settimeout(10)
            try:
                hostile.sendall(garbage)
                assert b"400" in hostile.recv(100)
            except (ConnectionResetError, BrokenPipeError):
                pass  # it had enough before we had said everything
    assert page.get("/state").status == 200


def test_a_gateway_that_does_not_answer_holds_no_page_and_no_stop(page):
    viewer = page.viewer()
    viewer.next_state()
    page.is_stuck = True
    assert page.get("/static/page.css").status == 200
    began = time.monotonic()
    page.server.close()
    assert time.monotonic() - began < server.STOP_S
    assert not page_threads()


def test_a_store_that_cannot_be_read_is_said_and_heals(page, monkeypatch):
    from gateway.errors import StoreError
    from gateway.reading import Reader

    def broken(_self):
        raise StoreError("store-unusable", path="x", found="broken")

    version = Reader.version
    monkeypatch.setattr(Reader, "version", broken)
    assert page.get("/state").status == 503
    viewer = page.viewer()
    monkeypatch.setattr(Reader, "version", version)
    assert page.get("/state").status == 200
    assert viewer.next_state()
    viewer.close()


def test_a_stop_ends_every_stream_at_once(page):
    viewers = [page.viewer() for _ in range(5)]
    for viewer in viewers:
        viewer.next_state()
    began = time.monotonic()
    page.server.close()
    assert time.monotonic() - began < 2
    assert all(viewer.has_ended() for viewer in viewers)
    assert not page_threads()


POST = b"POST /state HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nx"


@pytest.mark.parametrize("half", [b"GET /state HTTP/1.1\r\nHo", POST])
def test_a_second_request_that_never_ends_is_let_go_too(page, monkeypatch, half):
    monkeypatch.setattr(server, "REQUEST_S", 0.3)
    with socket.create_connection(("127.0.0.1", page.port)) as slow:
        slow.settimeout(10)
        slow.sendall(b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" in slow.recv(100)
        slow.sendall(half)
        try:
            while slow.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass


def test_who_reads_slowly_but_reads_is_kept(page, monkeypatch):
    monkeypatch.setattr(server, "UNREAD_S", 1.0)
    page.fill_states("x" * 300_000)
    slow = Viewer(page.port, receive_buffer=4096)
    until = time.monotonic() + 3
    got = 0
    while time.monotonic() < until:
        got += len(slow._socket.recv(200_000))
        time.sleep(0.01)
    assert got > 300_000
    slow._socket.sendall(b"")
    assert slow._socket.recv(10)
    slow.close()


def test_places_are_counted_before_anybody_is_served(page, monkeypatch):
    monkeypatch.setattr(feed, "MAX_VIEWERS", 5)
    viewers = [page.viewer() for _ in range(20)]  # all at once: nobody has been answered yet
    found = sorted(viewer.status() for viewer in viewers)
    assert found == [200] * 5 + [503] * 15
    for viewer in viewers:
        viewer.close()


def test_to_ask_what_a_stream_would_be_takes_no_place(page, monkeypatch):
    monkeypatch.setattr(feed, "MAX_VIEWERS", 1)
    for _ in range(3):
        assert page._pool.request("HEAD", page.url + "events").status == 200
    viewer = page.viewer()
    assert viewer.status() == 200
    viewer.close()


def test_whatever_goes_wrong_while_looking_the_stream_goes_on(page, monkeypatch):
    from gateway.watch import Watch

    viewer = page.viewer()
    viewer.next_state()
    with monkeypatch.context() as broken:
        broken.setattr(Watch, "view", lambda *_: 1 / 0)
        assert page.get("/static/page.css").status == 200
        time.sleep(0.3)
    page.now_s += 77
    while viewer.next_state()["gateway"]["now_s"] < page.now_s:
        pass
    viewer.close()


def test_every_answer_carries_the_whole_policy(page):
    for path in ("/", "/state", "/history", "/static/page.js", "/nonsense"):
        headers = page.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy == "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-cache")


def test_words_inside_the_page_cannot_end_their_script(monkeypatch):
    from gateway.page import app

    monkeypatch.setattr(words, "room", lambda *_: {"name": "</script><b>"})
    app.render_index.cache_clear()
    text = app.render_index("en")
    app.render_index.cache_clear()
    assert "</script><b>" not in text
    assert "\\u003c/script>" in text
