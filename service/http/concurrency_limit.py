"""The limit of requests under way: those beyond it are refused at once, rather than after a long wait."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import Overloaded
from service.http.arrivals import Arrivals
from service.http.problem_details import problem_response
from service.shares import PARTY

# Streams that last, which the live hub counts; and what those ask who want to know how the process does. RawPathRouting
# has taken a trailing slash away before.
ALWAYS = frozenset(("/v1/live", "/health", "/prometheus"))


class ConcurrencyLimit:
    """Middleware that answers 503 to requests beyond MAX_REQUESTS at once, or beyond the share of their tenant.

    Those that wait for a slow body do not count.
    """

    def __init__(self, app: ASGIApp, arrivals: Arrivals) -> None:
        self.app = app
        self.requests = arrivals.requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ALWAYS:
            await self.app(scope, receive, send)
            return
        party = PARTY.get()
        if not self.requests.fits(party):
            problem = Overloaded(f"{self.requests.held} requests are being answered already; try again in a second.")
            await problem_response(problem)(scope, receive, send)
            return
        self.requests.take(party)
        try:
            await self.app(scope, receive, send)
        finally:
            self.requests.give(party)
