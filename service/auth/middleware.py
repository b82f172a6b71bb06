"""ASGI middleware in front of everything: the host that a request names, and whose key comes with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from service.auth.failure_budget import FailureBudget
from service.auth.key import read_key
from service.auth.key_cache import KeyCache
from service.auth.local import is_local
from service.auth.principal import ANYBODY, Principal, admit
from service.errors import Malformed, Misdirected, Problem, Unauthenticated
from service.http.hosts import HostAllowlist
from service.http.problem_details import problem_response
from service.settings import Auth

POLICY_VIOLATION = 1008  # of WebSockets
ENDED = "The key of this connection is no longer in force."
HOW = "Send one as `Authorization: Bearer hp_…`; `make keys` makes them."


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
    """Admits requests with a key in force, or where none is needed; all others are answered unread with 401.

    What lasts is ended when its key is: a request with 401 or by closing its connection, a WebSocket with 1008.
    """

    def __init__(self, app: ASGIApp, mode: Auth, is_public: Callable[[str], bool], most_failures: int) -> None:
        self.app = app
        self.mode = mode
        self.is_public = is_public
        self.failures = FailureBudget(most_failures)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or self.is_public(scope["path"]):
            await self.app(scope, receive, send)
            return
        keys: KeyCache = scope["state"]["state"].keys
        try:
            principal = await self.principal(scope, keys)
        except Problem as problem:
            await refuse(problem, scope, receive, send)
            return
        admit(scope, principal)
        if principal.key_id is None:
            await self.app(scope, receive, send)
        else:
            await self.while_in_force(keys, principal.key_id, scope, receive, send)

    async def principal(self, scope: Scope, keys: KeyCache) -> Principal:
        """Return who sends a request; Unauthenticated where that is not known."""
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        if sent:
            return await self.holder(sent, scope, keys)
        if self.mode == "off":
            return ANYBODY
        if self.mode == "auto" and not await keys.keys_exist():
            if is_local(scope):
                return ANYBODY
            raise Unauthenticated(f"Without a key only this machine itself may ask, and no proxy on it. {HOW}")
        raise Unauthenticated(f"This needs a key. {HOW}")

    async def holder(self, sent: Collection[bytes], scope: Scope, keys: KeyCache) -> Principal:
        """Return whose key the header Authorization holds."""
        address = scope["client"][0] if scope.get("client") else ""
        scheme, _, text = next(iter(sent)).partition(b" ")
        presented = read_key(text.strip()) if scheme.lower() == b"bearer" and len(sent) == 1 else None
        if presented is None:
            self.failures.require(address)
            self.failures.spend(address)
            raise Unauthenticated(f"The header Authorization holds no key. {HOW}")
        if not keys.is_known(presented.key_id):
            self.failures.require(address)
            await keys.look_up(presented.key_id)
        principal = keys.principal_of(presented)
        if principal is None:
            self.failures.require(address)
            self.failures.spend(address)
            raise Unauthenticated(
                "The key is not known, was revoked or has expired; `make keys ARGS=list` lists those in force."
            )
        return principal

    async def while_in_force(self, keys: KeyCache, key_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and end it when its key ends."""
        task = asyncio.current_task()
        assert task is not None
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        keys.hold(key_id, task)
        try:
            await self.app(scope, receive, sending)
        except asyncio.CancelledError:
            if task not in keys.ended:
                raise
            task.uncancel()
            await end(scope, receive, send, begun=begun)
        finally:
            keys.release(key_id, task)


async def end(scope: Scope, receive: Receive, send: Send, *, begun: bool) -> None:
    """End what was cancelled; an answer that has begun is left incomplete, which closes its connection."""
    if scope["type"] == "websocket" and begun:
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ENDED})
    elif not begun:
        await refuse(Unauthenticated(ENDED), scope, receive, send)


async def refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a problem, a handshake too."""
    response = problem_response(problem)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)
