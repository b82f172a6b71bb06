"""The page of a person's day: its figures, its drawings, its neighbours, local to a time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.browser.seeing import HOSTILE, expect, faults_of, hurry_until, open_page, send, send_all

pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")

from playwright.sync_api import Page

# Kathmandu is 5:45 ahead: its 15 January begins at 18:15 in UTC.
START = datetime(2026, 1, 14, 18, 15, tzinfo=UTC)
PATH = "/day?user=ada&date=2026-01-15&tz=Asia/Kathmandu"


def send_day(client: httpx.Client, user_id: str = "ada") -> None:
    """Store ten hours of a day, from its midnight on, and a step before and after the day."""
    readings: list[dict[str, Any]] = [
        {
            "timestamp": (START + timedelta(minutes=5 * n)).isoformat(),
            "heart_rate": 140 if n == 50 else 60 + n % 10,
            "steps": 10 if n >= 60 else 0,
            "calories": 0.5,
            "distance": 25,
        }
        for n in range(120)
    ]
    readings += [
        {"timestamp": (START + timedelta(hours=hour)).isoformat(), "steps": 1000, "heart_rate": 200}
        for hour in (-0.01, 24)
    ]
    readings.append({"timestamp": (START + timedelta(hours=7)).isoformat(), "body_weight": 70.5, "spo2": 97})
    send_all(client, [{"user_id": user_id, "device_id": "watch", **reading} for reading in readings])


def test_it_shows_the_figures_of_a_local_day(client: httpx.Client, page: Page) -> None:
    send_day(client)
    open_page(page, client, PATH)
    expect(page.locator("#day-of")).to_have_text("ada")
    expect(page.locator("#day-name")).to_have_text("Thursday, January 15, 2026")
    expect(page).to_have_title("ada: Day · Hyperpulse")
    end = START + timedelta(days=1)
    path = f"/v1/users/ada/summary?start={START:%FT%TZ}&end={end:%FT%TZ}&metrics=all"
    told = client.get(path).json()["metrics"]
    figures = page.locator("#day-figures .figure")
    expect(figures.locator("dt")).to_have_text(["Steps", "Heart rate", "Distance on foot", "Calories"])
    shown = [float(each.get_attribute("value") or "nan") for each in figures.locator("data").all()]
    names = ("steps", "heart_rate", "distance", "calories")
    assert shown == [told[name].get("avg", told[name].get("total")) for name in names]
    expect(figures.nth(2).locator("dd").first).to_have_text("3 km")
    expect(page.locator("#day-others h3")).to_have_text(["Respiration", "Body"])
    expect(page.locator("#day-others [data-metric=body_weight] dd")).to_have_text("70.5 kg")
    # Nothing of the days before and after.
    expect(page.locator("#day-heart svg")).to_have_accessible_name(
        "Heart rate over the day: from 60 to 140 bpm, the most at 04:10"
    )
    expect(page.locator("#day-steps svg")).to_have_accessible_name("Steps by hour: the most, 120, from 05:00")
    expect(page.locator("#day-steps .bar")).to_have_count(5)
    expect(page.locator("#day-steps .bar title").first).to_have_text("05:00: 120 steps")
    page.get_by_text("The hours as a table").click()
    expect(page.locator("#day-hours tr")).to_have_count(10)
    expect(page.locator("#day-hours tr").nth(4)).to_have_text(re.compile(r"^04:00"))
    expect(page.locator("#day-hours tr").nth(5).locator("td")).to_have_text(["63.83", "60", "69", "120", "6"])


def test_zones_follow_the_maximum(client: httpx.Client, page: Page) -> None:
    send_day(client)
    open_page(page, client, f"{PATH}&max=180")
    zones = page.locator("#day-zones li")
    expect(zones).to_have_count(5)
    expect(zones.nth(2)).to_have_text("Moderate, 126–143 bpm: 5 min")
    expect(page.locator("#day-heart rect.zone-3")).to_have_count(1)
    page.get_by_label("Maximum bpm").fill("150")
    page.get_by_label("Maximum bpm").press("Enter")
    expect(zones.nth(4)).to_have_text("Maximum, 135 and more bpm: 5 min")
    assert parse_qs(urlsplit(page.url).query)["max"] == ["150"]
    expect(page.locator("#day-explore")).to_have_attribute("href", re.compile("max=150"))
    # Five minutes apart each value holds until the next one; the last one for a minute.
    expect(page.locator("#day-measured")).to_contain_text("A heart rate in 9 h 56 min of the day")


def test_it_goes_to_the_days_around_and_to_other_pages(client: httpx.Client, page: Page) -> None:
    send_day(client)
    open_page(page, client, PATH)
    page.get_by_role("link", name="The day before").click()
    expect(page.locator("#day-name")).to_have_text("Wednesday, January 14, 2026")
    expect(page.locator("#day-figures [data-metric=steps] data")).to_have_text("1,000")
    page.get_by_role("link", name="The day before").click()
    expect(page.locator("#day-state")).to_contain_text("No value of ada lies on Tue, Jan 13, 2026.")
    page.go_back()
    page.go_back()
    expect(page.locator("#day-name")).to_have_text("Thursday, January 15, 2026")
    page.get_by_role("textbox", name="Day").fill("2026-01-16")
    expect(page.locator("#day-name")).to_have_text("Friday, January 16, 2026")
    page.go_back()
    page.get_by_role("link", name="Explore this day").click()
    expect(page.locator("#steps")).to_have_text("600")
    expect(page.locator("#ask").get_by_label("Start")).to_have_value("2026-01-15T00:00")
    page.go_back()
    page.get_by_role("link", name="Calendar").click()
    expect(page.locator("#year-title")).to_have_text("Steps, 2026")
    expect(page.locator("nav [aria-current]")).to_have_text("Days")


def test_today_goes_on_and_has_no_day_after(client: httpx.Client, page_with_clock: Page) -> None:
    page = page_with_clock
    send(client, ago=1, heart_rate=61, steps=7)
    open_page(page, client, "/day?user=ada")
    expect(page.locator("#day-figures [data-metric=steps] data")).to_have_text("7")
    expect(page.get_by_role("link", name="The day after")).to_be_hidden()
    send(client, steps=5)
    hurry_until(page, page.locator("#day-figures [data-metric=steps] data"), "12")


def test_it_says_why_there_is_nothing(client: httpx.Client, page: Page) -> None:
    open_page(page, client, "/day")
    expect(page.locator("#day-state")).to_contain_text("Choose a user")
    page.get_by_label("User", exact=True).filter(visible=True).fill("nobody")
    page.get_by_role("button", name="Show", exact=True).filter(visible=True).click()
    expect(page.locator("#day-state")).to_contain_text("No value of nobody lies on")
    page.route("**/v1/users/**", lambda route: route.abort())
    page.get_by_role("link", name="The day before").click()
    expect(page.locator("#day-state")).to_contain_text("The service does not answer.")
    page.unroute("**/v1/users/**")
    page.get_by_role("button", name="Try again").filter(visible=True).click()
    expect(page.locator("#day-state")).to_contain_text("No value of nobody lies on")


def test_a_page_that_cannot_be_loaded_says_so(client: httpx.Client, page: Page) -> None:
    send_day(client)
    page.route("**/pages/dashboard/daypage.js", lambda route: route.fulfill(status=404))
    open_page(page, client, PATH)
    expect(page.get_by_role("alert").filter(has_text="The page did not load")).to_be_visible()


def test_hostile_arguments_are_as_none(client: httpx.Client, page: Page) -> None:
    send(client, HOSTILE, ago=1, steps=7)
    for search in "date=2026-02-30", "date=%3Cb%3E", "date=0000-00-00", "tz=Nowhere/City&max=1e9":
        open_page(page, client, f"/day?{httpx.QueryParams(user=HOSTILE)}&{search}")
        expect(page.locator("#day-of")).to_have_text(HOSTILE)
        expect(page.locator("#day-figures [data-metric=steps] data")).to_have_text("7")
        expect(page.locator("main img, main b")).to_have_count(0)


DAYS = """async () => {
  const { startOf, addDays, mondayOf, dayOf } = await import("/pages/dashboard/localdays.js");
  const start = (date, tz) => new Date(startOf(date, tz)).toISOString();
  return [
    start("2026-01-15", "Asia/Kathmandu"),
    (startOf("2026-10-26", "Europe/Berlin") - startOf("2026-10-25", "Europe/Berlin")) / 3600000,
    (startOf("2026-03-30", "Europe/Berlin") - startOf("2026-03-29", "Europe/Berlin")) / 3600000,
    start("2026-03-29", "Asia/Beirut"),
    start("2018-11-04", "America/Sao_Paulo"),
    start("2026-10-24", "Asia/Beirut"),
    start("2026-11-01", "America/Havana"),
    addDays("2024-02-28", 2),
    mondayOf("2026-01-18"),
    dayOf("2026-01-14T18:15:00Z", "Asia/Kathmandu"),
  ];
}"""


def test_days_begin_when_clocks_say_so(client: httpx.Client, page: Page) -> None:
    open_page(page, client)
    assert page.evaluate(DAYS) == [
        "2026-01-14T18:15:00.000Z",
        25,
        23,
        "2026-03-28T22:00:00.000Z",  # midnight is skipped
        "2018-11-04T03:00:00.000Z",  # likewise
        "2026-10-23T21:00:00.000Z",
        "2026-11-01T04:00:00.000Z",  # midnight comes twice
        "2024-03-01",
        "2026-01-12",
        "2026-01-15",
    ]


def test_it_prints_without_what_is_to_be_clicked(client: httpx.Client, page: Page) -> None:
    send_day(client)
    open_page(page, client, PATH)
    expect(page.locator("#day-heart svg")).to_be_visible()
    page.emulate_media(media="print", color_scheme="dark")
    for gone in "header", "#day-form", "#day-print":
        expect(page.locator(gone).first).to_be_hidden()
    expect(page.locator("#day-heart svg")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.getElementById('day-of')).color") == "rgb(19, 28, 38)"


def test_it_is_accessible(client: httpx.Client, page: Page) -> None:
    send_day(client)
    open_page(page, client, PATH)
    expect(page.locator("#day-heart svg")).to_be_visible()
    page.get_by_text("The hours as a table").click()
    assert faults_of(page) == []
