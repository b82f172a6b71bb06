"""Errors as RFC 9457 problem documents: the one place that gives an error its HTTP status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from service.errors import (
    BodyTimeout,
    Failed,
    Fault,
    Forbidden,
    HeadTooLarge,
    Invalid,
    Malformed,
    Misdirected,
    NotAcceptable,
    NotFound,
    Overloaded,
    Problem,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unsupported,
    UrlTooLong,
)
from service.http.answer_headers import PRIVATE
from service.http.responses import json_of

MEDIA_TYPE = "application/problem+json"
STATUS: dict[type[Problem], int] = {
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    NotAcceptable: 406,
    BodyTimeout: 408,
    TooLarge: 413,
    UrlTooLong: 414,
    Unsupported: 415,
    Misdirected: 421,
    Invalid: 422,
    RateLimited: 429,
    HeadTooLarge: 431,
    Failed: 500,
    Overloaded: 503,
}


def status_of(problem: Problem) -> int:
    """Return the HTTP status of a problem: that of its class, or of the nearest base."""
    return next(STATUS[kind] for kind in type(problem).mro() if kind in STATUS)


def headers_of(problem: Problem) -> dict[str, str]:
    """Return the headers that go with a problem."""
    headers = {"Connection": "close"} if problem.ends_connection else {}
    if isinstance(problem, Overloaded | RateLimited):
        headers["Retry-After"] = str(problem.retry_after)
    if isinstance(problem, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="hyperpulse"'
    return headers


def problem_response(problem: Problem) -> Response:
    """Return the answer to a request that met a problem."""
    return document_response(status_of(problem), problem.detail, problem.faults, headers_of(problem))


def document_response(
    status: int, detail: str, faults: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """Return an application/problem+json document."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if faults:
        document["errors"] = faults
    # Those of middleware and of the server, too, which answer before service/http/answer_headers.py.
    return Response(json_of(document), status, {**PRIVATE, **(headers or {})}, MEDIA_TYPE)


async def on_problem(request: Request, error: Exception) -> Response:
    """Answer with a raised Problem."""
    assert isinstance(error, Problem)
    return problem_response(error)


async def refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a problem, a handshake too."""
    response = problem_response(problem)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)
