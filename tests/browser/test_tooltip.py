"""The tooltip of Explore's charts: what is pointed at, by mouse, keys and finger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.browser.seeing import expect, open_page, send_all

pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")

from playwright.sync_api import Browser, Locator, Page

START = datetime(2026, 1, 15, tzinfo=UTC)
HOURS = "start=2026-01-15T00:00:00Z&end=2026-01-15T10:00:00Z&bucket=1h&tz=UTC"
PATH = f"/explore?user=ada&{HOURS}"


def send_hours(client: httpx.Client) -> list[dict[str, Any]]:
    """Store four readings in each of ten hours but three, of two devices; return the points of the API."""
    send_all(
        client,
        [
            {
                "user_id": "ada",
                "device_id": "watch" if hour < 5 else "phone",
                "timestamp": (START + timedelta(hours=hour, minutes=15 * n)).isoformat(),
                "heart_rate": 60 + hour + n,
                "steps": hour + n,
            }
            for hour in range(10)
            for n in range(4)
            if not 3 <= hour <= 5
        ],
    )
    points: list[dict[str, Any]] = client.get(f"/v1/users/ada/series?{HOURS}").json()["points"]
    return points


def point_at(page: Page, across: float, chart: int = 0) -> tuple[float, float]:
    """Move the mouse to a share of a chart's width; return where that is on the screen."""
    over = page.locator("#charts .u-over").nth(chart)
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    at = box["x"] + box["width"] * across, box["y"] + box["height"] / 2
    page.mouse.move(*at)
    return at


def box_of(tip: Locator) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of what is seen."""
    expect(tip).to_be_visible()
    box = tip.bounding_box()
    assert box is not None
    return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]


def test_it_tells_each_series_with_its_color(client: httpx.Client, page: Page) -> None:
    points = send_hours(client)
    open_page(page, client, PATH)
    tip = page.locator(".tip")
    expect(tip).to_be_hidden()
    point_at(page, 0.78)  # within the bucket of an hour, and nearer to the beginning of the next one
    seventh = next(point for point in points if point["t"] == "2026-01-15T07:00:00Z")
    expect(tip.locator("p")).to_have_text("Thu, Jan 15, 2026, 7:00 AM")
    rate = seventh["heart_rate"]
    expect(tip.locator("tr")).to_have_text(
        [f"Heart rate{rate['avg']} bpm", "Least to most67–70 bpm", "Devicephone", f"Steps{seventh['steps']}"]
    )
    ink = "element => getComputedStyle(element).backgroundColor"
    swatches = [swatch.evaluate(ink) for swatch in tip.locator(".swatch").all()]
    assert swatches[0] == "rgb(201, 42, 72)"
    assert len(set(swatches)) == 4
    legend = page.locator("#devices li").filter(has_text="phone").locator(".swatch")
    assert swatches[2] == legend.evaluate(ink)
    # Where nothing was measured it says so, and once the mouse is gone it is, too.
    point_at(page, 0.33, chart=1)
    expect(tip).to_contain_text("Nothing measured")
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    page.get_by_role("button", name="Compare devices").click()
    expect(page.locator("#each")).to_be_visible()
    point_at(page, 0.78)
    expect(tip.locator("tr")).to_have_text(["bpmstepskcal", "watch–––", f"phone{rate['avg']}{seventh['steps']}–"])


def test_it_neither_leaves_the_screen_nor_covers_the_pointer(client: httpx.Client, page: Page) -> None:
    send_hours(client)
    open_page(page, client, PATH)
    tip = page.locator(".tip")
    for width in 1280, 390:
        page.set_viewport_size({"width": width, "height": 900})
        for chart in 0, 1:
            for across in 0.01, 0.5, 0.99:
                x, y = point_at(page, across, chart)
                left, top, right, bottom = box_of(tip)
                assert 0 <= left < right <= width, (width, chart, across)
                assert 0 <= top < bottom <= 900, (width, chart, across)
                assert not (left <= x <= right and top <= y <= bottom), (width, chart, across)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_keys_go_from_point_to_point(client: httpx.Client, page: Page) -> None:
    send_hours(client)
    open_page(page, client, PATH)
    tip, said = page.locator(".tip"), page.locator("#pointed")
    expect(page.locator("#charts .u-over")).to_have_count(3)  # keys pressed before the charts are drawn find nothing
    page.locator("#charts").focus()
    page.keyboard.press("Shift+ArrowLeft")
    expect(tip).to_contain_text(", 9:00 AM")
    expect(said).to_have_text(
        "Thu, Jan 15, 2026, 9:00 AM: Heart rate 70.5 bpm; Least to most 69–72 bpm; Device phone; Steps 42"
    )
    for _ in range(4):
        page.keyboard.press("Shift+ArrowLeft")
    # The hours without a reading are passed over.
    expect(tip).to_contain_text(", 2:00 AM")
    expect(said).to_contain_text(", 2:00 AM")
    box_of(tip)
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    expect(said).to_have_text("")
    page.keyboard.press("Shift+ArrowRight")
    expect(tip).to_contain_text(", 12:00 AM")
    page.keyboard.press("Tab")
    expect(tip).to_be_hidden()
    expect(page).to_have_url(f"{str(client.base_url).rstrip('/')}{PATH}")


def test_a_finger_shows_it(client: httpx.Client, browser: Browser) -> None:
    """By pointer events: Chromium does not always close a context that has touch, nor answer DevTools' touches."""
    send_hours(client)
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="en-US", reduced_motion="reduce")
    page = context.new_page()
    open_page(page, client, PATH)
    tip = page.locator(".tip")
    over = page.locator("#charts .u-over").first
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    finger = {"pointerType": "touch", "isPrimary": True, "bubbles": True, "clientY": box["y"] + box["height"] / 2}
    over.dispatch_event("pointerdown", finger | {"clientX": box["x"] + 1})
    over.dispatch_event("pointerup", finger)
    expect(tip).to_contain_text(", 12:00 AM")
    page.locator("#points").dispatch_event("pointerdown", finger)
    expect(tip).to_be_hidden()
    # A finger that moves takes it along.
    for kind, across in ("pointerdown", 0.2), ("pointermove", 0.4), ("pointermove", 0.81):
        over.dispatch_event(kind, finger | {"clientX": box["x"] + box["width"] * across})
    expect(tip).to_contain_text(", 8:00 AM")
    over.dispatch_event("pointerup", finger)
    expect(tip).to_contain_text(", 8:00 AM")
    expect(page).to_have_url(f"{str(client.base_url).rstrip('/')}{PATH}")
    browser.close_context(context)
