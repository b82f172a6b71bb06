"""Connections are bounded; an idle one makes room for a new one."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import connect

from service.server.connection_limit import Connections
from tests.support.app_server import quick_settings, serving
from tests.support.wire import everything_from, refusal_in

MOST = 10
WAIT = b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"


async def at_once(request: Request) -> Response:
    return PlainTextResponse("here")


async def wait(request: Request) -> Response:
    await asyncio.sleep(2)
    return PlainTextResponse("late")


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.receive()


class Served(SimpleNamespace):
    port: int
    connections: Connections

    def dial(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def get(self) -> int:
        with httpx.Client() as client:
            return client.get(f"http://127.0.0.1:{self.port}/").status_code


@pytest.fixture
def served() -> Iterator[Served]:
    connections = Connections(MOST, MOST - 2)
    app = Starlette(routes=[Route("/", at_once), Route("/wait", wait), WebSocketRoute("/ws", echo)])
    with serving(app, quick_settings(), connections=connections) as port:
        yield Served(port=port, connections=connections)


def until(condition: object) -> None:
    deadline = time.monotonic() + 5
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_idle_connections_make_room(served: Served) -> None:
    """Silent ones, half a head, and one whose request was answered; the one that idles longest goes first."""
    with ExitStack() as until_the_end:
        lines = [until_the_end.enter_context(served.dial()) for _ in range(3 * MOST)]
        for line in lines[::2]:
            with suppress(OSError):
                line.sendall(b"GET / HTTP/1.1\r\nHo")
        assert [served.get() for _ in range(MOST)] == [200] * MOST
        assert served.connections.count <= MOST
        assert everything_from(lines[0]) == b""
        until(lambda: len(served.connections.idle) < MOST)
        lines[-1].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in lines[-1].recv(1000)
    until(lambda: served.connections.count == 0)
    assert not served.connections.idle


def test_where_all_are_in_use_a_new_one_is_refused(served: Served) -> None:
    with ExitStack() as until_the_end:
        lines = [until_the_end.enter_context(served.dial()) for _ in range(MOST)]
        for line in lines:
            line.sendall(WAIT)
        until(lambda: not served.connections.idle)
        with served.dial() as line:
            line.sendall(WAIT)
            refusal = refusal_in(everything_from(line))
        assert (refusal["status"], refusal["detail"]) == (
            503,
            "10 connections are in use already; try again in a second.",
        )
        assert served.connections.count <= MOST + 1


def test_an_address_has_a_share(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.server.http_protocol.counted_address", lambda client: "192.0.2.1")
    monkeypatch.setattr("service.server.websocket_protocol.counted_address", lambda client: "192.0.2.1")
    with ExitStack() as until_the_end:
        until_the_end.enter_context(connect(f"ws://127.0.0.1:{served.port}/ws"))
        lines = [until_the_end.enter_context(served.dial()) for _ in range(MOST - 3)]
        until(lambda: served.connections.of_address["192.0.2.1"] == MOST - 2)
        with served.dial() as line:
            assert "This address has 8 connections" in refusal_in(everything_from(line))["detail"]
        lines[0].close()
        until(lambda: served.connections.of_address["192.0.2.1"] == MOST - 3)
        assert served.get() == 200
    until(lambda: not served.connections.of_address)


def test_connections_that_are_refused_take_no_room(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stays for a moment, so that its client hears why."""
    monkeypatch.setattr("service.server.http_protocol.counted_address", lambda client: "192.0.2.1")
    with ExitStack() as until_the_end:
        for _ in range(5 * MOST):
            until_the_end.enter_context(served.dial())
        until(lambda: served.connections.count <= MOST)
