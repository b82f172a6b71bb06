"""Explore of any metric: what there is to choose, how each kind is drawn, and the zones behind the heart rate."""

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

from tests.browser.seeing import expect, faults_of, open_page, send_all
from tests.support.service_process import running_service

pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")

from playwright.sync_api import Page

START = datetime(2026, 1, 15, tzinfo=UTC)
RANGE = "start=2026-01-15T00:00:00Z&end=2026-01-15T10:00:00Z"
HOURS = f"{RANGE}&bucket=1h&tz=UTC"
OTHERS = ("body_weight", "distance", "spo2")
# Minutes at each heart rate: below the zones of 190, and in the first, the third and the fifth of them.
RATES = {80: 30, 100: 20, 140: 8, 180: 2}


def send_hours(client: httpx.Client, user_id: str = "ada", **basic: Any) -> None:
    """Store an hour of heart rates, and each hour a value of other metrics; a weight at its beginning and end only."""
    rates = [rate for rate, minutes in RATES.items() for _ in range(minutes)]
    readings: list[dict[str, Any]] = [
        {"timestamp": (START + timedelta(minutes=n)).isoformat(), "heart_rate": rate} for n, rate in enumerate(rates)
    ]
    for hour in range(10):
        at = START + timedelta(hours=hour)
        readings.append({"timestamp": at.isoformat(), "spo2": 95 + hour / 4, "distance": 100.5 * hour, **basic})
        readings.append({"timestamp": (at + timedelta(minutes=30)).isoformat(), "spo2": 94})
    for hour, weight in (1, 70.5), (8, 70.25):
        readings.append({"timestamp": (START + timedelta(hours=hour)).isoformat(), "body_weight": weight})
    send_all(client, [{"user_id": user_id, "device_id": "watch", **reading} for reading in readings])


def choose(page: Page, title: str) -> None:
    """Choose a metric, or choose it no longer, and wait for the answer."""
    page.locator("#metrics").get_by_label(title, exact=True).click()
    expect(page.locator("#answer:not([aria-busy])")).to_be_visible()


def test_it_offers_what_a_user_has_by_topic_and_shows_what_is_chosen(client: httpx.Client, page: Page) -> None:
    send_hours(client)
    open_page(page, client, f"/explore?user=ada&{HOURS}")
    groups = page.locator("#metrics > div")
    expect(groups).to_have_text(
        [
            re.compile("^Heart Heart rate$"),
            re.compile("^Activity Steps Calories Distance on foot$"),
            re.compile("^Respiration Oxygen saturation$"),
            re.compile("^Body Weight$"),
        ],
        use_inner_text=False,
    )
    expect(groups.nth(2)).to_have_role("group")
    expect(groups.nth(2)).to_have_accessible_name("Respiration")
    expect(page.locator("#charts figure")).to_have_count(3)
    for title in "Steps", "Calories":
        choose(page, title)
    # By keys: a checkbox with a name.
    for title in "Oxygen saturation", "Weight", "Distance on foot":
        page.locator("#metrics").get_by_label(title, exact=True).focus()
        page.keyboard.press("Space")
        expect(page.locator(f"#charts figcaption >> text={title}")).to_have_count(1)
    assert parse_qs(urlsplit(page.url).query)["metric"] == ["heart_rate,distance,spo2,body_weight"]
    expect(page.locator("#charts figcaption")).to_have_text(
        ["Heart rate, bpm", "Distance on foot, m", "Oxygen saturation, %", "Weight, kg"]
    )
    summary = client.get(f"/v1/users/ada/summary?{RANGE}&metrics={','.join(OTHERS)}").json()["metrics"]
    for name, figure in ("spo2", "avg"), ("distance", "total"), ("body_weight", "last"):
        shown = page.locator(f".figure[data-metric={name}] data").get_attribute("value")
        assert float(shown or "nan") == summary[name][figure], name
    page.reload()
    expect(page.locator("#charts .uplot")).to_have_count(4)
    page.go_back()
    expect(page.locator("#charts .uplot")).to_have_count(3)


def test_table_file_command_and_sql_have_the_metrics(
    client: httpx.Client, db: psycopg.Connection, page: Page, tmp_path: Path
) -> None:
    send_hours(client)
    open_page(page, client, f"/explore?user=ada&{HOURS}&metric=spo2,distance,body_weight")
    address = str(page.locator("#curl").text_content()).split("'")[1]
    points = client.get(address).json()["points"]
    assert len(points) == 10
    page.get_by_text("The same as a table").click()
    heads = ["From", "Device", "Oxygen saturation, %", "Least", "Most", "Distance on foot, m", "Weight, kg"]
    expect(page.locator("#rows-head th")).to_have_text(heads)
    cells = page.locator("#rows tr").nth(1).locator("td")
    expect(cells).to_have_text(["–", "94.63", "94", "95.25", "100.5", "70.5"])
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download CSV").click()
    coming.value.save_as(tmp_path / "points.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "points.csv").read_text())))
    told = [(row["spo2_avg"], row["spo2_count"], row["distance"], row["body_weight"]) for row in rows]
    assert [tuple(float(text or "nan") for text in row) for row in told] == [
        pytest.approx(
            (
                point["metrics"]["spo2"]["avg"],
                point["metrics"]["spo2"]["count"],
                point["metrics"]["distance"]["total"],
                point["metrics"].get("body_weight", {}).get("last", float("nan")),
            ),
            nan_ok=True,
        )
        for point in points
    ]
    basic, others = str(page.locator("#sql").text_content()).split(";")[:2]
    assert len(db.execute(basic.encode()).fetchall()) == 1
    assert len(db.execute(others.encode()).fetchall()) == 22


SHAPES = """async () => {
  const { shapeOf } = await import("/pages/dashboard/shapes.js");
  const { columnsOf } = await import("/pages/dashboard/points.js");
  const { learnMetrics } = await import("/pages/dashboard/metrics.js");
  await learnMetrics();
  const names = ["spo2", "distance", "body_weight"];
  const body = await (await fetch("/v1/users/ada/series?%s&metrics=" + names)).json();
  const columns = columnsOf(body, names);
  const of = Object.fromEntries(names.map((name) => [name, { line: "line", area: "area" }]));
  const asked = { parts: [{ name: null, columns }], bucket: "1h", devices: [], colors: new Map(), zones: null };
  const scales = { x: { min: columns.t[0], max: columns.t.at(-1) + 3600 } };
  const valToPos = (value, axis) => (axis === "x" ? (value - scales.x.min) / 36 : 100 - value / 1000);
  const bbox = { left: 0, top: 0, width: 1000, height: 100 };
  return names.map((name) => {
    const drawn = { dot: 0, line: 0, rectangle: 0 };
    const pen = { arc: () => drawn.dot++, lineTo: () => drawn.line++, fillRect: () => drawn.rectangle++ };
    const ctx = new Proxy(pen, { get: (known, method) => known[method] ?? (() => {}) });
    const shape = shapeOf({ of, series: [], zones: [] }, name, asked);
    shape.draw({ ctx, bbox, data: [columns.t], scales, valToPos });
    return [shape.bands.length, drawn];
  });
}"""


def test_levels_are_bands_amounts_are_bars_and_the_rest_are_steps(client: httpx.Client, page: Page) -> None:
    send_hours(client)
    open_page(page, client, "/explore")
    assert page.evaluate(SHAPES.replace("%s", HOURS)) == [
        [1, {"dot": 0, "line": 9, "rectangle": 0}],  # ten means, joined; uPlot fills the band
        [0, {"dot": 0, "line": 0, "rectangle": 9}],  # the first hour has no metre
        [0, {"dot": 2, "line": 0, "rectangle": 2}],  # two values, and a step of two strokes between them
    ]


def test_zones_have_bounds_and_times_by_a_maximum_that_is_set(client: httpx.Client, page: Page) -> None:
    send_hours(client)
    open_page(page, client, f"/explore?user=ada&{RANGE}&tz=UTC")
    zones = page.locator("#zone-list li")
    expect(zones).to_have_text(
        [
            "Very light, 95–113 bpm: 20 min",
            "Light, 114–132 bpm: none",
            "Moderate, 133–151 bpm: 8 min",
            "Hard, 152–170 bpm: none",
            "Maximum, 171 and more bpm: 2 min",
        ]
    )
    maximum = page.get_by_label("Zones of a maximum of")
    expect(maximum).to_have_value("190")
    maximum.fill("200")
    maximum.press("Enter")
    expect(zones.nth(4)).to_have_text("Maximum, 180 and more bpm: 2 min")
    expect(zones.nth(0)).to_have_text("Very light, 100–119 bpm: 20 min")
    expect(zones.nth(2)).to_have_text("Moderate, 140–159 bpm: 8 min")
    assert parse_qs(urlsplit(page.url).query)["max"] == ["200"]
    page.reload()
    expect(maximum).to_have_value("200")
    # A coarse series does not tell a zone, so that a finer one is asked.
    page.goto(f"{page.url}&bucket=1h")
    expect(page.locator("#points")).to_contain_text("of 1h")
    expect(zones.nth(2)).to_have_text("Moderate, 140–159 bpm: 8 min")
    for text in "constructor", "9", "999", "":
        page.goto(f"{str(client.base_url).rstrip('/')}/explore?user=ada&{HOURS}&max={text}")
        expect(maximum).to_have_value("190")
    page.goto(
        f"{str(client.base_url).rstrip('/')}/explore?user=ada&start=2025-06-01T00:00:00Z&end=2026-02-01T00:00:00Z"
    )
    expect(zones.nth(4)).to_have_text("Maximum, 171 and more bpm")
    expect(page.locator("#zones-of")).to_have_text("times of ranges up to 31 days")
    choose(page, "Heart rate")
    expect(page.locator("#zones")).to_be_hidden()


ZONE_AT = """() => {
  const canvas = document.querySelector('[data-metric=heart_rate] canvas');
  const [x, y] = [canvas.width - 60, 30];
  return [...canvas.getContext('2d').getImageData(x, y, 1, 1).data];
}"""


def test_zones_lie_behind_the_heart_rate(client: httpx.Client, page: Page) -> None:
    send_hours(client)
    pixels = []
    for maximum in 190, 240:
        open_page(page, client, f"/explore?user=ada&{RANGE}&metric=heart_rate&max={maximum}")
        expect(page.locator("#charts .uplot")).to_have_count(1)
        page.wait_for_function("document.querySelector('#zone-list li')")
        pixels.append(page.evaluate(ZONE_AT))
    assert all(alpha > 0 for *_, alpha in pixels), "no zone is there"
    assert pixels[0] != pixels[1], "another maximum, and the same zone"


def test_someone_without_the_usual_metrics_is_shown_others(client: httpx.Client, page: Page) -> None:
    strain = {"unit": "{score}", "kind": "latest", "lowest": 0, "highest": 21, "topic": "wellbeing"}
    client.put("/v1/metrics/acme:strain", json={**strain, "title": "<b>Strain</b>"}).raise_for_status()
    send_all(client, [{"user_id": "ada", "timestamp": "2026-01-15T01:00:00Z", "acme:strain": 7}])
    open_page(page, client, f"/explore?user=ada&{HOURS}")
    expect(page.locator("#charts figcaption")).to_have_text(["<b>Strain</b>"])
    expect(page.locator(".figure[data-metric='acme:strain'] data")).to_have_text("7")
    expect(page.locator("main b")).to_have_count(0)


COLORED = """(metric) => {
  const plot = document.querySelector(`[data-metric=${metric}] .u-over`);
  const canvas = document.querySelector(`[data-metric=${metric}] canvas`);
  const [left, top] = [plot.offsetLeft, plot.offsetTop];
  const { data, width } = canvas.getContext("2d").getImageData(left, top, plot.clientWidth, plot.clientHeight);
  const columns = new Set();
  for (let i = 0; i < data.length; i += 4) {
    const [red, green, blue, alpha] = data.slice(i, i + 4);
    if (alpha > 128 && Math.max(red, green, blue) - Math.min(red, green, blue) > 40) columns.add((i / 4) % width);
  }
  return columns.size / width;
}"""


def test_a_metric_that_is_declared_while_the_page_is_open_is_charted(
    database_url: str, db: psycopg.Connection, page: Page
) -> None:
    # A service of its own: one keeps what it knows of a metric, which is only ever deleted between tests.
    with running_service(database_url) as url, httpx.Client(base_url=url) as client:
        show_lactate(client, page)


def show_lactate(client: httpx.Client, page: Page) -> None:
    """Declare a metric while Explore is open, and see its curve."""
    send_hours(client)
    open_page(page, client, f"/explore?user=ada&{HOURS}")
    expect(page.locator("#metrics").get_by_label("Lactate", exact=True)).to_have_count(0)
    lactate = {"unit": "mmol/L", "kind": "gauge", "lowest": 0, "highest": 30, "title": "Lactate", "topic": "blood"}
    client.put("/v1/metrics/lactate", json=lactate).raise_for_status()
    values = [1.25 + hour / 2 for hour in range(10)]
    moments = [(START + timedelta(hours=hour)).isoformat() for hour in range(10)]
    sent = [{"user_id": "ada", "timestamp": at, "lactate": value} for at, value in zip(moments, values, strict=True)]
    send_all(client, sent)
    page.reload()
    topic = page.get_by_role("group", name="Blood", exact=True)
    topic.get_by_label("Lactate", exact=True).check()
    figure = page.locator("#charts figure").filter(has_text="Lactate, mmol/L")
    expect(figure.locator(".uplot")).to_have_count(1)
    expect(page.locator(".figure[data-metric=lactate] data")).to_have_text("3.5")
    # Where the grid is grey, the curve goes from the first hour to the last one: nine tenths of the plot.
    assert page.evaluate(COLORED, "lactate") == pytest.approx(0.9, abs=0.02)
    page.get_by_text("The same as a table").click()
    cells = page.locator("#rows tr").locator("td:nth-last-child(3)")
    assert [float(text) for text in cells.all_inner_texts()] == values
    series = client.get(f"/v1/users/ada/series?{HOURS}&metrics=lactate").json()["points"]
    assert [point["metrics"]["lactate"]["avg"] for point in series] == values


def test_a_metric_that_is_not_known_is_said(client: httpx.Client, page: Page) -> None:
    send_hours(client)
    open_page(page, client, f"/explore?user=ada&{HOURS}&metric=hart_rate")
    expect(page.locator("#no-answer")).to_contain_text("a name that is not known; heart_rate is probably meant")
    # What cannot be a name at all is as none.
    open_page(page, client, f"/explore?user=ada&{HOURS}&metric=__proto__,%3Cb%3E,")
    expect(page.locator("#charts figure")).to_have_count(3)


def test_people_are_compared_by_any_metric(client: httpx.Client, page: Page) -> None:
    send_hours(client)
    send_hours(client, "alan", steps=5)
    open_page(page, client, f"/explore?user=ada&with=alan&{HOURS}&metric=steps,spo2,body_weight")
    heads = ["User", "Least to most bpm", "Steps", "Oxygen saturation, %", "Weight, kg"]
    expect(page.locator("#each-head th")).to_have_text(heads)
    expect(page.locator("#each-rows tr").nth(1).locator("td")).to_have_text(["80–180", "50", "95.06", "70.25"])
    page.locator("#charts").focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#pointed")).to_contain_text("alan 5 steps, 94.5 %")


def test_every_metric_is_accessible(client: httpx.Client, page: Page) -> None:
    send_hours(client)
    open_page(page, client, f"/explore?user=ada&{HOURS}&metric=heart_rate,steps,spo2,body_weight,distance")
    expect(page.locator("#charts .uplot")).to_have_count(5)
    expect(page.locator("#zone-list li")).to_have_count(5)
    page.get_by_text("The same as a table").click()
    assert faults_of(page) == []
