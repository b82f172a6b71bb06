"""Bodies that arrive slowly are given up, are few, and keep no other request waiting."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from service.errors import Problem
from service.http.arrivals import Arrivals
from service.http.concurrency_limit import ConcurrencyLimit
from service.http.problem_details import on_problem
from tests.support.app_server import quick_settings, serving
from tests.support.wire import everything_from, refusal_in, statuses_in

MOST_REQUESTS = 10
MOST_SLOW = 30
PATIENCE = 1.5
RATE = 1000
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"


async def length(request: Request) -> Response:
    return PlainTextResponse(str(sum([len(piece) async for piece in request.stream()])))


class Service(NamedTuple):
    port: int
    arrivals: Arrivals


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr("service.server.request_cycle.QUICK_SECONDS", 0.1)
    settings = quick_settings(
        max_requests=MOST_REQUESTS,
        max_slow_bodies=MOST_SLOW,
        body_idle_seconds=PATIENCE,
        min_body_rate=RATE,
        max_stream_seconds=2.5,
    )
    arrivals = Arrivals(settings)
    app = Starlette(
        routes=[Route("/", length, methods=["GET", "POST"])],
        middleware=[Middleware(ConcurrencyLimit, arrivals=arrivals)],
        exception_handlers={Problem: on_problem},
    )
    with serving(app, settings, arrivals) as listening:
        yield Service(listening, arrivals)


@pytest.fixture
def port(service: Service) -> int:
    return service.port


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def trickle(line: socket.socket, piece: bytes, pause: float, seconds: float) -> float:
    """Send a piece again and again until the server answers; return after how many seconds it did."""
    begun = time.monotonic()
    line.settimeout(pause)
    while time.monotonic() - begun < seconds:
        line.sendall(piece)
        try:
            line.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            continue
        break
    line.settimeout(10)
    return time.monotonic() - begun


def begin_slowly(service: Service, count: int, until_the_end: ExitStack) -> list[socket.socket]:
    """Begin so many bodies, and wait until the service knows each as a slow one."""
    lines = []
    for number in range(count):
        lines.append(until_the_end.enter_context(dial(service.port)))
        lines[-1].sendall(HEAD + b"\r\nx")
        while number % MOST_REQUESTS == MOST_REQUESTS - 1 and service.arrivals.slow.held <= number:
            time.sleep(0.01)
    return lines


@pytest.mark.parametrize("sent", [HEAD + b"\r\n", HEAD + b"\r\nbegun", HEAD + b"Expect: 100-continue\r\n\r\n"])
def test_a_body_that_stops_is_given_up(port: int, sent: bytes) -> None:
    with dial(port) as line:
        line.sendall(sent)
        heard = everything_from(line).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert refusal_in(heard)["status"] == 408


def test_a_body_of_a_byte_now_and_then_is_given_up(port: int) -> None:
    """It never pauses for long, and would never end."""
    with dial(port) as line:
        line.sendall(HEAD + b"\r\n")
        assert PATIENCE - 0.1 < trickle(line, b"x", 0.3, 10) < 5 * PATIENCE
        assert refusal_in(everything_from(line))["status"] == 408


def test_a_body_at_the_least_rate_is_heard_out(port: int) -> None:
    with dial(port) as line:
        line.sendall(HEAD.replace(b"100000", b"3000") + b"Connection: close\r\n\r\n")
        for _ in range(10):
            line.sendall(b"x" * 300)
            time.sleep(0.2)
        assert everything_from(line).endswith(b"\r\n\r\n3000")


def test_a_body_does_not_take_for_ever(port: int) -> None:
    with dial(port) as line:
        line.sendall(HEAD + b"\r\n")
        assert 2 < trickle(line, b"x" * 1000, 0.2, 10) < 5
        assert "within 2.5 seconds" in refusal_in(everything_from(line))["detail"]


def test_slow_bodies_are_no_requests_under_way(service: Service) -> None:
    """A thousand of them had every other path refused."""
    port = service.port
    with ExitStack() as until_the_end:
        lines = begin_slowly(service, MOST_SLOW, until_the_end)
        assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
        assert httpx.post(f"http://127.0.0.1:{port}/", content=b"x" * 100_000).text == "100000"
        for line in lines:
            assert refusal_in(everything_from(line))["status"] == 408
    assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200


def test_too_many_slow_bodies_are_refused(service: Service) -> None:
    with ExitStack() as until_the_end:
        lines = begin_slowly(service, MOST_SLOW, until_the_end)
        for line in lines:
            line.sendall(b"x")  # what was begun goes on
        for _ in range(5):
            lines.append(until_the_end.enter_context(dial(service.port)))
            lines[-1].sendall(HEAD + b"\r\nx")
        heard = [everything_from(line) for line in lines]
    assert [statuses_in(one)[0] for one in heard] == [408] * MOST_SLOW + [503] * 5
    assert "bodies arrive slowly" in refusal_in(heard[-1])["detail"]
    assert b"\r\nretry-after: 1\r\n" in heard[-1].lower()
