"""The page of days: a year as a calendar, the same as a table, and a week day by day."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.browser.seeing import HOSTILE, expect, faults_of, open_page, send_all

pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")

from playwright.sync_api import Page

PATH = "/days?user=ada&year=2025&week=2025-03-05&tz=Asia/Kathmandu"
MIDNIGHT = timedelta(hours=5, minutes=45)  # that Kathmandu is ahead


def send_days(client: httpx.Client, user_id: str = "ada") -> None:
    """Store ten days from 1 March 2025 on, local to Kathmandu: more steps each day, in its first minutes."""
    readings: list[dict[str, Any]] = []
    for n in range(10):
        day = datetime(2025, 3, 1 + n, tzinfo=UTC) - MIDNIGHT
        readings += [
            {
                "timestamp": (day + timedelta(minutes=minute)).isoformat(),
                "heart_rate": 60 + n,
                "steps": 100 * n,
                "distance": 70.5 * n,
            }
            for minute in (0, 20, 40)
        ]
        if n % 2:
            readings.append({"timestamp": (day + timedelta(hours=5)).isoformat(), "resting_heart_rate": 50 + n})
    send_all(client, [{"user_id": user_id, "device_id": "watch", **reading} for reading in readings])


def test_a_year_has_a_color_for_each_day(client: httpx.Client, page: Page) -> None:
    send_days(client)
    open_page(page, client, PATH)
    expect(page.locator("#year-title")).to_have_text("Steps, 2025")
    expect(page.locator("#year-count")).to_have_text("10 days with a value")
    expect(page.locator(".month")).to_have_count(12)
    expect(page.locator("#calendar .date")).to_have_count(365)
    first = page.locator(".date[data-date='2025-03-01']")
    expect(first).to_have_accessible_name("Sat, Mar 1, 2025: 0 steps")
    expect(page.locator(".date[data-date='2025-03-10']")).to_have_accessible_name("Mon, Mar 10, 2025: 2,700 steps")
    expect(page.locator(".date[data-date='2025-03-11']")).to_have_accessible_name("Tue, Mar 11, 2025: nothing measured")
    # Saturdays are the sixth of seven columns.
    assert first.evaluate("cell => getComputedStyle(cell).gridColumnStart") == "6"
    # As many days in each color.
    levels = [page.locator(f"#calendar .level-{level}").count() for level in range(6)]
    assert levels == [355, 2, 2, 2, 2, 2]
    inks = page.locator("#calendar [data-date^='2025-03']").evaluate_all(
        "all => all.slice(0, 10).map(each => getComputedStyle(each).backgroundColor)"
    )
    assert len(set(inks)) == 5
    expect(page.locator("#levels li")).to_have_text(
        ["nothing measured", "up to 300 steps", "up to 900 steps", "up to 1,500 steps", "up to 2,100 steps", "more"]
    )
    page.get_by_text("The year as a table").click()
    rows = page.locator("#year-rows tr")
    expect(rows).to_have_count(10)
    expect(rows.nth(9)).to_have_text("Mon, Mar 10, 20252,700 steps")
    series = client.get(
        "/v1/users/ada/series?start=2024-12-31T18:15:00Z&end=2025-12-31T18:15:00Z&bucket=1d&tz=Asia/Kathmandu"
    ).json()["points"]
    assert [point["steps"] for point in series] == [300 * n for n in range(10)]


def test_days_are_colored_by_any_metric(client: httpx.Client, page: Page) -> None:
    send_days(client)
    open_page(page, client, PATH)
    chosen = page.get_by_label("Color by")
    expect(chosen.locator("optgroup")).to_have_count(2)
    chosen.select_option("Resting heart rate")
    expect(page.locator("#year-title")).to_have_text("Resting heart rate, 2025")
    expect(page.locator("#year-count")).to_have_text("5 days with a value")
    assert parse_qs(urlsplit(page.url).query)["metric"] == ["resting_heart_rate"]
    expect(page.locator(".date[data-date='2025-03-02']")).to_have_accessible_name("Sun, Mar 2, 2025: 51 bpm")
    chosen.select_option("Distance on foot")
    expect(page.locator(".date[data-date='2025-03-10']")).to_have_accessible_name("Mon, Mar 10, 2025: 1.9 km")
    page.go_back()
    expect(page.locator("#year-title")).to_have_text("Resting heart rate, 2025")
    page.reload()
    expect(page.locator("#year-count")).to_have_text("5 days with a value")


def test_keys_go_from_day_to_day(client: httpx.Client, page: Page) -> None:
    send_days(client)
    open_page(page, client, PATH)
    expect(page.locator("#calendar .date")).to_have_count(365)
    page.locator("#days-form button.main").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#calendar .date[data-date='2025-12-31']")).to_be_focused()
    for key, date in ("ArrowLeft", "12-30"), ("ArrowUp", "12-23"), ("ArrowRight", "12-24"), ("Home", "01-01"):
        page.keyboard.press(key)
        expect(page.locator(f"#calendar .date[data-date='2025-{date}']")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#calendar .date[data-date='2025-01-01']")).to_be_focused()
    # A single stop of the tab key, which comes back to where it was.
    page.keyboard.press("Tab")
    expect(page.get_by_text("The year as a table")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#day-state")).to_contain_text("No value of ada lies on Wed, Jan 1, 2025.")
    assert parse_qs(urlsplit(page.url).query)["date"] == ["2025-01-01"]


def test_a_week_is_told_day_by_day(client: httpx.Client, page: Page) -> None:
    send_days(client)
    open_page(page, client, PATH)
    expect(page.locator("#week-title")).to_have_text("Week of March 3, 2025")
    heads = ["Day", "Steps", "Distance on foot", "Resting heart rate", "Heart rate", "Worn"]
    expect(page.locator("#week-head th")).to_have_text(heads)
    rows = page.locator("#week-rows tr")
    expect(rows).to_have_count(7)
    expect(rows.nth(0)).to_have_text("Mon, Mar 3600423 m–62 bpm45 min")
    expect(rows.nth(1)).to_have_text("Tue, Mar 4900634.5 m53 bpm63 bpm45 min")
    steps = 300 * sum(range(2, 9))
    expect(page.locator("#week-whole")).to_have_text(re.compile(f"^Week{steps:,}7.4 km57 bpm65 bpm5 h 15 min$"))
    # The longest bar is that of the day with the most.
    wide = rows.locator("td:nth-of-type(1) .bar").evaluate_all("all => all.map(each => parseFloat(each.style.width))")
    assert wide == pytest.approx([100 * n / 8 for n in range(2, 9)], abs=0.1)
    page.get_by_role("link", name="The week before").click()
    expect(page.locator("#week-title")).to_have_text("Week of February 24, 2025")
    expect(rows.nth(5)).to_have_text("Sat, Mar 100 m–60 bpm45 min")
    page.get_by_label("A day of the week").fill("2025-02-05")
    expect(page.locator("#week-title")).to_have_text("Week of February 3, 2025")
    expect(page.locator("#week-empty")).to_be_visible()
    expect(page.locator("#week-table")).to_be_hidden()
    page.get_by_role("link", name="The week after").click()
    assert parse_qs(urlsplit(page.url).query)["week"] == ["2025-02-10"]
    page.go_back()
    page.go_back()
    page.go_back()
    page.get_by_role("link", name="Tue, Mar 4", exact=True).click()
    expect(page.locator("#day-figures [data-metric=steps] data")).to_have_text("900")


def test_years_are_turned_and_days_to_come_are_no_links(client: httpx.Client, page: Page) -> None:
    send_days(client)
    open_page(page, client, PATH)
    page.get_by_role("link", name="The year before").click()
    expect(page.locator("#year-title")).to_have_text("Steps, 2024")
    expect(page.locator("#year-count")).to_have_text("No value in 2024")
    expect(page.locator("#calendar .date")).to_have_count(366)
    page.goto(f"{str(client.base_url).rstrip('/')}/days?user=ada")
    expect(page.locator(".month")).to_have_count(12)
    expect(page.get_by_role("link", name="The year after")).to_be_hidden()
    expect(page.get_by_role("link", name="The week after")).to_be_hidden()
    last = page.locator("#calendar a.date").last.get_attribute("data-date")
    assert last == f"{datetime.now(UTC) + MIDNIGHT:%F}"


def test_it_says_why_there_is_nothing(client: httpx.Client, page: Page) -> None:
    open_page(page, client, "/days")
    expect(page.locator("#days-state")).to_contain_text("Choose a user")
    page.locator("#days-form").get_by_label("User").fill("nobody")
    page.locator("#days-form").get_by_role("button", name="Show").click()
    expect(page.locator("#days-state")).to_contain_text("No value of nobody is stored.")
    page.route("**/v1/users/**", lambda route: route.abort())
    page.get_by_role("link", name="The year before").click()
    expect(page.locator("#days-state")).to_contain_text("The service does not answer.")
    page.unroute("**/v1/users/**")
    page.get_by_role("button", name="Try again").filter(visible=True).click()
    expect(page.locator("#days-state")).to_contain_text("No value of nobody is stored.")


def test_hostile_arguments_are_as_none(client: httpx.Client, page: Page) -> None:
    send_days(client, HOSTILE)
    for search in "metric=__proto__&year=20251&week=x", "year=0000&week=2025-02-30&tz=%3Cb%3E":
        open_page(page, client, f"/days?{httpx.QueryParams(user=HOSTILE)}&{search}")
        expect(page.locator("#year-title")).to_have_text(re.compile("^Steps, 20[2-9][0-9]$"))
        expect(page.locator("main img, main b")).to_have_count(0)


def test_it_is_accessible(client: httpx.Client, page: Page) -> None:
    send_days(client)
    open_page(page, client, PATH)
    page.get_by_text("The year as a table").click()
    expect(page.locator("#year-rows tr")).to_have_count(10)
    assert faults_of(page) == []
    page.get_by_label("Color by").select_option("Heart rate")
    expect(page.locator("#year-title")).to_have_text("Heart rate, 2025")
    assert faults_of(page) == []
