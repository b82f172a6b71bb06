"""Sessions of browsers: the cookie, what may come with it, and that it ends with its key."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from service.auth.key import new_key
from service.database.schema import query
from tests.support.keys import SAME_ORIGIN, add_key, bearer, revoke_key, sign_in
from tests.support.service_process import running_service
from tests.support.wire import reading, refused


@pytest.fixture(scope="module")
def guarded_url(database_url: str) -> Iterator[str]:
    """A service that asks everybody for a key, behind a proxy of this machine that may say how it was asked."""
    environment = {"AUTH": "keys", "MAX_KEY_FAILURES": "10000", "TRUSTED_PROXIES": "127.0.0.1", "SESSION_HOURS": "1"}
    with running_service(database_url, ALLOWED_HOSTS="hp.example.org", **environment) as url:
        yield url


@pytest.fixture
def guarded(guarded_url: str, db: psycopg.Connection) -> Iterator[httpx.Client]:
    """A client of it that says what a page of the service does, and keeps no cookie."""
    with httpx.Client(base_url=guarded_url, timeout=30, headers=SAME_ORIGIN) as client:
        yield client


def post_key(client: httpx.Client, text: str, **headers: str) -> httpx.Response:
    answer = client.post("/v1/session", json={"key": text}, headers=headers)
    client.cookies.clear()
    return answer


def sockets_of(url: str) -> str:
    return url.replace("http", "ws") + "/v1/live"


# Signing in ---------------------------------------------------------------------------------------------------


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(
    guarded: httpx.Client, guarded_url: str, db: psycopg.Connection
) -> None:
    text = add_key(db, ["read"], tenant="clinic", name="front desk")
    answer = post_key(guarded, text)
    assert answer.status_code == 201
    name, _, value = answer.headers["set-cookie"].partition("=")
    value, *attributes = value.split("; ")
    assert name == f"hyperpulse-{urlsplit(guarded_url).port}"
    assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Strict"}
    assert answer.headers["cache-control"] == "no-store"
    assert value not in answer.text
    assert text not in answer.text
    stored = db.execute("SELECT encode(digest, 'hex'), key_id FROM core.session").fetchone()
    assert stored is not None
    assert stored[0] not in value
    assert stored[1] == text.split("_")[1]


def test_over_tls_the_cookie_is_of_this_host_alone(guarded: httpx.Client, db: psycopg.Connection) -> None:
    text = add_key(db, ["read"])
    host = {"Host": "hp.example.org", "X-Forwarded-Proto": "https"}
    answer = post_key(guarded, text, **host)
    name, _, rest = answer.headers["set-cookie"].partition("=")
    value, *attributes = rest.split("; ")
    assert name == "__Host-hyperpulse-443"
    assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Strict", "Secure"}
    cookie = {"Cookie": f"{name}={value}"}
    assert guarded.get("/v1/users", headers=host | cookie).status_code == 200
    # A cookie that another port or a page without TLS could have set does not count.
    refused(guarded.get("/v1/users", headers=host | {"Cookie": f"hyperpulse-443={value}"}), 401)
    refused(guarded.get("/v1/users", headers=cookie), 401)


def test_several_services_of_a_host_have_a_cookie_each(guarded: httpx.Client, db: psycopg.Connection) -> None:
    names = [
        post_key(guarded, add_key(db, ["read"]), Host=host).headers["set-cookie"].partition("=")[0]
        for host in ("localhost:8000", "localhost:8001", "localhost")
    ]
    assert names == ["hyperpulse-8000", "hyperpulse-8001", "hyperpulse-80"]


def test_it_says_who_is_signed_in(guarded: httpx.Client, guarded_url: str, db: psycopg.Connection) -> None:
    text = add_key(db, ["read", "ingest"], tenant="clinic", name="front desk")
    session = sign_in(guarded_url, text)
    answer = guarded.get("/v1/session", headers=session)
    expires_at = datetime.fromisoformat(answer.json().pop("expires_at"))
    assert abs(expires_at - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=1)
    assert answer.headers["cache-control"] == "no-store"
    described = {**answer.json(), "expires_at": None}
    assert described == {
        "open": False,
        "tenant": "clinic",
        "scopes": ["ingest", "read"],
        "key_id": text.split("_")[1],
        "name": "front desk",
        "expires_at": None,
    }
    assert guarded.get("/v1/session", headers=bearer(text)).json() == described
    refused(guarded.get("/v1/session"), 401)


def test_where_no_key_is_needed_signing_in_is_not_needed(client: httpx.Client) -> None:
    assert client.get("/v1/session").json() == {"open": True}
    assert client.get("/v1/session", headers={"Cookie": "hyperpulse-80=hs_1"}).json() == {"open": True}


@pytest.mark.parametrize("kind", ["wrong", "revoked", "expired", "no key"])
def test_a_key_that_does_not_hold_starts_no_session(guarded: httpx.Client, db: psycopg.Connection, kind: str) -> None:
    text = add_key(db, ["read"], valid_for="-1 second" if kind == "expired" else None)
    if kind == "revoked":
        revoke_key(db, text)
    presented = {"wrong": f"{text[:-4]}beef", "no key": "secret"}.get(kind, text)
    answer = post_key(guarded, presented)
    problem = refused(answer, 401)
    assert "set-cookie" not in answer.headers
    assert presented not in problem["detail"]


@pytest.mark.parametrize(
    "body", [b"[]", b'"hp_1"', b"{}", b'{"key": 1}', b'{"key": "a", "other": 1}', b'{"key": null}']
)
def test_what_is_no_key_is_not_repeated(guarded: httpx.Client, body: bytes) -> None:
    answer = guarded.post("/v1/session", content=body, headers={"Content-Type": "application/json"})
    assert refused(answer, 422)["errors"][0]["value"] is None


def test_a_long_body_is_not_read(guarded: httpx.Client) -> None:
    refused(guarded.post("/v1/session", json={"key": "x" * 5000}), 413)


def test_guessing_is_slowed_down_here_too(database_url: str, db: psycopg.Connection) -> None:
    with running_service(database_url, AUTH="keys") as url, httpx.Client(base_url=url, headers=SAME_ORIGIN) as client:
        session = sign_in(url, add_key(db, ["read"]))
        statuses = [post_key(client, new_key().text).status_code for _ in range(15)]
        statuses += [client.get("/v1/users", headers=bearer(new_key().text)).status_code for _ in range(15)]
        assert statuses[:20] == [401] * 20
        assert 429 in statuses
        assert client.get("/v1/users", headers=session).status_code == 200


def test_pages_whose_session_has_ended_do_not_keep_anyone_from_signing_in(
    database_url: str, db: psycopg.Connection
) -> None:
    with running_service(database_url, AUTH="keys") as url, httpx.Client(base_url=url) as client:
        text = add_key(db, ["read"])
        session = sign_in(url, text)
        client.delete("/v1/session", headers=session)
        assert [client.get("/v1/users", headers=session).status_code for _ in range(60)] == [401] * 60
        sign_in(url, text)


# What may come with the cookie ----------------------------------------------------------------------------------


@pytest.mark.parametrize("site", [None, "cross-site", "same-site", "none"])
def test_another_page_cannot_use_a_session(guarded_url: str, db: psycopg.Connection, site: str | None) -> None:
    session = sign_in(guarded_url, add_key(db, ["read", "ingest", "admin"]))
    headers = {"Cookie": session["Cookie"], **({"Sec-Fetch-Site": site} if site else {})}
    with httpx.Client(base_url=guarded_url, headers=headers) as client:
        assert "Sec-Fetch-Site" in refused(client.get("/v1/users"), 403)["detail"]
        refused(client.post("/v1/readings", json=reading()), 403)
        refused(client.delete("/v1/users/ada"), 403)
        refused(client.delete("/v1/session"), 403)
        refused(client.post("/v1/session", json={"key": add_key(db, ["read"])}), 403)
    assert httpx.get(f"{guarded_url}/v1/users", headers=session).status_code == 200


def test_a_page_writes_with_its_session(guarded: httpx.Client, guarded_url: str, db: psycopg.Connection) -> None:
    session = sign_in(guarded_url, add_key(db, ["ingest"]))
    assert guarded.post("/v1/readings", json=reading(), headers={**session, "Origin": guarded_url}).status_code == 200
    refused(guarded.post("/v1/readings", json=reading(), headers={**session, "Origin": "https://evil.example"}), 403)


@pytest.mark.parametrize("path", ["/v1/live", "/ws", "/ws/ada"])
def test_a_socket_with_a_session_is_of_a_page_of_this_service(
    guarded_url: str, db: psycopg.Connection, path: str
) -> None:
    session = sign_in(guarded_url, add_key(db, ["read"]))
    cookie = {"Cookie": session["Cookie"]}
    own = {"Origin": guarded_url}
    address = guarded_url.replace("http", "ws") + path
    for headers in (
        cookie,
        session,
        cookie | {"Origin": "https://evil.example"},
        cookie | {"Origin": "null"},
        cookie | own | {"Sec-Fetch-Site": "cross-site"},
        cookie | own | {"Sec-Fetch-Site": "same-site"},
    ):
        with pytest.raises(InvalidStatus) as caught, connect(address, additional_headers=headers):
            pass
        assert caught.value.response.status_code == 403, headers
    for headers in cookie | own, session | own:
        with connect(address, additional_headers=headers) as live:
            assert live.recv(10)


def test_a_page_of_an_allowed_origin_has_no_session(database_url: str, db: psycopg.Connection) -> None:
    with running_service(database_url, AUTH="keys", ALLOWED_ORIGINS="https://app.example") as url:
        session = sign_in(url, add_key(db, ["read"]))
        headers = {"Cookie": session["Cookie"], "Origin": "https://app.example"}
        with pytest.raises(InvalidStatus) as caught, connect(sockets_of(url), additional_headers=headers):
            pass
        assert caught.value.response.status_code == 403
        refused(httpx.get(f"{url}/v1/users", headers={**headers, "Sec-Fetch-Site": "cross-site"}), 403)


# The end of a session -------------------------------------------------------------------------------------------


def test_signing_out_ends_the_session_and_what_is_open_with_it(
    guarded: httpx.Client, guarded_url: str, db: psycopg.Connection
) -> None:
    text = add_key(db, ["read"])
    session, other = sign_in(guarded_url, text), sign_in(guarded_url, text)
    socket_headers = {**session, "Origin": guarded_url}
    with connect(sockets_of(guarded_url), additional_headers=socket_headers) as live:
        live.recv(10)
        answer = guarded.delete("/v1/session", headers=session)
        assert answer.json() == {"ended": True}
        name = session["Cookie"].split("=")[0]
        assert answer.headers["set-cookie"] == f"{name}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"
        with pytest.raises(ConnectionClosed) as closed:
            live.recv(5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    refused(guarded.get("/v1/users", headers=session), 401)
    assert guarded.get("/v1/users", headers=other).status_code == 200
    for headers in session, {}:
        assert guarded.delete("/v1/session", headers=headers).json() == {"ended": False}


def test_signing_out_takes_the_secret(guarded: httpx.Client, guarded_url: str, db: psycopg.Connection) -> None:
    session = sign_in(guarded_url, add_key(db, ["read"]))
    wrong = {**session, "Cookie": session["Cookie"][:-4] + "beef"}
    assert guarded.delete("/v1/session", headers=wrong).json() == {"ended": False}
    assert guarded.get("/v1/users", headers=session).status_code == 200


def test_signing_in_again_ends_the_session_before(
    guarded: httpx.Client, guarded_url: str, db: psycopg.Connection
) -> None:
    text = add_key(db, ["read"])
    session = sign_in(guarded_url, text)
    assert post_key(guarded, text, Cookie=session["Cookie"]).status_code == 201
    assert db.execute("SELECT count(*) FROM core.session").fetchone() == (1,)
    refused(guarded.get("/v1/users", headers=session), 401)


ENDS = {
    "revoked": query("revoke_key"),
    "deleted": b"DELETE FROM core.access_key WHERE key_id = %(key_id)s",
    "expired": b"UPDATE core.session SET expires_at = now() WHERE key_id = %(key_id)s",
    "key expired": b"UPDATE core.access_key SET expires_at = now() WHERE key_id = %(key_id)s",
}


def test_what_is_open_ends_within_five_seconds(guarded_url: str, db: psycopg.Connection) -> None:
    keys = {how: add_key(db, ["read"]) for how in ENDS}
    sessions = {how: sign_in(guarded_url, text) for how, text in keys.items()}
    with ExitStack() as until_the_end:
        sockets = {}
        for how, session in sessions.items():
            headers = {**session, "Origin": guarded_url}
            sockets[how] = until_the_end.enter_context(connect(sockets_of(guarded_url), additional_headers=headers))
            sockets[how].recv(10)
        for how, statement in ENDS.items():
            assert db.execute(statement, {"key_id": keys[how].split("_")[1]}).rowcount == 1
        begun = time.monotonic()
        for how, live in sockets.items():
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    live.recv(10)
            assert closed.value.rcvd is not None, how
            assert (closed.value.rcvd.code, time.monotonic() - begun < 5) == (1008, True), how
    assert db.execute("SELECT count(*) FROM core.session").fetchone() == (3,), "one went with its key"
    for how, session in sessions.items():
        assert httpx.get(f"{guarded_url}/v1/users", headers=session).status_code == 401, how


def test_a_session_expires_at_its_moment(guarded: httpx.Client, guarded_url: str, db: psycopg.Connection) -> None:
    text = add_key(db, ["read"])
    session = sign_in(guarded_url, text)
    before = guarded.get("/v1/session", headers=session).json()["expires_at"]
    db.execute("UPDATE core.session SET expires_at = now() + INTERVAL '4 seconds'")
    ends_at = time.monotonic() + 4
    while guarded.get("/v1/session", headers=session).json()["expires_at"] == before:
        assert time.monotonic() < ends_at, "the new moment was not read in time"
        time.sleep(0.2)
    time.sleep(ends_at - time.monotonic() - 0.3)
    assert guarded.get("/v1/users", headers=session).status_code == 200
    time.sleep(0.6)
    refused(guarded.get("/v1/users", headers=session), 401)


def test_with_a_session_that_starts_some_that_have_ended_are_removed(guarded_url: str, db: psycopg.Connection) -> None:
    text = add_key(db, ["read"])
    sign_in(guarded_url, text)
    db.execute("UPDATE core.session SET expires_at = now()")
    sign_in(guarded_url, text)
    assert db.execute("SELECT expires_at - created_at FROM core.session").fetchall() == [(timedelta(hours=1),)]
