"""ASGI middleware: requests of a tenant that uses more than others do begin in the gaps between those of the others."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import Malformed, Overloaded
from service.http.departure import hearing_of_departure
from service.http.problem_details import refuse
from service.precedence import CURRENT, Precedence, Visit
from service.shares import PARTY


class GivingWay:
    """Lets requests begin when their tenant may; those that waited for too long are answered 503."""

    def __init__(self, app: ASGIApp, percent: int) -> None:
        self.app = app
        self.precedence = Precedence(percent)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        party = PARTY.get()
        if party is None:
            await self.app(scope, receive, send)
            return
        visit = self.precedence.come(party)
        if visit.in_gaps:
            try:
                await self.wait_to_begin(visit, scope)
            except (Malformed, Overloaded) as problem:
                await refuse(problem, scope, receive, send)
                return
        CURRENT.set((self.precedence, visit))
        try:
            await self.precedence.metered(party, self.app(scope, receive, send))
        finally:
            self.precedence.leave(visit)

    async def wait_to_begin(self, visit: Visit, scope: Scope) -> None:
        """Wait until a request may begin; Overloaded after a while, Malformed once its client has left."""
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(None) as waiting:
                with hearing_of_departure(scope, lambda: waiting.reschedule(clock())):
                    await self.precedence.wait_to_begin(visit)
        except TimeoutError:
            raise Malformed("The connection ended before the request began.") from None
