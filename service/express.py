"""The short way for what comes most often: readings as plain JSON in a body of known length, and not a huge one.

It does what the handler of POST /v1/readings does, without the layers in between, which cost a single reading more than
storing it. Whatever is unusual goes the long way.
"""

from __future__ import annotations

from types import SimpleNamespace

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.bodies import body_pieces, let_go, read_start
from service.decoding import decode
from service.problems import Problem, problem_response
from service.state import State, state_of

PATH = "/v1/readings"
LONGEST = 2 * 1024 * 1024  # bytes: a document up to here is stored in one transaction
ROUTE = SimpleNamespace(path=PATH)  # as the router would say where the request went
JSON = b"application/json"
# Headers that ask for more than the short way does.
UNUSUAL = frozenset((b"origin", b"content-encoding", b"expect"))


class Express:
    """Middleware that answers usual writes of readings."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH and usual(scope):
            message = await receive()
            if message["type"] == "http.request":
                if message.get("more_body"):
                    rest = Request(scope, again(message, receive))
                    try:
                        body = await arrived(rest)
                    except Problem as problem:
                        scope["route"] = ROUTE
                        await problem_response(problem)(scope, receive, send)
                        return
                    finally:
                        let_go(rest)
                    message = {"type": "http.request", "body": body}
                if await answer(scope["state"]["state"], message["body"], scope, receive, send):
                    return
            receive = again(message, receive)
        await self.app(scope, receive, send)


async def arrived(request: Request) -> bytes:
    """Wait until a body is there."""
    state = state_of(request)
    body, _ = await read_start(request, body_pieces(request, state.settings.body_idle_seconds), LONGEST)
    return body


def usual(scope: Scope) -> bool:
    """Tell whether a request is one that the short way may take."""
    if scope["method"] != "POST" or scope["query_string"]:
        return False
    length = b""
    for name, value in scope["headers"]:
        if name in UNUSUAL or (name == b"content-type" and value != JSON):
            return False
        if name == b"content-length":
            length = value
    return length.isdigit() and int(length[:20]) <= LONGEST


async def answer(state: State, body: bytes, scope: Scope, receive: Receive, send: Send) -> bool:
    """Store readings and answer with a receipt; return False where the model must judge."""
    scope["route"] = ROUTE
    try:
        # Away from the database for long, nobody knows which timestamps are accepted.
        rows = decode(body, await state.accepted.now())
        if rows is None:
            return False
        state.room.take(len(body))
        try:
            counts = await state.writer.write(rows)
        finally:
            state.room.give(len(body))
    except Problem as problem:
        await problem_response(problem)(scope, receive, send)
        return True
    text = (
        f'{{"received":{len(rows)},"inserted":{counts["inserted"]},"updated":{counts["updated"]},'
        f'"unchanged":{counts["unchanged"]},"rejected":0,"errors":[]}}'
    ).encode()
    headers = [(b"content-length", b"%d" % len(text)), (b"content-type", JSON)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})
    return True


def again(message: Message, receive: Receive) -> Receive:
    """Give a message that was received already once more."""
    given = False

    async def first() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return message

    return first
