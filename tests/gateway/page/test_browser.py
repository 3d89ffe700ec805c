"""The page in a real Chromium: on a running street, and where things go wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import streetwire
from gateway import findings, words
from gateway.model import Heard
from gateway.page import server
from gateway.page.feed import Feed
from gateway.results import AIMS, TESTS
from gateway.shown import NodeNow
from tests.gateway.page.pages import Page
from tests.gateway.parts import NAME, T0
from tests.real_parts import needs
from tools.street.influxd import free_port

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [needs("chromium"), needs("pty")]


@pytest.fixture(scope="module")
def browser():
    from tests.gateway.page.browsers import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser):
    from tests.gateway.page.browsers import Visit

    visits: list[Visit] = []

    def go(url: str, **how) -> Visit:
        visits.append(Visit(browser, url, **how))
        return visits[-1]

    yield go
    for one in visits:
        one.close()


@pytest.fixture
def page(tmp_path):
    page = Page(tmp_path)
    yield page
    page.close()


# -- on a running street


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """An hour of the simulated street in a quarter of a minute, with its gateway killed on the way."""
    port = free_port()
    command = [sys.executable, "-m", "tools.cli", "demo", "--duration", "1h", "--pace", "200", "--port", str(port), "--no-stay"]
    environment = {**os.environ, "TMPDIR": str(tmp_path_factory.mktemp("street"))}
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert running.stderr is not None
    line = running.stderr.readline()
    assert f"http://127.0.0.1:{port}/" in line
    running.stderr.readline()  # the first fault: the gateway is up
    yield f"http://127.0.0.1:{port}/"
    running.terminate()
    running.communicate(timeout=30)


TODAY = 'Number(document.querySelector(\'[data-field="today-ab"]\').textContent.replace(/[^0-9]/g, ""))'


def test_numbers_move_in_both_languages_and_no_other_host_is_asked(street, visit):
    for language in words.LANGUAGES:
        seen = visit(street, language=language)
        seen.until('document.body.dataset.connection === "live"')
        seen.until(f"{TODAY} > 0")
        before = seen.page.evaluate(TODAY)
        seen.until(f"{TODAY} > {before}")
        assert seen.page.locator("html").get_attribute("lang") == language
        assert words.text("page.today", language).lower() in seen.page.locator("main").inner_text().lower()
        assert words.text("page.simulated", language) in seen.text("simulated")
        assert seen.complaints == []
        assert len(seen.hosts) == 1


def test_a_gateway_that_dies_is_said_and_the_page_comes_back_by_itself(street, visit):
    seen = visit(street)
    seen.until('document.body.dataset.connection === "live"')
    seen.until('document.body.dataset.connection === "lost"', within_s=40)
    assert seen.text("connection")
    seen.until('document.body.dataset.connection === "live"', within_s=40)


# -- what is shown


def test_who_was_not_counted_is_a_dash_and_nobody_is_a_zero(page, visit):
    seen = visit(page.url)
    seen.until('document.body.dataset.connection === "live"')
    assert seen.text("minute-ab") == "–"
    page.count(1)
    seen.until('document.querySelector(\'[data-field="minute-ab"]\').textContent === "1"')
    assert seen.text("minute-ba") == "0"
    assert "100" in seen.text("minute-coverage")


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_node_that_says_that_it_cannot_count_is_shown_with_a_fault(page, visit, language):
    told = {"health": streetwire.HEALTH["blocked"]}
    page.nodes = [NodeNow(NAME, T0, Heard(page.now_s * 1000, "serial:x", health=told), None, 0)]
    seen = visit(page.url, language=language)
    seen.until('document.querySelector(\'[data-field="health"]\').dataset.health === "fault"')
    assert seen.text("health-word") == words.text("page.health-fault", language)
    assert seen.page.locator('[data-field="health-shape"]').get_attribute("href") == "#shape-fault"


def test_what_adverts_tell_of_since_the_last_record_says_since_when(page, visit):
    page.count(1)
    seen = visit(page.url, language="en")
    seen.until('document.querySelector(\'[data-field="open-title"]\').textContent === "This minute so far"')
    page.now_s = T0 + 1800
    page.nodes = [NodeNow(NAME, T0, Heard(page.now_s * 1000, "ble:hci0", page.now_s * 1000), None, 0, 42, 17)]
    seen.until('document.querySelector(\'[data-field="open-ab"]\').textContent === "42"')
    assert seen.text("open-title") == words.text("page.open-since", "en", time="09:01")


def test_hostile_names_are_text(page, visit):
    seen = visit(page.url)
    seen.until('document.body.dataset.connection === "live"')
    assert seen.text("site") == "<b>Bahnhof & Co</b>"


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("language", words.LANGUAGES)
def test_nothing_is_wider_than_the_window(page, visit, width, language):
    page.count(30)
    page.now_s = T0 + 1900
    seen = visit(page.url, width=width, language=language)
    seen.until('document.body.dataset.connection === "live"')
    seen.until('document.querySelector("canvas") !== null')
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    assert seen.complaints == []


def test_the_chart_shows_a_gap_as_a_gap_and_its_table_says_how_much_was_covered(page, visit):
    page.count(20)
    page.count(20, first=60)
    page.now_s = T0 + 80 * 60
    seen = visit(page.url, language="en")
    seen.until('document.querySelector("canvas") !== null')
    seen.page.locator('[data-field="table-toggle"]').click()
    body = """document.querySelector('[data-field="table-body"]')"""
    seen.until(f'{body}.rows.length >= 2 && {body}.innerText.includes("%")')
    history = seen.page.evaluate(f"fetch('/history?node={NAME}&hours=6').then(answer => answer.json())")
    assert len(history["rows"]) == 40


FOCUS = """(() => {
  const it = document.activeElement;
  return [it.tagName, it.dataset.language || it.dataset.field || it.className, getComputedStyle(it).outlineStyle];
})()"""


def test_everything_can_be_reached_by_keyboard_and_the_focus_can_be_seen(page, visit):
    page.count(5)
    seen = visit(page.url, language="en")
    seen.until('document.querySelector("canvas") !== null')
    reached = set()
    for _ in range(40):
        seen.page.keyboard.press("Tab")
        focus = seen.page.evaluate(FOCUS)
        reached.add(focus[1])
        if focus[0] in ("A", "BUTTON", "SUMMARY"):
            assert focus[2] != "none", focus
    assert {"skip", "de", "en", "table-toggle"} <= reached


def test_without_the_chart_library_all_numbers_are_there(page, visit):
    page.count(3)
    seen = visit(page.url)
    seen.page.route("**/dygraph.js", lambda route: route.abort())
    seen.page.reload()
    seen.until('document.body.dataset.connection === "live"')
    seen.until('document.querySelector(\'[data-field="minute-ab"]\').textContent === "3"')


def test_a_browser_that_wakes_up_again_and_again_holds_one_stream(tmp_path, visit, monkeypatch):
    feeds: list[Feed] = []

    class Watched(Feed):
        def __init__(self, *about) -> None:
            super().__init__(*about)
            feeds.append(self)

    monkeypatch.setattr(server, "Feed", Watched)
    page = Page(tmp_path)
    seen = visit(page.url)
    seen.until('document.body.dataset.connection === "live"')
    for _ in range(5):
        for _ in range(4):
            seen.page.evaluate('document.dispatchEvent(new Event("visibilitychange")); window.dispatchEvent(new Event("online"))')
        seen.page.wait_for_timeout(300)
    deadline = time.monotonic() + 10
    while feeds[0]._viewers != 1:
        assert time.monotonic() < deadline, feeds[0]._viewers
        seen.page.wait_for_timeout(50)
    seen.until('document.body.dataset.connection === "live"')
    page.close()


def test_a_browser_that_was_offline_shows_the_present_when_it_is_back(page, visit):
    seen = visit(page.url)
    seen.until('document.body.dataset.connection === "live"')
    seen._context.set_offline(True)
    page.server.close()
    seen.until('document.body.dataset.connection === "lost"', within_s=40)
    page.count(4)
    page.open_again()
    seen._context.set_offline(False)
    seen.until('document.querySelector(\'[data-field="minute-ab"]\').textContent === "4"', within_s=40)


# -- what a technician found out


@pytest.mark.parametrize(
    ("language", "told"),
    [("de", "1 Prüfung fehlgeschlagen; trottoir node test sagt, was zu tun ist. Ausgerichtet"), ("en", "1 check failed; trottoir")],
)
def test_the_newest_self_test_and_aim_stand_in_one_line(page, visit, tmp_path, language, told):
    findings.keep(tmp_path, NAME, TESTS, {"time": T0 - 600, "checks": {"counter": {"verdict": "silent", "value": 0}}})
    findings.keep(tmp_path, NAME, AIMS, {"time": T0, "counted": {"ab": 5, "ba": 4}, "walked": {"ab": 5, "ba": 5}})
    seen = visit(page.url, language=language, width=360)
    seen.until("!document.querySelector('[data-field=findings]')?.hidden")
    line = seen.text("findings")
    assert told in line
    assert ("9 gezählt von 10 gegangen" if language == "de" else "9 counted of 10 walked") in line
    assert seen.complaints == []
