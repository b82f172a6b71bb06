"""Clients that leave while their requests wait to begin: they are not begun, whatever the client would have sent."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from starlette.types import Receive, Scope, Send

from service.errors import Overloaded
from service.http.giving_way import GivingWay
from service.precedence import Precedence, Visit
from service.shares import PARTY
from tests.support.app_server import quick_settings, serving

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
SOCKET = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SECONDS = 5  # within which all here happens


class Served(SimpleNamespace):
    port: int
    waits: threading.Event
    ended: threading.Event
    begun: list[str]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """An application in front of which requests wait until the test is over."""
    over = threading.Event()
    found = Served(waits=threading.Event(), ended=threading.Event(), begun=[])

    async def wait(self: Precedence, visit: Visit) -> None:
        found.waits.set()
        while not over.is_set():
            await asyncio.sleep(0.01)
        raise Overloaded("The test is over.")

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        found.begun.append(scope["type"])

    monkeypatch.setattr(Precedence, "come", lambda self, party: Visit(party, 0.0, in_gaps=True))
    monkeypatch.setattr(Precedence, "wait_to_begin", wait)
    giving_way = GivingWay(answer, percent=100)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        PARTY.set("flood")
        try:
            await giving_way(scope, receive, send)
        finally:
            found.ended.set()

    with serving(app, quick_settings()) as found.port:
        try:
            yield found
        finally:
            over.set()


@pytest.mark.parametrize("request_", [GET, POST, POST + b"hello", SOCKET])
def test_who_leaves_is_not_waited_for(served: Served, request_: bytes) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as client:
        client.sendall(request_)
        assert served.waits.wait(SECONDS)
    assert served.ended.wait(SECONDS)
    assert not served.begun
