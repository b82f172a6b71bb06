"""ASGI middleware that hands each request the database of its tenant, where there are several."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.auth.principal import PRINCIPAL
from service.errors import NotFound, Overloaded, Problem
from service.http.problem_details import refuse
from service.http.tenancy import DEFAULT_TENANT, bound_tenant
from service.settings import HOME
from service.state import Shards, State

OF_THE_INSTALLATION: Final = frozenset(("/v1/system", "/prometheus"))
SERVICE_RESTART = 1012  # of WebSockets: connect again
MOVED = "The tenant has moved to another database; send it again."


class ShardDispatch:
    """Replaces the state of a request by that of its tenant's database; what the process shares stays the same.

    A request of a tenant that moves meanwhile ends: with 503, or by closing its connection.
    """

    def __init__(self, app: ASGIApp, names_tenant: Callable[[Scope], bool]) -> None:
        """`names_tenant` says whether a request that is bound to no tenant may name one in its URL."""
        self.app = app
        self.names_tenant = names_tenant

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # What is answered without a key needs no tenant, and is the home database's: signing in, say.
        if scope["type"] not in ("http", "websocket") or scope.get(PRINCIPAL) is None:
            await self.app(scope, receive, send)
            return
        home: State = scope["state"]["state"]
        assert home.shards is not None
        try:
            if bound_tenant(scope) is None and scope["path"] in OF_THE_INSTALLATION:
                scope["state"] = {"state": state_named(home.shards, take_shard(scope))}
                await self.app(scope, receive, send)
                return
            tenant_id = self.tenant_asked(scope)
            chosen = state_of_tenant(home.shards, tenant_id)
        except Problem as problem:
            await refuse(problem, scope, receive, send)
            return
        scope["state"] = {"state": chosen}
        await self.until_it_moves(home.shards, tenant_id, scope, receive, send)

    def tenant_asked(self, scope: Scope) -> str:
        """Return the tenant of a request: its own, or, where it is bound to none, the one that it names in its URL."""
        bound: str | None = bound_tenant(scope)
        if bound is not None:
            return bound
        if not self.names_tenant(scope):
            return DEFAULT_TENANT
        named: dict[str, str] = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        return named.get("tenant_id") or DEFAULT_TENANT

    async def until_it_moves(self, shards: Shards, tenant_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and end it when its tenant leaves the database."""
        task = asyncio.current_task()
        assert task is not None
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        with shards.map.holding(tenant_id, task):
            try:
                await self.app(scope, receive, sending)
            except asyncio.CancelledError:
                if task not in shards.map.ended:
                    raise
                task.uncancel()
                if scope["type"] == "websocket" and begun:
                    await send({"type": "websocket.close", "code": SERVICE_RESTART, "reason": MOVED})
                elif not begun:
                    await refuse(Overloaded(MOVED), scope, receive, send)


def take_shard(scope: Scope) -> str:
    """Take the name of a database out of the query string; home where it has none."""
    arguments = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    names: list[str] = [value for name, value in arguments if name == "shard"]
    if not names:
        return HOME
    scope["query_string"] = urlencode([one for one in arguments if one[0] != "shard"]).encode()
    return names[-1]


def state_of_tenant(shards: Shards, tenant_id: str) -> State:
    """Return the state of the database that a tenant is in; Overloaded where this process does not know it."""
    name = shards.map.shard_of(tenant_id)
    try:
        return shards.states[name]
    except KeyError:
        raise Overloaded(
            f"The tenant is in the database {name!r}, which SHARD_DATABASE_URLS does not name here."
        ) from None


def state_named(shards: Shards, name: str) -> State:
    """Return the state of a database; NotFound where this process has none of that name."""
    try:
        return shards.states[name]
    except KeyError:
        raise NotFound(f"There is no database {name[:64]!r}; SHARD_DATABASE_URLS names those that there are.") from None
