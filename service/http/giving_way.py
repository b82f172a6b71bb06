"""ASGI middleware: requests of a tenant that uses more than others do begin in the gaps between those of the others."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import Overloaded
from service.http.problem_details import refuse
from service.precedence import CURRENT, Precedence
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
        CURRENT.set(self.precedence)
        try:
            ticket = await self.precedence.enter(party)
        except Overloaded as problem:
            await refuse(problem, scope, receive, send)
            return
        try:
            await self.precedence.metered(party, self.app(scope, receive, send))
        finally:
            self.precedence.leave(party, ticket)
