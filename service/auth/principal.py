"""The principal of a request: whose key came with it, for which tenant, and what the key may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias, get_args

from starlette.types import Scope

from service.errors import Forbidden

AccessScope: TypeAlias = Literal["ingest", "read", "admin", "operate"]
ALL_SCOPES: frozenset[AccessScope] = frozenset(get_args(AccessScope))
PRINCIPAL = "hyperpulse.principal"  # of an ASGI scope
TENANT = "hyperpulse.tenant"


@dataclass(frozen=True, slots=True)
class Principal:
    """`key_id` is None where no key is needed, `tenant` where all are open; `until` is a moment of time.monotonic.

    `credential` is the id of what was presented: of the key itself, or of a session.
    `rates` are limits per second, by kind: requests, readings, bytes.
    """

    key_id: str | None
    tenant: str | None
    scopes: frozenset[AccessScope]
    until: float = float("inf")
    credential: str = ""
    name: str | None = None
    expires_at: datetime | None = None
    rates: Mapping[str, float] = field(default_factory=dict)


ANYBODY = Principal(None, None, ALL_SCOPES)
SCRAPER = Principal(None, None, frozenset({"operate"}))  # on this machine, while it is not known whether there are keys


def admit(scope: Scope, principal: Principal) -> None:
    """Note who sends a request."""
    scope[PRINCIPAL] = principal
    if principal.tenant is not None:
        scope[TENANT] = principal.tenant


def key_of(scope: Scope) -> str | None:
    """Return the id of the key that a request came with; None where it came without."""
    principal: Principal | None = scope.get(PRINCIPAL)
    return None if principal is None else principal.key_id


def require_scope(scope: Scope, wanted: AccessScope) -> None:
    """Raise Forbidden where the sender of a request must not do this; a request without a principal may do nothing."""
    principal: Principal | Any = scope.get(PRINCIPAL)
    if principal is None or wanted not in principal.scopes:
        has = ", ".join(sorted(principal.scopes)) if principal is not None else "none"
        raise Forbidden(f"This needs a key with the scope {wanted}; the scopes of this one: {has}.")
