"""The page Import: files that are dropped or chosen, their progress, and the receipt by kind, from a real service."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest

from tests.browser.seeing import HOSTILE, expect, faults_of, open_page, send
from tests.support.files import content, database, packed
from tests.support.keys import add_key, bearer
from tests.support.service_process import running_service

pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")

from playwright.sync_api import JSHandle, Locator, Page, Request

EXPORT = content("apple-health/export.xml")
ARCHIVE = packed(**{"apple_health_export__export.xml": EXPORT})
LINES = content("line-protocol/watch.lp")
ALL_NEW = "17 readings: 16 new, 1 known already. Read as apple-health."  # a blood pressure stands there twice
ALL_KNOWN = "17 readings: 17 known already. Read as apple-health."
NANOSECONDS = 1_000_000_000
SLOW = 20_000  # ms within which megabytes arrive, also where the machine does more than this


def rates(count: int, value: int = 61) -> bytes:
    """Make a file of so many heart rates, one a second."""
    first = 1_736_935_200
    return b"".join(b"heart_rate value=%d %d\n" % (value, (first + n) * NANOSECONDS) for n in range(count))


def files_of(page: Page, **files: bytes) -> JSHandle:
    """Make files that are dragged; two underscores in a name stand for a dot."""
    return page.evaluate_handle(
        """(files) => {
          const dragged = new DataTransfer();
          for (const [name, text] of files) {
            dragged.items.add(new File([Uint8Array.from(atob(text), (each) => each.charCodeAt(0))], name));
          }
          return dragged;
        }""",
        [(name.replace("__", "."), base64.b64encode(body).decode()) for name, body in files.items()],
    )


def drop(page: Page, on: str = "body", **files: bytes) -> None:
    """Drag files over the page, and drop them."""
    dragged = files_of(page, **files)
    for kind in "dragenter", "dragover", "drop":
        page.dispatch_event(on, kind, {"dataTransfer": dragged})


def choose(page: Page, path: Path, body: bytes) -> None:
    """Choose a file, which is made."""
    path.write_bytes(body)
    page.locator("#drop input").set_input_files(path)


def open_import(page: Page, client: httpx.Client, asked: str = "?user=ada") -> Locator:
    """Open the page; returns the cards of files, of which the last one that was dropped comes first."""
    open_page(page, client, f"/import{asked}")
    expect(page.locator("#drop")).to_be_visible()
    return page.locator("#files .file")


def said(card: Locator) -> Locator:
    """Find what is said of a file."""
    return card.get_by_role("status")


def imports_of(page: Page) -> list[dict[str, str]]:
    """Return the arguments of each file that is sent from now on."""
    asked: list[dict[str, str]] = []

    def note(request: Request) -> None:
        url = urlsplit(request.url)
        if url.path.startswith("/v1/import/"):
            assert (request.method, url.path) == ("POST", "/v1/import/auto")
            assert request.headers["content-type"] == "application/octet-stream"
            asked.append({name: values[0] for name, values in parse_qs(url.query).items()})

    page.on("request", note)
    return asked


def count(db: psycopg.Connection[Any], user_id: str = "ada") -> int:
    """Return how many readings, samples and intervals of a user are stored."""
    of = "SELECT count(*) FROM api.{} WHERE user_id = %(user)s"
    query = f"SELECT {' + '.join(f'({of.format(view)})' for view in ('readings', 'samples', 'intervals'))}"
    row = db.execute(query.encode(), {"user": user_id}).fetchone()
    assert row is not None
    return int(row[0])


def until(is_so: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_chosen_file_is_stored_and_its_receipt_is_shown(
    client: httpx.Client, db: psycopg.Connection, page: Page, tmp_path: Path
) -> None:
    asked = imports_of(page)
    card = open_import(page, client, "?user=ada&tz=Europe/Berlin")
    page.get_by_label("Device, where the file names none").fill("my watch")
    choose(page, tmp_path / "watch.lp", LINES)
    expect(said(card)).to_have_text("9 readings: 6 new, 2 changed, 1 rejected. Read as line-protocol.")
    assert asked == [{"user_id": "ada", "tz": "Europe/Berlin", "device_id": "my watch", "filename": "watch.lp"}]
    kinds = card.get_by_role("group", name="Kinds of watch.lp").locator("tbody tr")
    counts = {each.locator("th").inner_text(): each.locator("td").all_inner_texts() for each in kinds.all()}
    expected = client.post("/v1/import/auto?user_id=alan", content=LINES).json()["kinds"]
    outcomes = ("inserted", "updated", "unchanged", "rejected")
    assert counts == {each["kind"]: [str(each[outcome]) for outcome in outcomes] for each in expected}
    assert counts["body_weight"] == ["1", "0", "0", "0"]
    left_out = card.get_by_role("group", name="Left out of watch.lp").locator("tbody tr")
    expect(left_out.filter(has_text="note")).to_have_text(re.compile("^vitals.note1"))
    expect(card.locator(".errors li")).to_have_count(1)
    expect(card.locator(".errors li")).to_have_text("line 6.battery is not a metric, see GET /v1/metrics, is 80")
    expect(card.locator("progress, button")).to_have_count(0)
    # The file names no device of the weight.
    devices = "SELECT metric, device_id FROM api.samples WHERE user_id = 'ada'"
    assert ("body_weight", "my watch") in db.execute(devices).fetchall()
    card.get_by_role("link", name="Days of ada").click()
    expect(page.locator("#days-title")).to_be_focused()
    # The receipt is there as long as the page is.
    page.go_back()
    expect(card).to_have_count(1)


SHAPES = (
    ("export.xml", EXPORT, ALL_NEW),
    ("export.zip", ARCHIVE, ALL_NEW),
    ("bundle.json", content("fhir/bundle.json"), "12 readings: 11 new, 1 rejected. Read as fhir."),
    (
        "Gadgetbridge",
        database(content("gadgetbridge/database.sql").decode()),
        "21 readings: 21 new. Read as gadgetbridge.",
    ),
    ("calories-2025-01-15.json", content("fitbit/calories-2025-01-15.json"), "2 readings: 2 new. Read as fitbit."),
)


def test_files_of_each_shape_are_recognized(
    client: httpx.Client, db: psycopg.Connection, page: Page, tmp_path: Path
) -> None:
    for name, body, words in SHAPES:
        card = open_import(page, client, f"?user={name}&tz=Europe/Berlin")
        choose(page, tmp_path / name, body)
        expect(said(card)).to_have_text(words)
    # The times of the last one are of the clock that is chosen: 08:00:00 in Berlin.
    first = db.execute("SELECT min(ts)::text FROM api.readings WHERE user_id = %s", [name]).fetchone()
    assert first == ("2025-01-15 07:00:00+00",)


def test_a_file_that_is_dropped_again_is_known_already(
    client: httpx.Client, db: psycopg.Connection, page: Page
) -> None:
    cards = open_import(page, client)
    drop(page, export__xml=EXPORT)
    expect(said(cards)).to_have_text(ALL_NEW)
    stored = count(db)
    drop(page, export__xml=EXPORT)
    expect(cards).to_have_count(2)
    expect(said(cards.first)).to_have_text(ALL_KNOWN)
    expect(said(cards.last)).to_have_text(ALL_NEW)
    assert count(db) == stored > 0


def test_files_are_dropped_on_any_page(client: httpx.Client, db: psycopg.Connection, page: Page) -> None:
    send(client, ago=60, steps=7)
    asked = imports_of(page)
    open_page(page, client, "/explore?user=ada")
    expect(page.locator("#steps")).to_have_text("7")
    dragged = files_of(page, a__xml=EXPORT)
    page.dispatch_event("#explore-page", "dragenter", {"dataTransfer": dragged})
    expect(page.locator("#drop")).to_have_attribute("data-over", "true")
    expect(page).to_have_url(re.compile("/import[?]user=ada$"))
    page.dispatch_event("body", "dragleave", {"dataTransfer": dragged})
    expect(page.locator("#drop")).to_have_attribute("data-over", "false")
    drop(page, a__xml=EXPORT, b__lp=rates(3))
    cards = page.locator("#files .file")
    expect(said(cards.first)).to_have_text("3 readings: 3 new. Read as line-protocol.")
    expect(said(cards.last)).to_have_text(ALL_NEW)
    # One after another, in their order.
    assert [each["filename"] for each in asked] == ["a.xml", "b.lp"]
    assert count(db) == 1 + 16 + 3


def test_a_file_waits_until_it_is_known_whose_it_is(client: httpx.Client, db: psycopg.Connection, page: Page) -> None:
    asked = imports_of(page)
    open_page(page, client, "/")
    page.get_by_role("link", name="Import a file", exact=True).click()
    expect(page.locator("#import-title")).to_be_focused()
    expect(page.locator("#drop")).to_be_visible()
    drop(page, **{HOSTILE.replace("/", " "): rates(2)})
    expect(page.locator("#import-problem")).to_have_text("Say whose files these are.")
    expect(page.locator("#import-form").get_by_label("User")).to_be_focused()
    expect(said(page.locator("#files"))).to_have_text("Waiting")
    assert asked == []
    page.keyboard.type(HOSTILE)
    page.keyboard.press("Enter")
    expect(said(page.locator("#files"))).to_have_text("2 readings: 2 new. Read as line-protocol.")
    assert count(db, HOSTILE) == 2
    expect(page.locator("#import-problem")).to_be_hidden()
    expect(page.locator("main img, main b")).to_have_count(0)


def test_a_file_that_is_sent_can_be_stopped(client: httpx.Client, db: psycopg.Connection, page: Page) -> None:
    asked = imports_of(page)
    cards = open_import(page, client)
    network = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 50_000}
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", slow)
    drop(page, a__lp=rates(50_000), b__lp=rates(1), c__lp=rates(3, 70))  # 1.9 MB, 38 s
    expect(cards).to_have_count(3)
    first, second, third = cards.nth(2), cards.nth(1), cards.nth(0)
    expect(first.get_by_role("progressbar")).to_have_accessible_name("Progress of a.lp")
    expect(said(first)).to_have_text(re.compile("^Sending, [1-9][0-9]? %$"))
    assert 0 < float(first.get_by_role("progressbar").get_attribute("value") or 0) < 1
    expect(said(second)).to_have_text("Waiting")
    second.get_by_role("button", name="Stop b.lp").click()
    expect(said(second)).to_have_text("Stopped before it was sent.")
    first.get_by_role("button", name="Stop a.lp").click()
    expect(said(first)).to_contain_text("Stopped. What the service has stored until then stays")
    # The next one is sent, and the one that was stopped is not.
    expect(said(third)).to_have_text("3 readings: 3 new. Read as line-protocol.")
    assert [each["filename"] for each in asked] == ["a.lp", "c.lp"]
    # A file is read once all of it is there, so nothing of the first one is stored.
    assert db.execute("SELECT heart_rate FROM api.readings").fetchall() == [(70.0,)] * 3


def test_a_file_that_is_read_can_be_stopped(
    client: httpx.Client, db: psycopg.Connection, page: Page, tmp_path: Path
) -> None:
    card = open_import(page, client)
    many = 400_000
    choose(page, tmp_path / "many.lp", rates(many))
    expect(said(card)).to_have_text("Sent; the service is reading it", timeout=SLOW)
    until(lambda: count(db) > 0)
    card.get_by_role("button", name="Stop many.lp").click()
    expect(said(card)).to_contain_text(
        "Stopped. What the service has stored until then stays; sending it again is safe."
    )
    expect(card.locator("progress, button")).to_have_count(0)
    stored = settled(db)
    assert 0 < stored < many
    choose(page, tmp_path / "few.lp", rates(100))
    expect(said(card.first)).to_have_text("100 readings: 100 known already. Read as line-protocol.", timeout=SLOW)
    assert count(db) == stored


def settled(db: psycopg.Connection[Any]) -> int:
    """Return how many values are stored once there come no more."""
    seen = -1
    while seen != (now := count(db)):
        seen = now
        time.sleep(1)
    return seen


def record(kind: str, value: object) -> bytes:
    """Write a record of an export of Apple Health."""
    at = "2025-01-15 08:00:00 +0100"
    named = f'type="{kind}" sourceName="Watch" startDate="{at}" endDate="{at}" value="{value}"'
    return f'<HealthData locale="en_GB">\n<Record {named} unit="count/min"/>\n</HealthData>'.encode()


WRONG = {
    "unknown": (b"hello", "The file has none of the known shapes", 1),
    "empty": (b"", "The file has none of the known shapes", 1),
    "rejected": (
        record("HKQuantityTypeIdentifierHeartRate", 900),
        "1 reading: 1 rejected. Read as apple-health.",
        1,
    ),
    "damaged": (EXPORT[: EXPORT.rindex(b"<Record")] + b"<Rec", "The file could not be read from line ", 1),
    "nothing of use": (
        record("HKCategoryTypeIdentifierSleepAnalysis", "HKCategoryValueSleepAnalysisAsleepDeep"),
        "The file holds nothing that a metric stands for.",
        0,
    ),
}


def test_what_went_wrong_is_said(client: httpx.Client, db: psycopg.Connection, page: Page) -> None:
    for kind, (body, words, problems) in WRONG.items():
        card = open_import(page, client, f"?user={kind}")
        drop(page, export__xml=body)
        expect(card).to_contain_text(words)
        expect(page.locator("#files .problem")).to_have_count(problems)
        assert (count(db, kind) > 0) is (kind == "damaged"), kind


@pytest.fixture(scope="module")
def small(database_url: str) -> Iterator[httpx.Client]:
    """A service that takes small files only."""
    with running_service(database_url, MAX_IMPORT_BYTES="5000") as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (EXPORT, "The file has more than 5000 bytes; send it in parts."),
        (rates(200_000), "The file has more than 5000 bytes; send it in parts."),
        (ARCHIVE, "What the archive holds exceeds the limit of an import; send it in parts."),
    ],
    ids=["8 kB", "8 MB", "archive"],
)
def test_a_file_that_is_too_large_is_said(
    small: httpx.Client, db: psycopg.Connection, page: Page, tmp_path: Path, body: bytes, words: str
) -> None:
    cards = open_import(page, small)
    choose(page, tmp_path / "large", body)
    choose(page, tmp_path / "few.lp", rates(3))
    expect(cards.last.locator(".problem")).to_have_text(words, timeout=SLOW)
    expect(said(cards.first)).to_have_text("3 readings: 3 new. Read as line-protocol.")
    assert count(db) == 3


def test_with_a_key_that_may_only_read_no_file_is_taken(database_url: str, db: psycopg.Connection, page: Page) -> None:
    text = add_key(db, ["read"], tenant="default", name="gateway")
    asked = imports_of(page)
    with running_service(database_url, AUTH="keys") as url:
        for path in "/import?user=ada", "/explore?user=ada":
            page.goto(f"{url}{path}")
            if path.startswith("/import"):
                page.get_by_label("Key", exact=True).fill(text)
                page.get_by_role("button", name="Sign in").click()
                expect(page.locator("#no-access")).to_contain_text("the scope ingest; yours has read.")
            else:
                expect(page.locator("#connection")).to_have_text("Live")
            drop(page, a__xml=EXPORT)
            expect(page).to_have_url(f"{url}{path}")
        answer = httpx.post(f"{url}/v1/import/auto?user_id=ada", content=EXPORT, headers=bearer(text))
        assert answer.status_code == 403
    expect(page.locator("#files .file")).to_have_count(0)
    assert asked == []
    assert count(db) == 0


def test_a_service_that_does_not_answer_is_said(database_url: str, db: psycopg.Connection, page: Page) -> None:
    with running_service(database_url) as url, httpx.Client(base_url=url) as client:
        cards = open_import(page, client)
    drop(page, export__xml=EXPORT)
    expect(cards.locator(".problem")).to_have_text("The service does not answer.")


def test_a_network_that_breaks_is_said_and_sending_again_is_safe(
    client: httpx.Client, db: psycopg.Connection, page: Page
) -> None:
    page.route("**/v1/import/**", lambda route: route.abort("connectionreset"))
    cards = open_import(page, client)
    drop(page, export__xml=EXPORT)
    expect(cards.locator(".problem")).to_have_text("The service does not answer.")
    page.unroute("**/v1/import/**")
    drop(page, export__xml=EXPORT)
    expect(said(cards.first)).to_have_text(ALL_NEW)


def test_it_is_accessible(client: httpx.Client, db: psycopg.Connection, page: Page) -> None:
    cards = open_import(page, client)
    damaged = EXPORT[: EXPORT.rindex(b"<Record")] + b"<Rec"
    long = "a name as long as those that some exports have 2026-01-15T10-00-00.000Z.json"
    drop(page, **{long: damaged, "b__lp": LINES, "c__txt": b"hello"})
    expect(cards).to_have_count(3)
    expect(page.locator("#files .links")).to_have_count(2)
    expect(cards.first.locator(".problem")).to_have_count(1)
    assert faults_of(page) == []
