"""Keys: what each may do at each path, and that it may do nothing once it ends."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from starlette.routing import Mount, Route, WebSocketRoute
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from service.app import OPERATIONS, make_app
from service.auth.key import new_key
from service.auth.principal import ALL_SCOPES
from service.http.arrivals import Arrivals
from service.routes.operation import Operation
from service.settings import Settings
from tests.support.keys import add_key, bearer, revoke_key, sign_in
from tests.support.service_process import running_service
from tests.support.wire import reading, refused

SOCKETS = ("/v1/live", "/ws", "/ws/{user_id:name}")
OPEN = ("/", "/day", "/days", "/docs", "/explore", "/health", "/import", "/openapi.json", "/ready", "/redoc", "/system")
MOUNTS = ("/libraries", "/pages", "/readers")
# Of every operation, the scope that it takes: what a new path takes is written down here, too.
ACCESS = {
    "DELETE /v1/users/{user_id:name}": "admin",
    "DELETE /v1/users/{user_id:name}/readings": "admin",
    "GET /events": "read",
    "GET /metrics": "read",
    "GET /metrics/heart-rate": "read",
    "GET /prometheus": "operate",
    "GET /v1/devices/{device_id:name}": "read",
    "GET /v1/events": "read",
    "GET /v1/events/metrics": "read",
    "GET /v1/live": "read",
    "GET /v1/metrics": "read",
    "GET /v1/overview": "read",
    "GET /v1/session": "any",
    "GET /v1/system": "operate",
    "GET /v1/users": "read",
    "GET /v1/users/{user_id:name}/devices": "read",
    "GET /v1/users/{user_id:name}/export": "read",
    "GET /v1/users/{user_id:name}/latest": "read",
    "GET /v1/users/{user_id:name}/readings": "read",
    "GET /v1/users/{user_id:name}/series": "read",
    "GET /v1/users/{user_id:name}/summary": "read",
    "POST /events": "ingest",
    "POST /events/bulk": "ingest",
    "POST /ingest": "ingest",
    "POST /metrics/heart-rate": "ingest",
    "POST /metrics/heart-rate/batch": "ingest",
    "POST /v1/events": "ingest",
    "POST /v1/import/{format:name}": "ingest",
    "POST /v1/readings": "ingest",
    "POST /v1/tickets": "read",
    "PUT /v1/devices/{device_id:name}": "admin",
    "PUT /v1/metrics/{name:name}": "admin",
}
PUBLIC = {"DELETE /v1/session", "GET /health", "GET /ready", "POST /v1/session"}
GUARDED = [operation for operation in OPERATIONS if operation.access is not None]


@pytest.fixture(scope="module")
def guarded_url(database_url: str) -> Iterator[str]:
    """A service that asks everybody for a key."""
    with running_service(database_url, AUTH="keys", MAX_KEY_FAILURES="10000") as url:
        yield url


@pytest.fixture
def guarded(guarded_url: str, db: psycopg.Connection) -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(base_url=guarded_url, timeout=30) as client:
        yield client


def ask(client: httpx.Client, operation: Operation, headers: dict[str, str]) -> httpx.Response:
    """Send a request to an operation; it need not be a good one."""
    path = operation.path
    names = {"user_id": "ada", "device_id": "watch", "name": "lactate", "format": "auto"}
    for placeholder, name in names.items():
        path = path.replace(f"{{{placeholder}:name}}", name)
    body = {"content": b"{}", "headers": {**headers, "Content-Type": "application/json"}}
    return client.request(
        operation.method, path, **(body if operation.method in ("POST", "PUT") else {"headers": headers})
    )


def name(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def test_every_path_is_in_the_matrix() -> None:
    routes = make_app(Settings("postgresql://nowhere"), Arrivals(Settings("postgresql://nowhere"))).routes
    paths = {route.path for route in routes if isinstance(route, Route)}
    assert {name(operation): operation.access for operation in GUARDED} == ACCESS
    assert {name(operation) for operation in OPERATIONS if operation.access is None} == PUBLIC
    assert paths - {operation.path for operation in GUARDED} == set(OPEN)
    assert {route.path for route in routes if isinstance(route, WebSocketRoute)} == set(SOCKETS)
    assert {route.path for route in routes if isinstance(route, Mount)} == set(MOUNTS)


@pytest.mark.parametrize("operation", GUARDED, ids=name)
def test_the_matrix(guarded: httpx.Client, db: psycopg.Connection, operation: Operation) -> None:
    expired = add_key(db, ["ingest", "read", "admin", "operate"], valid_for="-1 second")
    revoked = add_key(db, ["ingest", "read", "admin", "operate"])
    revoke_key(db, revoked)
    wrong = add_key(db, ["ingest", "read", "admin", "operate"])[:-4] + "beef"
    for headers in (
        {},
        bearer(new_key().text),
        bearer(expired),
        bearer(revoked),
        bearer(wrong),
        {"Authorization": "Basic YTpi"},
    ):
        answer = ask(guarded, operation, headers)
        refused(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for scope in sorted(ALL_SCOPES):
        answer = ask(guarded, operation, bearer(add_key(db, [scope])))
        judge(answer, operation, scope)


@pytest.mark.parametrize("operation", GUARDED, ids=name)
def test_the_matrix_of_sessions(
    guarded: httpx.Client, guarded_url: str, db: psycopg.Connection, operation: Operation
) -> None:
    for scope in sorted(ALL_SCOPES):
        judge(ask(guarded, operation, sign_in(guarded_url, add_key(db, [scope]))), operation, scope)
    session = sign_in(guarded_url, add_key(db, ["ingest", "read", "admin", "operate"]))
    for site in (None, "cross-site", "same-site", "none", "same-origin, same-origin"):
        others = {key: value for key, value in session.items() if key == "Cookie"}
        refused(ask(guarded, operation, others | ({"Sec-Fetch-Site": site} if site else {})), 403)
    wrong = {**session, "Cookie": session["Cookie"][:-4] + "beef"}
    twice = {**session, "Cookie": f"{session['Cookie']}; {session['Cookie']}"}
    key_as_session = {**session, "Cookie": f"{session['Cookie'].split('=')[0]}={new_key().text}"}
    for headers in wrong, twice, key_as_session, {**session, **bearer(new_key().text)}:
        refused(ask(guarded, operation, headers), 401)


def judge(answer: httpx.Response, operation: Operation, scope: str) -> None:
    """Check that a scope is admitted or refused, as the matrix says."""
    if operation.access in (scope, "any"):
        assert answer.status_code not in (401, 403, 429)
    else:
        assert operation.access in refused(answer, 403)["detail"]


@pytest.mark.parametrize("path", OPEN)
def test_what_tells_of_no_data_is_open(guarded: httpx.Client, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_an_unknown_path_needs_a_key_too(guarded: httpx.Client) -> None:
    refused(guarded.get("/v2/users"), 401)


@pytest.mark.parametrize("path", SOCKETS)
def test_sockets_need_a_key_that_may_read(guarded_url: str, db: psycopg.Connection, path: str) -> None:
    address = guarded_url.replace("http", "ws") + path.replace("{user_id:name}", "ada")
    for headers, status in (({}, 401), (bearer(new_key().text), 401), (bearer(add_key(db, ["ingest"])), 403)):
        with pytest.raises(InvalidStatus) as caught, connect(address, additional_headers=headers):
            pass
        assert caught.value.response.status_code == status
    with connect(address, additional_headers=bearer(add_key(db, ["read"]))) as live:
        assert live.recv(10)


def test_a_key_writes_on_the_fast_path_and_on_the_usual_one(guarded: httpx.Client, db: psycopg.Connection) -> None:
    headers = bearer(add_key(db, ["ingest", "read"]))
    assert guarded.post("/v1/readings", json=reading(), headers=headers).status_code == 200
    assert guarded.post("/v1/readings?atomic=true", json=reading(), headers=headers).status_code == 200
    assert guarded.get("/v1/users/ada/latest", headers=headers).status_code == 200
    assert guarded.post("/v1/readings", json=reading("11:00:00")).status_code == 401
    assert db.execute("SELECT count(*) FROM core.reading").fetchone() == (1,)


def test_a_body_without_a_key_stays_unread(guarded_url: str) -> None:
    parts = urlsplit(guarded_url)
    with socket.create_connection((parts.hostname, parts.port), 5) as line:
        line.sendall(b"POST /v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n[")
        assert line.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_a_revoked_key_ends_what_is_open_within_five_seconds(guarded_url: str, db: psycopg.Connection) -> None:
    text = add_key(db, ["read"])
    address = guarded_url.replace("http", "ws") + "/v1/live"
    stream_headers = {**bearer(text), "Accept": "text/event-stream"}
    with (
        connect(address, additional_headers=bearer(text)) as live,
        httpx.stream("GET", f"{guarded_url}/v1/live", headers=stream_headers, timeout=10) as stream,
    ):
        pieces = stream.iter_bytes()
        next(pieces)
        live.recv(10)
        revoke_key(db, text)
        begun = time.monotonic()
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                live.recv(10)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, time.monotonic() - begun < 5) == (1008, True)
        with pytest.raises(httpx.RemoteProtocolError):
            for _ in pieces:
                pass
        assert time.monotonic() - begun < 6
    assert httpx.get(f"{guarded_url}/v1/users", headers=bearer(text)).status_code == 401


def test_a_key_that_expires_is_refused_at_that_moment(guarded: httpx.Client, db: psycopg.Connection) -> None:
    headers = bearer(add_key(db, ["read"], valid_for="1 second"))
    assert guarded.get("/v1/users", headers=headers).status_code == 200
    time.sleep(1.1)
    refused(guarded.get("/v1/users", headers=headers), 401)


def test_guessing_is_slowed_down_and_keys_in_use_are_served(database_url: str, db: psycopg.Connection) -> None:
    headers = bearer(add_key(db, ["read"]))
    with running_service(database_url, AUTH="keys") as url, httpx.Client(base_url=url) as client:
        assert client.get("/v1/users", headers=headers).status_code == 200
        statuses = [client.get("/v1/users", headers=bearer(new_key().text)).status_code for _ in range(40)]
        assert statuses[:20] == [401] * 20
        assert 429 in statuses
        assert client.get("/v1/users", headers=headers).status_code == 200


def test_it_is_noted_when_a_key_was_used(guarded: httpx.Client, db: psycopg.Connection) -> None:
    text = add_key(db, ["read"])
    assert guarded.get("/v1/users", headers=bearer(text)).status_code == 200
    deadline = time.monotonic() + 8
    while db.execute("SELECT last_used_at FROM core.access_key").fetchone() == (None,):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_without_any_key_only_this_machine_is_served(client: httpx.Client, db: psycopg.Connection) -> None:
    assert client.get("/v1/users").status_code == 200
    refused(client.get("/v1/users", headers={"X-Forwarded-For": "10.0.0.1"}), 401)
    assert client.get("/ready").json().keys() == {"status", "database", "timescaledb"}
    assert client.get("/ready", headers={"Forwarded": "for=10.0.0.1"}).json().keys() == {"status", "database"}


def test_the_first_key_closes_a_service_that_was_open(db: psycopg.Connection, database_url: str) -> None:
    with running_service(database_url) as url, httpx.Client(base_url=url) as client:
        assert client.get("/v1/users").status_code == 200
        text = add_key(db, ["read"])
        deadline = time.monotonic() + 6
        while client.get("/v1/users").status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        revoke_key(db, text)
        # It is unknown to the service, which therefore asks the database again, also for whether there are keys.
        refused(client.get("/v1/users", headers=bearer(text)), 401)
        refused(client.get("/v1/users"), 401)


def test_with_auth_off_everybody_is_served(db: psycopg.Connection, database_url: str) -> None:
    add_key(db, ["read"])
    with running_service(database_url, AUTH="off") as url:
        assert httpx.get(f"{url}/v1/users", headers={"X-Forwarded-For": "10.0.0.1"}).status_code == 200


def test_a_page_of_an_allowed_origin_may_write(db: psycopg.Connection, database_url: str) -> None:
    origin = "capacitor://localhost"
    with running_service(database_url, ALLOWED_ORIGINS=f"{origin}, https://app.example") as url:
        asks = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        preflight = httpx.options(f"{url}/v1/readings", headers=asks)
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, origin)
        answer = httpx.post(f"{url}/v1/readings", json=reading(), headers={"Origin": origin})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin)
        refused(httpx.post(f"{url}/v1/readings", json=reading(), headers={"Origin": "https://evil.example"}), 403)
    assert json.loads(answer.text)["inserted"] == 1
