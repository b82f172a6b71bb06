"""The tenant of a request: the one that its key is bound to, or the default one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from service.errors import Forbidden

DEFAULT_TENANT: Final = "default"
KEY: Final = "hyperpulse.tenant"  # of the scope, where authentication has bound the request to a tenant
LONGEST = 128  # characters of what was requested that the refusal repeats


def bound_tenant(connection: Mapping[str, Any]) -> str | None:
    """Return the tenant that a connection, or its scope, is bound to; None where it may name any."""
    bound: str | None = connection.get(KEY)
    return bound


def tenant_of(connection: Mapping[str, Any]) -> str:
    """Return the tenant that a connection, or its scope, is bound to, else the default one."""
    return bound_tenant(connection) or DEFAULT_TENANT


def tenant_for(connection: Mapping[str, Any], requested: str | None) -> str:
    """Return the tenant that a request names, else its own; Forbidden where it is bound to another."""
    bound = bound_tenant(connection)
    if requested is None:
        return bound or DEFAULT_TENANT
    if bound is not None and requested != bound:
        raise Forbidden(
            f"tenant_id is {requested[:LONGEST]!r}, and the key of this request is of another tenant. "
            "Leave tenant_id out, or use a key of that tenant."
        )
    return requested
