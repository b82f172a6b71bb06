"""What this process has counted since it started: requests by route, and items by what became of them.

Plain dictionaries: everything here happens on one event loop, so that nothing needs a lock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from time import perf_counter
from typing import Final, NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class Asked(NamedTuple):
    """What requests are counted by; the route is a template, empty where no route matched."""

    method: str
    route: str
    status: int


class Timing:
    """How long requests took until their answers began: how many fell under each bound, and all seconds together."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0


REQUESTS: defaultdict[Asked, Timing] = defaultdict(Timing)
ITEMS: Counter[tuple[str, str]] = Counter()  # of ("readings" or "events", outcome)


class Measured:
    """ASGI middleware that counts each request when its answer begins, so that a long stream counts by its start."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

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
                observe(scope, message["status"], perf_counter() - begun)
            await send(message)

        try:
            await self.app(scope, receive, counted)
        except Exception:
            if not answered:
                observe(scope, 500, perf_counter() - begun)
            raise


def observe(scope: Scope, status: int, seconds: float) -> None:
    """Count one request."""
    method = scope["method"]
    route = scope.get("route")
    timing = REQUESTS[Asked(method if method in METHODS else "other", getattr(route, "path", ""), status)]
    timing.counts[bisect_left(BOUNDS, seconds)] += 1
    timing.seconds += seconds


def count_items(kind: str, **outcomes: int) -> None:
    """Count readings or events by what became of them."""
    for outcome, number in outcomes.items():
        ITEMS[kind, outcome] += number
