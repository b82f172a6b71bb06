"""What the log says of requests: those that fail, and with ACCESS_LOG=1 all of them, each with its id."""

from __future__ import annotations

import logging
import re
import secrets
from functools import partial
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.request_labels import method_label, route_label
from service.log_format import REQUEST_ID

HEADER = b"x-request-id"
USABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")
KEY = "hyperpulse.request_id"  # of the scope

log = logging.getLogger("hyperpulse")
access = logging.getLogger("hyperpulse.access")


class RequestLog:
    """Middleware that logs requests that fail, and has every line about a request carry its id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # It is not reset: the server logs what a request raises in the same task.
        REQUEST_ID.set(partial(request_id, scope))
        try:
            await self.app(scope, receive, send)
        except Exception:
            log.exception("a request failed", extra={"fields": labels(scope)})
            raise


class AccessLog:
    """Middleware that logs every request once its answer is sent, and answers with its id in X-Request-Id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = perf_counter()
        status = 500  # of a request that fails before its answer begins

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id(scope).encode())]
            await send(message)

        try:
            await self.app(scope, receive, answer)
        finally:
            took = round((perf_counter() - begun) * 1000, 1)
            access.info("request", extra={"fields": labels(scope) | {"status": status, "ms": took}})


def request_id(scope: Scope) -> str:
    """Return the id of a request: the client's own or a new one, made at its first use, since most are not logged."""
    found: str | None = scope.get(KEY)
    if found is None:
        found = scope[KEY] = sent_id(scope) or secrets.token_hex(8)
    return found


def sent_id(scope: Scope) -> str:
    """Return the id that the client sent; empty where it sent none, or one that must not reach the log."""
    for name, value in scope["headers"]:
        if name == HEADER:
            return value.decode() if USABLE.fullmatch(value) else ""
    return ""


def labels(scope: Scope) -> dict[str, Any]:
    """Return what a request is known by in metrics, too."""
    return {"method": method_label(scope), "route": route_label(scope)}
