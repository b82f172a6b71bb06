"""Precedence: a tenant that uses much works in the gaps between the requests of others, and goes on all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from service.precedence import Precedence, Visit
from service.usage import STEADY

PERCENT = 50
MOST = PERCENT / 100 * STEADY
MUCH = 0.9 * MOST
Run = Callable[[Coroutine[Any, Any, None]], None]


def now() -> float:
    return asyncio.get_running_loop().time()


def beside(calm: float = 0.0) -> Precedence:
    """Return the precedence of a tenant that has used little over one that is held, and may use a little more."""
    made = Precedence(PERCENT)
    made.note("flood", MUCH)
    made.held.add("flood")
    made.note("calm", calm)
    return made


async def enter(precedence: Precedence, party: str) -> Visit:
    """Begin a request as service.http.giving_way does."""
    visit = precedence.come(party)
    if visit.in_gaps:
        await precedence.wait_to_begin(visit)
    return visit
