"""ASGI middleware in front of everything: the host that a request names, and whose key comes with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.auth.authenticator import Authenticator
from service.auth.key_cache import KeyCache
from service.auth.principal import admit
from service.errors import Malformed, Misdirected, Problem, Unauthenticated
from service.http.hosts import HostAllowlist
from service.http.problem_details import refuse
from service.shares import PARTY

POLICY_VIOLATION = 1008  # of WebSockets
ENDED = "The key or session of this connection is no longer in force."


class AllowedHosts:
    """Refuses requests that name another host, as those of a page do whose name was pointed at this machine."""

    def __init__(self, app: ASGIApp, hosts: HostAllowlist) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            named = [value for name, value in scope["headers"] if name == b"host"]
            if len(named) != 1:
                await refuse(
                    Malformed(f"A request has exactly one header Host; this one has {len(named)}."),
                    scope,
                    receive,
                    send,
                )
                return
            if not self.hosts.allows(named[0]):
                host = named[0].decode("latin-1")[:200]
                problem = Misdirected(f"This service is not {host!r}; where it is, add the name to ALLOWED_HOSTS.")
                await refuse(problem, scope, receive, send)
                return
        await self.app(scope, receive, send)


class Authentication:
    """Admits requests whose sender is known, or where none need be; all others are answered unread with 401.

    What lasts ends with its key or session: a request with 401 or by closing its connection, a WebSocket with 1008.
    """

    def __init__(self, app: ASGIApp, is_public: Callable[[Scope], bool]) -> None:
        self.app = app
        self.is_public = is_public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        PARTY.set(None)
        if scope["type"] not in ("http", "websocket") or self.is_public(scope):
            await self.app(scope, receive, send)
            return
        authenticator: Authenticator = scope["state"]["state"].authenticator
        try:
            principal = await authenticator.principal(scope)
        except Problem as problem:
            await refuse(problem, scope, receive, send)
            return
        admit(scope, principal)
        PARTY.set(principal.tenant)
        if principal.key_id is None:
            await self.app(scope, receive, send)
        else:
            await self.while_in_force(authenticator.keys, principal.credential, scope, receive, send)

    async def while_in_force(self, keys: KeyCache, credential: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and end it when its key or session ends."""
        task = asyncio.current_task()
        assert task is not None
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        keys.hold(credential, task)
        try:
            await self.app(scope, receive, sending)
        except asyncio.CancelledError:
            if task not in keys.ended:
                raise
            task.uncancel()
            await end(scope, receive, send, begun=begun)
        finally:
            keys.release(task)


async def end(scope: Scope, receive: Receive, send: Send, *, begun: bool) -> None:
    """End what was cancelled; an answer that has begun is left incomplete, which closes its connection."""
    if scope["type"] == "websocket" and begun:
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ENDED})
    elif not begun:
        await refuse(Unauthenticated(ENDED), scope, receive, send)
