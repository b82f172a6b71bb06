"""The fast path of what comes most often: readings as plain JSON in a body of known and moderate length.

It does what the handler of POST /v1/readings does, without the layers in between, which cost a single reading more than
storing it. Every other request takes the usual way.
"""

from __future__ import annotations

from types import SimpleNamespace

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.auth.allowance import charge_for
from service.auth.principal import require_scope
from service.errors import Problem
from service.http.problem_details import problem_response
from service.http.tenancy import tenant_of
from service.ingest.fast_decoder import decode
from service.ingest.receipt import readings_receipt
from service.model.reading import Row
from service.precedence import give_way
from service.routes.admission import require_room, stays_open
from service.routes.request_body import WHOLE, body_pieces, let_go, parse_length, read_start
from service.state import State

PATH = "/v1/readings"
ROUTE = SimpleNamespace(path=PATH)  # as the router would say where the request went
SHORT = 16 * 1024  # bytes: decoded so quickly that other requests need not alternate with it
TIMESTAMP = b'"timestamp"'  # as many as there are readings
JSON = b"application/json"
# Headers that ask for more than the fast path does.
UNUSUAL = frozenset((b"origin", b"content-encoding", b"expect"))


class ReadingsFastPath:
    """Middleware that answers usual writes of readings."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH and (length := usual_length(scope)) is not None:
            scope["route"] = ROUTE
            try:
                require_scope(scope, "ingest")
                if stays_open(scope):
                    require_room(scope["state"]["state"], length)
                rows, message = await read(scope, receive)
                if rows is not None:
                    charge_for(scope, len(rows))
                    del message  # which may be large, and rows may wait for long
                    await store(tenant_of(scope), rows, scope["state"]["state"], send)
                    return
            except Problem as problem:
                await problem_response(problem)(scope, receive, send)
                return
            receive = replayed(message, receive)
        await self.app(scope, receive, send)


def usual_length(scope: Scope) -> int | None:
    """Return how long the body of a request is; None where the fast path does not take it."""
    if scope["method"] != "POST" or scope["query_string"]:
        return None
    length = b""
    for name, value in scope["headers"]:
        if name in UNUSUAL or (name == b"content-type" and value != JSON):
            return None
        if name == b"content-length":
            length = value
    number = parse_length(length)
    return number if number is not None and number <= WHOLE else None


async def read(scope: Scope, receive: Receive) -> tuple[list[Row] | None, Message]:
    """Return the readings of a body, None where the model must validate it, and a message with all of it."""
    state: State = scope["state"]["state"]
    message = await receive()
    if message["type"] != "http.request":
        return None, message
    if not message.get("more_body"):
        return await rows_of(message["body"], tenant_of(scope), state), message
    request = Request(scope, replayed(message, receive))
    try:
        body, _ = await read_start(request, body_pieces(request), WHOLE)
        return await rows_of(body, tenant_of(scope), state), {"type": "http.request", "body": body}
    finally:
        let_go(request)


async def rows_of(body: bytes, tenant_id: str, state: State) -> list[Row] | None:
    """Decode a tenant's body; Overloaded where the database is away, and which timestamps are accepted is not known."""
    bounds = await state.timestamp_window.now(state.registries.of(tenant_id))
    if len(body) > SHORT:
        await give_way()
        await state.decode_gate.enter()
        state.writer.require_room(body.count(TIMESTAMP))
    return decode(body, bounds)


async def store(tenant_id: str, rows: list[Row], state: State, send: Send) -> None:
    """Store readings of a tenant, and answer with a receipt."""
    counts = await state.writer.write(tenant_id, rows)
    text = readings_receipt(len(rows), counts)
    headers = [(b"content-length", b"%d" % len(text)), (b"content-type", JSON)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def replayed(message: Message, receive: Receive) -> Receive:
    """Return a receive that begins with a message that was received already."""
    given = False

    async def first() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return message

    return first
