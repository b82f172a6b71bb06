"""The tenant of events that a request sends: what each names, or the one that the request is bound to."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from starlette.requests import Request

from service.errors import Forbidden
from service.http.tenancy import bound_tenant, tenant_for
from service.model.event import EVENT, EVENT_OF_TENANT, EventRow
from service.state import state_of


def model_for(request: Request) -> TypeAdapter[Any]:
    """Return the model of a request's events, which need not name the tenant that it is bound to."""
    return EVENT if bound_tenant(request) is None else EVENT_OF_TENANT


def in_tenant(request: Request, events: list[EventRow]) -> list[EventRow]:
    """Give events the tenant that a request is bound to; Forbidden where one names another."""
    if bound_tenant(request) is not None:
        for event in events:
            event.tenant_id = tenant_for(request, event.tenant_id or None)
        return events
    state = state_of(request)
    if state.shards is not None:
        for event in events:
            if state.shards.map.shard_of(event.tenant_id) != state.shard:
                raise Forbidden(
                    f"tenant_id is {event.tenant_id!r}, which is in another database than the default tenant. "
                    "Send it with a key of that tenant."
                )
    return events
