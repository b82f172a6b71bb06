"""Signing in, in each of its states, with words; and nothing of it where no key is needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest

from tests.browser.seeing import expect, faults_of, open_page, send, tile
from tests.support.keys import add_key, bearer, revoke_key
from tests.support.service_process import running_service

pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")

from playwright.sync_api import Locator, Page

USER = "person_7431"
ENDED = 10_000  # ms within which a page shows that its session has ended


@pytest.fixture(scope="module")
def guarded_url(database_url: str) -> Iterator[str]:
    """A service that asks everybody for a key."""
    with running_service(database_url, AUTH="keys", MAX_KEY_FAILURES="10000") as url:
        yield url


@pytest.fixture
def guarded(guarded_url: str, db: psycopg.Connection) -> Iterator[httpx.Client]:
    """A client that may write, with one reading of an unmistakable user."""
    with httpx.Client(base_url=guarded_url, headers=bearer(add_key(db, ["ingest"]))) as client:
        send(client, USER, heart_rate=61, steps=3)
        yield client


def key_of(page: Page) -> Locator:
    """Find the field for the key."""
    return page.get_by_label("Key", exact=True)


def enter(page: Page, url: str, text: str, path: str = "/") -> None:
    """Open a page and sign in."""
    page.goto(f"{url}{path}")
    key_of(page).fill(text)
    page.get_by_role("button", name="Sign in").click()


def is_kept(page: Page, text: str) -> bool:
    """Whether a page's scripts, its address or its elements can still read a key."""
    secret = text.rpartition("_")[2]
    kept = page.evaluate(
        "[document.cookie, JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage}), location.href, "
        "document.documentElement.outerHTML, ...[...document.querySelectorAll('input')].map(input => input.value)]"
    )
    return any(secret in one for one in kept)


def test_it_signs_in_and_out(guarded: httpx.Client, guarded_url: str, db: psycopg.Connection, page: Page) -> None:
    text = add_key(db, ["read"], tenant="default", name="front desk")
    page.goto(guarded_url)
    expect(page).to_have_title("Sign in · Hyperpulse")
    expect(key_of(page)).to_be_focused()
    expect(key_of(page)).to_have_attribute("type", "password")
    expect(page.locator("#sign-in-why")).to_contain_text("This service asks for a key")
    expect(page.locator("#signed-in")).to_be_hidden()
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("#live-page, .pulse")).to_have_count(2)
    expect(page.locator("#live-page")).to_be_hidden()
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page.locator("#connection")).to_have_text("Live")
    expect(tile(page, USER).locator(".heart .value")).to_have_text("61")
    expect(page.locator("#live-title")).to_be_focused()
    expect(page.locator("#signed-in-as")).to_have_text("front desk, default")
    assert not is_kept(page, text)
    page.get_by_role("button", name=f"Pin {USER}").click()
    page.reload()
    expect(tile(page, USER).locator(".heart .value")).to_have_text("61")
    page.get_by_role("button", name="Sign out").click()
    expect(key_of(page)).to_be_focused()
    expect(page.locator("#sign-in-why")).to_contain_text("This service asks for a key")
    expect(page.locator("#signed-in")).to_be_hidden()
    # Nothing of whom the pages showed stays.
    assert USER not in page.evaluate("JSON.stringify({...localStorage}) + location.href + document.body.innerHTML")
    assert db.execute("SELECT count(*) FROM core.session").fetchone() == (0,)
    page.reload()
    expect(key_of(page)).to_be_visible()


SHOWN = {
    "/": ".tile",
    f"/explore?user={USER}": "#charts canvas",
    f"/days?user={USER}": "#calendar a",
    f"/day?user={USER}": "#day-heart svg",
    "/system": "#jobs td",
}


def test_every_page_asks_and_shows_itself_after_that(
    guarded: httpx.Client, guarded_url: str, db: psycopg.Connection, page: Page
) -> None:
    for path, shown in SHOWN.items():
        page.context.clear_cookies()
        enter(page, guarded_url, add_key(db, ["read", "operate"]), path)
        expect(page.locator(shown).first).to_be_visible()
        expect(page.locator("#sign-in-page")).to_be_hidden()
        assert page.url.startswith(f"{guarded_url}{path}")
        expect(page.locator("#signed-in-as")).to_have_text(re.compile("^key [0-9a-f]{12}, all tenants$"))
        for name in {"/": ("Explore", "System"), "/system": ("Live", "Explore")}.get(path, ("System", "Live")):
            page.get_by_role("link", name=name, exact=True).click()
            expect(page.locator(f"#{name.lower()}-title")).to_be_focused()


def test_a_wrong_key_is_said_and_can_be_corrected(
    guarded: httpx.Client, guarded_url: str, db: psycopg.Connection, page: Page
) -> None:
    text = add_key(db, ["read"])
    enter(page, guarded_url, f"{text[:-4]}beef")
    expect(page.get_by_role("alert").filter(has_text="not known, was revoked or has expired")).to_be_visible()
    field = key_of(page)
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("not known"))
    page.keyboard.type(text)  # over what is selected
    page.keyboard.press("Enter")
    expect(tile(page, USER)).to_be_visible()


def test_too_many_wrong_keys_must_wait(database_url: str, db: psycopg.Connection, page: Page) -> None:
    with running_service(database_url, AUTH="keys", MAX_KEY_FAILURES="1") as url:
        enter(page, url, "hp_nonsense")
        expect(page.locator("#sign-in-problem")).to_contain_text("not known")
        page.keyboard.press("Enter")
        expect(page.locator("#sign-in-problem")).to_contain_text("Too many requests")


def test_a_session_that_ends_while_a_page_is_open_asks_again(
    guarded: httpx.Client, guarded_url: str, db: psycopg.Connection, new_page: Callable[[], Page]
) -> None:
    text = add_key(db, ["read", "operate"])
    pages = {path: new_page() for path in ("/", f"/explore?user={USER}", f"/days?user={USER}", "/system")}
    for path, page in pages.items():
        enter(page, guarded_url, text, path)
        expect(page.locator("#connection")).to_have_text("Live")
    db.execute("UPDATE core.session SET expires_at = now()")
    for page in pages.values():
        expect(page.locator("#sign-in-why")).to_contain_text("The session has ended", timeout=ENDED)
        expect(key_of(page)).to_be_focused()
        expect(page.locator("main > section[id$=-page]:not(#sign-in-page)").filter(visible=True)).to_have_count(0)
        expect(page.locator("#signed-in")).to_be_hidden()
    for rate, (path, page) in enumerate(pages.items(), 90):
        send(guarded, USER, heart_rate=rate)
        page.keyboard.type(text)
        page.keyboard.press("Enter")
        # It goes on where it was, and live updates do too.
        expect(page.locator("#connection")).to_have_text("Live")
        assert page.url.startswith(f"{guarded_url}{path}")
        page.get_by_role("link", name="Live", exact=True).click()
        expect(tile(page, USER).locator(".heart .value")).to_have_text(f"{rate}")
        send(guarded, USER, heart_rate=rate + 100)
        expect(tile(page, USER).locator(".heart .value")).to_have_text(f"{rate + 100}")


def test_a_revoked_key_ends_what_is_shown(
    guarded: httpx.Client, guarded_url: str, db: psycopg.Connection, page: Page
) -> None:
    text = add_key(db, ["read"])
    enter(page, guarded_url, text)
    expect(tile(page, USER)).to_be_visible()
    revoke_key(db, text)
    expect(page.locator("#sign-in-why")).to_contain_text("its key was revoked", timeout=ENDED)
    expect(page.locator("#live-page")).to_be_hidden()


def test_nothing_of_another_key_is_left(
    guarded: httpx.Client, guarded_url: str, db: psycopg.Connection, page: Page
) -> None:
    enter(page, guarded_url, add_key(db, ["read"]))
    expect(tile(page, USER)).to_be_visible()
    page.evaluate("window.before = true")
    db.execute("UPDATE core.session SET expires_at = now()")
    expect(page.locator("#sign-in-why")).to_contain_text("The session has ended", timeout=ENDED)
    key_of(page).fill(add_key(db, ["read"], tenant="another", name="other"))
    page.keyboard.press("Enter")
    expect(page.locator("#signed-in-as")).to_have_text("other, another")
    assert page.evaluate("window.before") is None


LACKING = (
    (["ingest"], "/", "the scope read; yours has ingest."),
    (["ingest"], "/explore", "the scope read; yours has ingest."),
    (["ingest"], "/day", "the scope read; yours has ingest."),
    (["read"], "/import", "the scope ingest; yours has read."),
    (["ingest", "read"], "/system", "the scope operate; yours has ingest and read."),
)


def test_a_key_that_lacks_the_scope_is_said(
    guarded: httpx.Client, guarded_url: str, db: psycopg.Connection, page: Page
) -> None:
    for scopes, path, words in LACKING:
        page.context.clear_cookies()
        enter(page, guarded_url, add_key(db, scopes, name="gateway"), path)
        expect(page.locator("#no-access")).to_contain_text(words)
        expect(page.locator("#no-access-title")).to_be_focused()
        expect(page.locator("#banner")).to_be_hidden()
        expect(page.locator(".pulse")).to_be_visible(visible="read" in scopes)
        expect(page.locator("main > section[id$=-page]:not(#sign-in-page)").filter(visible=True)).to_have_count(0)
        page.get_by_role("button", name="Sign in with another key").click()
        expect(key_of(page)).to_be_focused()
        key_of(page).fill(add_key(db, ["read"]))
        page.keyboard.press("Enter")
        expect(tile(page, USER)).to_be_visible()


def test_with_the_scope_operate_alone_only_the_system_is_shown(
    guarded: httpx.Client, guarded_url: str, db: psycopg.Connection, page: Page
) -> None:
    enter(page, guarded_url, add_key(db, ["operate"]), "/system")
    expect(page.locator("#jobs td").first).to_be_visible()
    page.get_by_role("link", name="Live", exact=True).click()
    expect(page.locator("#no-access")).to_contain_text("Live needs another key")
    page.get_by_role("link", name="System", exact=True).click()
    expect(page.locator("#jobs td").first).to_be_visible()


def test_a_database_that_is_away_is_said(guarded: httpx.Client, guarded_url: str, page: Page) -> None:
    away = {
        "status": 503,
        "content_type": "application/problem+json",
        "body": '{"detail": "The database cannot be reached at the moment; try again."}',
    }
    page.route(
        "**/v1/session", lambda route: route.fulfill(**away) if route.request.method == "POST" else route.continue_()
    )
    enter(page, guarded_url, "hp_nonsense")
    expect(page.locator("#sign-in-problem")).to_have_text("The database cannot be reached at the moment; try again.")
    # Where it is not even known whether someone is signed in, the page tries on and says why.
    page.unroute("**/v1/session")
    page.route("**/v1/session", lambda route: route.fulfill(**away))
    page.reload()
    expect(page.locator("#banner")).to_contain_text("The database cannot be reached at the moment")
    expect(page.locator("#sign-in-page")).to_be_hidden()
    page.unroute("**/v1/session")
    expect(key_of(page)).to_be_visible(timeout=20_000)
    expect(page.locator("#banner")).to_be_hidden()


def test_a_service_that_is_gone_is_said(database_url: str, db: psycopg.Connection, page: Page) -> None:
    text = add_key(db, ["read"])
    with running_service(database_url, AUTH="keys") as url:
        enter(page, url, text)
        expect(page.locator("#connection")).to_have_text("Live")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("alert").filter(has_text="You are still signed in")).to_contain_text("does not answer")


def test_over_plain_http_from_elsewhere_no_key_is_asked_for(guarded_url: str, page: Page) -> None:
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
    page.goto(guarded_url)
    expect(page.locator("#sign-in-problem")).to_contain_text("sign in over HTTPS")
    expect(key_of(page)).to_be_hidden()


def test_signing_in_on_one_page_opens_the_others(
    guarded: httpx.Client, guarded_url: str, db: psycopg.Connection, page: Page
) -> None:
    page.goto(guarded_url)
    expect(key_of(page)).to_be_visible()
    other = page.context.new_page()
    enter(other, guarded_url, add_key(db, ["read"]))
    expect(tile(other, USER)).to_be_visible()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(tile(page, USER)).to_be_visible()
    other.get_by_role("button", name="Sign out").click()
    expect(page.locator("#sign-in-why")).to_contain_text("signed out elsewhere", timeout=ENDED)


def test_commands_name_the_key(guarded: httpx.Client, guarded_url: str, db: psycopg.Connection, page: Page) -> None:
    enter(page, guarded_url, add_key(db, ["read"]), f"/explore?user={USER}")
    expect(page.locator("#curl")).to_contain_text('-H "Authorization: Bearer $KEY"')
    expect(page.locator("#first-reading")).to_contain_text('-H "Authorization: Bearer $KEY"')


def test_where_no_key_is_needed_nothing_of_it_is_seen(client: httpx.Client, page: Page) -> None:
    send(client, heart_rate=61)
    for path in "/", "/explore", "/system":
        open_page(page, client, path)
        page.wait_for_load_state("networkidle")
        shown = page.locator("#sign-in-page, #no-access, #signed-in, #sign-out-problem").filter(visible=True)
        expect(shown).to_have_count(0)
        expect(page.locator("#curl")).not_to_contain_text("Authorization")


def test_a_service_that_begins_to_ask_is_followed(database_url: str, db: psycopg.Connection, page: Page) -> None:
    with running_service(database_url) as url:
        page.goto(f"{url}/system")
        expect(page.locator("#jobs td").first).to_be_visible()
        add_key(db, ["read"])
        expect(key_of(page)).to_be_visible(timeout=20_000)
        expect(page.locator("#sign-in-why")).to_contain_text("This service asks for a key")


@pytest.mark.parametrize("state", ["out", "wrong", "ended", "scope", "in"])
def test_every_state_is_accessible(
    guarded: httpx.Client, guarded_url: str, db: psycopg.Connection, page: Page, state: str
) -> None:
    name = "a key of a very long name that does not fit anywhere at all, whatever the width of the screen"
    text = add_key(db, ["ingest"] if state == "scope" else ["read"], tenant="clinic", name=name)
    page.goto(guarded_url)
    expect(key_of(page)).to_be_focused()
    if state != "out":
        page.keyboard.type("hp_wrong" if state == "wrong" else text)
        page.keyboard.press("Enter")
    match state:
        case "wrong":
            expect(page.locator("#sign-in-problem")).to_be_visible()
        case "scope":
            expect(page.locator("#no-access")).to_be_visible()
        case "in" | "ended":
            expect(page.locator("#signed-in-as")).to_be_visible()
    if state == "ended":
        db.execute("UPDATE core.session SET expires_at = now()")
        expect(page.locator("#sign-in-why")).to_contain_text("has ended", timeout=ENDED)
    assert faults_of(page) == []
    for width in 1000, 900, 700:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"wider than {width}"
