"""Tickets: each opens one WebSocket, for clients that can send neither a header nor a cookie with a handshake."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from service.answers.schemas.sessions import TicketDocument
from service.auth.authenticator import NO_LONGER
from service.auth.key import new_ticket, read_ticket
from service.auth.principal import PRINCIPAL, Principal
from service.database.pool import fetch_all
from service.errors import Unauthenticated
from service.routes.operation import Answer, Operation
from service.routes.sessions import unstored
from service.state import state_of

SECONDS = 30


async def ticket(request: Request) -> Response:
    """Make a ticket; where no key is needed, any ticket does."""
    principal: Principal = request.scope[PRINCIPAL]
    text = new_ticket()
    if principal.key_id is not None:
        made = await fetch_all(
            state_of(request).authenticator.keys.pool,
            "add_ticket",
            digest=read_ticket(text.encode()),
            key_id=principal.key_id,
            id=principal.credential,
            seconds=SECONDS,
        )
        if not made:
            raise Unauthenticated(NO_LONGER)
    return unstored({"ticket": text, "seconds": SECONDS}, status=201)


OPERATIONS = [
    Operation(
        "POST",
        "/v1/tickets",
        ticket,
        "Live",
        "A ticket that opens one WebSocket",
        {201: Answer("The ticket.", TicketDocument, {"ticket": "ht_…", "seconds": SECONDS})},
        access="read",
        description="For clients that can set no header of a WebSocket: `/v1/live?ticket=…`, once and within "
        f"{SECONDS} seconds. What it opened ends with the key or session that asked for it.",
    )
]
