"""The end of a connection, of which a request may hear that has not read its body yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from starlette.types import Scope

PROTOCOL: Final = "hyperpulse.protocol"  # the ASGI extension that gives a request uvicorn's protocol


class Withdrawing(Protocol):
    """What the connections of a process share."""

    withdrawn: bool


class Departing(Protocol):
    """What a protocol of uvicorn has besides, to say that its connection has ended."""

    transport: asyncio.Transport
    on_lost: Callable[[], Any] | None
    limit: Withdrawing


@contextmanager
def hearing_of_departure(scope: Scope, then: Callable[[], Any]) -> Iterator[None]:
    """Call `then` once if the client of a request leaves within the block, or has left.

    Of a client whose long body is not read this is not known before it is.
    """
    connection: Departing | None = scope.get("extensions", {}).get(PROTOCOL)
    if connection is None:
        yield
        return
    if connection.transport.is_closing():
        then()
        yield
        return
    connection.on_lost = then
    try:
        yield
    finally:
        connection.on_lost = None


def is_withdrawn(scope: Scope) -> bool:
    """Return whether the process that was asked is about to stop, and wants to be asked no more."""
    connection: Departing | None = scope.get("extensions", {}).get(PROTOCOL)
    return connection is not None and connection.limit.withdrawn
