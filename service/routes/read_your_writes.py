"""Read-your-writes where answers come from replicas: a write leaves its position, a read must have it.

Who has been answered finds what was written, through every process of the machine; through another one with the header
of the answer, or where READ_YOUR_WRITES is `everywhere`.
"""

from __future__ import annotations

from collections.abc import Iterator

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.auth.principal import key_of
from service.database.pool import Source
from service.database.replicas.positions import HEADER, NOWHERE, parse_position
from service.database.replicas.reads import Replicas
from service.database.replicas.shared_positions import Name
from service.database.replicas.written import WRITTEN, Written
from service.errors import Overloaded
from service.http.problem_details import problem_response
from service.http.tenancy import tenant_of
from service.state import state_of

READING = frozenset(("GET", "HEAD"))
RAW_HEADER = HEADER.lower().encode()


def reads_of(request: Request, *user_ids: str) -> Source:
    """Return where the answer to a question is read: on these users, else on what the whole tenant has.

    The primary where there are no replicas, and where the request writes.
    """
    state = state_of(request)
    if state.replicas is None or request.method not in READING:
        return state.pool
    tenant_id = tenant_of(request)
    names = [of_tenant(tenant_id)]
    names += [of_user(tenant_id, user_id) for user_id in user_ids] or [of_sender(request.scope)]
    given = Headers(scope=request.scope).get(HEADER)
    return state.replicas.reads(names, NOWHERE if given is None else parse_position(given))


def of_tenant(tenant_id: str) -> Name:
    return ("tenant", tenant_id)


def of_user(tenant_id: str, user_id: str) -> Name:
    return ("user", tenant_id, user_id)


def of_sender(scope: Scope) -> Name:
    """Return the name of who sends a request: a key, or all that come without."""
    key_id = key_of(scope)
    return ("sender", tenant_of(scope)) if key_id is None else ("key", key_id)


class ReadYourWrites:
    """Middleware that remembers where a write was committed before its answer goes, and says so in a header.

    It stands where there are replicas only.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        replicas: Replicas | None = None
        if scope["type"] == "http" and scope["method"] not in READING:
            replicas = scope["state"]["state"].replicas
        if replicas is None:
            await self.app(scope, receive, send)
            return
        written = Written()
        WRITTEN.set(written)
        refused = False

        async def answer(message: Message) -> None:
            nonlocal refused
            # A failure promises nothing, and the primary may be away.
            if message["type"] == "http.response.start" and message["status"] < 500 and written.anything:
                try:
                    position = await replicas.note(names_of(written, scope))
                except Overloaded:
                    refused = True
                    await problem_response(unsure())(scope, receive, send)
                else:
                    headers = [*message["headers"], (RAW_HEADER, str(position).encode())]
                    message = {**message, "headers": headers}
            if not refused:
                await send(message)

        await self.app(scope, receive, answer)


def names_of(written: Written, scope: Scope) -> Iterator[Name]:
    """Yield the names that a write is remembered by."""
    yield of_sender(scope)
    for tenant_id in written.tenants:
        yield of_tenant(tenant_id)
    for tenant_id, user_id in written.users:
        yield of_user(tenant_id, user_id)


def unsure() -> Overloaded:
    """Say that a write may be there, and that its sender would not find it for certain."""
    return Overloaded("The database went away as the answer was due; what was sent may be stored. Send it again.")
