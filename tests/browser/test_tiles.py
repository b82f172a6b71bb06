"""The page Live, as a person sees it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.browser.seeing import HOSTILE, expect, open_page, send, send_all, tile
from tests.support.service_process import running_service

pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")

from playwright.sync_api import Page


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_without_readings_it_shows_a_command_that_sends_the_first(client: httpx.Client, page: Page) -> None:
    open_page(page, client)
    expect(page.get_by_text("No readings yet")).to_be_visible()
    command = page.locator("#first-reading").text_content()
    assert command is not None
    receipt = json.loads(subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout)
    assert receipt["inserted"] == 1
    expect(tile(page, "101").locator(".heart .value")).to_have_text("72")
    expect(page.locator("#empty")).to_be_hidden()


def test_a_tile_appears_and_changes_within_a_second(client: httpx.Client, page: Page) -> None:
    open_page(page, client)
    expect(page.locator("#empty")).to_be_visible()
    send(client, ago=2, heart_rate=61, steps=7, calories=1.5, device_id="watch")
    expect(tile(page, "ada").locator(".heart .value")).to_have_text("61", timeout=1000)
    expect(tile(page, "ada").locator(".device")).to_have_text("watch")
    send(client, heart_rate=62, device_id="phone")
    expect(tile(page, "ada").locator(".heart .value")).to_have_text("62", timeout=1000)
    expect(tile(page, "ada").locator(".device")).to_have_text("phone")
    expect(page.locator("#shown")).to_have_text("1 user")


def test_while_readings_press_tiles_and_the_rate_go_on(client: httpx.Client, page: Page) -> None:
    open_page(page, client)
    start = datetime.now(UTC) - timedelta(hours=1)

    def push(number: int) -> None:
        at = start + timedelta(seconds=number)
        send_all(
            client,
            [
                {"user_id": f"user_{n}", "timestamp": (at + timedelta(milliseconds=n)).isoformat(), "heart_rate": 61}
                for n in range(500)
            ],
        )

    with ThreadPoolExecutor(4) as senders:
        list(senders.map(push, range(200)))
    expect(page.locator("#shown")).to_have_text("500 users")
    expect(page.locator("#rate")).to_have_text(re.compile(r"^[1-9]\d{3,5}$"), timeout=2000)
    send(client, "user_7", heart_rate=99)
    # Told with the next state, which comes up to five seconds after the one before, and takes a while with 500 users.
    expect(tile(page, "user_7").locator(".heart .value")).to_have_text("99", timeout=15_000)


def test_a_clock_that_is_ahead_hides_nothing(client: httpx.Client, page: Page) -> None:
    send(client, ago=-6 * 3600, heart_rate=200, device_id="phone")
    open_page(page, client)
    expect(tile(page, "ada").locator(".age")).to_have_text(re.compile("nothing yet; a clock is .* ahead"))
    send(client, ago=300, heart_rate=61, device_id="watch")
    expect(tile(page, "ada").locator(".heart .value")).to_have_text("61")
    expect(tile(page, "ada").locator(".device")).to_have_text("watch")
    expect(tile(page, "ada").locator(".age")).to_have_text(re.compile("stale, 5.*; a clock is .* ahead"))
    expect(page.locator("#newest")).to_have_text(re.compile("5.* ago"))


def test_it_says_why_there_is_no_day(client: httpx.Client, page: Page) -> None:
    """A browser may know a zone that the database does not."""
    elsewhere = re.compile(r"tz=[^&]*")
    page.route("**/v1/overview*", lambda route: route.continue_(url=elsewhere.sub("tz=Mars/Phobos", route.request.url)))
    send(client, heart_rate=61, steps=7)
    open_page(page, client)
    why = "tz must be a time zone of the IANA database, such as Europe/Berlin, and is Mars/Phobos."
    expect(page.locator("#no-days")).to_contain_text(why)
    page.unroute("**/v1/overview*")
    expect(page.locator("#no-days")).to_be_hidden()
    expect(tile(page, "ada")).to_contain_text("7")


def test_a_tile_has_the_day_and_the_half_hour_of_the_api(client: httpx.Client, page: Page) -> None:
    now = datetime.now(UTC)
    moments = [now - timedelta(minutes=n) for n in range(30)]
    send_all(
        client,
        [{"user_id": "ada", "timestamp": m.isoformat(), "heart_rate": 60 + m.minute, "steps": 100} for m in moments],
    )
    open_page(page, client)
    day = client.get("/v1/overview?tz=Asia/Kathmandu").json()["users"][0]
    expect(tile(page, "ada").locator(".steps .value")).to_have_text(f"{day['steps']:,}")
    expect(tile(page, "ada").locator(".calories .value")).to_have_text("–")
    # One minute after the other, and the latest value.
    expect(tile(page, "ada").locator(".spark .line")).to_have_attribute("d", re.compile(r"^M[^M]*(L[^LM]*){28,30}$"))
    expect(tile(page, "ada").locator(".spark .dot")).to_have_attribute("d", re.compile("^M"))
    send(client, steps=5, calories=2)
    expect(tile(page, "ada").locator(".steps .value")).to_have_text(f"{day['steps'] + 5:,}")
    expect(tile(page, "ada").locator(".calories .value")).to_have_text("2")


def test_its_age_goes_on_and_it_goes_stale(client: httpx.Client, page: Page) -> None:
    send(client, "fresh", heart_rate=61)
    send(client, "old", ago=180, heart_rate=62)
    send(client, "mixed", ago=600, heart_rate=63)
    send(client, "mixed", steps=4)
    open_page(page, client)
    expect(tile(page, "old").locator(".age")).to_have_text("stale, 3 min")
    expect(tile(page, "fresh").locator(".age")).to_have_text("3 s ago")
    expect(page.locator(".tile.stale")).to_have_count(1)
    expect(tile(page, "mixed").locator(".heart .when")).to_have_text("10 min ago")


def test_a_hostile_name_is_only_text(client: httpx.Client, page: Page) -> None:
    send(client, HOSTILE, heart_rate=61, device_id="<b>watch</b>")
    open_page(page, client)
    expect(page.locator(".who")).to_have_text(HOSTILE)
    expect(page.locator(".tile .device")).to_have_text("<b>watch</b>")
    page.locator(".pin").click()
    expect(page.get_by_role("button", name=f"Pin {HOSTILE}")).to_have_attribute("aria-pressed", "true")
    page.locator(".who").click()
    expect(page.locator("#average")).to_have_text("61")
    expect(page.locator("#devices")).to_have_text("<b>watch</b>")
    expect(page.locator("main img, main b")).to_have_count(0)
    expect(page).to_have_title(f"{HOSTILE}: Explore · Hyperpulse")
    command = page.locator("#curl").text_content()
    if shutil.which("curl") and command:
        answer = subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout
        assert json.loads(answer)["user_id"] == HOSTILE


def test_it_filters_sorts_and_pins(client: httpx.Client, page: Page) -> None:
    for user_id, device_id, rate in ("101", "watch", 61), ("202", "phone", 90), ("1010", "Phone 2", 75):
        send(client, user_id, heart_rate=rate, steps=200 - rate, device_id=device_id)
    open_page(page, client)
    names = page.locator("#tiles .who")
    expect(names).to_have_text(["101", "202", "1010"])
    page.keyboard.press("/")
    page.keyboard.type("phone")
    expect(names).to_have_text(["202", "1010"])
    expect(page.locator("#shown")).to_have_text("2 of 3 users")
    send(client, "300", heart_rate=61, device_id="phone")
    send(client, "301", heart_rate=61, device_id="watch")
    expect(page.locator("#shown")).to_have_text("3 of 5 users")
    page.get_by_label("Filter by user or device").fill("nobody at all")
    expect(page.locator("#nobody")).to_be_visible()
    page.get_by_label("Filter by user or device").fill("0")
    page.get_by_label("Sort by").select_option("heart rate")
    expect(names).to_have_text(["202", "1010", "101", "300", "301"])
    page.get_by_role("button", name="Pin 300").click()
    expect(names).to_have_text(["300", "202", "1010", "101", "301"])
    page.get_by_label("Sort by").select_option("steps today")
    expect(names).to_have_text(["300", "101", "1010", "202", "301"])
    expect(page).to_have_url(re.compile("filter=0&sort=steps&pin=300$"))  # which follows once nobody types
    page.reload()
    expect(names).to_have_text(["300", "101", "1010", "202", "301"])


def test_of_a_thousand_tiles_only_those_seen_exist(client: httpx.Client, page: Page) -> None:
    now = datetime.now(UTC).isoformat()
    send_all(client, [{"user_id": f"u{n:04}", "timestamp": now, "heart_rate": 60} for n in range(1000)])
    open_page(page, client)
    expect(page.locator("#shown")).to_have_text("1,000 users")
    expect(page.locator("#tiles .tile").first).to_have_attribute("aria-setsize", "1000")
    assert page.locator("#tiles .tile").count() < 100
    # Tiles are recycled where they stand; once scrolling has ended the document has the order that is seen.
    in_order = """first => {
      const places = [...document.querySelectorAll("#tiles .tile")].map(tile => Number(tile.ariaPosInSet));
      return places[0] > first && places.every((place, i) => i === 0 || place === places[i - 1] + 1);
    }"""
    page.mouse.move(600, 500)
    page.mouse.wheel(0, 7000)
    page.wait_for_function(in_order, arg=50)
    page.mouse.wheel(0, -9000)
    expect(tile(page, "u0000")).to_be_in_viewport()
    page.wait_for_function(in_order, arg=0)
    page.locator("#tiles .who").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("link", name="u0001", exact=True)).to_be_focused()
    page.keyboard.press("End")
    expect(tile(page, "u0999")).to_be_in_viewport()
    expect(tile(page, "u0999")).to_have_attribute("aria-posinset", "1000")
    send(client, "u0999", heart_rate=99)
    expect(tile(page, "u0999").locator(".heart .value")).to_have_text("99", timeout=1000)


def test_it_says_when_the_service_is_gone_and_comes_back_by_itself(
    client: httpx.Client, database_url: str, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(client, heart_rate=61)
    with running_service(database_url) as url:
        page.goto(url)
        expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#connection")).to_have_text("Reconnecting")
    expect(page.locator("#banner")).to_contain_text("What you see is from")
    expect(tile(page, "ada").locator(".heart .value")).to_have_text("61")
    send(client, heart_rate=90)
    monkeypatch.setattr("tests.support.service_process.free_port", lambda: int(url.rsplit(":", 1)[1]))
    with running_service(database_url):
        # It may have come back by itself by now, and hidden the button.
        page.locator("#retry").dispatch_event("click")
        expect(page.locator("#connection")).to_have_text("Live", timeout=20_000)
        expect(tile(page, "ada").locator(".heart .value")).to_have_text("90")
        expect(page.locator("#banner")).to_be_hidden()


def test_from_post_to_pixel(client: httpx.Client, page: Page) -> None:
    open_page(page, client)
    took = []
    for rate in range(60, 70):
        before = time.perf_counter()
        send(client, heart_rate=rate)
        expect(tile(page, "ada").locator(".heart .value")).to_have_text(str(rate), timeout=1000)
        took.append(time.perf_counter() - before)
    assert sorted(took)[5] < 0.5
