"""Sessions: a browser signs in with a key once, and then comes with a cookie that scripts cannot read."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.answers.schemas.sessions import OpenDocument, SessionDocument, SignedOut, SignIn
from service.auth.authenticator import NO_LONGER, address_of
from service.auth.key import new_session, read_key
from service.auth.principal import PRINCIPAL, Principal
from service.auth.session_cookie import clearing_cookie, require_same_origin, session_of, setting_cookie
from service.database.pool import fetch_all
from service.errors import Fault, Invalid, Unauthenticated
from service.http.responses import json_response
from service.model.timestamps import format_timestamp
from service.routes.operation import Answer, Body, Operation
from service.routes.request_body import read_json
from service.state import state_of

LONGEST_BODY = 4096  # bytes
MOST_SESSIONS = 100  # of a key; beyond them the oldest ends


async def sign_in(request: Request) -> Response:
    """Start a session of a key, in place of the one that the browser has."""
    require_same_origin(request.scope)
    state = state_of(request)
    presented = read_key(key_in(await read_json(request, LONGEST_BODY)).encode())
    principal = await state.authenticator.of_key(presented, address_of(request.scope))
    session = new_session()
    started = await fetch_all(
        state.pool,
        "start_session",
        session_id=session.id,
        digest=session.digest,
        key_id=principal.key_id,
        hours=state.settings.session_hours,
        most=MOST_SESSIONS,
    )
    if not started:  # it was revoked since it was last read
        raise Unauthenticated(NO_LONGER)
    await end_session(request)
    await state.authenticator.keys.look_up(session.id)
    of_session = state.authenticator.keys.principal_by_id(session.id) or principal
    return unstored(document_of(of_session), setting_cookie(request.scope, session.text), status=201)


def key_in(body: Any) -> str:
    """Return the key of a body; what stands in its place is not repeated, since it may be a secret too."""
    key = body.get("key") if isinstance(body, dict) else None
    if not isinstance(key, str) or len(body) > 1:
        problem = "must be a string, in an object that holds nothing else"
        raise Invalid("The request is invalid.", [Fault(at="key", problem=problem, value=None)])
    return key.strip()


async def session(request: Request) -> Response:
    """Answer whose key or session a request comes with."""
    return unstored(document_of(request.scope[PRINCIPAL]))


async def sign_out(request: Request) -> Response:
    """End the session that a request comes with, and what is open with it."""
    if session_of(request.scope) is not None:
        require_same_origin(request.scope)
    return unstored({"ended": await end_session(request)}, clearing_cookie(request.scope))


async def end_session(request: Request) -> bool:
    """End the session that a request comes with; returns whether there was one."""
    state, presented = state_of(request), session_of(request.scope)
    if presented is None:
        return False
    ended = await fetch_all(state.pool, "end_session", session_id=presented.id, digest=presented.digest)
    if ended:
        state.authenticator.keys.end(presented.id)
    return bool(ended)


def document_of(principal: Principal) -> dict[str, Any]:
    """Describe who sends requests."""
    if principal.key_id is None:
        return {"open": True}
    return {
        "open": False,
        "tenant": principal.tenant,
        "scopes": sorted(principal.scopes),
        "key_id": principal.key_id,
        "name": principal.name,
        "expires_at": None if principal.expires_at is None else format_timestamp(principal.expires_at),
    }


def unstored(document: Any, cookie: str | None = None, status: int = 200) -> Response:
    """Answer with JSON that no cache keeps, and set a cookie."""
    response = json_response(document, status)
    response.headers["Cache-Control"] = "no-store"
    if cookie is not None:
        response.headers["Set-Cookie"] = cookie
    return response


EXAMPLE = {
    "open": False,
    "tenant": "clinic",
    "scopes": ["read"],
    "key_id": "3f9c01d2ab77",
    "name": "front desk",
    "expires_at": "2025-01-15T22:00:00Z",
}

OPERATIONS = [
    Operation(
        "POST",
        "/v1/session",
        sign_in,
        "Sessions",
        "Sign in with a key",
        {201: Answer("The session, in a cookie that scripts cannot read.", SessionDocument, EXAMPLE)},
        access=None,
        description="For pages of the service: the browser must say `Sec-Fetch-Site: same-origin` here and wherever it "
        "comes with the cookie. A session may do what its key may, and ends with it or after SESSION_HOURS.",
        body=Body(SignIn, {"key": "hp_3f9c01d2ab77_…"}),
        refuses=(400, 401, 403, 408, 413, 415, 422, 429, 503),
    ),
    Operation(
        "GET",
        "/v1/session",
        session,
        "Sessions",
        "Who is signed in",
        {200: Answer("Whose key or session the request came with.", SessionDocument | OpenDocument, EXAMPLE)},
        access="any",
        description='Where no key is needed, the answer is `{"open": true}`.',
    ),
    Operation(
        "DELETE",
        "/v1/session",
        sign_out,
        "Sessions",
        "Sign out",
        {200: Answer("Whether there was a session to end; the cookie is removed.", SignedOut, {"ended": True})},
        access=None,
        description="What is open with the session ends within five seconds.",
        refuses=(403, 422, 503),
    ),
]
