"""What the log says of requests that fail, and which ids it takes from clients."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.app import on_surprise
from service.http.request_log import AccessLog, RequestLog, request_id
from service.log_format import JsonFormatter


async def answer(request: Request) -> Response:
    """Fail for one user."""
    if request.path_params["user_id"] == "eve":
        raise ValueError("unexpected")
    return Response("fine")


async def get(app: Starlette, path: str, headers: dict[str, str]) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path, headers=headers)


def asked(user_id: str, middleware: list[Middleware], **headers: str) -> tuple[httpx.Response, list[dict[str, Any]]]:
    """Ask for a user; return the answer and the log's lines."""
    app = Starlette(
        routes=[Route("/users/{user_id}", answer)], middleware=middleware, exception_handlers={Exception: on_surprise}
    )
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter())
    log = logging.getLogger("hyperpulse")
    log.addHandler(handler)
    level = log.level
    log.setLevel(logging.INFO)
    try:
        response = asyncio.run(get(app, f"/users/{user_id}?query=1", headers))
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
    return response, [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_request_that_fails_is_logged_with_its_id() -> None:
    response, (line,) = asked("eve", [Middleware(RequestLog)], **{"X-Request-Id": "proxy_1.a-b"})
    assert response.status_code == 500
    assert response.headers["x-request-id"] == "proxy_1.a-b"
    assert line["request_id"] == "proxy_1.a-b"
    assert (line["method"], line["route"]) == ("GET", "/users/{user_id}")
    assert "ValueError: unexpected" in line["exception"]
    assert "/users/eve" not in json.dumps(line)


def test_others_are_not_logged() -> None:
    response, lines = asked("ada", [Middleware(RequestLog)])
    assert response.status_code == 200
    assert lines == []
    assert "x-request-id" not in response.headers


def test_the_access_log_has_a_failure_too() -> None:
    response, (line, failure) = asked("eve", [Middleware(RequestLog), Middleware(AccessLog)])
    assert (line["logger"], line["status"], line["route"]) == ("hyperpulse.access", 500, "/users/{user_id}")
    assert failure["request_id"] == line["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize("sent", ["", "a b", "ü", "x" * 65, "a\nb", "a;b", '"'])
def test_an_id_that_could_forge_a_line_is_replaced(sent: str) -> None:
    scope = {"type": "http", "headers": [(b"x-request-id", sent.encode())]}
    made = request_id(scope)
    assert re.fullmatch("[0-9a-f]{16}", made)
    assert request_id(scope) == made, "one request has one id"


def test_an_id_of_64_characters_is_taken() -> None:
    assert request_id({"type": "http", "headers": [(b"x-request-id", b"x" * 64)]}) == "x" * 64
    assert request_id({"type": "http", "headers": []}) != request_id({"type": "http", "headers": []})
