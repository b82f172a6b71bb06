"""Live's filter, order and pins in the address: to be sent to someone, and harmless whatever they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest

from tests.browser.seeing import HOSTILE, expect, open_page, send, tile

pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")

from playwright.sync_api import Browser, Page


def asked(page: Page) -> dict[str, list[str]]:
    """Read the arguments of the page's address."""
    return parse_qs(urlsplit(page.url).query)


def send_four(client: httpx.Client) -> None:
    """Let three phones and a watch report."""
    for user_id, rate in ("ada", 61), ("alan", 90), (HOSTILE, 75):
        send(client, user_id, heart_rate=rate, device_id="phone")
    send(client, "annie", heart_rate=70, device_id="watch")


def test_a_view_can_be_sent_to_someone(client: httpx.Client, page: Page, browser: Browser) -> None:
    send_four(client)
    open_page(page, client, "/system")
    page.get_by_role("link", name="Live", exact=True).click()
    page.get_by_label("Sort by").select_option("heart rate")
    page.get_by_role("button", name=f"Pin {HOSTILE}").click()
    page.get_by_label("Filter by user or device").press_sequentially("phone")
    names = page.locator("#tiles .who")
    expect(names).to_have_text([HOSTILE, "alan", "ada"])
    expect(page).to_have_url(re.compile("filter=phone"))
    assert asked(page) == {"filter": ["phone"], "sort": ["heart_rate"], "pin": [HOSTILE]}
    # Someone else sees the same, and is not made to remember it.
    other = browser.new_context(locale="en-US").new_page()
    other.goto(page.url)
    expect(other.locator("#tiles .who")).to_have_text([HOSTILE, "alan", "ada"])
    expect(other.get_by_label("Filter by user or device")).to_have_value("phone")
    expect(other.get_by_label("Sort by")).to_have_value("heart_rate")
    other.goto(str(client.base_url))
    expect(other.locator("#tiles .who")).to_have_count(4)
    expect(other.get_by_role("button", name=f"Pin {HOSTILE}")).to_have_attribute("aria-pressed", "false")
    assert asked(other) == {}
    # Nor by typing there, which changes neither the order nor the pins.
    other.get_by_role("button", name="Pin ada").click()
    other.goto(page.url)
    other.get_by_label("Filter by user or device").fill("a")
    expect(other).to_have_url(re.compile("filter=a&"))
    other.goto(str(client.base_url))
    expect(other.locator("#tiles .who").first).to_have_text("ada")
    expect(other.get_by_label("Sort by")).to_have_value("name")
    assert asked(other) == {"sort": ["name"], "pin": ["ada"]}
    browser.close_context(other.context)
    # Typing has left nothing behind in the history: what comes before is another page.
    tile(page, "alan").locator(".who").click()
    expect(page.locator("#average")).to_have_text("90")
    page.go_back()
    expect(names).to_have_text([HOSTILE, "alan", "ada"])
    page.go_back()
    expect(page.locator("#system-title")).to_be_visible()
    # What a browser remembers is in the address as soon as the page is.
    page.goto(str(client.base_url))
    expect(names).to_have_text([HOSTILE, "alan", "annie", "ada"])
    assert asked(page) == {"sort": ["heart_rate"], "pin": [HOSTILE]}


HOSTILE_VIEWS = (
    "?sort=__proto__&sort=constructor&pin=&filter=",
    "?sort=toString&pin=%00%ff%25&filter=%20",
    f"?pin={quote(HOSTILE)}&pin={'x' * 3000}" + "&pin=nobody" * 300,
)


def test_a_hostile_view_is_harmless(client: httpx.Client, new_page: Callable[[], Page]) -> None:
    send_four(client)
    for search in HOSTILE_VIEWS:
        page = new_page()
        open_page(page, client, f"/{search}")
        expect(page.locator("#tiles .who")).to_have_count(4)
        expect(page.get_by_label("Sort by")).to_have_value("name")
        expect(page.locator("main img, main b")).to_have_count(0)
        page.get_by_label("Filter by user or device").fill(HOSTILE)
        expect(page.locator("#tiles .who")).to_have_text([HOSTILE])
        expect(page).to_have_url(re.compile("filter="))
        assert asked(page)["filter"] == [HOSTILE]
        assert len(page.url) < 4000
        page.reload()
        expect(page.locator("#tiles .who")).to_have_text([HOSTILE])


def test_an_overlong_filter_is_cut(client: httpx.Client, page: Page) -> None:
    send(client, heart_rate=61)
    open_page(page, client, f"/?filter={'ü' * 2000}")
    expect(page.locator("#nobody")).to_be_visible()
    assert asked(page)["filter"] == ["ü" * 128]
