"""ASGI middleware that holds keys to their limits."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.auth.allowance import ALLOWANCE, TALLY, Allowance, charge_for
from service.auth.principal import PRINCIPAL
from service.errors import Problem, RateLimited
from service.http.problem_details import refuse

REFUSAL_SECONDS = 0.2
"""Before a refusal, which would otherwise take a processor of who sends again at once."""


class RateLimits:
    """Refuses with 429 what a key sends beyond its limits, unread; other answers of such a key say what is left.

    A refusal comes after a pause, so that a client that sends again at once takes little of the processor.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal = scope.get(PRINCIPAL)
        if principal is None or not principal.rates:
            await self.app(scope, receive, send)
            return
        try:
            allowance: Allowance = await scope["state"]["state"].allowances.of(principal)
        except Problem as problem:
            await refuse(problem, scope, receive, send)
            return
        scope[ALLOWANCE] = allowance

        async def telling(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                message["headers"] = [*message.get("headers", ()), (b"ratelimit", allowance.words().encode())]
            await send(message)

        try:
            allowance.admit()
        except RateLimited as problem:
            await asyncio.sleep(REFUSAL_SECONDS)
            await refuse(problem, scope, receive, telling)
            return
        try:
            await self.app(scope, allowance.counted(receive), telling)
        finally:
            if (tally := scope.get(TALLY)) is not None:
                charge_for(scope, tally.received)
