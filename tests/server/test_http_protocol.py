"""Connections that send nothing, or half a head, are closed; others are served."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from service.server.request_heads import MOST_PARSED_URL
from tests.support.app_server import quick_settings, serving
from tests.support.wire import everything_from, refusal_in, statuses_in

HEAD_SECONDS = 0.3
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def slow(request: Request) -> Response:
    return PlainTextResponse("here")


async def length_of_body(request: Request) -> Response:
    try:
        return PlainTextResponse(f"{len(await request.body())} {len(request.headers)}")
    except ClientDisconnect:
        return PlainTextResponse("gone")


@pytest.fixture
def port() -> Iterator[int]:
    """A server with little patience."""
    app = Starlette(routes=[Route("/", slow), Route("/length", length_of_body, methods=["POST"])])
    with serving(app, quick_settings(head_seconds=HEAD_SECONDS)) as listening:
        yield listening


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


def test_an_empty_line_after_an_answer_is_not_the_beginning_of_a_long_wait(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(REQUEST)
        assert b"200 OK" in line.recv(1000)
        line.sendall(b"\r\n")
        assert line.recv(1000) == b""


# How large a head may be ------------------------------------------------------------------------------------


def answer_to(port: int, *pieces: bytes) -> bytes:
    """Send pieces until the server has enough of them, and return all that it says."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        try:
            for piece in pieces:
                line.sendall(piece)
        except OSError:
            pass  # it does not wait for all
        return everything_from(line)


HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POSTED = b"POST /length HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD + b"X: " + b"y" * 600_000, 431),
        (HEAD + b"x" * 600_000, 431),
        (HEAD + b"X: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (HEAD + b"X: y\r\n" * 101, 431),
        (HEAD + b"X: %b\r\n" % (b"y" * 1000) * 70, 431),
        (b"GET /?" + b"a" * 300_000, 414),
        (b"GET /?" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"\r\n" * 300_000, 431),
        (b"GET /ws HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" + b"X: y\r\n" * 101, 431),
        (POSTED + b"5;" + b"x" * 600_000, 431),
        (POSTED + b"0\r\nX: " + b"y" * 600_000, 431),
        (POSTED + b"0\r\n" + b"X: y\r\n" * 102, 431),
    ],
    ids=[
        "value",
        "name",
        "whole",
        "many",
        "sum",
        "url",
        "long-url",
        "blank",
        "websocket",
        "extension",
        "trailer",
        "trailers",
    ],
)
def test_an_endless_head_is_refused_before_its_end(port: int, sent: bytes, status: int) -> None:
    """Trailers and extensions of chunks are no head, and as endless."""
    assert refusal_in(answer_to(port, sent))["status"] == status


def test_a_large_header_is_refused_without_being_kept(port: int) -> None:
    """The parser would copy what it has of a field with each piece that arrives."""
    begun = time.process_time()
    answer_to(port, HEAD + b"X: ", *[b"y" * 1_000_000] * 100)
    assert time.process_time() - begun < 0.5  # the server runs in this process


def test_as_much_as_is_allowed_is_read(port: int) -> None:
    fields = b"".join(b"X-%d: %b\r\n" % (n, b"y" * 640) for n in range(98))
    url = b"/?" + b"a" * (MOST_PARSED_URL - 2)
    for piece in (1000, 100_000_000):
        sent = b"GET " + url + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + fields + b"\r\n"
        heard = answer_to(port, *(sent[first : first + piece] for first in range(0, len(sent), piece)))
        assert statuses_in(heard) == [200]


def test_requests_before_one_that_is_refused_are_answered(port: int) -> None:
    heard = answer_to(port, REQUEST * 2 + HEAD + b"X: y\r\n" * 101)
    assert statuses_in(heard) == [200, 200]


def test_what_is_no_request_is_refused_as_a_problem(port: int) -> None:
    assert refusal_in(answer_to(port, b"nonsense\r\n\r\n"))["status"] == 400


def test_trailers_are_no_fields_of_the_head(port: int) -> None:
    heard = answer_to(port, POSTED + b"3\r\nabc\r\n0\r\nX: y\r\n\r\n")
    assert heard.endswith(b"3 2")
