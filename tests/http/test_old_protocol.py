"""HTTP/1.0, which knows no chunks: every body is as it is, and ends with the connection."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.support.wire import dial, everything_from, moment, reading

DAYS = "start=2024-01-01T00:00:00Z&end=2024-03-01T00:00:00Z"


def asked(base_url: str, path: str, accept: str = "*/*", method: str = "GET") -> tuple[bytes, bytes]:
    """Ask as HTTP/1.0; return the head in small letters, and the body."""
    with dial(base_url) as line:
        line.sendall(f"{method} {path} HTTP/1.0\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n".encode())
        head, _, body = everything_from(line).partition(b"\r\n\r\n")
    return head.lower(), body


@pytest.fixture
def filled(client: httpx.Client) -> httpx.Client:
    first = datetime(2024, 1, 1, tzinfo=UTC)
    hours = [(first + timedelta(hours=n)).isoformat().replace("+00:00", "Z") for n in range(58 * 24)]
    client.post("/v1/readings", json=[{"user_id": "ada", "timestamp": at, "steps": 1} for at in hours])
    return client


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        (f"/v1/users/ada/series?{DAYS}&bucket=1h", "*/*"),
        (f"/v1/users/ada/readings?{DAYS}", "text/csv"),
        (f"/v1/users/ada/readings?{DAYS}", "application/x-ndjson"),
        (f"/v1/users/ada/summary?{DAYS}", "*/*"),
        ("/v1/users/nobody/summary", "*/*"),
        ("/pages/dashboard.css", "*/*"),
        ("/nowhere", "*/*"),
    ],
    ids=["series", "csv", "ndjson", "summary", "404", "page", "nowhere"],
)
def test_a_body_is_what_http_1_1_says_without_a_frame(
    filled: httpx.Client, base_url: str, path: str, accept: str
) -> None:
    answer = filled.get(path, headers={"accept": accept, "accept-encoding": "identity"})
    head, body = asked(base_url, path, accept)
    assert head.startswith(b"http/1.1 %d" % answer.status_code)
    assert body == answer.content
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head


def test_a_head_has_no_body(filled: httpx.Client, base_url: str) -> None:
    head, body = asked(base_url, f"/v1/users/ada/readings?{DAYS}", "text/csv", "HEAD")
    assert (head.split(b"\r\n")[0], body) == (b"http/1.1 200 ok", b"")


def received(line: socket.socket) -> bytes:
    """Return what comes next; it must not be the end."""
    piece = line.recv(65536)
    assert piece
    return piece


def test_an_event_stream_has_no_chunks(client: httpx.Client, base_url: str) -> None:
    client.post("/v1/readings", json=reading("10:00:00"))
    with dial(base_url) as line:
        line.sendall(b"GET /v1/live?user_id=ada HTTP/1.0\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        heard = b""
        while b'"state"' not in heard or not heard.endswith(b"\n\n"):
            heard += received(line)
        client.post("/v1/readings", json=reading("10:00:01", heart_rate=80))
        while b'"readings"' not in heard or not heard.endswith(b"\n\n"):
            heard += received(line)
    head, _, body = heard.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    retry, *events = body.decode().rstrip("\n").split("\n\n")
    assert retry.startswith("retry: ")
    told = [json.loads(event.partition("data: ")[2]) for event in events if not event.startswith(":")]
    assert [message["type"] for message in told] == ["state", "readings"]
    assert told[1]["to"] == moment("10:00:01")
