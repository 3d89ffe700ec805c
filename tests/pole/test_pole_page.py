"""The page of `node aim`: what it shows at 360 px, and what it lets nobody do."""

from __future__ import annotations

import threading

import pytest
import urllib3

import streetwire
from gateway.address import Address
from gateway.page.app import HEADERS
from tests.real_parts import needs
from tools.pole.page import MAX_VIEWERS, PolePage
from tools.pole.showing import STEP_S, STRIP_S, Shown
from tools.pole.walking import Aim


def sight(ab: int, ba: int, seen, at_ms: int = 0) -> streetwire.Sight:
    return streetwire.Sight(0xA3F1C2, 1, at_ms, ab, ba, seen)


@pytest.fixture
def shown():
    return Shown("tr-a3f1c2", "radar", Aim("radar", 2))


@pytest.fixture
def page(shown):
    walked = threading.Event()
    page = PolePage(Address("127.0.0.1", 0), shown.document, walked.set)
    page.told = walked  # type: ignore[attr-defined]
    yield page
    page.close()


@pytest.fixture
def http():
    with urllib3.PoolManager(retries=False, timeout=5) as pool:
        yield pool


def test_every_answer_keeps_the_browser_from_other_hosts(page, http):
    for path in ("", "static/aim.js", "nothing"):
        answer = http.request("GET", page.url + path)
        assert {name: answer.headers[name.decode()].encode() for name in HEADERS} == HEADERS


def test_only_names_of_this_machine_are_answered_on_loopback(page, http):
    assert http.request("GET", page.url, headers={"Host": "evil.example"}).status == 400


def test_no_other_sites_page_can_say_that_somebody_has_walked(page, http):
    assert http.request("POST", page.url + "walked").status == 403
    assert not page.told.is_set()
    assert http.request("GET", page.url + "walked").status == 405
    assert http.request("POST", page.url + "walked", headers={"x-trottoir": "walked"}).status == 204
    assert page.told.is_set()


def test_viewers_are_bounded(page):
    with urllib3.PoolManager(retries=False, timeout=5, maxsize=20, block=False) as pool:
        streams = [pool.request("GET", page.url + "events", preload_content=False) for _ in range(MAX_VIEWERS)]
        for stream in streams:
            assert stream.read(8) == b"retry: 1"
        assert pool.request("GET", page.url + "events").status == 503
        for stream in streams:
            stream.close()


def test_an_address_that_is_taken_is_an_error_at_once(page):
    with pytest.raises(OSError, match="in use"):
        PolePage(Address("127.0.0.1", int(page.url.rstrip("/").rpartition(":")[2])), dict, lambda: None)


def test_the_strip_holds_two_minutes_and_knows_when_nothing_was_counted(shown):
    shown.on_sight(sight(7, 9, []), 1000)
    shown.on_sight(sight(8, 9, []), 1001)
    shown.on_sight(sight(8, 11, []), 1001 + 3 * STEP_S)
    assert shown.document()["strip"] == [[1, 0], [0, 0], [0, 0], [0, 2]]
    shown.on_sight(sight(8, 11, []), 90_000)
    assert shown.document()["strip"] == [[0, 0]] * (STRIP_S // STEP_S)


ORDERS = [("de", "Jetzt A → B gehen", "Noch nicht richtig"), ("en", "Now walk A → B", "Not yet right")]
BARS = [("lidar", [4000, -1], "4.00 m"), ("switches", [1, 0], "moves"), ("door", [900, 2400], "0.90 m")]


@needs("chromium")
@pytest.mark.parametrize(("language", "order", "done"), ORDERS)
def test_a_phone_shows_the_walk_the_picture_and_what_to_change(page, shown, language, order, done):
    from tests.gateway.page.browsers import Visit, chromium

    aim = shown._aim
    with chromium() as browser:
        visit = Visit(browser, page.url, language, width=360, height=780)
        for number, seen in enumerate(([-400, 1900, 80], [-400, 1900, 80, 300, 3000, -60])):
            shown.on_sight(sight(0, 0, seen), 1000.0)
            aim.on_sight((0, 0), seen, number)
        visit.until("document.querySelectorAll('[data-field=targets] circle').length === 2")
        assert visit.text("order") == order
        assert visit.page.evaluate("document.documentElement.scrollWidth") == 360
        visit.page.click("button")
        visit.until("!document.querySelector('[data-field=walked]').disabled")
        assert page.told.is_set()
        aim.end_walk()
        aim.end_walk()
        visit.until("document.querySelectorAll('[data-field=walks] li.bad').length === 2")
        visit.until("document.querySelectorAll('[data-field=advice] li').length === 1")
        assert visit.text("order") == done
        assert not visit.page.locator("button").is_visible()
        shown.is_over = True
        visit.until("document.querySelector('[data-field=connection]').textContent !== ''")
        assert [said for said in visit.complaints if "/events" not in said] == []  # the page itself ends its stream
        assert visit.hosts == {page.url.removeprefix("http://").rstrip("/")}
        visit.close()


@needs("chromium")
@pytest.mark.parametrize(("kind", "seen", "told"), BARS)
def test_ranges_and_levels_are_bars_in_words(kind, seen, told):
    from tests.gateway.page.browsers import Visit, chromium

    shown = Shown("tr-a3f1c2", kind)
    shown.on_sight(sight(0, 0, seen), 1000.0)
    page = PolePage(Address("127.0.0.1", 0), shown.document, lambda: None)
    with chromium() as browser:
        visit = Visit(browser, page.url, "en", width=360)
        visit.until("!document.querySelector('[data-field=bars]').hidden")
        assert visit.text("value-a") == told
        assert not visit.page.locator("[data-field=walk]").is_visible()
        assert visit.complaints == []
        visit.close()
    page.close()
