"""What every earlier service also had: health, documentation, a page to look at, and a live socket."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.support.wire import (
    INTERNAL,
    PATIENCE,
    beat,
    in_path,
    ingest,
    moment,
    numbers_in,
    says,
    strict_json,
    strings_in,
)

DOCUMENTED = {
    "/ingest": {"post"},
    "/metrics": {"get"},
    "/metrics/heart-rate": {"get", "post"},
    "/metrics/heart-rate/batch": {"post"},
    "/events": {"get", "post"},
    "/events/bulk": {"post"},
    "/health": {"get"},
    "/ready": {"get"},
    "/prometheus": {"get"},
    "/v1/readings": {"post"},
    "/v1/users": {"get"},
    "/v1/users/{user_id}": {"delete"},
    "/v1/users/{user_id}/readings": {"get"},
    "/v1/users/{user_id}/summary": {"get"},
    "/v1/users/{user_id}/latest": {"get"},
    "/v1/events": {"get", "post"},
    "/v1/events/metrics": {"get"},
    "/v1/live": {"get"},
    "/v1/metrics": {"get"},
    "/v1/metrics/{name}": {"put"},
    "/v1/session": {"delete", "get", "post"},
    "/v1/tickets": {"post"},
}


@pytest.fixture
def document(visitor: httpx.Client) -> dict[str, Any]:
    answer = visitor.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    return dict(strict_json(answer.text))


@contextmanager
def listening(base_url: str, path: str) -> Iterator[ClientConnection]:
    with connect("ws" + base_url.removeprefix("http").rstrip("/") + path, open_timeout=PATIENCE) as socket:
        yield socket


def heard(socket: ClientConnection) -> dict[str, Any]:
    said = socket.recv(timeout=PATIENCE)
    assert isinstance(said, str)
    return dict(strict_json(said))


def heard_of_readings(socket: ClientConnection, last: str = "10:00:00") -> dict[str, Any]:
    """Wait for the message about the commit whose last reading is of this time; an earlier commit may be told late."""
    for _ in range(10):
        said = heard(socket)
        if said["type"] == "readings" and said["to"] == moment(last):
            return said
    raise AssertionError(f"nothing was told of {last}")


# Health -----------------------------------------------------------------------------------------------------


def test_health_is_the_process_answering(visitor: httpx.Client) -> None:
    says(visitor.get("/health"), 200, {"status": "healthy", "service": "hyperpulse"})


def test_ready_is_the_database_answering(visitor: httpx.Client) -> None:
    answer = visitor.get("/ready")
    assert answer.status_code == 200, answer.text
    body = strict_json(answer.text)
    assert (body["status"], body["database"]) == ("ready", "ok")
    assert list(body)[:2] == ["status", "database"]


# Documentation ----------------------------------------------------------------------------------------------


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)


@pytest.mark.parametrize(("path", "methods"), DOCUMENTED.items())
def test_every_path_is_in_the_document(document: dict[str, Any], path: str, methods: set[str]) -> None:
    assert methods <= document["paths"][path].keys()


@pytest.mark.parametrize("path", DOCUMENTED)
def test_every_operation_tells_its_answers_and_shows_an_example(document: dict[str, Any], path: str) -> None:
    for method in DOCUMENTED[path]:
        operation = document["paths"][path][method]
        assert operation.get("summary") or operation.get("description"), (method, path)
        assert any(status.startswith("2") for status in operation["responses"]), (method, path)
        if path not in ("/health", "/ready", "/prometheus"):
            assert any(status.startswith("4") for status in operation["responses"]), (method, path)
        if method == "post" and path != "/v1/tickets":  # which takes no body
            assert '"example' in json.dumps(operation["requestBody"]) or "$ref" in json.dumps(operation["requestBody"])


def test_every_error_in_the_document_is_a_problem(document: dict[str, Any]) -> None:
    for path, methods in DOCUMENTED.items():
        for method in methods:
            for status, response in document["paths"][path][method]["responses"].items():
                if status.startswith("4"):
                    if "$ref" in response:
                        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
                    assert "application/problem+json" in response["content"], (method, path, status)


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_documentation_needs_nothing_from_elsewhere(visitor: httpx.Client, page: str) -> None:
    answer = visitor.get(page)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    links = re.findall(r"""<(?:script|link|img)\b[^>]*\b(?:src|href)=["']?([^"'\s>]+)""", answer.text)
    assert links
    read = [answer.text]
    for link in links:
        if not link.startswith("data:"):
            assert not re.match(r"(https?:)?//", link), link
            found = visitor.get(str(answer.url.join(link)))
            assert found.status_code == 200, link
            read.append(found.text if len(found.content) < 10_000 else "")
    assert any("openapi.json" in text for text in read)


def test_the_dashboard_is_a_page(visitor: httpx.Client) -> None:
    answer = visitor.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "<html" in answer.text.lower()
    assert not any(word in answer.text for word in INTERNAL)


# Live -------------------------------------------------------------------------------------------------------


def test_a_socket_of_one_user_tells_its_state_and_then_what_happens(client: httpx.Client, base_url: str) -> None:
    client.post("/ingest", json=ingest(303, "10:00:00", heart_rate=71))
    with listening(base_url, "/ws/303") as socket:
        state = heard(socket)
        assert state["type"] != "readings"
        assert "303" in set(strings_in(state))
        assert 71 in set(numbers_in(state))
        client.post("/ingest", json=ingest(303, "10:01:00", heart_rate=93))
        told = heard_of_readings(socket, "10:01:00")
    assert told["user_id"] == "303"
    assert told["count"] == 1
    assert told["from"] == told["to"] == moment("10:01:00")
    assert 93 in set(numbers_in(told["latest"]))


def test_a_socket_of_one_user_is_silent_about_others(client: httpx.Client, base_url: str) -> None:
    with listening(base_url, "/ws/user_123") as socket:
        heard(socket)
        client.post("/metrics/heart-rate", json=beat(user_id="somebody_else"))
        client.post("/metrics/heart-rate", json=beat("10:00:07"))
        told = heard(socket)
    assert (told["type"], told["user_id"], told["from"]) == ("readings", "user_123", moment("10:00:07"))


def test_the_socket_of_all_tells_of_everybody(client: httpx.Client, base_url: str) -> None:
    client.post("/ingest", json=ingest(101))
    with listening(base_url, "/ws") as socket:
        assert heard(socket)["type"] != "readings"
        client.post("/ingest", json=ingest(202, "10:00:01"))
        assert heard_of_readings(socket, "10:00:01")["user_id"] == "202"
        client.post("/metrics/heart-rate", json=beat("10:00:02"))
        assert heard_of_readings(socket, "10:00:02")["user_id"] == "user_123"


def test_a_batch_is_told_of_once_with_its_extent(client: httpx.Client, base_url: str) -> None:
    with listening(base_url, "/ws/user_123") as socket:
        heard(socket)
        readings = [beat(f"10:00:{second:02}", 60 + second) for second in range(30)]
        client.post("/metrics/heart-rate/batch", json={"readings": readings})
        told = heard_of_readings(socket, "10:00:29")
    assert (told["count"], told["from"], told["to"]) == (30, moment("10:00:00"), moment("10:00:29"))
    assert 89 in set(numbers_in(told["latest"]))


@pytest.mark.parametrize("path", ["/ws/", "/ws/user_123/"])
def test_a_socket_works_with_a_trailing_slash(client: httpx.Client, base_url: str, path: str) -> None:
    client.post("/metrics/heart-rate", json=beat("09:00:00"))
    with listening(base_url, path) as socket:
        heard(socket)
        client.post("/metrics/heart-rate", json=beat())
        assert heard_of_readings(socket)["user_id"] == "user_123"


@pytest.mark.parametrize("user_id", ["a/b", "a b", "ü", "100%", "a%2Fb", "a?b#c", "日本語"])
def test_a_socket_may_be_for_any_user_id(client: httpx.Client, base_url: str, user_id: str) -> None:
    with listening(base_url, f"/ws/{in_path(user_id)}") as socket:
        assert user_id in set(strings_in(heard(socket)))
        client.post("/metrics/heart-rate", json=beat(user_id=user_id))
        assert heard_of_readings(socket)["user_id"] == user_id


def test_several_sockets_hear_the_same(client: httpx.Client, base_url: str) -> None:
    with listening(base_url, "/ws/user_123") as one, listening(base_url, "/ws/user_123") as two:
        heard(one), heard(two)
        client.post("/metrics/heart-rate", json=beat())
        assert heard_of_readings(one) == heard_of_readings(two)


def test_a_socket_opened_again_starts_from_the_state_again(client: httpx.Client, base_url: str) -> None:
    for rate in (71, 72, 73):
        client.post("/metrics/heart-rate", json=beat(heart_rate=rate))
        with listening(base_url, "/ws/user_123") as socket:
            assert rate in set(numbers_in(heard(socket)))


@pytest.mark.parametrize("path", ["/ws/%00", "/ws/%ff", "/ws/" + "x" * 5000, "/ws//", "/ws/a/b", "/nothing", "/ingest"])
def test_an_odd_socket_is_refused_or_answered(client: httpx.Client, base_url: str, path: str) -> None:
    failure = None
    try:
        with listening(base_url, path) as socket:
            heard(socket)
    except (InvalidStatus, ConnectionClosed) as stopped:
        failure = stopped
    if isinstance(failure, InvalidStatus):
        assert 400 <= failure.response.status_code < 500
    elif failure and failure.rcvd:
        assert failure.rcvd.code != 1011, "that would be an error of the server"
    assert client.get("/health").status_code == 200


def test_a_socket_does_not_mind_what_it_hears(client: httpx.Client, base_url: str) -> None:
    with listening(base_url, "/ws/user_123") as socket:
        heard(socket)
        for noise in ("ping", "{", "[" * 10_000, "\x00", b"\xff\xfe", ""):
            socket.send(noise)
        client.post("/metrics/heart-rate", json=beat())
        assert heard_of_readings(socket)["user_id"] == "user_123"
