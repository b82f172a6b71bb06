"""The header Host: a page whose name was pointed at this machine reads and erases nothing."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.support.wire import in_path, reading, refused

EVIL = "evil.example"


def answer_to(base_url: str, request: str) -> bytes:
    """Send a request as it is, and return the answer."""
    parts = urlsplit(base_url)
    with socket.create_connection((parts.hostname, parts.port), 5) as line:
        line.sendall(request.encode())
        return b"".join(iter(lambda: line.recv(65536), b""))


def test_a_rebound_page_erases_nobody(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading())
    headers = {"Host": EVIL, "Origin": f"http://{EVIL}", "Sec-Fetch-Site": "same-origin"}
    problem = refused(client.delete(f"/v1/users/{in_path('ada')}", headers=headers), 421)
    assert EVIL in problem["detail"]
    assert "ALLOWED_HOSTS" in problem["detail"]
    assert client.get(f"/v1/users/{in_path('ada')}/latest").status_code == 200


@pytest.mark.parametrize("path", ["/", "/health", "/v1/users", "/metrics?user_id=1", "/docs", "/nothing"])
def test_no_path_answers_to_another_name(visitor: httpx.Client, path: str) -> None:
    refused(visitor.get(path, headers={"Host": EVIL}), 421)


@pytest.mark.parametrize("path", ["/v1/live", "/ws", "/ws/ada"])
def test_no_socket_answers_to_another_name(base_url: str, path: str) -> None:
    parts = urlsplit(base_url)
    line = socket.create_connection((parts.hostname, parts.port))
    with pytest.raises(InvalidStatus) as caught, connect(f"ws://{EVIL}{path}", sock=line):
        pass
    assert caught.value.response.status_code == 421


@pytest.mark.parametrize("host", ["", "Host: localhost\r\nHost: localhost\r\n", f"Host: localhost\r\nHost: {EVIL}\r\n"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_missing_or_second_host_is_refused(base_url: str, host: str, version: str) -> None:
    answer = answer_to(base_url, f"GET /health HTTP/{version}\r\n{host}Connection: close\r\n\r\n")
    assert answer.startswith((f"HTTP/{version} 400 ".encode(), b"HTTP/1.1 400 "))
