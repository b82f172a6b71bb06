"""What tests of the dashboard share: readings to see, and where they are seen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import httpx
import pytest

pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")

from playwright.sync_api import Locator, Page
from playwright.sync_api import expect as expect_once_in_a_while

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
A_WHILE = 2400  # ms
HOSTILE = "<img src=x onerror=\"document.title='taken'\"> & 'o\"neil/../%41"


class Expected:
    """What Playwright expects of a page or an element, looked at ten times a second.

    It looks twice a second where it has 2.5 s or more, so that it is given less, and again.
    """

    def __init__(self, expected: Any) -> None:
        self.expected = expected

    def __getattr__(self, name: str) -> Callable[..., None]:
        check = getattr(self.expected, name)

        def watch(*said: Any, timeout: float = 5000, **options: Any) -> None:
            while timeout > A_WHILE:
                with suppress(AssertionError):
                    check(*said, timeout=A_WHILE, **options)
                    return
                timeout -= A_WHILE
            check(*said, timeout=timeout, **options)

        return watch


def expect(seen: Page | Locator) -> Expected:
    """Expect something of a page or an element, soon."""
    return Expected(expect_once_in_a_while(seen))


def send(client: httpx.Client, user_id: str = "ada", ago: float = 0, **fields: Any) -> None:
    """Store one reading, measured so many seconds ago."""
    timestamp = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()
    send_all(client, [{"user_id": user_id, "timestamp": timestamp, **fields}])


def send_all(client: httpx.Client, readings: list[dict[str, Any]]) -> None:
    """Store readings."""
    answer = client.post("/v1/readings", json=readings)
    assert answer.json()["rejected"] == 0, answer.text


def open_page(page: Page, client: httpx.Client, path: str = "/") -> None:
    """Open a page of the dashboard and wait until it is live."""
    page.goto(f"{str(client.base_url).rstrip('/')}{path}")
    expect(page.locator("#connection")).to_have_text("Live")


def tile(page: Page, user_id: str) -> Locator:
    """Find a user's tile."""
    return page.locator("#tiles .tile").filter(has=page.get_by_role("link", name=user_id, exact=True))


def hurry_until(page: Page, shown: Locator, text: str) -> None:
    """Let the clock of a page go faster until something is shown; `page.clock` is installed."""
    for _ in range(30):
        page.clock.fast_forward(2000)
        with suppress(AssertionError):
            expect(shown).to_have_text(text, timeout=200)
            return
    expect(shown).to_have_text(text)


def faults_of(page: Page) -> list[Any]:
    """List what axe-core finds, on a wide screen and on phones, light and dark, and where the page is too wide.

    It describes and names no element that is right: for the calendar of a year, that takes longer than all its rules.
    """
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found: list[Any] = []
    for width, theme in (1280, "light"), (390, "dark"), (320, "light"):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        said = page.evaluate(f"axe.run({{runOnly: {RULES}, resultTypes: ['violations'], selectors: false}})")
        found += [
            (width, theme, fault["id"], [node["html"][:200] for node in fault["nodes"]]) for fault in said["violations"]
        ]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append((width, "wider than the screen"))
    return found
