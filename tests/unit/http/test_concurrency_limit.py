"""Too many requests at once are refused, and sooner those of a tenant that leaves no room to others."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import ExitStack

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from service.http.arrivals import Arrivals
from service.http.concurrency_limit import ConcurrencyLimit
from service.http.middleware import RawPathRouting
from service.settings import Settings
from service.shares import PARTY


async def nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def answered(arrivals: Arrivals, *parties: str | None) -> Counter[tuple[str | None, int]]:
    """Ask for each party, all at once; count the answers by party and status."""
    counts: Counter[tuple[str | None, int]] = Counter()
    all_asked = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await all_asked.wait()
        await PlainTextResponse("ok")(scope, receive, send)

    limit = ConcurrencyLimit(app, arrivals)

    async def ask(party: str | None) -> None:
        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                counts[party, message["status"]] += 1

        PARTY.set(party)
        await limit({"type": "http", "path": "/", "method": "GET", "headers": []}, nothing, send)

    async def ask_all() -> None:
        tasks = [asyncio.create_task(ask(party)) for party in parties]
        await asyncio.sleep(0)
        all_asked.set()
        await asyncio.gather(*tasks)

    asyncio.run(ask_all())
    assert not arrivals.requests.held
    return counts


def with_room_for(count: int) -> Arrivals:
    return Arrivals(Settings("", max_requests=count, max_slow_bodies=count))


def test_too_many_are_refused() -> None:
    assert answered(with_room_for(8), *[None] * 10) == {(None, 200): 8, (None, 503): 2}


def test_a_tenant_that_floods_leaves_room_to_another() -> None:
    counts = answered(with_room_for(8), *["clinic"] * 10, "lab", None)
    assert counts == {("clinic", 200): 4, ("clinic", 503): 6, ("lab", 200): 1, (None, 200): 1}


def test_slow_bodies_of_a_tenant_leave_room_to_another() -> None:
    arrivals = with_room_for(8)
    with ExitStack() as waiting:
        fitting = 0
        PARTY.set("clinic")
        while arrivals.slow.fits("clinic"):
            arrivals.requests.take("clinic")
            waiting.enter_context(arrivals.waiting(is_new=True))
            fitting += 1
        assert fitting == 4
        PARTY.set("lab")
        assert arrivals.slow.fits("lab")
        # They count as no requests under way.
        assert not arrivals.requests.held
        PARTY.set("clinic")
    assert not arrivals.slow.held
    assert arrivals.requests.of["clinic"] == 4
    PARTY.set(None)


@pytest.mark.parametrize(
    ("path", "status"),
    [(path + slash, 200) for path in ("/health", "/prometheus", "/v1/live") for slash in ("", "/")]
    + [("/prometheus//", 503), ("/prometheus/x", 503), ("/ready/", 503)],
)
def test_what_tells_of_the_process_is_answered_always(path: str, status: int) -> None:
    """With a trailing slash, too, which RawPathRouting takes away before."""
    arrivals = with_room_for(1)
    arrivals.requests.take(None)
    app = RawPathRouting(ConcurrencyLimit(PlainTextResponse("ok"), arrivals))
    statuses = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    asyncio.run(app({"type": "http", "path": path, "method": "GET", "headers": []}, nothing, send))
    assert statuses == [status]
