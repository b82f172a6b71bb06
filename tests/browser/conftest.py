"""A real browser: Chromium, without a window."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.processes import descendants

CLOSE_SECONDS = 20.0
TEST_SECONDS = 150.0
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The browser asks nobody but the service: no updates, no accounts, no QUIC.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STORED = "local_storage,indexeddb,cache_storage,service_workers"
OPTIONS = {"locale": "en-US", "timezone_id": "Asia/Kathmandu", "viewport": {"width": 1280, "height": 900}}


class Browser:
    """Chromium, which is launched again where it had to be killed."""

    def __init__(self, launch: Callable[[], Any]) -> None:
        self.launch = launch
        self.running = launch()

    def new_context(self, **options: Any) -> Any:
        """Open a context."""
        if not self.running.is_connected():
            self.running = self.launch()
        return self.running.new_context(**options)

    def close_context(self, context: Any) -> None:
        """Close a context; kill the browser where that never ends, as at times with Chromium."""
        try:
            with killed_after(CLOSE_SECONDS):
                context.close()
        except Exception:
            if self.running.is_connected():
                raise


class Desk:
    """A context that is as new for each test: without pages, cookies or anything that pages have stored."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.context: Any = None
        self.is_taken = False
        self.origins: set[str] = set()

    def take(self) -> Any:
        """Return the context, for one test."""
        if self.context is None or not self.context.browser.is_connected():
            self.context = self.browser.new_context(**OPTIONS)
            self.context.on("page", lambda page: page.on("framenavigated", self.note))
            self.keeper = self.context.new_page()
            self.storage = self.context.new_cdp_session(self.keeper)
        self.is_taken = True
        return self.context

    def note(self, frame: Any) -> None:
        """Keep where a page goes, and so may store something."""
        parts = urlsplit(frame.url)
        self.origins.add(f"{parts.scheme}://{parts.netloc}")

    def clear(self) -> None:
        """Close its pages, and forget what they have stored."""
        if not self.is_taken:
            return
        self.is_taken = False
        try:
            with killed_after(CLOSE_SECONDS):
                for page in self.context.pages:
                    if page != self.keeper:
                        page.close()
                self.context.clear_cookies()
                for origin in self.origins - {"about://"}:
                    self.storage.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": STORED})
        except Exception:
            if self.context.browser.is_connected():
                raise
        self.origins.clear()


@contextmanager
def killed_after(seconds: float) -> Iterator[None]:
    """Kill the browsers of this process where the block takes longer: most calls of Playwright have no limit."""
    patience = threading.Timer(seconds, kill_browsers)
    patience.start()
    try:
        yield
    finally:
        patience.cancel()


def kill_browsers() -> None:
    """Kill the browsers of this process."""
    for pid, command in descendants(os.getpid()).items():
        # By the program: the driver's has Playwright's name, and so has the directory that the browser is given.
        if "chrom" in command.split(" ", 1)[0]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


# Of these tests alone, since Playwright keeps an event loop running in this thread while it is open.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium; skips where Playwright or a browser is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no browser: install Chromium, or name one in CHROMIUM")
    with playwright.sync_playwright() as driver:
        browser = Browser(lambda: driver.chromium.launch(executable_path=program, args=ARGUMENTS))
        yield browser
        with suppress(Exception), killed_after(CLOSE_SECONDS):
            browser.running.close()


@pytest.fixture(scope="package")
def desk(browser: Browser) -> Desk:
    """A context that tests share one after the other: with a window of its own, each would take twice as long."""
    return Desk(browser)


@pytest.fixture
def new_page(browser: Browser, desk: Desk) -> Iterator[Callable[[], Any]]:
    """Open pages that share nothing, in a zone far from UTC.

    The test fails where a script of one fails or the content policy is violated.
    """
    contexts: list[Any] = []
    faults: list[str] = []

    def open_one(alone: bool = False) -> Any:
        context = None if alone or desk.is_taken else desk.take()
        if context is None:
            contexts.append(context := browser.new_context(**OPTIONS))
        page = context.new_page()
        page.set_default_timeout(5000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
        return page

    with killed_after(TEST_SECONDS):
        yield open_one
    for context in contexts:
        browser.close_context(context)
    desk.clear()
    assert not faults


@pytest.fixture
def page(new_page: Callable[[], Any]) -> Any:
    """An empty page."""
    return new_page()


@pytest.fixture
def page_with_clock(new_page: Callable[..., Any]) -> Any:
    """An empty page whose clock can be moved, which is that of all pages of its context and stays moved."""
    page = new_page(alone=True)
    page.clock.install()
    return page
