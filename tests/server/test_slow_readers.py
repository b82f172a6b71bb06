"""Clients that take an answer slowly are heard out; those that take next to nothing are cut."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.support.app_server import quick_settings, serving

PATIENCE = 1.5
WATCHED = 4  # seconds
LARGE = 30_000_000


async def streamed(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(LARGE // 50_000):
            yield b"x" * 50_000

    return StreamingResponse(pieces())


async def at_once(request: Request) -> Response:
    return Response(b"x" * LARGE)


@pytest.fixture
def port() -> Iterator[int]:
    app = Starlette(routes=[Route("/streamed", streamed), Route("/at-once", at_once)])
    with serving(app, quick_settings(answer_idle_seconds=PATIENCE, min_answer_rate=10_000)) as listening:
        yield listening


def ask(port: int, path: str) -> socket.socket:
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 * 1024)  # or it asks for more in steps of megabytes
    line.settimeout(10)
    line.connect(("127.0.0.1", port))
    line.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return line


def cut_after(line: socket.socket, size: int, pause: float) -> float | None:
    """Take so many bytes, again and again; return after how many seconds the other side has ended, if it has."""
    begun = time.monotonic()
    with line:
        while time.monotonic() - begun < WATCHED:
            try:
                line.sendall(b"\r\n")  # or a reset would be seen only once all is taken that came before it
                assert line.recv(size)
            except ConnectionError:
                return time.monotonic() - begun
            time.sleep(pause)
    return None


@pytest.mark.parametrize("path", ["/streamed", "/at-once"])
def test_a_reader_of_next_to_nothing_is_cut(port: int, path: str) -> None:
    taken_for = cut_after(ask(port, path), 10, 0.2)
    assert taken_for is not None
    assert PATIENCE / 2 < taken_for < WATCHED


@pytest.mark.parametrize("path", ["/streamed", "/at-once"])
def test_a_slow_reader_is_heard_out(port: int, path: str) -> None:
    """Its bytes move in steps of some hundred kB, between which there are pauses."""
    assert cut_after(ask(port, path), 100_000, 0.1) is None
