"""Requests of this machine itself, which need no key as long as there is none."""

from __future__ import annotations

from typing import Final

from starlette.types import Scope

from service.http.hosts import host_of, is_loopback

FORWARDING: Final = frozenset(
    (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"via")
)


def is_local(scope: Scope) -> bool:
    """Return whether a request comes from this machine, names it, and was not forwarded by a proxy on it."""
    peer = scope.get("client")
    if peer is None or not is_loopback(peer[0]):
        return False
    host = b""
    for name, value in scope["headers"]:
        if name == b"host":
            host = value
        elif name in FORWARDING:
            return False
    named = host_of(host.decode("latin-1"))
    return named is not None and is_loopback(named)
