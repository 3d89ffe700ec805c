"""A real Chromium that forgets everything, and remembers what the page asked for and complained of."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

from tests.real_parts import find_chromium

QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=QUIET)
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """One page in one language, in a window of its own. `complaints` are console errors and failed requests, `hosts` whom
    the page has asked."""

    def __init__(self, browser: Browser, url: str, language: str = "de", width: int = 1280, height: int = 900) -> None:
        self._context = browser.new_context(locale=language, viewport={"width": width, "height": height}, timezone_id="Asia/Tokyo")
        self.page: Page = self._context.new_page()
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"{request.url}: {request.failure}"))
        self.page.on("response", lambda answer: self._take(answer.status, answer.url))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.goto(url)

    def _take(self, status: int, url: str) -> None:
        if status >= 400:
            self.complaints.append(f"{status} {url}")

    def text(self, field: str) -> str:
        """What a reader sees in one of the page's fields."""
        return self.page.locator(f'[data-field="{field}"]').first.inner_text()

    def until(self, script: str, within_s: float = 20) -> None:
        """Until an expression of JavaScript is true in the page."""
        # The page's own policy forbids what Playwright's waiting would evaluate inside it.
        deadline = time.monotonic() + within_s
        while not self.page.evaluate(script):
            assert time.monotonic() < deadline, f"not within {within_s} s: {script}"
            self.page.wait_for_timeout(50)

    def close(self) -> None:
        self._context.close()
