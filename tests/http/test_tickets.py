"""Tickets: each opens one WebSocket, once and soon, and is in no log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from service.auth.key import new_ticket
from tests.support.keys import add_key, bearer, revoke_key, sign_in
from tests.support.service_process import running_service
from tests.support.wire import refused

SOCKETS = ["/v1/live", "/ws", "/ws/ada"]


@pytest.fixture(scope="module")
def guarded_url(database_url: str) -> Iterator[str]:
    """A service that asks everybody for a key."""
    with running_service(database_url, AUTH="keys", MAX_KEY_FAILURES="10000") as url:
        yield url


def ticket_for(url: str, headers: dict[str, str]) -> str:
    answer = httpx.post(f"{url}/v1/tickets", headers=headers)
    assert (answer.status_code, answer.json()["seconds"]) == (201, 30)
    assert answer.headers["cache-control"] == "no-store"
    return str(answer.json()["ticket"])


def status_of(url: str, path: str, query: str, **headers: str) -> int:
    """Open a WebSocket, hear its first message, and return 101; or the status that it is refused with."""
    address = f"{url.replace('http', 'ws')}{path}?{query}"
    try:
        with connect(address, additional_headers=headers) as live:
            assert live.recv(10)
            return 101
    except InvalidStatus as refusal:
        return refusal.response.status_code


@pytest.mark.parametrize("path", SOCKETS)
def test_a_ticket_opens_one_socket(guarded_url: str, db: psycopg.Connection, path: str) -> None:
    ticket = ticket_for(guarded_url, bearer(add_key(db, ["read"])))
    stored = db.execute(
        "SELECT encode(digest, 'hex'), expires_at < now() + INTERVAL '31 s' FROM core.ticket"
    ).fetchone()
    assert stored is not None
    assert (stored[0] in ticket, stored[1]) == (False, True)
    statuses = [status_of(guarded_url, path, f"ticket={ticket}") for _ in range(2)]
    assert statuses == [101, 401]
    assert db.execute("SELECT count(*) FROM core.ticket").fetchone() == (0,)


def test_of_several_sockets_at_once_one_is_opened(guarded_url: str, db: psycopg.Connection) -> None:
    ticket = ticket_for(guarded_url, bearer(add_key(db, ["read"])))
    with ThreadPoolExecutor(8) as racing:
        statuses = list(racing.map(lambda _: status_of(guarded_url, "/ws", f"ticket={ticket}"), range(8)))
    assert sorted(statuses) == [101] + [401] * 7


def test_other_arguments_stay(guarded_url: str, db: psycopg.Connection) -> None:
    headers = bearer(add_key(db, ["read"]))
    assert status_of(guarded_url, "/v1/live", f"user_id=a&ticket={ticket_for(guarded_url, headers)}&user_id=b") == 101
    assert status_of(guarded_url, "/v1/live", f"ticket={ticket_for(guarded_url, headers)}&nonsense=1") == 422


def test_a_ticket_expires(guarded_url: str, db: psycopg.Connection) -> None:
    headers = bearer(add_key(db, ["read"]))
    ticket = ticket_for(guarded_url, headers)
    db.execute("UPDATE core.ticket SET expires_at = now()")
    assert status_of(guarded_url, "/ws", f"ticket={ticket}") == 401
    ticket_for(guarded_url, headers)
    assert db.execute("SELECT count(*) FROM core.ticket").fetchone() == (1,)


def test_what_is_no_ticket_opens_nothing(guarded_url: str, db: psycopg.Connection) -> None:
    ticket = ticket_for(guarded_url, bearer(add_key(db, ["read"])))
    for query in (
        f"ticket={new_ticket()}",
        "ticket=",
        f"ticket={ticket}0",
        f"ticket={ticket}&ticket={ticket}",
        f"ticket={ticket.upper()}",
        f"Ticket={ticket}",
    ):
        assert status_of(guarded_url, "/ws", query) == 401, query
    assert status_of(guarded_url, "/ws", f"ticket={ticket}") == 101


def test_requests_take_no_tickets(guarded_url: str, db: psycopg.Connection) -> None:
    ticket = ticket_for(guarded_url, bearer(add_key(db, ["read"])))
    for path in "/v1/users", "/v1/live", "/v1/session":
        refused(httpx.get(f"{guarded_url}{path}?ticket={ticket}", headers={"Accept": "text/event-stream"}), 401)
    assert status_of(guarded_url, "/ws", f"ticket={ticket}") == 101


def test_what_a_ticket_opened_ends_with_the_key_or_the_session(guarded_url: str, db: psycopg.Connection) -> None:
    text = add_key(db, ["read"])
    session = sign_in(guarded_url, text)
    address = f"{guarded_url.replace('http', 'ws')}/ws?ticket="
    with (
        connect(address + ticket_for(guarded_url, session)) as of_session,
        connect(address + ticket_for(guarded_url, bearer(text))) as of_key,
    ):
        assert httpx.delete(f"{guarded_url}/v1/session", headers=session).json() == {"ended": True}
        ends(of_session.recv)
        of_key.ping().wait(5)
        revoke_key(db, text)
        ends(of_key.recv)
    unused = ticket_for(guarded_url, bearer(add_key(db, ["read"])))
    db.execute("DELETE FROM core.access_key")
    assert status_of(guarded_url, "/ws", f"ticket={unused}") == 401


def ends(recv: object) -> None:
    """Wait until a WebSocket is closed for its key's sake, at most five seconds."""
    begun = time.monotonic()
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            recv(6)  # type: ignore[operator]
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, time.monotonic() - begun < 5) == (1008, True)


def test_an_origin_that_may_not_listen_gains_nothing_by_a_ticket(guarded_url: str, db: psycopg.Connection) -> None:
    ticket = ticket_for(guarded_url, bearer(add_key(db, ["read"])))
    assert status_of(guarded_url, "/ws", f"ticket={ticket}", Origin="https://evil.example") == 403


def test_where_no_key_is_needed_any_ticket_does(client: httpx.Client, base_url: str) -> None:
    ticket = client.post("/v1/tickets").json()["ticket"]
    for path in SOCKETS:
        assert status_of(base_url, path, f"ticket={ticket}") == 101


def test_no_secret_reaches_the_log(database_url: str, db: psycopg.Connection, tmp_path: Path) -> None:
    text = add_key(db, ["read"])
    log = tmp_path / "log"
    with log.open("wb") as into, running_service(database_url, into, AUTH="keys", ACCESS_LOG="1") as url:
        session = sign_in(url, text)
        ticket = ticket_for(url, session)
        assert status_of(url, "/v1/live", f"ticket={ticket}") == 101
        assert status_of(url, "/v1/live", f"ticket={ticket}") == 401
        assert httpx.get(f"{url}/v1/users?ticket={ticket}&key={text}", headers=session).status_code == 422
        httpx.delete(f"{url}/v1/session", headers=session)
    written = log.read_text()
    assert "/v1/session" in written
    for secret in text, session["Cookie"].split("=")[1], ticket:
        assert secret.rpartition("_")[2] not in written
