"""Middleware that counts requests."""

from __future__ import annotations

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.request_labels import method_label, route_label
from service.metrics.counters import Counters, RequestKey


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
        self.requests[RequestKey(method_label(scope), route_label(scope), status)].observe(seconds)
