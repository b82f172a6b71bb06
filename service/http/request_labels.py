"""What metrics and logs say of a request: its method and its route, and nothing that a client chose."""

from __future__ import annotations

from functools import cache
from typing import Final

from starlette.types import Scope

METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


def method_label(scope: Scope) -> str:
    """Return the method of a request, or "other"."""
    method: str = scope["method"]
    return method if method in METHODS else "other"


def route_label(scope: Scope) -> str:
    """Return the route of a request as the OpenAPI document writes it; empty where none matched."""
    return template(getattr(scope.get("route"), "path", ""))


@cache
def template(path: str) -> str:
    """Return the path of a route without the convertors of its parameters."""
    return path.replace(":name}", "}")
