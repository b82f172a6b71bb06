"""The page System, and what holds for every page: nobody is shut out, and nothing foreign runs."""

from __future__ import annotations

import httpx
import pytest

from tests.browser.seeing import expect, faults_of, open_page, send

pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")

from playwright.sync_api import Page

# What a page shows once it is complete.
SHOWN = {
    "/": ".tile",
    "/explore?user=ada": "#charts canvas",
    "/explore?user=ada&with=old": "#each-rows td",
    "/system": "#jobs td",
}


PAGES = ("Hyperpulse", "Live", "Explore", "Days", "System", "API")


def test_it_tells_of_jobs_sizes_and_what_was_refused(client: httpx.Client, page: Page) -> None:
    send(client, heart_rate=61)
    client.post("/v1/readings", json=[{"user_id": "secret", "timestamp": "2026-01-15T10:00:00Z", "calories": -77}])
    open_page(page, client, "/system")
    expect(page.locator("#runs tr")).to_have_count(2)
    expect(page.locator("#jobs tr")).to_have_count(2)
    expect(page.locator("#storage tr").first).to_contain_text("core.reading")
    expect(page.locator("#stale-days")).to_have_text("0")
    expect(page.locator("#rejected tr").first).to_contain_text("must be between 0 and 10000")
    expect(page.locator("#rejected")).not_to_contain_text("secret")
    expect(page.locator("#rejected")).not_to_contain_text("-77")


def test_the_pages_are_one_document(client: httpx.Client, page: Page) -> None:
    open_page(page, client)
    page.get_by_role("link", name="System").click()
    expect(page.locator("#system-title")).to_be_focused()
    expect(page).to_have_title("System · Hyperpulse")
    page.go_back()
    expect(page.locator("#live-page")).to_be_visible()
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("button", name="Theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(12, 17, 23)"


@pytest.mark.parametrize("path", SHOWN)
def test_nobody_is_shut_out(client: httpx.Client, page: Page, path: str) -> None:
    for second in range(3):
        send(client, ago=second, heart_rate=61, steps=3, device_id=f"device_{second}")
    send(client, "old", ago=600, heart_rate=61)
    client.post("/v1/readings", json=[{"user_id": "ada"}])
    open_page(page, client, path)
    expect(page.locator(SHOWN[path]).first).to_be_visible()
    if "explore" in path:
        page.get_by_text("The same as a table").click()
    assert faults_of(page) == []


@pytest.mark.parametrize("width", [390, 320])
def test_on_a_phone_the_header_is_low_and_yet_to_be_touched(client: httpx.Client, page: Page, width: int) -> None:
    send(client, heart_rate=61)
    page.set_viewport_size({"width": width, "height": 844})
    open_page(page, client)
    expect(page.locator("#newest")).to_contain_text("ago")
    header = page.locator("header").bounding_box()
    assert header is not None
    assert header["height"] <= 64
    banner = page.get_by_role("banner")
    links = [banner.get_by_role("link", name=name, exact=True) for name in PAGES]
    for target in *links, banner.get_by_role("button", name="Theme: Auto", exact=True):
        box = target.bounding_box()
        assert box is not None
        assert box["height"] >= 44, target
        assert box["width"] >= 24, target
        assert 0 <= box["x"] <= width - box["width"], target
    for told in "#connection", "#rate", "#newest":
        expect(page.locator(told)).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/explore", "/days", "/day", "/system"])
def test_nothing_inline_may_run(visitor: httpx.Client, path: str) -> None:
    policy = visitor.get(path).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
