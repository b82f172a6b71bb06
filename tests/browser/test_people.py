"""Several people in one chart of Explore."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest

from tests.browser.seeing import HOSTILE, expect, open_page, send_all

pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")

from playwright.sync_api import Page

START = datetime(2026, 1, 15, tzinfo=UTC)
HOURS = "start=2026-01-15T00:00:00Z&end=2026-01-15T10:00:00Z&tz=UTC"
PEOPLE = ("ada", "=alan", HOSTILE)


def send_people(client: httpx.Client) -> None:
    """Let three people report each quarter of an hour, each other values."""
    send_all(
        client,
        [
            {
                "user_id": user_id,
                "timestamp": (START + timedelta(minutes=15 * n)).isoformat(),
                "heart_rate": 60 + 20 * who + n % 10,
                "steps": (n + who) % 7,
                "calories": who + 0.5,
            }
            for who, user_id in enumerate(PEOPLE)
            for n in range(40)
        ],
    )


def compare(page: Page, user_id: str) -> None:
    """Add someone to the chart."""
    page.get_by_label("Compare with").fill(user_id)
    page.get_by_label("Compare with").press("Enter")
    expect(page.locator("#each-rows th").filter(has_text=user_id)).to_have_count(1)


def asked(page: Page) -> list[str]:
    """Read from the address who is compared with the user."""
    return parse_qs(urlsplit(page.url).query).get("with", [])


def test_people_are_compared_by_the_numbers_of_the_api(
    client: httpx.Client, db: psycopg.Connection, page: Page, tmp_path: Path
) -> None:
    send_people(client)
    open_page(page, client, f"/explore?user=ada&{HOURS}")
    expect(page.locator("#each")).to_be_hidden()
    for user_id in PEOPLE[1:]:
        compare(page, user_id)
    assert asked(page) == list(PEOPLE[1:])
    expect(page.locator("#each-rows th")).to_have_text(list(PEOPLE))
    expect(page.locator("#devices li")).to_have_text(["ada", "=alan×", f"{HOSTILE}×"])
    first = client.get(f"/v1/users/ada/summary?{HOURS.removesuffix('&tz=UTC')}").json()
    rows = page.locator("#each-rows tr").first.locator("td")
    rate = first["heart_rate"]
    expect(rows).to_have_text(
        [f"{rate['min']:g}–{rate['max']:g}", f"{rate['avg']:g}", f"{first['steps']}", f"{first['calories']:g}"]
    )
    expect(page.locator("#figures-of")).to_have_text("ada")
    assert page.locator("#steps").get_attribute("value") == str(first["steps"])
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download CSV").click()
    coming.value.save_as(tmp_path / "points.csv")
    points = list(csv.DictReader(io.StringIO((tmp_path / "points.csv").read_text())))
    told = db.execute("SELECT user_id, sum(steps) FROM api.readings GROUP BY 1").fetchall()
    for user_id, steps in told:
        named = f"'{user_id}" if user_id.startswith("=") else user_id
        assert sum(int(point["steps"]) for point in points if point["user_id"] == named) == steps
    # What is offered for elsewhere is of the first, and says so.
    expect(page.locator("#commands-title")).to_have_text("The same from elsewhere, of ada")
    address = str(page.locator("#curl").text_content()).split("'")[1]
    series = client.get(address).json()
    assert series["user_id"] == "ada"
    found = db.execute(str(page.locator("#sql").text_content()).encode()).fetchall()
    assert [row[1] for row in found] == [point["heart_rate"]["avg"] for point in series["points"]]
    expect(page.locator("main img, main b")).to_have_count(0)


def test_the_address_tells_who_is_compared(client: httpx.Client, page: Page) -> None:
    send_people(client)
    others = "&with=nobody&with=ada&with=nobody&with=&with=%3Dalan&with=c&with=d&with=e"
    open_page(page, client, f"/explore?user=ada&by=device&{HOURS}{others}")
    # Everyone once, and no more than there are colors.
    names = page.locator("#each-rows th")
    expect(names).to_have_text(["ada", "nobody", "=alan", "c", "d"])
    expect(page.locator("#each-rows tr").nth(1).locator("td")).to_have_text(["–", "–", "–", "–"])
    colors = page.locator("#each-rows .swatch").evaluate_all(
        "all => all.map(each => getComputedStyle(each).backgroundColor)"
    )
    assert len(set(colors)) == 5
    page.get_by_role("button", name="Compare no longer with nobody").click()
    expect(names).to_have_text(["ada", "=alan", "c", "d"])
    kept = page.locator("#each-rows .swatch").nth(1).evaluate("each => getComputedStyle(each).backgroundColor")
    assert kept == colors[2]
    page.reload()
    expect(names).to_have_text(["ada", "=alan", "c", "d"])
    page.go_back()
    expect(names).to_have_text(["ada", "nobody", "=alan", "c", "d"])
    # Whoever cannot be added is told of.
    for name, problem in (("f", "5 people at most: remove one first."), ("c", "c is there already.")):
        page.get_by_label("Compare with").fill(name)
        page.get_by_label("Compare with").press("Enter")
        expect(page.locator("#range-problem")).to_have_text(problem)
        expect(page.get_by_label("Compare with")).to_have_value("")
    expect(names).to_have_text(["ada", "nobody", "=alan", "c", "d"])
    # Devices of one, or people: not both.
    page.locator("#ask").get_by_label("Device").select_option("Each alone")
    expect(page).to_have_url(re.compile("by=device"))
    expect(names).to_have_text(["default"])
    assert asked(page) == []


ALIGN = """async () => {
  const { align } = await import("/pages/dashboard/points.js");
  const { drawLine } = await import("/pages/dashboard/drawing.js");
  const { nextMeasured } = await import("/pages/dashboard/cursor.js");
  const often = { t: [0, 60, 120, 180, 240], avg: [60, 61, 62, 63, 64] };
  const seldom = { t: [0, 0, 120, 180, 240], avg: [70, null, 71, null, 72] };
  const parts = align([often, seldom]).map((columns) => ({ columns }));
  const drawn = [];
  const said = (name) => (...at) => drawn.push(`${name} ${at.slice(0, 2).join(" ")}`);
  const pen = { moveTo: said("from"), lineTo: said("to"), fillRect: said("dot") };
  for (const name of ["save", "beginPath", "rect", "clip", "stroke", "restore"]) pen[name] = () => {};
  const plot = { ctx: pen, bbox: {}, data: [parts[0].columns.t], valToPos: (value) => value };
  drawLine(plot, parts[1].columns.avg, "red", true);
  const next = nextMeasured({ parts: parts.slice(1), metrics: ["heart_rate"] }, 0, 1);
  return [parts[1].columns.avg.map((value) => (value === undefined ? "of others" : value)), drawn, next];
}"""


def test_a_line_goes_on_where_only_others_have_a_point(client: httpx.Client, page: Page) -> None:
    open_page(page, client, "/explore")
    values, drawn, following = page.evaluate(ALIGN)
    # Of two readings at one moment the second, without a value, takes nothing away.
    assert values == [70, "of others", 71, None, 72]
    # Nothing between two of its own points joins them; what was not measured parts them.
    assert drawn == ["from 0 70", "to 120 71", "dot 239 71"]
    assert following == 2


def test_it_says_where_nobody_has_a_reading(client: httpx.Client, page: Page) -> None:
    send_people(client)
    open_page(page, client, f"/explore?user=nobody&with=ada&{HOURS}")
    expect(page.locator("#each-rows th")).to_have_text(["nobody", "ada"])
    expect(page.locator("#average")).to_have_text("–")
    expect(page.locator("#points")).to_have_text(re.compile(r"^0 buckets of 1?5m, in [\d.]+ ms$"))
    expect(page.locator("#took")).to_be_hidden()
    page.get_by_role("button", name="Compare no longer with ada").click()
    expect(page.locator("#no-answer")).to_contain_text("No reading of that user lies in the range.")
