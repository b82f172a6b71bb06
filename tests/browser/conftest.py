"""A real browser: Chromium, without a window."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

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


# Of these tests alone, since Playwright keeps an event loop running in this thread while it is open.
@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """A headless Chromium; skips where Playwright or a browser is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no browser: install Chromium, or name one in CHROMIUM")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """An empty page in a zone far from UTC; fails the test where a script fails or the content policy is violated."""
    context = browser.new_context(locale="en-US", timezone_id="Asia/Kathmandu", viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(5000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    context.close()
    assert not faults
