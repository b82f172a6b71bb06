"""The page Explore, as a person sees it."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest

from tests.browser.seeing import expect, hurry_until, open_page, send, send_all

pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")

from playwright.sync_api import Page

DAY = datetime(2026, 1, 15, tzinfo=UTC)
FIXED = "/explore?user=ada&start=2026-01-14T18:15:00Z&end=2026-01-15T18:15:00Z"  # a day in Kathmandu


def send_days(client: httpx.Client, days: int, every: timedelta = timedelta(minutes=10)) -> None:
    """Store readings of two devices around a day."""
    first = DAY - timedelta(days=days - 1)
    moments = [first + n * every for n in range(int(timedelta(days=days) / every))]
    send_all(
        client,
        [
            {
                "user_id": "ada",
                "timestamp": moment.isoformat(),
                "device_id": "device_a" if n % 50 < 30 else "=phone",
                "heart_rate": 60 + n % 40,
                "steps": n % 7,
                "calories": (n % 10) / 4,
            }
            for n, moment in enumerate(moments)
        ],
    )


def value(page: Page, name: str) -> float:
    """Return the exact value of a figure."""
    return float(page.locator(f"#{name}").get_attribute("value") or "nan")


def test_it_shows_the_numbers_of_the_api(client: httpx.Client, db: psycopg.Connection, page: Page) -> None:
    send_days(client, 2)
    open_page(page, client, FIXED)
    summary = client.get("/v1/users/ada/summary?start=2026-01-14T18:15:00Z&end=2026-01-15T18:15:00Z").json()
    expect(page.locator("#result")).to_be_visible()
    assert value(page, "average") == summary["heart_rate"]["avg"]
    assert (value(page, "steps"), value(page, "calories")) == (summary["steps"], summary["calories"])
    expect(page.locator("#took")).to_contain_text(f"Figures from {', '.join(summary['sources'])}, in ")
    expect(page.locator("#charts figure")).to_have_count(3)
    expect(page.locator("#ask").get_by_label("Start")).to_have_value("2026-01-15T00:00")
    expect(page.locator("#devices li")).to_have_text(["device_a", "=phone"])
    # What is offered for elsewhere says the same there.
    address = str(page.locator("#curl").text_content()).split("'")[1]
    series = client.get(address).json()
    rows = db.execute(str(page.locator("#sql").text_content()).encode()).fetchall()
    assert [row[1] for row in rows] == [point["heart_rate"]["avg"] for point in series["points"]]
    page.get_by_text("The same as a table").click()
    expect(page.locator("#rows tr")).to_have_count(len(series["points"]))


def test_dragging_over_a_part_asks_for_a_finer_resolution(client: httpx.Client, page: Page) -> None:
    send_days(client, 40, timedelta(hours=1))
    end = DAY + timedelta(days=1)
    start = end - timedelta(days=100)
    whole = f"/explore?user=ada&start={start:%FT%TZ}&end={end:%FT%TZ}"
    open_page(page, client, whole)
    expect(page.locator("#points")).to_contain_text("of 1d")
    box = page.locator("#charts .u-over").first.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.9, y)
    expect(page.locator("#pointed")).to_contain_text("bpm")
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.95, y, steps=3)
    page.mouse.up()
    expect(page.locator("#points")).to_contain_text("of 5m")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
    length = timedelta(days=5).total_seconds()
    shown = (datetime.fromisoformat(asked["end"]) - datetime.fromisoformat(asked["start"])).total_seconds()
    assert shown == pytest.approx(length, rel=0.05)
    summary = client.get("/v1/users/ada/summary", params={"start": asked["start"], "end": asked["end"]}).json()
    assert value(page, "steps") == summary["steps"]
    page.locator("#charts").focus()
    page.keyboard.press("-")
    expect(page.locator("#points")).to_contain_text("of 15m")
    page.go_back()
    page.go_back()
    expect(page).to_have_url(f"{str(client.base_url).rstrip('/')}{whole}")
    expect(page.locator("#points")).to_contain_text("of 1d")


def test_its_state_lives_in_the_address(client: httpx.Client, page: Page) -> None:
    send_days(client, 2)
    open_page(page, client, FIXED)
    page.locator("#ask").get_by_label("Bucket").select_option("1 hour")
    page.locator("#ask").get_by_label("Time zone").select_option("America/New_York")
    page.locator("#ask").get_by_label("Steps").uncheck()
    page.locator("#ask").get_by_label("Device").select_option("device_a")
    expect(page.locator("#charts figure")).to_have_count(2)
    expect(page.locator("#ask").get_by_label("Start")).to_have_value("2026-01-14T13:15")
    expect(page.locator("#answer:not([aria-busy])")).to_be_visible()
    seen = page.locator("#points").text_content()
    average = value(page, "average")
    page.reload()
    expect(page.locator("#charts figure")).to_have_count(2)
    assert str(page.locator("#points").text_content()).split(",")[0] == str(seen).split(",")[0]
    assert value(page, "average") == average
    for label, chosen in ("Bucket", "1h"), ("Time zone", "America/New_York"), ("Device", "device_a"):
        expect(page.locator("#ask").get_by_label(label)).to_have_value(chosen)
    page.locator("#ask").get_by_label("End, not included").fill("2026-01-14T13:15")
    expect(page.locator("#range-problem")).to_have_text("The end must come after the start.")


def test_a_range_until_now_goes_on(client: httpx.Client, page_with_clock: Page) -> None:
    page = page_with_clock
    send(client, ago=60, heart_rate=61, steps=7)
    open_page(page, client, "/explore?user=ada&range=1h")
    expect(page.locator("#steps")).to_have_text("7")
    page.locator("#ask").get_by_label("User").fill("half a na")
    send(client, steps=5)
    hurry_until(page, page.locator("#steps"), "12")
    expect(page.locator("#ask").get_by_label("User")).to_have_value("half a na")


def test_a_download_has_the_points(client: httpx.Client, page: Page, tmp_path: Path) -> None:
    send_days(client, 2)
    open_page(page, client, f"{FIXED}&bucket=15m")
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download CSV").click()
    assert coming.value.suggested_filename == "ada-15m.csv"
    coming.value.save_as(tmp_path / "points.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "points.csv").read_text())))
    points = client.get(f"/v1/users/ada/series?{FIXED.split('&', 1)[1]}&bucket=15m").json()["points"]

    def exact(point: dict[str, Any]) -> tuple[str, float, int, float]:
        return point["t"], point["heart_rate"]["avg"], point["steps"], point["calories"]

    told = [(row["t"], float(row["heart_rate_avg"]), int(row["steps"]), float(row["calories"])) for row in rows]
    assert told == [exact(point) for point in points]
    # A spreadsheet would run a name that begins like a formula.
    assert {row["heart_rate_device"] for row in rows} >= {"device_a", "'=phone"}


def test_each_device_alone_need_not_add_up(client: httpx.Client, page: Page, tmp_path: Path) -> None:
    send_days(client, 2)
    # A third device reports what the two others do, and another metric alone.
    send_all(
        client,
        [
            {"user_id": "ada", "timestamp": f"2026-01-15T{hour:02}:00:30Z", "device_id": "ring", "steps": 500}
            for hour in range(12)
        ],
    )
    open_page(page, client, FIXED)
    page.get_by_role("button", name="Compare devices").click()
    expect(page).to_have_url(re.compile("by=device"))
    expect(page.locator("#each-rows th")).to_have_text(["device_a", "=phone", "ring"])
    expect(page.locator("#each")).to_contain_text("need not add up")
    expect(page.locator("#devices li")).to_have_text(["device_a", "=phone", "ring"])
    bounds = FIXED.split("&", 1)[1]
    shown = page.locator("#each-rows tr td:nth-of-type(3)").all_text_contents()
    alone = [
        client.get(f"/v1/users/ada/summary?{bounds}&device_id={device}").json()["steps"]
        for device in ("device_a", "=phone", "ring")
    ]
    assert [int(text.replace(",", "")) for text in shown] == alone
    assert value(page, "steps") == client.get(f"/v1/users/ada/summary?{bounds}").json()["steps"] < sum(alone)
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download CSV").click()
    coming.value.save_as(tmp_path / "points.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "points.csv").read_text())))
    for device, steps in zip(("device_a", "'=phone", "ring"), alone, strict=True):
        assert sum(int(row["steps"]) for row in rows if row["device_id"] == device) == steps
    page.locator("#ask").get_by_label("Device").select_option("The best of all")
    expect(page.locator("#each")).to_be_hidden()
    assert "by=" not in page.url


def test_it_says_why_there_is_nothing(client: httpx.Client, page: Page) -> None:
    open_page(page, client, "/explore")
    expect(page.get_by_text("Choose a user")).to_be_visible()
    page.locator("#ask").get_by_label("User").fill("nobody")
    page.get_by_role("button", name="7d").click()
    page.locator("#ask").get_by_label("User").fill("nobody")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("#no-answer")).to_contain_text("No reading of that user lies in the range.")
    page.route("**/v1/users/**", lambda route: route.abort())
    page.get_by_role("button", name="1y").click()
    expect(page.locator("#no-answer")).to_contain_text("The service does not answer.")
    page.unroute("**/v1/users/**")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#no-answer")).to_contain_text("No reading of that user lies in the range.")


def test_without_the_chart_library_it_says_so(client: httpx.Client, page: Page) -> None:
    send(client, heart_rate=61)
    page.route("**/libraries/uplot/**", lambda route: route.fulfill(status=404))
    open_page(page, client, "/explore?user=ada")
    expect(page.locator("#no-charts")).to_contain_text("The chart library is not installed")
    expect(page.locator("#average")).to_have_text("61")


DRAW_TWICE = """async () => {
  const { makeCharts } = await import("/pages/dashboard/charts.js");
  const element = document.getElementById("charts");
  const two = [60, 61];
  const columns = { t: [0, 60], avg: two, min: two, max: two, device: ["", ""], steps: two, calories: two };
  const parts = [{ name: null, columns }];
  const rest = { parts, range: { start: 0, end: 120_000 }, tz: "UTC", bucket: "1m", devices: [""], colors: new Map() };
  const charts = makeCharts(element, () => {}, () => {});
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const draw = (...metrics) => charts.draw({ ...rest, metrics });
  const counts = [];
  const count = () => counts.push([...element.children].map((figure) => figure.querySelectorAll(".uplot").length));
  const all = ["heart_rate", "steps", "calories"];
  await draw(...all);
  for (const last of [all, ["heart_rate", "steps"], all]) {
    const first = draw(...all);
    await frame();
    await frame();
    await Promise.all([first, draw(...last)]);
    count();
  }
  return counts;
}"""


def test_a_chart_that_is_drawn_while_another_is_takes_its_place(client: httpx.Client, page: Page) -> None:
    send_days(client, 1)
    open_page(page, client, FIXED)
    expect(page.locator("#charts .uplot")).to_have_count(3)
    # By itself: nobody sends what is asked here at a frame of their choice.
    page.evaluate("document.getElementById('charts').replaceChildren()")
    assert page.evaluate(DRAW_TWICE) == [[1, 1, 1], [1, 1], [1, 1, 1]]


HOSTILE_RANGES = (
    "range=constructor",
    "range=__proto__",
    "start=-271821-04-20T00:00:00Z&end=%2B275760-09-13T00:00:00Z",
    "start=%2B275760-09-12T00:00:00Z&end=%2B275760-09-13T00:00:00Z",
)


def test_a_hostile_range_is_as_none(client: httpx.Client, page: Page) -> None:
    send(client, ago=60, steps=7)
    for search in HOSTILE_RANGES:
        open_page(page, client, f"/explore?user=ada&{search}")
        expect(page.locator("#steps")).to_have_text("7")
        expect(page.get_by_role("button", name="24h")).to_have_attribute("aria-pressed", "true")
