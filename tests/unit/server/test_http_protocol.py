"""Connections that send nothing, or half a head, are closed; others are served."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from service.server.http_protocol import HeaderTimeoutProtocol

HEAD_SECONDS = 0.3
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def slow(request: Request) -> Response:
    return PlainTextResponse("here")


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server with little patience."""
    monkeypatch.setattr("service.server.http_protocol.HEAD_SECONDS", HEAD_SECONDS)
    app = Starlette(routes=[Route("/", slow)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", http=HeaderTimeoutProtocol))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize("sent", [b"", b"GET / HT", REQUEST[:-2]])
def test_half_a_head_is_not_waited_for(port: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(sent)
        assert line.recv(1000) == b""


def test_a_connection_may_be_used_again_after_the_patience_for_its_first_head(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        for _ in range(3):
            line.sendall(REQUEST)
            assert b"200 OK" in line.recv(1000)
            time.sleep(HEAD_SECONDS * 0.8)
        line.sendall(REQUEST[:10])
        assert line.recv(1000) == b""


def test_a_body_that_was_answered_before_it_came_is_not_waited_for(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(REQUEST[:-2] + b"Content-Length: 1000\r\n\r\n")
        assert b"200 OK" in line.recv(1000)
        for _ in range(3):
            line.sendall(b"more")
            time.sleep(HEAD_SECONDS / 4)
        assert line.recv(1000) == b""


def test_the_body_of_an_answered_request_may_follow(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        for _ in range(3):
            line.sendall(REQUEST[:-2] + b"Content-Length: 1000\r\n\r\n" + b"x" * 400)
            assert b"200 OK" in line.recv(1000)
            time.sleep(HEAD_SECONDS / 2)
            line.sendall(b"x" * 600)
