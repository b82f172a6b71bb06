"""The limit of requests under way: those beyond it are refused at once, rather than after a long wait."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import Overloaded
from service.http.arrivals import Arrivals
from service.http.problem_details import problem_response

# Streams that last, which the live hub counts; and what those ask who want to know how the process does.
ALWAYS = frozenset(("/v1/live", "/v1/live/", "/health", "/health/", "/prometheus", "/prometheus/"))


class ConcurrencyLimit:
    """Middleware that answers 503 to requests beyond `most` at once, of those that do not wait for a slow body."""

    def __init__(self, app: ASGIApp, most: int, arrivals: Arrivals) -> None:
        self.app = app
        self.most = most
        self.arrivals = arrivals
        self.under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ALWAYS:
            await self.app(scope, receive, send)
        elif self.under_way - self.arrivals.slow >= self.most:
            problem = Overloaded(f"{self.most} requests are being answered already; try again in a second.")
            await problem_response(problem)(scope, receive, send)
        else:
            self.under_way += 1
            try:
                await self.app(scope, receive, send)
            finally:
                self.under_way -= 1
