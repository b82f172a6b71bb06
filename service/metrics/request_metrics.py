"""Middleware that counts requests."""

from __future__ import annotations

from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.metrics.counters import Counters, RequestKey

METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class RequestMetrics:
    """Counts each request when its answer begins, so that a long stream counts by its start."""

    def __init__(self, app: ASGIApp, counters: Counters) -> None:
        self.app = app
        self.requests = counters.requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = perf_counter()
        answered = False

        async def counted(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                self.observe(scope, message["status"], perf_counter() - begun)
            await send(message)

        try:
            await self.app(scope, receive, counted)
        except Exception:
            if not answered:
                self.observe(scope, 500, perf_counter() - begun)
            raise

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one request."""
        method = scope["method"]
        route = getattr(scope.get("route"), "path", "")
        self.requests[RequestKey(method if method in METHODS else "other", route, status)].observe(seconds)
