"""The page Import: files that are dropped or chosen, their progress, and the receipt by kind.

The answers are given by these tests, so that they hold for every format; that the service gives such ones is tested in
tests/http.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.browser.seeing import HOSTILE, faults_of, open_page, send

pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")

from playwright.sync_api import JSHandle, Page, Request, Route, expect

FILE = {"name": "export.xml", "mimeType": "text/xml", "buffer": b"<HealthData/>"}
RECEIPT: dict[str, Any] = {
    "format": "apple-health",
    "received": 1445,
    "inserted": 1440,
    "updated": 1,
    "unchanged": 2,
    "rejected": 2,
    "errors": [{"at": f"record {n}", "problem": "must be between 30 and 220", "value": 255} for n in range(2)],
    "kinds": [
        {"kind": "HeartRate", "inserted": 440, "updated": 0, "unchanged": 2, "rejected": 2},
        {"kind": "StepCount", "inserted": 1000, "updated": 1, "unchanged": 0, "rejected": 0},
    ],
    "skipped": [{"kind": "MindfulSession", "reason": "has no metric", "count": 3}],
    "damage": None,
}


def answer(page: Page, body: dict[str, Any], status: int = 200) -> list[Request]:
    """Have each file answered so; returns the requests that arrive."""
    arrived: list[Request] = []

    def take(route: Route) -> None:
        arrived.append(route.request)
        route.fulfill(status=status, content_type="application/json", body=json.dumps(body))

    page.route("**/v1/import/**", take)
    return arrived


def files_of(page: Page, *names: str) -> JSHandle:
    """Make files that are dragged."""
    return page.evaluate_handle(
        """(names) => {
          const dragged = new DataTransfer();
          for (const name of names) dragged.items.add(new File(["<HealthData/>"], name));
          return dragged;
        }""",
        list(names),
    )


def drop(page: Page, *names: str, on: str = "body") -> None:
    """Drag files over the page, and drop them."""
    dragged = files_of(page, *names)
    for kind in "dragenter", "dragover", "drop":
        page.dispatch_event(on, kind, {"dataTransfer": dragged})


def test_a_chosen_file_is_sent_as_it_is_and_its_receipt_is_shown(client: httpx.Client, page: Page) -> None:
    arrived = answer(page, RECEIPT)
    open_page(page, client, "/import?user=ada&tz=Europe/Berlin")
    page.get_by_label("Device, where the file names none").fill("my watch")
    page.locator("#drop input").set_input_files([FILE])  # type: ignore[list-item]
    card = page.locator("#files .file")
    expect(card.get_by_role("status")).to_have_text(
        "1,445 readings: 1,440 new, 1 changed, 2 known already, 2 rejected. Read as apple-health."
    )
    assert len(arrived) == 1
    url = urlsplit(arrived[0].url)
    assert url.path == "/v1/import/auto"
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert asked == {"user_id": "ada", "tz": "Europe/Berlin", "device_id": "my watch", "filename": "export.xml"}
    assert arrived[0].post_data_buffer == FILE["buffer"]
    assert arrived[0].headers["content-type"] == "application/octet-stream"
    rows = card.locator("tbody tr")
    expect(rows).to_have_text(["HeartRate440022", "StepCount1,000100", "MindfulSession3has no metric"])
    expect(card.locator(".errors li").first).to_have_text("record 0 must be between 30 and 220, is 255")
    expect(card.locator("progress, button")).to_have_count(0)
    card.get_by_role("link", name="Days of ada").click()
    expect(page.locator("#days-state")).to_contain_text("No value of ada is stored.")
    # The receipt is there as long as the page is.
    page.go_back()
    expect(card).to_have_count(1)


def test_files_are_dropped_on_any_page(client: httpx.Client, page: Page) -> None:
    send(client, ago=60, steps=7)
    arrived = answer(page, RECEIPT)
    open_page(page, client, "/explore?user=ada")
    expect(page.locator("#steps")).to_have_text("7")
    dragged = files_of(page, "a.xml")
    page.dispatch_event("#explore-page", "dragenter", {"dataTransfer": dragged})
    expect(page.locator("#drop")).to_have_attribute("data-over", "true")
    expect(page).to_have_url(re.compile("/import[?]user=ada$"))
    page.dispatch_event("body", "dragleave", {"dataTransfer": dragged})
    expect(page.locator("#drop")).to_have_attribute("data-over", "false")
    drop(page, "a.xml", "b.zip")
    expect(page.locator("#files .file")).to_have_count(2)
    expect(page.locator("#files .links")).to_have_count(2)
    # One after another, in their order.
    assert [parse_qs(urlsplit(each.url).query)["filename"] for each in arrived] == [["a.xml"], ["b.zip"]]


def test_a_file_waits_until_it_is_known_whose_it_is(client: httpx.Client, page: Page) -> None:
    arrived = answer(page, RECEIPT)
    open_page(page, client, "/")
    page.get_by_role("link", name="Import a file", exact=True).click()
    expect(page.locator("#import-title")).to_be_focused()
    expect(page.locator("#drop")).to_be_visible()
    drop(page, HOSTILE.replace("/", " "))
    expect(page.locator("#import-problem")).to_have_text("Say whose files these are.")
    expect(page.locator("#import-form").get_by_label("User")).to_be_focused()
    expect(page.locator("#files").get_by_role("status")).to_have_text("Waiting")
    assert arrived == []
    page.keyboard.type(HOSTILE)
    page.keyboard.press("Enter")
    expect(page.locator("#files .links")).to_have_count(1)
    assert parse_qs(urlsplit(arrived[0].url).query)["user_id"] == [HOSTILE]
    expect(page.locator("#import-problem")).to_be_hidden()
    expect(page.locator("main img, main b")).to_have_count(0)


def test_a_file_that_is_sent_can_be_stopped(client: httpx.Client, page: Page) -> None:
    held: list[Route] = []
    page.route("**/v1/import/**", lambda route: held.append(route))
    open_page(page, client, "/import?user=ada")
    expect(page.locator("#drop")).to_be_visible()
    drop(page, "a.xml", "b.xml", "c.xml")
    cards = page.locator("#files .file")
    expect(cards).to_have_count(3)
    first, second = cards.nth(2), cards.nth(1)
    expect(first.get_by_role("progressbar")).to_have_accessible_name("Progress of a.xml")
    expect(first.get_by_role("status")).to_have_text(re.compile("Sending|Sent; the service is reading it"))
    second.get_by_role("button", name="Stop b.xml").click()
    expect(second.get_by_role("status")).to_have_text("Stopped before it was sent.")
    first.get_by_role("button", name="Stop a.xml").click()
    expect(first.get_by_role("status")).to_contain_text("Stopped. What the service has stored until then stays")
    # The next one is sent, and the one that was stopped is not.
    page.wait_for_function("document.querySelectorAll('#files progress').length === 1")
    expect(cards.nth(0).get_by_role("status")).to_have_text(re.compile("Sending|Sent; the service is reading it"))
    assert [parse_qs(urlsplit(each.request.url).query)["filename"][0] for each in held] == ["a.xml", "c.xml"]
    held[-1].abort()


UNKNOWN = {
    "title": "Unprocessable Entity",
    "status": 422,
    "detail": "The file has none of the known shapes.",
    "errors": [],
}
NONE_TAKEN = RECEIPT | {"received": 2, "inserted": 0, "updated": 0, "unchanged": 0, "rejected": 2, "kinds": []}
DAMAGED = RECEIPT | {"damage": {"at": "line 77", "problem": "ends within an element"}}
EMPTY = RECEIPT | {"received": 0, "inserted": 0, "updated": 0, "unchanged": 0, "rejected": 0, "errors": [], "kinds": []}


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (422, UNKNOWN, "The file has none of the known shapes."),
        (422, NONE_TAKEN, "2 readings: 2 rejected. Read as apple-health."),
        (200, DAMAGED, "The file could not be read from line 77 on: ends within an element."),
        (200, EMPTY, "The file holds nothing that a metric stands for."),
        (413, UNKNOWN | {"detail": "The body has more than 4 GB."}, "The body has more than 4 GB."),
    ],
)
def test_what_went_wrong_is_said(
    client: httpx.Client, page: Page, status: int, body: dict[str, Any], words: str
) -> None:
    answer(page, body, status)
    open_page(page, client, "/import?user=ada")
    expect(page.locator("#drop")).to_be_visible()
    drop(page, "export.xml")
    expect(page.locator("#files .file")).to_contain_text(words)
    expect(page.locator("#files .problem")).to_have_count(0 if body is EMPTY else 1)


def test_a_service_that_does_not_answer_is_said(client: httpx.Client, page: Page) -> None:
    page.route("**/v1/import/**", lambda route: route.abort())
    open_page(page, client, "/import?user=ada")
    expect(page.locator("#drop")).to_be_visible()
    drop(page, "export.xml")
    expect(page.locator("#files .problem")).to_have_text("The service does not answer.")


def test_it_is_accessible(client: httpx.Client, page: Page) -> None:
    answer(page, RECEIPT | {"damage": {"at": "line 77", "problem": "ends within an element"}})
    open_page(page, client, "/import?user=ada")
    expect(page.locator("#drop")).to_be_visible()
    drop(page, "a name as long as those that some exports have 2026-01-15T10-00-00.000Z.json", "b.xml")
    expect(page.locator("#files .links")).to_have_count(2)
    assert faults_of(page) == []
